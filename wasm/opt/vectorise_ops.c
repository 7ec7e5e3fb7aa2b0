/* Scalar operations and what does the same to every lane of a vector. */
#include "opt/vectorise.h"
#include "ir/simd.h"

/* Columns: lanes of 1, 2, 4, 8 bytes with integers, then F32, F64. */
enum { COLUMNS = 6 };
static const uint16_t table[IR_OP_COUNT][COLUMNS] = {
    [IR_ADD] = {SIMD_I8X16_ADD, SIMD_I16X8_ADD, SIMD_I32X4_ADD, SIMD_I64X2_ADD},
    [IR_SUB] = {SIMD_I8X16_SUB, SIMD_I16X8_SUB, SIMD_I32X4_SUB, SIMD_I64X2_SUB},
    [IR_MUL] = {0, SIMD_I16X8_MUL, SIMD_I32X4_MUL},
    [IR_AND] = {SIMD_V128_AND, SIMD_V128_AND, SIMD_V128_AND, SIMD_V128_AND},
    [IR_OR] = {SIMD_V128_OR, SIMD_V128_OR, SIMD_V128_OR, SIMD_V128_OR},
    [IR_XOR] = {SIMD_V128_XOR, SIMD_V128_XOR, SIMD_V128_XOR, SIMD_V128_XOR},
    [IR_SHL] = {0, SIMD_I16X8_SHL, SIMD_I32X4_SHL, SIMD_I64X2_SHL},
    [IR_SHR_S] = {0, SIMD_I16X8_SHR_S, SIMD_I32X4_SHR_S},
    [IR_SHR_U] = {0, SIMD_I16X8_SHR_U, SIMD_I32X4_SHR_U, SIMD_I64X2_SHR_U},
    [IR_FADD] = {[4] = SIMD_F32X4_ADD, SIMD_F64X2_ADD},
    [IR_FSUB] = {[4] = SIMD_F32X4_SUB, SIMD_F64X2_SUB},
    [IR_FMUL] = {[4] = SIMD_F32X4_MUL, SIMD_F64X2_MUL},
    [IR_FDIV] = {[4] = SIMD_F32X4_DIV, SIMD_F64X2_DIV},
    [IR_FMIN] = {[4] = SIMD_F32X4_MIN, SIMD_F64X2_MIN},
    [IR_FMAX] = {[4] = SIMD_F32X4_MAX, SIMD_F64X2_MAX},
    [IR_FABS] = {[4] = SIMD_F32X4_ABS, SIMD_F64X2_ABS},
    [IR_FNEG] = {[4] = SIMD_F32X4_NEG, SIMD_F64X2_NEG},
    [IR_FSQRT] = {[4] = SIMD_F32X4_SQRT, SIMD_F64X2_SQRT},
    [IR_FCEIL] = {[4] = SIMD_F32X4_CEIL, SIMD_F64X2_CEIL},
    [IR_FFLOOR] = {[4] = SIMD_F32X4_FLOOR, SIMD_F64X2_FLOOR},
    [IR_FTRUNC] = {[4] = SIMD_F32X4_TRUNC, SIMD_F64X2_TRUNC},
    [IR_FNEAREST] = {[4] = SIMD_F32X4_NEAREST, SIMD_F64X2_NEAREST},
    /* by the type of the operands: masks */
    [IR_EQ] = {[2] = SIMD_I32X4_EQ, SIMD_I64X2_EQ},
    [IR_NE] = {[2] = SIMD_I32X4_NE, SIMD_I64X2_NE},
    [IR_LT_S] = {[2] = SIMD_I32X4_LT_S, SIMD_I64X2_LT_S},
    [IR_LT_U] = {[2] = SIMD_I32X4_LT_U, 0},
    [IR_GT_S] = {[2] = SIMD_I32X4_GT_S, SIMD_I64X2_GT_S},
    [IR_GT_U] = {[2] = SIMD_I32X4_GT_U, 0},
    [IR_LE_S] = {[2] = SIMD_I32X4_LE_S, SIMD_I64X2_LE_S},
    [IR_LE_U] = {[2] = SIMD_I32X4_LE_U, 0},
    [IR_GE_S] = {[2] = SIMD_I32X4_GE_S, SIMD_I64X2_GE_S},
    [IR_GE_U] = {[2] = SIMD_I32X4_GE_U, 0},
    [IR_FEQ] = {[4] = SIMD_F32X4_EQ, SIMD_F64X2_EQ},
    [IR_FNE] = {[4] = SIMD_F32X4_NE, SIMD_F64X2_NE},
    [IR_FLT] = {[4] = SIMD_F32X4_LT, SIMD_F64X2_LT},
    [IR_FGT] = {[4] = SIMD_F32X4_GT, SIMD_F64X2_GT},
    [IR_FLE] = {[4] = SIMD_F32X4_LE, SIMD_F64X2_LE},
    [IR_FGE] = {[4] = SIMD_F32X4_GE, SIMD_F64X2_GE},
    [IR_SELECT] = {[2] = SIMD_V128_BITSELECT,
                   SIMD_V128_BITSELECT,
                   SIMD_V128_BITSELECT,
                   SIMD_V128_BITSELECT},
    /* by the type of the result */
    [IR_CONVERT_S] = {[4] = SIMD_F32X4_CONVERT_I32X4_S},
    [IR_CONVERT_U] = {[4] = SIMD_F32X4_CONVERT_I32X4_U},
};

/* -1: values of TYPE do not go into lanes of SIZE. */
static int column(uint8_t type, uint32_t size)
{
    switch (type) {
    case IR_I32: return size == 1 ? 0 : size == 2 ? 1 : size == 4 ? 2 : -1;
    case IR_I64: return size == 8 ? 3 : -1;
    case IR_F32: return size == 4 ? 4 : -1;
    case IR_F64: return size == 8 ? 5 : -1;
    default: return -1;
    }
}

uint16_t vec_lane_op(unsigned op, uint8_t type, uint32_t size)
{
    int c = column(type, size);
    return c < 0 || op >= IR_OP_COUNT ? 0 : table[op][c];
}

uint16_t vec_splat_op(uint8_t type, uint32_t size)
{
    static const uint16_t ops[COLUMNS] = {SIMD_I8X16_SPLAT, SIMD_I16X8_SPLAT, SIMD_I32X4_SPLAT,
                                          SIMD_I64X2_SPLAT, SIMD_F32X4_SPLAT, SIMD_F64X2_SPLAT};
    int c = column(type, size);
    return c < 0 ? 0 : ops[c];
}

uint16_t vec_extend_op(uint32_t size, bool is_signed)
{
    switch (size) {
    case 1: return is_signed ? SIMD_I16X8_EXTEND_LOW_I8X16_S : SIMD_I16X8_EXTEND_LOW_I8X16_U;
    case 2: return is_signed ? SIMD_I32X4_EXTEND_LOW_I16X8_S : SIMD_I32X4_EXTEND_LOW_I16X8_U;
    default: return is_signed ? SIMD_I64X2_EXTEND_LOW_I32X4_S : SIMD_I64X2_EXTEND_LOW_I32X4_U;
    }
}
