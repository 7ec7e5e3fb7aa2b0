/* The public face of the engine: load a module, link it, call it. An embedder (the host command,
 * the kernel's extension system, the exec image) includes this header and supplies host.h; nothing
 * else of wasm/ is visible to it.
 *
 * Threads: a module is immutable after loading and may be shared. An instance is used by one thread
 * at a time; the embedder holds the lock. Instances linked to each other (or to the same table,
 * memory or global) form one set, a store: it counts as one instance here, and its memory is given
 * back when the last of it is freed, so references between them stay valid. Sizes are bytes unless
 * a name says pages (64 KiB). Errors: functions that can fail on outside input fill a struct
 * wasm_error and change nothing else. */
#ifndef QUINCE_WASM_H
#define QUINCE_WASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WASM_PAGE_SIZE 65536u

/* Value types, in their binary encoding (spec 5.3.1). */
enum wasm_type {
    WASM_I32 = 0x7f,
    WASM_I64 = 0x7e,
    WASM_F32 = 0x7d,
    WASM_F64 = 0x7c,
    WASM_V128 = 0x7b,
    WASM_FUNCREF = 0x70,
    WASM_EXTERNREF = 0x6f,
    WASM_EXNREF = 0x69,
};

/* Import and export kinds, in their binary encoding (spec 5.5.5). */
enum wasm_kind { WASM_FUNC, WASM_TABLE, WASM_MEMORY, WASM_GLOBAL, WASM_TAG };

/* A value as it crosses the border; references are pointers, NULL is ref.null. */
union wasm_value {
    uint32_t i32;
    uint64_t i64;
    float f32;
    double f64;
    void *ref;
    uint8_t v128[16];
};

struct wasm_functype {
    const uint8_t *params; /* enum wasm_type each */
    const uint8_t *results;
    uint32_t param_count;
    uint32_t result_count;
};

/* What went wrong before any code ran. */
enum wasm_error_kind {
    WASM_OK,
    WASM_ERR_MALFORMED,   /* bytes are not a module (spec chapter 5) */
    WASM_ERR_INVALID,     /* a module that fails validation (chapter 3) */
    WASM_ERR_UNSUPPORTED, /* uses a feature this engine lacks; message names it */
    WASM_ERR_LIMIT,       /* over a documented limit; message names it */
    WASM_ERR_UNLINKABLE,  /* an import is missing or of the wrong type */
    WASM_ERR_NOMEM,
    WASM_ERR_TRAP,    /* instantiation trapped: segments out of bounds, or the start function */
    WASM_ERR_TIMEOUT, /* compiling took longer than the deadline */
    WASM_ERR_VERSION, /* compiled by another version of the compiler, or for another machine */
    WASM_ERR_FEATURE, /* a CPU feature is missing; it or an optimiser pass is unknown; message names
                         it */
};

struct wasm_error {
    enum wasm_error_kind kind;
    uint32_t offset;   /* byte offset in the module, where it makes sense */
    uint32_t trap;     /* enum wasm_trap when kind is WASM_ERR_TRAP */
    char message[192]; /* one line, no newline, names what was wrong */
};

/* Why running code stopped. The names are those of the specification's test suite. */
enum wasm_trap {
    WASM_TRAP_NONE,
    WASM_TRAP_UNREACHABLE,
    WASM_TRAP_MEMORY,           /* out of bounds memory access */
    WASM_TRAP_TABLE,            /* out of bounds table access */
    WASM_TRAP_UNDEFINED,        /* undefined element: call_indirect past the end of the table */
    WASM_TRAP_NULL,             /* uninitialized element */
    WASM_TRAP_SIGNATURE,        /* indirect call type mismatch */
    WASM_TRAP_DIV_ZERO,         /* integer divide by zero */
    WASM_TRAP_INT_OVERFLOW,     /* integer overflow */
    WASM_TRAP_CONVERSION,       /* invalid conversion to integer */
    WASM_TRAP_STACK,            /* call stack exhausted */
    WASM_TRAP_TIMEOUT,          /* the call's time budget is spent */
    WASM_TRAP_EXIT,             /* the host ended the call on purpose (proc_exit) */
    WASM_TRAP_HOST,             /* a host function refused */
    WASM_TRAP_EXCEPTION,        /* uncaught exception */
    WASM_TRAP_NULL_REF,         /* null exception reference: throw_ref of null */
    WASM_TRAP_UNALIGNED,        /* unaligned atomic */
    WASM_TRAP_EXCEPTION_MEMORY, /* too many exceptions alive at a time: over 16 MiB */
    WASM_TRAP_SHARED,           /* expected shared memory: atomic.wait elsewhere */
    WASM_TRAP_COUNT,
};
const char *wasm_trap_name(enum wasm_trap trap); /* "out of bounds memory access", … */

