/* From machine IR to bytes: what the emitting files share. */
#ifndef QUINCE_X86_EMIT_H
#define QUINCE_X86_EMIT_H

#include "target/x86_64/mir.h"

/* A jump to a block whose place is not known when it is emitted. */
struct fixup {
    uint32_t field, block;
};

/* A constant behind the function's code. */
struct pool_entry {
    uint64_t low, high;
    uint8_t size;
    uint32_t uses; /* chain of rip-relative fields, through c->pool_uses */
    uint32_t offset;
};
struct pool_use {
    uint32_t field, trail; /* the displacement, immediate bytes behind it */
    uint32_t next;
};

/* Rare code at the end of the function: reached by a jump at FIELD, goes back to BACK. */
enum stub_kind { STUB_TRAP, STUB_DIV, STUB_MINMAX, STUB_TRUNC, STUB_CONVERT };
struct stub {
    uint8_t kind, size, sub;
    uint8_t dst, a, b; /* hardware registers */
    uint32_t trap, pos;
    uint32_t field, back;
};

struct jump_table {
    uint32_t field, block; /* the lea's displacement; the switch's block */
};

/* One part of a parallel move. Places: registers, or PLACE_STACK + offset from rsp. */
#define PLACE_STACK 64u
struct pmove {
    uint32_t to, from; /* from 0: the constant IMM */
    uint8_t xmm, size;
    bool done;
    uint64_t imm;
};

uint32_t stack_place(struct target_compiler *c, const struct vreg *v);
void pmove_add(struct target_compiler *c, uint32_t to, uint32_t from, bool xmm, unsigned size,
               uint64_t imm);
/* Does what was added, as if at once. FLAGS_LIVE: leaves the flags alone. */
void pmove_run(struct target_compiler *c, bool flags_live);
/* A value of a call's or return's list to where it goes. */
void pmove_args(struct target_compiler *c, const struct mins *m, uint32_t pos);
void emit_copy(struct target_compiler *c, uint32_t to, uint32_t from, bool xmm, unsigned size);
void emit_constant(struct target_compiler *c, uint32_t to, bool xmm, unsigned size, uint64_t imm,
                   bool flags_live);

/* Instruction number I; answers how many were done (2 when a pair was merged). */
uint32_t emit_ins(struct target_compiler *c, uint32_t i, bool merge);
void emit_switch(struct target_compiler *c, uint32_t i); /* by a jump table, already noted */
void emit_sse(struct target_compiler *c, uint32_t i);
void emit_atomic(struct target_compiler *c, uint32_t i);
void emit_call(struct target_compiler *c, uint32_t i);
void emit_epilogue(struct target_compiler *c);
/* For debuggers: from OFFSET on the return address is FRAME bytes above rsp. */
void emit_unwind(struct target_compiler *c, uint32_t offset, uint32_t frame);
void emit_branch(struct target_compiler *c, const struct mins *m, uint32_t block, uint32_t next);
void emit_stubs(struct target_compiler *c);
/* Around the emission of LOOP, which has none inside, by its header and first block. */
void line_begin(struct target_compiler *c, uint32_t block, uint32_t loop);
void line_end(struct target_compiler *c);
struct stub *stub_add(struct target_compiler *c, enum stub_kind kind, uint32_t field, uint32_t pos);
void pool_use(struct target_compiler *c, uint32_t entry, unsigned trail);

/* Operands of instruction I as hardware registers; spilled ones as memory. */
unsigned reg_use(struct target_compiler *c, mreg r, uint32_t i);
unsigned reg_def(struct target_compiler *c, mreg r, uint32_t i);
bool in_memory(struct target_compiler *c, mreg r, uint32_t i, struct x86_mem *m);
struct x86_mem mem_operand(struct target_compiler *c, const struct mins *m, uint32_t i);
/* op reg, operand b of M, in whichever form b has. TRAIL: immediate bytes that will follow. */
void emit_rb(struct target_compiler *c, const struct mins *m, uint32_t i, uint32_t op, unsigned reg,
             unsigned trail);
bool flags_live(struct target_compiler *c, uint32_t i);

/* xmm instructions: op reg, rm; with AVX reg = vvvv op rm (0 where there is no third operand). */
void xmm_rr(struct target_compiler *c, uint32_t op, unsigned reg, unsigned vvvv, unsigned rm);
void xmm_rm(struct target_compiler *c, uint32_t op, unsigned reg, unsigned vvvv,
            const struct x86_mem *m);
void xmm_copy(struct target_compiler *c, unsigned to, unsigned from);
/* emit_rb() for them. */
void xmm_rb(struct target_compiler *c, const struct mins *m, uint32_t i, uint32_t op, unsigned reg,
            unsigned vvvv, unsigned trail);
void emit_simd(struct target_compiler *c, uint32_t i);

#endif
