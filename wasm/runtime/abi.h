/* The contract between compiled code and the runtime: object layouts whose offsets are baked into
 * machine code, and the calling convention. The code generator and the runtime include this and
 * nothing of each other.
 *
 * Registers (x86-64)            fixed while extension code runs
 *   r15  struct wasm_instance * of the running function
 *   r14  base of its memory 0 (instance->memory0; never moves)
 *   rsp  on the engine stack; overflow runs into a guard page (frames over 4096 bytes probe)
 *
 * Calling convention, Wasm to Wasm
 *   arguments: integers and references in rsi rdx rcx r8 r9, floats and v128 in xmm0…xmm7, further
 *   ones on the stack in 8-byte slots (v128: two) in order, the first at [rsp] before the call. The
 *   callee takes them off the stack when it returns: the bytes of all slots, rounded up to a
 *   multiple of 16. rdi is never an argument, so a host function is entered by setting rdi = r15.
 *   results: first integer rax, second rdx; first float xmm0, second xmm1; further ones in 8-byte
 *   slots (v128: two) in the caller's frame above the stack arguments, in order: at rsp, once the
 *   callee has returned. callee-saved: rbx rbp r12 r13 (and r14 r15). Everything else is clobbered.
 *   rax carries the struct wasm_func * when entering func->foreign. rsp is a multiple of 16 before
 *   each call.
 *
 * Tail calls replace the frame whatever the signatures: the callee's stack arguments end where ours
 *   ended (the result area above them is the same, since the results are), the return address moves
 *   to below them. A function that makes a tail call with more stack arguments than it has itself
 *   moves its return address down in the prologue, so that its frame never is in the way. Into
 *   another instance, a tail call enters func->foreign - 32: where the caller is a foreign thunk
 *   already, that one serves and no second one is put on the stack.
 *
 * Frames, for backtraces and the unwinder: in the middle of a function, behind a call, the return
 *   address is at rsp + code_func.frame_size, and in its caller rsp will be that address + 8 +
 *   code_func.popped. In a foreign or host thunk the same with code_thunks.*_frame and .popped; a
 *   foreign thunk has saved r14 of its caller at return address - 8, r15 at - 16. (A host thunk
 *   leaves them alone.) C functions take nothing off the stack.
 *
 * Calls
 *   same module:          call rel32
 *   import:               mov rax, [r15 + imports + 8*i]; call [rax + direct]; then reads
 *                         exec->interrupted (WASM_TRAP_TIMEOUT)
 *   call_indirect/_ref:   load func from the table (a null one faults on reading func->type, listed
 *                         in the trap table as WASM_TRAP_NULL); compare func->type;
 *                         func->instance == r15 ? call [func + code] : call [func + foreign]
 *   foreign thunk (one per signature, rax = func): saves r14 r15, enters func->instance, calls
 *                         func->code, copies stack arguments and results, restores. The execution
 *                         context needs no change: instances that can reach each other's functions
 *                         are linked and share one struct wasm_exec (instance->exec is constant
 * from linking on, never NULL). host thunk (one per signature, rax = func): checks rsp against
 * exec->host_limit (WASM_TRAP_STACK), sets rdi = r15, calls func->code, then reads
 *                         exec->interrupted (WASM_TRAP_TIMEOUT). direct thunk (one per module, for
 *                         host functions without stack arguments): the same checks before the call,
 *                         then jumps to func->code, which returns to the call of the import.
 *   entry thunk (one per signature): C function
 *                         void entry(struct wasm_func *func, const uint64_t *arguments,
 *                                    uintptr_t stack_top, uint64_t *results)
 *                         saves the callee-saved registers, sets MXCSR to its default, r15 =
 *                         func->owner (never func->instance, which a host function lacks) and r14,
 *                         stores rsp in exec->exit_sp, switches to stack_top unless that is 0
 *                         (nested), loads arguments (two slots per value, as union wasm_value),
 *                         sets rax = func, calls func->instance ? func->code : func->foreign,
 * stores results (likewise). Returns enum wasm_trap: 0, or what came through the exit stub. exit
 * stub:            reached with rdi = enum wasm_trap and r15 = instance by a jump from a trap site,
 * from wasm_handle_fault, from wasm_trap(): rsp = r15->exec->exit_sp, restores, returns rdi from
 * the entry thunk; or jumps to exec->leave with rax = exec, while a call by wasm/entry.h runs.
 *
 * Exceptions: exception_throw walks the frames (as a backtrace does) to the first call site whose
 * code_site says catches; it stores the exception in exec->exception and goes on behind that call
 * (target_resume()) with rsp, r15 and r14 as they were there and nothing else: a function with such
 * a call saves all callee-saved registers in its prologue and keeps no value in any across it.
 * Foreign thunks on the way give back the caller's r15 and r14 (above: Frames). Arrived at an entry
 * thunk, it is a WASM_TRAP_EXCEPTION of that call, and exec->exception stays set until the next.
 * Floating-point arguments and results of helpers do not exist but in the rounding ones.
 */
#ifndef QUINCE_WASM_ABI_H
#define QUINCE_WASM_ABI_H

#include "wasm.h"

struct wasm_instance;

struct wasm_func {
    uintptr_t code;    /* Wasm: internal entry; host: the C function */
    uintptr_t foreign; /* entry for callers of another instance: a foreign or host thunk */
    uintptr_t direct;  /* entry for calls of an import: the same, or the module's direct thunk */
    struct wasm_instance *instance; /* NULL for host functions */
    uint32_t type;                  /* canonical type number, equal for equal signatures anywhere */
    uint32_t index;                 /* in its module's function index space */
    uint32_t references; /* of objects made by wasm_func_host(); others live with owner */
    uint32_t reserved;
    /* The instance it belongs to: for a Wasm function that of its module, for a host function the
     * one that imported it (each import has a struct wasm_func of its own, with the importer's
     * thunks). */
    struct wasm_instance *owner;
};