struct wasm_module;   /* validated and compiled; immutable; reference counted */
struct wasm_instance; /* memories, tables, globals of one running module */
struct wasm_func;     /* a callable function: of an instance, or of the host */
struct wasm_memory;
struct wasm_table;
struct wasm_global;
struct wasm_tag; /* of exceptions: two are the same if they are the same object */

/* What goes beyond WebAssembly 2.0. All is understood; an embedder that wants less leaves it out,
 * and a module that uses it then is as invalid as the older specification has it. */
enum wasm_feature {
    WASM_FEATURE_TAIL_CALLS = 1,
    WASM_FEATURE_EXTENDED_CONST = 2,
    WASM_FEATURE_MULTI_MEMORY = 4,
    WASM_FEATURE_MEMORY64 = 8,
    WASM_FEATURE_THREADS = 16,
    WASM_FEATURE_EXCEPTIONS = 32, /* both forms */
    WASM_FEATURE_RELAXED_SIMD = 64,
};

/* Limits of loading; zero means the default named in wasm/limits.h. */
struct wasm_load_options {
    size_t max_module_size;
    uint64_t deadline_ns; /* wasm_host_now() value after which compiling is abandoned; 0: none */
    const char *passes;   /* optimiser passes to run, for bisecting: "a,b", "all,-c"; NULL: all */
    /* What the code may use: "native" (NULL: what this CPU has), "baseline", or features with
     * commas between them, "avx,popcnt". Code that needs more than this CPU has can be saved, not
     * run. */
    const char *cpu;
    uint32_t without; /* enum wasm_feature: what is not to be understood */
    bool debugger;    /* tell gdb of the code while it lives (GDB's JIT interface) */
    bool positions;   /* keep what wasm_listing_new() needs (listing.h) */
};

/* Validates and compiles LEN bytes. BYTES may be freed afterwards. NULL and *err on failure. */
struct wasm_module *wasm_module_load(const uint8_t *bytes, size_t len,
                                     const struct wasm_load_options *options,
                                     struct wasm_error *err);
/* Modules compiled ahead of time: files of the form docs/aot.md describes. The engine signs and
 * checks nothing: who loads one has to have checked its signature and the hash of its module first
 * (kernel/extend/signature.h), as its code is run as it stands. */
#define WASM_COMPILED_KEY_ID 8u /* a file ends with the id of a key, 0 when it is not signed … */
#define WASM_COMPILED_SIGNATURE                                                                    \
    64u /* … and a signature of all that stands before the signature                             \
         */
struct wasm_compiled {
    uint32_t format, machine;
    uint64_t features; /* of the CPU, that it needs: a bit each, named by wasm_feature_name() */
    uint8_t compiler[16], abi[16]; /* of the engine that made it */
    uint8_t module_hash[32];       /* as given to wasm_module_save() */
    const uint8_t *module;         /* the .wasm within the file */
    size_t module_len, code_len;
    const uint8_t *key_id, *signature;
    size_t signed_len; /* bytes that the signature is of, from the start */
};
bool wasm_is_compiled(const uint8_t *bytes, size_t len); /* by its first bytes */
/* Reads the header; *out refers to BYTES. */
bool wasm_compiled_open(const uint8_t *bytes, size_t len, struct wasm_compiled *out,
                        struct wasm_error *err);
/* Made by this version of the engine, for a CPU like this one? */
bool wasm_compiled_fits(const struct wasm_compiled *file, struct wasm_error *err);
const char *wasm_feature_name(unsigned bit); /* NULL: no such bit */
/* Loads without compiling: the module in the file is decoded and validated but for its functions'
 * bodies. BYTES may be freed afterwards. */
struct wasm_module *wasm_module_load_compiled(const uint8_t *bytes, size_t len,
                                              const struct wasm_load_options *options,
                                              struct wasm_error *err);
/* MODULE as such a file, not signed; MODULE_HASH, 32 bytes, is written into it. NULL: out of
 * memory. Freed by wasm_host_free(). */
uint8_t *wasm_module_save(const struct wasm_module *module, const uint8_t *module_hash,
                          size_t *len);

/* false in an engine built without the compiler: wasm_module_load() then always refuses. */
bool wasm_has_compiler(void);
void wasm_module_retain(struct wasm_module *module);
void wasm_module_release(struct wasm_module *module);

