/* What every code generator offers: one function of SSA in, machine code and its tables out. */
#ifndef QUINCE_WASM_TARGET_H
#define QUINCE_WASM_TARGET_H

#include "ir/ir.h"
#include "runtime/abi.h"

/* Machine code of a whole module while it grows: one buffer, functions one after another. */
#define CODE_MAX ((size_t)1 << 30) /* bytes: distances in it have 32 bits with a sign */
struct code_buffer {
    uint8_t *bytes;
    size_t size, capacity;
    /* A pc in code that may fault and what the fault means; sorted by offset as code is emitted. */
    struct code_trap {
        uint32_t offset; /* of the faulting instruction, from the start of the buffer */
        uint32_t trap;   /* enum wasm_trap */
        uint32_t pos;    /* byte offset in the module */
    } * traps;
    uint32_t trap_count, trap_capacity;
    /* Return addresses, for backtraces. */
    struct code_site {
        uint32_t offset;
        uint32_t pos : 31;    /* byte offset in the module */
        uint32_t catches : 1; /* exceptions end here: an IR_CALL_CATCHES */
    } * sites;
    uint32_t site_count, site_capacity;
    /* rel32 fields to patch when the target's place is known. */
    struct code_reloc {
        uint32_t offset, func;
    } * relocs;
    uint32_t reloc_count, reloc_capacity;
    /* imm32 fields that are compared with struct wasm_func.type. Each gets the canonical number of
     * its type when the code is published; nothing else in code belongs to one process, so that it
     * can be saved. Sorted by offset as code is emitted. */
    struct code_typeref {
        uint32_t offset, type; /* a type index of the module */
    } * typerefs;
    uint32_t typeref_count, typeref_capacity;
    /* For people's tools, collected only when asked for; sorted by offset. */
    bool want_positions, want_unwind;
    struct code_position {
        uint32_t offset, pos; /* from OFFSET on, code of the instruction at POS; 0: of none */
    } * positions;
    uint32_t position_count, position_capacity;
    /* From OFFSET on the return address stands FRAME bytes above register BASE, below it, in
     * ascending order of their numbers, the caller's registers in SAVED, and above it POPPED bytes
     * that go with the frame. Numbers are those of DWARF. */
    struct code_unwind {
        uint32_t offset, frame, popped;
        uint16_t base, saved;
    } * unwind;
    uint32_t unwind_count, unwind_capacity;
    /* Positions from CODE_INLINED on stand for the rows of this table: code of the instruction at
     * POS in a function that was put in place of the call at CALL, which may be such a number of an
     * earlier row. */
    struct code_inlined {
        uint32_t pos, call;
    } * inlined;
    uint32_t inlined_count, inlined_capacity;
    bool failed; /* out of memory */
};
#define CODE_INLINED 0x40000000u
/* A new row's number; CALL if there is no room. */
uint32_t code_inlined_add(struct code_buffer *code, uint32_t pos, uint32_t call);

/* Where a function ended up and how to walk its frame. */
struct code_func {
    uint32_t start, end; /* offsets in the buffer */
    uint32_t frame_size; /* bytes from rsp after the prologue to the return address */
    uint32_t popped;     /* bytes above the return address that go with the frame: abi.h, Frames */
};

/* CPU features the generator may use. Their order is that of the bits in a .qwo: append only. */
#define TARGET_FEATURES(X)                                                                         \
    X(sse41, "sse4.1") /* and SSSE3 */                                                             \
    X(popcnt, "popcnt")                                                                            \
    X(lzcnt, "lzcnt")                                                                              \
    X(bmi1, "bmi1")                                                                                \
    X(bmi2, "bmi2")                                                                                \
    X(avx, "avx")                                                                                  \
    X(avx2, "avx2")
struct target_features {
#define X(name, text) bool name;
    TARGET_FEATURES(X)
#undef X
};
void target_detect(struct target_features *features); /* those of this CPU */
/* What CPU names: "native" (also NULL), "baseline" or features with commas between them, each with
 * those it stands on. On failure *WRONG is where the word stands that is none. */
bool target_features_parse(const char *cpu, struct target_features *features, const char **wrong);
uint64_t target_features_bits(const struct target_features *features);
const char *target_feature_name(unsigned bit); /* NULL: no such bit */
/* What F needs and a CPU with these features lacks, as a message; NULL: nothing. */
const char *target_lacks(const struct target_features *features, const struct ir_func *f);

struct target_compiler; /* scratch memory kept from function to function */
struct target_compiler *target_compiler_new(const struct target_features *features);
void target_compiler_free(struct target_compiler *c);
/* Appends F's code, after ir_analyse(); F's contents are gone afterwards if it is a huge one.
 * false: out of memory. */
bool target_compile(struct target_compiler *c, struct ir_func *f, struct code_buffer *out,
                    struct code_func *where);
/* Thunks of abi.h for one signature; *_offset are places in the buffer. */
struct code_thunks {
    uint32_t entry, foreign, host; /* host is ~0u when a host function cannot have the signature */
    /* For walking through them: bytes from rsp behind the thunk's call to its own return address
     * (of an entry thunk: if it has not changed stacks), and above that those that go with the
     * frame (not of an entry thunk). Where each thunk ends. */
    uint32_t entry_frame, foreign_frame, host_frame, popped;
    uint32_t entry_end, foreign_end, host_end;
};
bool target_thunks(const struct ir_signature *signature, struct code_buffer *out,
                   struct code_thunks *where);
/* An entry thunk's return address lies so far above where it saved its caller's frame pointer. */
extern const uint32_t target_entry_fp;
/* The exit stub of abi.h, and the direct thunk TARGET_DIRECT bytes behind it, up to *END. */
enum { TARGET_DIRECT = 64 };
bool target_exit_stub(struct code_buffer *out, uint32_t *offset, uint32_t *end);
/* Resolves relocs to functions in this buffer once every code_func is known. */
void target_patch(struct code_buffer *code, const struct code_func *funcs, uint32_t import_count);

/* What C cannot say (stubs.c of each target). The helpers as compiled code enters them: a stub each
 * that leaves with WASM_TRAP_STACK when fewer than WASM_HOST_STACK bytes of engine stack are left,
 * so that a helper never runs into the guard. */
extern const uintptr_t target_helper_stubs[WASM_HELPER_COUNT];
/* Enters the exit stub of INSTANCE. */
_Noreturn void target_exit(struct wasm_instance *instance, uint32_t trap);
/* Goes on in compiled code at PC with these registers: where an exception has found its handler. */
_Noreturn void target_resume(uintptr_t pc, uintptr_t sp, struct wasm_instance *instance,
                             uint8_t *memory0);
/* The way out of the exit stub, for exec->leave, to a call that wasm/entry.h made. Not for C. */
void target_leave_entry(void);
extern const uint32_t target_float_control; /* the default one */

#endif
