/* Instruction selection, shared by its files. Blocks are done from the last to the first and each
 * from its end, so that a value is selected after all its uses: one that no instruction needs in a
 * register (because all uses folded it into addresses, compares, memory operands) is never made. */
#ifndef QUINCE_X86_SELECT_H
#define QUINCE_X86_SELECT_H

#include "target/x86_64/abi_regs.h"
#include "target/x86_64/mir.h"

/* A memory operand under construction. */
struct amode {
    mreg base, index;
    uint8_t scale, flags;
    int32_t disp;
};

/* Appends to the group of the IR instruction being selected. */
struct mins *put(struct target_compiler *c, enum mop op);
struct mins *put_mem(struct target_compiler *c, enum mop op, const struct amode *m);
struct mins *put_move(struct target_compiler *c, unsigned size, mreg to, mreg from);
/* Loads 8 bytes of the runtime's objects at [base + disp] to a new register. */
mreg put_pointer(struct target_compiler *c, mreg base, uint32_t disp);

/* A value of TYPE at [base + disp], in the runtime's objects or on the stack. */
struct mins *put_load(struct target_compiler *c, uint8_t type, mreg to, mreg base, int32_t disp);
struct mins *put_store(struct target_compiler *c, uint8_t type, mreg base, int32_t disp, mreg from);

/* The register of a value, which is made if it was not needed before; constants are materialised
 * here. value_arg: the same where a constant will do. */
mreg value_new(struct target_compiler *c, ir_ref ref); /* its slow path */
static inline mreg value_reg(struct target_compiler *c, ir_ref ref)
{
    mreg known = c->values.data[ref]; /* 0 of constants and of what is transparent */
    return known ? known : value_new(c, ref);
}
mreg value_arg(struct target_compiler *c, ir_ref ref);
/* The register of the value REF computes, R_NONE if nobody needs it. */
mreg result_reg(struct target_compiler *c, ir_ref ref);
mreg new_reg(struct target_compiler *c, uint8_t type);

static inline struct ir_ins *ins_at(struct target_compiler *c, ir_ref ref)
{
    return &c->f->ins[ref];
}
static inline bool is_const(struct target_compiler *c, ir_ref ref)
{
    return ins_at(c, ref)->op == IR_CONST;
}
/* result_reg(), but a dummy if nobody needs it: for what has to be executed anyway. */
static inline mreg result_or_dummy(struct target_compiler *c, ir_ref ref)
{
    mreg known = c->values.data[ref];
    return known ? known : new_reg(c, ins_at(c, ref)->type);
}
/* A vector known now: a constant, or a constant in every lane. */
bool vector_bits(struct target_compiler *c, ir_ref ref, uint64_t bits[2]);
/* Whether REF may be folded into the instruction under selection: its only use, same block, and no
 * effect between them that it must not cross. */
static inline bool can_fold(struct target_compiler *c, ir_ref ref)
{
    return c->counts.data[ref].count == 1 && ins_at(c, ref)->block == c->block &&
           !c->values.data[ref];
}
bool can_fold_load(struct target_compiler *c, ir_ref ref, unsigned size);
/* The operand b of M: a register, an immediate, a folded load or a pool constant. Called before the
 * instruction is put; apply_operand() then fills it in. */
struct operand {
    uint8_t form;
    mreg reg;
    uint64_t imm;
    struct amode mem;
    uint32_t pos;
};
struct operand operand_of(struct target_compiler *c, ir_ref ref, unsigned size);
struct operand operand_xmm(struct target_compiler *c, ir_ref ref, unsigned size);
void apply_operand(struct mins *m, const struct operand *o);
/* TO = A op O for an X86() opcode on xmm registers: copies A first where the encoding wants that.
 */
struct mins *put_xmm(struct target_compiler *c, unsigned size, uint32_t opcode, mreg to, mreg a,
                     const struct operand *o);
/* TO = op O. */
struct mins *put_xmm_unary(struct target_compiler *c, unsigned size, uint32_t opcode, mreg to,
                           const struct operand *o);
static inline void set_imm(struct mins *m, unsigned imm)
{
    m->sub = (uint8_t)imm;
    m->flags |= MI_IMM;
}

/* The address of a LOAD, STORE or atomic operation. */
struct amode address_of(struct target_compiler *c, const struct ir_ins *ins);
/* Emits what sets the flags for REF ≠ 0 and answers the condition. */
unsigned condition_of(struct target_compiler *c, ir_ref ref, bool foldable);

/* Memories other than 0 (bases.c): memory_base() is the register of one's base. For that,
 * bases_note() is told of every use, bases_place() decides where it is loaded, bases_load() puts
 * the loads due at the start of block B. */
mreg memory_base(struct target_compiler *c, uint32_t memory);
bool bases_note(struct target_compiler *c, uint32_t memory, ir_block_ref b);
void bases_place(struct target_compiler *c);
void bases_load(struct target_compiler *c, ir_block_ref b);

void select_int(struct target_compiler *c, ir_ref ref);
void select_compare(struct target_compiler *c, ir_ref ref);
void select_memory(struct target_compiler *c, ir_ref ref);
void select_float(struct target_compiler *c, ir_ref ref);
/* SELECT as x < y ? x : y or x > y ? x : y, of floats; false: it is not such. */
bool select_smaller(struct target_compiler *c, const struct ir_ins *select, mreg to);
void select_simd(struct target_compiler *c, ir_ref ref);
/* Emits what sets the flags for the I32 that vector operation INS computes; false if no instruction
 * does. */
bool simd_condition(struct target_compiler *c, const struct ir_ins *ins, unsigned *cc);
/* A store of a lane; false: not one. */
bool select_lane_store(struct target_compiler *c, const struct ir_ins *store, unsigned size);
void select_call(struct target_compiler *c, ir_ref ref);
void select_exception(struct target_compiler *c, ir_ref ref);
void select_atomic(struct target_compiler *c, ir_ref ref);
void select_end(struct target_compiler *c, ir_ref ref);
void select_params(struct target_compiler *c);
/* Bytes of stack arguments of a tail call. */
uint32_t tail_call_bytes(struct target_compiler *c, const struct ir_ins *ins);
bool layout_blocks(struct target_compiler *c);

#endif