/* What a module imports and exports. Strings are owned by the module; names may hold any UTF-8. */
struct wasm_import {
    const char *module, *name; /* NUL-terminated copies; *_len is the true length */
    uint32_t module_len, name_len;
    enum wasm_kind kind;
    struct wasm_functype func; /* WASM_FUNC; WASM_TAG: the payload are its parameters */
    uint8_t type;              /* WASM_TABLE element type, WASM_GLOBAL value type */
    bool mutable_;             /* WASM_GLOBAL */
    bool has_max;
    bool shared, is64; /* WASM_MEMORY */
    uint64_t min, max; /* WASM_TABLE elements, WASM_MEMORY pages */
};
struct wasm_export {
    const char *name;
    uint32_t name_len;
    enum wasm_kind kind;
    uint32_t index;
    struct wasm_functype func; /* WASM_FUNC */
};
uint32_t wasm_module_import_count(const struct wasm_module *module);
const struct wasm_import *wasm_module_import(const struct wasm_module *module, uint32_t i);
uint32_t wasm_module_export_count(const struct wasm_module *module);
const struct wasm_export *wasm_module_export(const struct wasm_module *module, uint32_t i);
/* The Nth custom section called NAME; NULL when there are fewer. Owned by the module. */
const uint8_t *wasm_module_custom(const struct wasm_module *module, const char *name, uint32_t nth,
                                  size_t *len);
size_t wasm_module_code_size(const struct wasm_module *module);
/* Name of function INDEX from the name section, else an export or import name, else "". */
const char *wasm_module_func_name(const struct wasm_module *module, uint32_t index);

/* The pieces of a module's machine code in order of address, for profilers and debuggers. Thunks
 * are the crossings between C, this instance and others, one set per signature. */
enum wasm_code_kind {
    WASM_CODE_FUNC,    /* a function of the module */
    WASM_CODE_ENTRY,   /* C calls Wasm */
    WASM_CODE_FOREIGN, /* Wasm calls another instance */
    WASM_CODE_HOST,    /* Wasm calls a host function */
    WASM_CODE_EXIT,    /* where a trap leaves */
};
struct wasm_code {
    enum wasm_code_kind kind;
    uint32_t index; /* of the function, among all functions; 0 for thunks */
    uintptr_t address;
    size_t size;
    uint32_t offset, end; /* of the function's body in the module; 0 for thunks */
};
uint32_t wasm_module_code_count(const struct wasm_module *module);
/* Piece I; all zero when there are fewer. */
struct wasm_code wasm_module_code(const struct wasm_module *module, uint32_t i);
/* A name for CODE, cut to SIZE: that of the function, "func[N]" without one, "wasm-entry" and so on
 * for thunks. Control characters become "?". Answers its length as snprintf() does. */
size_t wasm_code_name(const struct wasm_module *module, const struct wasm_code *code, char *name,
                      size_t size);

/* A host function is a plain C function in the platform's calling convention:
 *     R fn(struct wasm_instance *caller, params…)
 * with i32 as uint32_t, i64 as uint64_t, f32/f64 as float/double, references as void *. It has at
 * most one result and no v128. Its type is written "params:result" with i I f F r for
 * i32 i64 f32 f64 reference, for instance "iI:i". It runs on the engine's stack with at least
 * WASM_HOST_STACK bytes left. It may call wasm_trap() to end the call it is in; for the backtrace
 * of that, it is compiled with frame pointers. */
#define WASM_HOST_STACK 16384u
typedef void (*wasm_host_fn)(void);
struct wasm_host_func {
    const char *name; /* as imported */
    const char *type;
    wasm_host_fn fn;
};
struct wasm_func *wasm_func_host(const char *type, wasm_host_fn fn); /* NULL: out of memory */
void wasm_func_release(struct wasm_func *func);

/* Something an import can be bound to. */
struct wasm_extern {
    enum wasm_kind kind;
    union {
        struct wasm_func *func;
        struct wasm_memory *memory;
        struct wasm_table *table;
        struct wasm_global *global;
        struct wasm_tag *tag;
    };
};

/* Finds what IMPORT binds to; false leaves it unresolved, which is a link error that names it. */
typedef bool (*wasm_resolve_fn)(void *context, const struct wasm_import *import,
                                struct wasm_extern *out);

struct wasm_instance_options {
    wasm_resolve_fn resolve;
    void *context;
    void *host_data;    /* for wasm_instance_data() */
    size_t stack_size;  /* bytes of engine stack; 0: WASM_DEFAULT_STACK */
    uint64_t max_pages; /* quota over all memories the instance owns; 0: the module's own maximum */
    uint32_t max_elements; /* quota over all its tables; 0: WASM_DEFAULT_ELEMENTS */
    /* Time that instantiation and, until changed, each call may take; 0: as long as it likes. It is
     * the time it runs or sleeps that counts, not that for which it is kept from the CPU. A call
     * ends between BUDGET and BUDGET x 1.25, for budgets below 0.4 ms within 0.1 ms of it. */
    uint64_t budget_ns;
};
#define WASM_DEFAULT_STACK    (1024u * 1024u)
#define WASM_DEFAULT_ELEMENTS 10000000u

/* Links, allocates, initialises, runs the start function. NULL and *err on failure. */
struct wasm_instance *wasm_instance_new(struct wasm_module *module,
                                        const struct wasm_instance_options *options,
                                        struct wasm_error *err);
