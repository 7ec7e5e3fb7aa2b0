/* Selection of vector operations, shared by its files. */
#ifndef QUINCE_X86_SELECT_SIMD_H
#define QUINCE_X86_SELECT_SIMD_H

#include "ir/simd.h"
#include "target/x86_64/select.h"

/* How an operation is selected: by a function with up to two opcodes and an immediate. */
struct simd;
struct simd_row {
    void (*select)(struct simd *s);
    uint32_t op, op2;
    uint8_t imm;
};

const struct simd_row *simd_row(unsigned op); /* NULL: no such operation */

/* The operation under selection. */
struct simd {
    struct target_compiler *c;
    const struct ir_ins *ins;
    const struct simd_row *row;
    mreg to; /* where the result goes */
};

/* Opcodes that several files use. */
enum {
    PAND = X86(66, 1, db),
    PANDN = X86(66, 1, df),
    POR = X86(66, 1, eb),
    PXOR = X86(66, 1, ef),
    PSHUFB = X86(66, 2, 00),
    PSHUFD = X86(66, 1, 70),
    PADDQ = X86(66, 1, d4),
    PSUBQ = X86(66, 1, fb),
    PCMPGTQ = X86(66, 2, 37), /* SSE4.2 */
    PBLENDW = X86(66, 3, 0e),
    PBLENDVB = X86(66, 3, 4c), /* these three as in AVX, with the mask in any register */
    BLENDVPS = X86(66, 3, 4a),
    BLENDVPD = X86(66, 3, 4b),
};
/* Shifts by a constant: opcode of the lane's width, digit. */
enum { SHIFT16 = X86(66, 1, 71), SHIFT32 = X86(66, 1, 72), SHIFT64 = X86(66, 1, 73) };
enum { RIGHT = 2, BYTES_RIGHT = 3, RIGHT_SIGNED = 4, LEFT = 6, BYTES_LEFT = 7 };

/* What follows puts one operation; TO may be R_NONE for a new register; the answer is where the
 * result is. Operands that are references are folded where that is possible. */
static inline struct operand in_reg(mreg r)
{
    return (struct operand){.form = B_REG, .reg = r};
}
struct operand in_pool(struct simd *s, uint64_t low, uint64_t high);
mreg vec_const(struct simd *s, uint64_t low, uint64_t high);
enum { NO_IMM = 0x100 }; /* of vec_op_imm() and vec_unary_imm() */
mreg vec_new(struct simd *s);
mreg vec_op(struct simd *s, mreg to, uint32_t op, mreg a, struct operand b);
mreg vec_op_imm(struct simd *s, mreg to, uint32_t op, unsigned imm, mreg a, struct operand b);
mreg vec_unary(struct simd *s, mreg to, uint32_t op, struct operand b);
mreg vec_unary_imm(struct simd *s, mreg to, uint32_t op, unsigned imm, struct operand b);
mreg vec_shift(struct simd *s, mreg to, uint32_t op, unsigned digit, unsigned count, mreg a);
/* Lanes of B where MASK (all ones or zeros, or with AVX its sign bits) says so, else of A. */
mreg vec_blend(struct simd *s, mreg to, uint32_t op, mreg a, mreg b, mreg mask);
mreg vec_not(struct simd *s, mreg to, mreg a);
/* a > b in lanes of 64 bits. */
mreg vec_greater64(struct simd *s, mreg to, mreg a, mreg b);
/* The half of REF that the row's immediate says (1: the upper one), each lane converted to one of
 * twice the width. */
mreg vec_extend(struct simd *s, mreg to, ir_ref ref);
/* TO = A, which may be any register. */
mreg vec_copy(struct simd *s, mreg to, mreg a);
static inline mreg vec_splat8(struct simd *s, unsigned byte)
{
    return vec_const(s, byte * 0x0101010101010101u, byte * 0x0101010101010101u);
}
static inline struct operand pool_splat8(struct simd *s, unsigned byte)
{
    return in_pool(s, byte * 0x0101010101010101u, byte * 0x0101010101010101u);
}
static inline struct operand pool_splat16(struct simd *s, uint64_t lane)
{
    return in_pool(s, lane * 0x0001000100010001u, lane * 0x0001000100010001u);
}
static inline struct operand pool_splat32(struct simd *s, uint64_t lane)
{
    return in_pool(s, lane << 32 | lane, lane << 32 | lane);
}
static inline struct operand pool_splat64(struct simd *s, uint64_t lane)
{
    return in_pool(s, lane, lane);
}
/* Operands a, b, c of the instruction as registers. */
static inline mreg reg_a(struct simd *s)
{
    return value_reg(s->c, s->ins->a);
}
static inline mreg reg_b(struct simd *s)
{
    return value_reg(s->c, s->ins->b);
}
static inline struct operand operand_a(struct simd *s)
{
    return operand_xmm(s->c, s->ins->a, 16);
}
static inline struct operand operand_b(struct simd *s)
{
    return operand_xmm(s->c, s->ins->b, 16);
}

/* select_simd.c: regular ones */
void simd_binary(struct simd *s);
void simd_swapped(struct simd *s);
void simd_unary(struct simd *s);
/* select_simd_int.c */
void simd_not_equal(struct simd *s);
void simd_inclusive(struct simd *s);
void simd_strict_unsigned(struct simd *s);
void simd_compare64(struct simd *s);
void simd_neg(struct simd *s);
void simd_abs64(struct simd *s);
void simd_or(struct simd *s);
void simd_popcnt(struct simd *s);
void simd_shift(struct simd *s);
void simd_shift8(struct simd *s);
void simd_shr_s64(struct simd *s);
void simd_mul64(struct simd *s);
void simd_q15mulr(struct simd *s);
void simd_extadd8(struct simd *s);
void simd_extadd16(struct simd *s);
void simd_extmul8(struct simd *s);
void simd_extmul16(struct simd *s);
void simd_extmul32(struct simd *s);
void simd_dot8(struct simd *s);
/* select_simd_float.c */
void simd_sign(struct simd *s);
void simd_minmax(struct simd *s);
void simd_trunc_f32(struct simd *s);
void simd_trunc_f64(struct simd *s);
void simd_convert_unsigned(struct simd *s);
void simd_convert_low_unsigned(struct simd *s);
void simd_madd(struct simd *s);
/* select_simd_lanes.c */
void simd_splat(struct simd *s);
void simd_splat_float(struct simd *s);
void simd_extract(struct simd *s);
void simd_extract_float(struct simd *s);
void simd_replace(struct simd *s);
void simd_replace_float(struct simd *s);
void simd_extend(struct simd *s);
void simd_bitmask(struct simd *s);
void simd_truth(struct simd *s);
void simd_bitselect(struct simd *s);
void simd_laneselect(struct simd *s);
void simd_swizzle(struct simd *s);
/* select_simd_shuffle.c */
void simd_shuffle(struct simd *s);

#endif