/* Where running code leaves to. One per set of linked instances; a nested call saves and restores
 * exit_sp and host_limit. */
struct wasm_exec {
    uintptr_t exit_sp;
    uintptr_t host_limit;                /* lowest rsp at which a host function may be entered */
    uint32_t interrupted;                /* set by the deadline while in a host function */
    uint32_t trap;                       /* the trap that ended it */
    uintptr_t trap_pc, trap_sp, trap_fp; /* where, for the backtrace */
    uintptr_t guard_low, stack_low; /* of the engine stack in use: [guard_low, stack_low) faults */
    struct wasm_exception *exception; /* on its way to a handler, or NULL */
    uintptr_t leave; /* where the exit stub goes on; 0: it returns from an entry thunk */
    struct wasm_instance *owner; /* of the engine stack in use, when no call is running */
    struct wasm_exec *previous;
};

struct wasm_memory {
    uint8_t *base; /* start of the reservation */
    uint64_t size; /* accessible bytes */
    uint64_t max_pages;
    uint64_t reserved;   /* bytes of address space */
    uint32_t references; /* of a shared memory: holders, changed atomically */
    uint32_t flags;      /* WASM_MEMORY_* */
};
enum { WASM_MEMORY_SHARED = 1, WASM_MEMORY_64 = 2 };

struct wasm_table {
    void **elements; /* struct wasm_func * or externref */
    uint32_t size;
    uint32_t max;
    uint32_t references;
    uint8_t type;
};

struct wasm_global {
    union wasm_value value __attribute__((aligned(16))); /* offset 0 */
    uint32_t references;
    uint8_t type;
    bool mutable_;
};

struct wasm_tag {
    uint32_t type; /* canonical type number: its parameters are the payload */
    uint32_t references;
};

/* A thrown exception. They live in the store and are collected; compiled code and tables refer to
 * them as exnref. */
struct wasm_exception {
    struct wasm_tag *tag;
    struct wasm_exception *next; /* this and what follows is the runtime's */
    uint32_t count;              /* of values */
    bool marked;
    union wasm_value values[] __attribute__((aligned(16))); /* one per parameter of the tag */
};

/* What compiled code calls for the rare and the large; entered with the ordinary convention, rdi =
 * r15, as C functions through instance->helpers. Each may end the call by wasm_trap(). An i32
 * argument arrives zero-extended, so addresses and sizes are taken as 64 bits whatever the memory;
 * indices are validated constants. */
/* clang-format off */
#define WASM_HELPERS(X)                                                                            \
    X(memory_grow) /* (pages, memory) → old pages or -1 */                                       \
    X(memory_fill) /* (dst, value, n, memory) */                                                   \
    X(memory_copy) /* (dst, src, n, dst_memory, src_memory) */                                     \
    X(memory_init) /* (dst, src, n, segment, memory) */                                            \
    X(data_drop)   /* (segment) */                                                                 \
    X(table_get)   /* (i, table) → reference */                                                  \
    X(table_set)   /* (i, reference, table) */                                                     \
    X(table_size)  /* (table) → size */                                                          \
    X(table_grow)  /* (reference, n, table) → old size or -1 */                                  \
    X(table_fill)  /* (i, reference, n, table) */                                                  \
    X(table_copy)  /* (dst, src, n, dst_table, src_table) */                                       \
    X(table_init)  /* (dst, src, n, segment, table) */                                             \
    X(elem_drop)   /* (segment) */                                                                 \
    X(ref_func)    /* (index) → reference */                                                     \
    X(atomic_notify) /* (address, offset, count, memory) → woken; address and offset I64 */        \
    X(atomic_wait32) /* (address, offset, expected, timeout, memory) → 0 woken, 1 not equal, … */  \
    X(atomic_wait64) /* … 2 timed out */                                                           \
    X(exception_new) /* (tag) → a new exception of this tag, its values not set */                 \
    X(exception_throw) /* (exception) does not return: to the nearest handler, or a trap */        \
    X(f32_ceil)                                                                                    \
    X(f32_floor) X(f32_trunc) X(f32_nearest) /* where SSE4.1 is missing */                         \
        X(f64_ceil) X(f64_floor) X(f64_trunc) X(f64_nearest)
/* clang-format on */
enum wasm_helper {
#define X(name) WASM_HELPER_##name,
    WASM_HELPERS(X)
#undef X
        WASM_HELPER_COUNT
};

struct wasm_instance {
    uint8_t *memory0;       /* r14; NULL without a memory */
    struct wasm_exec *exec; /* that of its linked set; never NULL */
    uintptr_t exit_stub;    /* jump target to leave with rdi = trap */
    uintptr_t entry_stack;  /* this and the next: wasm/entry.h */
    uint32_t entry_frequency;
    const uintptr_t *helpers;      /* [WASM_HELPER_COUNT] C functions */
    struct wasm_func **imports;    /* [imported functions] */
    struct wasm_memory **memories; /* size of memory 0 is memories[0]->size */
    struct wasm_table **tables;
    struct wasm_global **globals; /* own and imported alike; immutable ones may be folded */
    struct wasm_func *funcs;      /* [all own functions], for ref.func and tables */
    struct wasm_tag **tags;       /* own and imported */
    /* What follows is the runtime's alone: see runtime/instance.h. */
};

#endif