void wasm_instance_free(struct wasm_instance *instance);
void *wasm_instance_data(struct wasm_instance *instance);
struct wasm_module *wasm_instance_module(struct wasm_instance *instance);
void wasm_instance_set_budget(struct wasm_instance *instance, uint64_t ns); /* 0: none */
bool wasm_instance_export(struct wasm_instance *instance, const char *name, size_t name_len,
                          struct wasm_extern *out);
struct wasm_func *wasm_instance_func(struct wasm_instance *instance, const char *name);
struct wasm_functype wasm_func_type(const struct wasm_func *func);

/* Calls FUNC (entry.h has a quicker way for functions that are called often) with
 * args[param_count]; results[result_count] are written when it returns WASM_TRAP_NONE. Nested calls
 * (from a host function) continue on the current engine stack. A function made by wasm_func_host()
 * is called through an instance that exports it; directly it is refused with WASM_TRAP_HOST. An
 * instance whose call trapped may be called again. The floating-point control (rounding, traps,
 * denormals) is set to its default and left there. */
enum wasm_trap wasm_call(struct wasm_func *func, const union wasm_value *args,
                         union wasm_value *results);

/* Is CALLER's time budget spent? A host function that waits in several steps looks at it between
 * them, and comes back when it is. */
bool wasm_call_spent(struct wasm_instance *caller);

/* Ends the innermost call of CALLER with TRAP; only from a host function. WASM_TRAP_EXCEPTION lets
 * the exception pass that its last wasm_call() of CALLER's linked set ended with: it goes on to
 * whoever catches it. An exception that is not let pass ends there. */
_Noreturn void wasm_trap(struct wasm_instance *caller, enum wasm_trap trap);

/* After a trap: one line per frame, innermost first: "  #0 parse+0x1c (wasm offset 0x4a3)". The
 * offset behind the name counts from the start of the function's body. Frames of linked instances
 * and those around a nested call are there; C functions are not. A function without a name is
 * "func[N]". A trap in the start function is traced in the error's message. */
size_t wasm_backtrace(struct wasm_instance *instance, char *text, size_t size);

/* The one accessor for guest pointers: the host address of [addr, addr+len) in memory 0 (or a
 * given memory), or NULL when any byte lies outside. Valid until the call returns; the guest may
 * change the bytes at any time, so copy scalars before checking them. */
void *wasm_memory_at(struct wasm_instance *instance, uint64_t addr, uint64_t len);
struct wasm_memory *wasm_instance_memory(struct wasm_instance *instance, uint32_t index);
uint8_t *wasm_memory_data(struct wasm_memory *memory);
uint64_t wasm_memory_size(const struct wasm_memory *memory); /* bytes */

/* Objects the embedder creates to be imported (the test suite's spectest module). Counted:
 * release drops the creator's reference. */
struct wasm_memory *wasm_memory_new(uint64_t min_pages, uint64_t max_pages);
/* A memory for several threads: each runs an instance of its own, not linked to the others in any
 * other way, that imports it. */
struct wasm_memory *wasm_memory_new_shared(uint64_t min_pages, uint64_t max_pages);
void wasm_memory_release(struct wasm_memory *memory);
struct wasm_table *wasm_table_new(uint8_t type, uint32_t min, uint32_t max);
void wasm_table_release(struct wasm_table *table);
struct wasm_global *wasm_global_new(uint8_t type, bool mutable_, union wasm_value value);
void wasm_global_release(struct wasm_global *global);
union wasm_value wasm_global_get(const struct wasm_global *global);

/* Registers of an interrupted context, as far as the engine looks at or changes them. The port
 * fills it from its trap frame or ucontext, and writes it back when told to. */
struct wasm_context {
    uintptr_t pc, sp, fp;
    uintptr_t instance; /* r15 | x28: the engine's instance register */
    uintptr_t arg0;     /* rdi | x0: set on resume */
};
enum wasm_fault { WASM_FAULT_ACCESS, WASM_FAULT_DIVIDE, WASM_FAULT_ILLEGAL };
/* A hardware fault at ADDR: true if it is a Wasm trap, *ctx then says where to go on. Safe in any
 * context, takes no lock. */
bool wasm_handle_fault(struct wasm_context *ctx, enum wasm_fault fault, uintptr_t addr);
/* A tick of THREAD (host.h), with its interrupted registers in *ctx, or NULL while it sleeps.
 * Charges the running calls; *ctx is changed where one of them is over its budget and the thread
 * stands in extension code, which it then leaves. Elsewhere a flag is set that is read at the
 * return from host functions. Answers in how many ns the next tick is due, 0: in none. Takes no
 * lock. */
struct wasm_thread;
uint64_t wasm_handle_tick(struct wasm_thread *thread, struct wasm_context *ctx);

#endif
