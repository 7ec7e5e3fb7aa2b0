#include "simd_model.h"

#include <math.h>
#include <string.h>

static uint64_t get(const union vec *v, unsigned size, unsigned i)
{
    uint64_t lane = 0;
    memcpy(&lane, v->u8 + i * size, size);
    return lane;
}

static int64_t get_signed(const union vec *v, unsigned size, unsigned i)
{
    unsigned shift = 64 - 8 * size;
    return (int64_t)(get(v, size, i) << shift) >> shift;
}

static void set(union vec *v, unsigned size, unsigned i, uint64_t lane)
{
    memcpy(v->u8 + i * size, &lane, size);
}

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Saturates to SIZE bytes. */
static uint64_t narrow(int64_t x, unsigned size, bool is_signed)
{
    int64_t top = 1ll << (8 * size - 1);
    return (uint64_t)(is_signed ? clamp(x, -top, top - 1) : clamp(x, 0, 2 * top - 1));
}

static uint64_t truncate(double x, bool is_signed)
{
    if (isnan(x))
        return 0;
    if (is_signed)
        return x <= -2147483648.0  ? 0x80000000
               : x >= 2147483647.0 ? 0x7fffffff
                                   : (uint64_t)(int64_t)x;
    return x <= 0 ? 0 : x >= 4294967295.0 ? 0xffffffff : (uint64_t)x;
}

static double minimum(double a, double b)
{
    if (isnan(a) || isnan(b))
        return NAN;
    return a < b || (a == b && signbit(a)) ? a : b;
}

static double maximum(double a, double b)
{
    return -minimum(-a, -b);
}

static uint64_t bits_if(bool condition)
{
    return condition ? UINT64_MAX : 0;
}

static uint64_t q15(int64_t x, int64_t y)
{
    return (uint64_t)((x * y + 0x4000) >> 15);
}

static uint64_t count_bits(uint64_t x)
{
    return (uint64_t)__builtin_popcountll(x);
}

/* One of relaxed SIMD's choices: the bits, or the top bit of each lane of SIZE bytes. */
static void lane_select(const struct simd_case *t, unsigned size, union vec *r)
{
    const union vec *v = t->operands;
    for (unsigned i = 0; i < 16 / size; i++) {
        uint64_t a = get(&v[0], size, i), b = get(&v[1], size, i), mask = get(&v[2], size, i);
        if (t->cpu.avx)
            mask = bits_if(mask >> (8 * size - 1));
        set(r, size, i, (a & mask) | (b & ~mask));
    }
}

/* Pairs of unsigned bytes of B and signed ones of A. */
static int64_t dot8(const union vec *a, const union vec *b, unsigned i)
{
    int64_t sum = get_signed(a, 1, 2 * i) * (int64_t)get(b, 1, 2 * i) +
                  get_signed(a, 1, 2 * i + 1) * (int64_t)get(b, 1, 2 * i + 1);
    return clamp(sum, INT16_MIN, INT16_MAX);
}

union vec simd_model(const struct simd_case *t)
{
    const union vec *a = &t->operands[0], *b = &t->operands[1], *c = &t->operands[2];
    union vec r = {0};
    unsigned lane = (unsigned)t->imm;
    uint64_t flag = 0;
    bool all = true;
/* clang-format off */
/* Lanes of SIZE bytes: x, y signed, ux, uy not. */
#define EACH(size, ...)                                                                            \
    for (unsigned i = 0; i < 16 / (size); i++) {                                                   \
        int64_t x = get_signed(a, size, i), y = get_signed(b, size, i);                            \
        uint64_t ux = get(a, size, i), uy = get(b, size, i);                                       \
        (void)x, (void)y, (void)ux, (void)uy;                                                      \
        set(&r, size, i, (uint64_t)(__VA_ARGS__));                                                 \
    }                                                                                              \
    break
#define FLOATS(T, ...)                                                                             \
    for (unsigned i = 0; i < sizeof r.T / sizeof r.T[0]; i++) {                                    \
        __typeof__(r.T[0]) x = a->T[i], y = b->T[i], z = c->T[i];                                  \
        (void)x, (void)y, (void)z;                                                                 \
        r.T[i] = __VA_ARGS__;                                                                      \
    }                                                                                              \
    break
#define FLOAT_COMPARE(T, U, ...)                                                                   \
    for (unsigned i = 0; i < sizeof r.T / sizeof r.T[0]; i++) {                                    \
        __typeof__(r.T[0]) x = a->T[i], y = b->T[i];                                               \
        r.U[i] = (__typeof__(r.U[0]))bits_if(__VA_ARGS__);                                         \
    }                                                                                              \
    break
/* Operations that all integer lanes have. */
#define INTEGERS(T, size)                                                                          \
    case SIMD_##T##_EQ: EACH(size, bits_if(x == y));                                               \
    case SIMD_##T##_NE: EACH(size, bits_if(x != y));                                               \
    case SIMD_##T##_LT_S: EACH(size, bits_if(x < y));                                              \
    case SIMD_##T##_GT_S: EACH(size, bits_if(x > y));                                              \
    case SIMD_##T##_LE_S: EACH(size, bits_if(x <= y));                                             \
    case SIMD_##T##_GE_S: EACH(size, bits_if(x >= y));                                             \
    case SIMD_##T##_ABS: EACH(size, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);                        \
    case SIMD_##T##_NEG: EACH(size, 0 - (uint64_t)x);                                              \
    case SIMD_##T##_ADD: EACH(size, ux + uy);                                                      \
    case SIMD_##T##_SUB: EACH(size, ux - uy);                                                      \
    case SIMD_##T##_SHL: EACH(size, ux << (b->u32[0] & (8 * (size) - 1)));                         \
    case SIMD_##T##_SHR_S: EACH(size, x >> (b->u32[0] & (8 * (size) - 1)));                        \
    case SIMD_##T##_SHR_U: EACH(size, ux >> (b->u32[0] & (8 * (size) - 1)));                       \
    case SIMD_##T##_SPLAT: EACH(size, get(a, size, 0));                                            \
    case SIMD_##T##_ALL_TRUE:                                                                      \
        for (unsigned i = 0; i < 16 / (size); i++)                                                 \
            all &= get(a, size, i) != 0;                                                           \
        r.u32[0] = all;                                                                            \
        break;                                                                                     \
    case SIMD_##T##_BITMASK:                                                                       \
        for (unsigned i = 0; i < 16 / (size); i++)                                                 \
            flag |= (get(a, size, i) >> (8 * (size) - 1)) << i;                                    \
        r.u32[0] = (uint32_t)flag;                                                                 \
        break;                                                                                     \
    case SIMD_##T##_REPLACE_LANE: EACH(size, i == lane ? get(b, size, 0) : ux);
/* Those of narrow ones. */
#define NARROW(T, size)                                                                            \
    case SIMD_##T##_LT_U: EACH(size, bits_if(ux < uy));                                            \
    case SIMD_##T##_GT_U: EACH(size, bits_if(ux > uy));                                            \
    case SIMD_##T##_LE_U: EACH(size, bits_if(ux <= uy));                                           \
    case SIMD_##T##_GE_U: EACH(size, bits_if(ux >= uy));                                           \
    case SIMD_##T##_MIN_S: EACH(size, x < y ? x : y);                                              \
    case SIMD_##T##_MIN_U: EACH(size, ux < uy ? ux : uy);                                          \
    case SIMD_##T##_MAX_S: EACH(size, x > y ? x : y);                                              \
    case SIMD_##T##_MAX_U: EACH(size, ux > uy ? ux : uy);
#define SATURATING(T, size)                                                                        \
    case SIMD_##T##_ADD_SAT_S: EACH(size, narrow(x + y, size, true));                              \
    case SIMD_##T##_ADD_SAT_U: EACH(size, narrow((int64_t)(ux + uy), size, false));                \
    case SIMD_##T##_SUB_SAT_S: EACH(size, narrow(x - y, size, true));                              \
    case SIMD_##T##_SUB_SAT_U: EACH(size, narrow((int64_t)(ux - uy), size, false));                \
    case SIMD_##T##_AVGR_U: EACH(size, (ux + uy + 1) / 2);                                         \
    case SIMD_##T##_EXTRACT_LANE_S: r.u32[0] = (uint32_t)get_signed(a, size, lane); break;         \
    case SIMD_##T##_EXTRACT_LANE_U: r.u32[0] = (uint32_t)get(a, size, lane); break;
/* From lanes of SIZE bytes to those of twice the size. */
#define WIDENING(T, F, size)                                                                       \
    case SIMD_##T##_EXTEND_LOW_##F##_S: EACH(2 * (size), get_signed(a, size, i));                  \
    case SIMD_##T##_EXTEND_HIGH_##F##_S: EACH(2 * (size), get_signed(a, size, i + 8 / (size)));    \
    case SIMD_##T##_EXTEND_LOW_##F##_U: EACH(2 * (size), get(a, size, i));                         \
    case SIMD_##T##_EXTEND_HIGH_##F##_U: EACH(2 * (size), get(a, size, i + 8 / (size)));           \
    case SIMD_##T##_EXTMUL_LOW_##F##_S:                                                            \
        EACH(2 * (size), get_signed(a, size, i) * get_signed(b, size, i));                         \
    case SIMD_##T##_EXTMUL_HIGH_##F##_S:                                                           \
        EACH(2 * (size),                                                                           \
             get_signed(a, size, i + 8 / (size)) * get_signed(b, size, i + 8 / (size)));           \
    case SIMD_##T##_EXTMUL_LOW_##F##_U: EACH(2 * (size), get(a, size, i) * get(b, size, i));       \
    case SIMD_##T##_EXTMUL_HIGH_##F##_U:                                                           \
        EACH(2 * (size), get(a, size, i + 8 / (size)) * get(b, size, i + 8 / (size)));
#define PAIRWISE(T, F, size)                                                                       \
    case SIMD_##T##_EXTADD_PAIRWISE_##F##_S:                                                       \
        EACH(2 * (size), get_signed(a, size, 2 * i) + get_signed(a, size, 2 * i + 1));             \
    case SIMD_##T##_EXTADD_PAIRWISE_##F##_U:                                                       \
        EACH(2 * (size), get(a, size, 2 * i) + get(a, size, 2 * i + 1));                           \
    case SIMD_##F##_NARROW_##T##_S:                                                                \
        EACH(size, narrow(i < 8 / (size) ? get_signed(a, 2 * (size), i)                            \
                                         : get_signed(b, 2 * (size), i - 8 / (size)),              \
                          size, true));                                                            \
    case SIMD_##F##_NARROW_##T##_U:                                                                \
        EACH(size, narrow(i < 8 / (size) ? get_signed(a, 2 * (size), i)                            \
                                         : get_signed(b, 2 * (size), i - 8 / (size)),              \
                          size, false));
#define FLOAT_OPS(T, F, U)                                                                         \
    case SIMD_##T##_EQ: FLOAT_COMPARE(F, U, x == y);                                               \
    case SIMD_##T##_NE: FLOAT_COMPARE(F, U, x != y);                                               \
    case SIMD_##T##_LT: FLOAT_COMPARE(F, U, x < y);                                                \
    case SIMD_##T##_GT: FLOAT_COMPARE(F, U, x > y);                                                \
    case SIMD_##T##_LE: FLOAT_COMPARE(F, U, x <= y);                                               \
    case SIMD_##T##_GE: FLOAT_COMPARE(F, U, x >= y);                                               \
    case SIMD_##T##_SPLAT: FLOATS(U, a->U[0]);                                                     \
    case SIMD_##T##_EXTRACT_LANE: r.U[0] = a->U[lane]; break;                                      \
    case SIMD_##T##_REPLACE_LANE: FLOATS(U, i == lane ? b->U[0] : x);                              \
    case SIMD_##T##_ABS: FLOATS(U, x & ((__typeof__(x))-1 >> 1));                                  \
    case SIMD_##T##_NEG: FLOATS(U, x ^ ~((__typeof__(x))-1 >> 1));                                 \
    case SIMD_##T##_CEIL: FLOATS(F, (__typeof__(x))ceil(x));                                       \
    case SIMD_##T##_FLOOR: FLOATS(F, (__typeof__(x))floor(x));                                     \
    case SIMD_##T##_TRUNC: FLOATS(F, (__typeof__(x))trunc(x));                                     \
    case SIMD_##T##_NEAREST: FLOATS(F, (__typeof__(x))nearbyint(x));                               \
    case SIMD_##T##_SQRT: FLOATS(F, sizeof x == 4 ? (__typeof__(x))sqrtf((float)x)                 \
                                                  : (__typeof__(x))sqrt(x));                       \
    case SIMD_##T##_ADD: FLOATS(F, x + y);                                                         \
    case SIMD_##T##_SUB: FLOATS(F, x - y);                                                         \
    case SIMD_##T##_MUL: FLOATS(F, x * y);                                                         \
    case SIMD_##T##_DIV: FLOATS(F, x / y);                                                         \
    case SIMD_##T##_MIN: FLOATS(F, (__typeof__(x))minimum(x, y));                                  \
    case SIMD_##T##_MAX: FLOATS(F, (__typeof__(x))maximum(x, y));                                  \
    case SIMD_##T##_PMIN: FLOATS(U, b->F[i] < a->F[i] ? y : x);                                    \
    case SIMD_##T##_PMAX: FLOATS(U, a->F[i] < b->F[i] ? y : x);                                    \
    case SIMD_##T##_RELAXED_MIN: FLOATS(U, a->F[i] < b->F[i] ? x : y);                             \
    case SIMD_##T##_RELAXED_MAX: FLOATS(U, a->F[i] > b->F[i] ? x : y);                             \
    case SIMD_##T##_RELAXED_MADD:                                                                  \
        FLOATS(F, x * y + z);                                                                      \
    case SIMD_##T##_RELAXED_NMADD:                                                                 \
        FLOATS(F, z - x * y);
    switch (t->op) {
        INTEGERS(I8X16, 1)
        INTEGERS(I16X8, 2)
        INTEGERS(I32X4, 4)
        INTEGERS(I64X2, 8)
        NARROW(I8X16, 1)
        NARROW(I16X8, 2)
        NARROW(I32X4, 4)
        SATURATING(I8X16, 1)
        SATURATING(I16X8, 2)
        WIDENING(I16X8, I8X16, 1)
        WIDENING(I32X4, I16X8, 2)
        WIDENING(I64X2, I32X4, 4)
        PAIRWISE(I16X8, I8X16, 1)
        PAIRWISE(I32X4, I16X8, 2)
        FLOAT_OPS(F32X4, f32, u32)
        FLOAT_OPS(F64X2, f64, u64)
    case SIMD_I16X8_MUL: EACH(2, ux * uy);
    case SIMD_I32X4_MUL: EACH(4, ux * uy);
    case SIMD_I64X2_MUL: EACH(8, ux * uy);
    case SIMD_I32X4_EXTRACT_LANE: r.u32[0] = a->u32[lane]; break;
    case SIMD_I64X2_EXTRACT_LANE: r.u64[0] = a->u64[lane]; break;
    case SIMD_V128_NOT: EACH(8, ~ux);
    case SIMD_V128_AND: EACH(8, ux & uy);
    case SIMD_V128_ANDNOT: EACH(8, ux & ~uy);
    case SIMD_V128_OR: EACH(8, ux | uy);
    case SIMD_V128_XOR: EACH(8, ux ^ uy);
    case SIMD_V128_BITSELECT: EACH(8, (ux & c->u64[i]) | (uy & ~c->u64[i]));
    case SIMD_V128_ANY_TRUE: r.u32[0] = (a->u64[0] | a->u64[1]) != 0; break;
    case SIMD_I8X16_SHUFFLE: {
        uint64_t imm[2] = {t->imm, t->imm2};
        EACH(1, get((const union vec *)imm, 1, i) < 16 ? a->u8[imm[i / 8] >> i % 8 * 8 & 15]
                                                       : b->u8[imm[i / 8] >> i % 8 * 8 & 15]);
    }
    case SIMD_I8X16_SWIZZLE: EACH(1, uy < 16 ? a->u8[uy] : 0);
    case SIMD_I8X16_RELAXED_SWIZZLE: EACH(1, uy < 128 ? a->u8[uy & 15] : 0);
    case SIMD_I8X16_POPCNT: EACH(1, count_bits(ux));
    case SIMD_I16X8_Q15MULR_SAT_S: EACH(2, narrow((int64_t)q15(x, y), 2, true));
    case SIMD_I16X8_RELAXED_Q15MULR_S: EACH(2, q15(x, y));
    case SIMD_I32X4_DOT_I16X8_S:
        EACH(4, get_signed(a, 2, 2 * i) * get_signed(b, 2, 2 * i) +
                    get_signed(a, 2, 2 * i + 1) * get_signed(b, 2, 2 * i + 1));
    case SIMD_I16X8_RELAXED_DOT_I8X16_I7X16_S: EACH(2, dot8(a, b, i));
    case SIMD_I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S:
        EACH(4, dot8(a, b, 2 * i) + dot8(a, b, 2 * i + 1) + c->u32[i]);
    case SIMD_I8X16_RELAXED_LANESELECT: lane_select(t, 1, &r); break;
    case SIMD_I16X8_RELAXED_LANESELECT: lane_select(t, 1, &r); break; /* of each byte here too */
    case SIMD_I32X4_RELAXED_LANESELECT: lane_select(t, 4, &r); break;
    case SIMD_I64X2_RELAXED_LANESELECT: lane_select(t, 8, &r); break;
    case SIMD_F32X4_DEMOTE_F64X2_ZERO:
        r.f32[0] = (float)a->f64[0];
        r.f32[1] = (float)a->f64[1];
        break;
    case SIMD_F64X2_PROMOTE_LOW_F32X4: FLOATS(f64, a->f32[i]);
    case SIMD_I32X4_TRUNC_SAT_F32X4_S:
    case SIMD_I32X4_RELAXED_TRUNC_F32X4_S: EACH(4, truncate(a->f32[i], true));
    case SIMD_I32X4_TRUNC_SAT_F32X4_U:
    case SIMD_I32X4_RELAXED_TRUNC_F32X4_U: EACH(4, truncate(a->f32[i], false));
    case SIMD_I32X4_TRUNC_SAT_F64X2_S_ZERO:
    case SIMD_I32X4_RELAXED_TRUNC_F64X2_S_ZERO: EACH(4, i < 2 ? truncate(a->f64[i], true) : 0);
    case SIMD_I32X4_TRUNC_SAT_F64X2_U_ZERO:
    case SIMD_I32X4_RELAXED_TRUNC_F64X2_U_ZERO: EACH(4, i < 2 ? truncate(a->f64[i], false) : 0);
    case SIMD_F32X4_CONVERT_I32X4_S: FLOATS(f32, (float)(int32_t)a->u32[i]);
    case SIMD_F32X4_CONVERT_I32X4_U: FLOATS(f32, (float)a->u32[i]);
    case SIMD_F64X2_CONVERT_LOW_I32X4_S: FLOATS(f64, (int32_t)a->u32[i]);
    case SIMD_F64X2_CONVERT_LOW_I32X4_U: FLOATS(f64, a->u32[i]);
    default: memset(&r, 0xcc, sizeof r);
    }
    /* clang-format on */
    return r;
}

/* Width of the result's lanes if they are numbers that a computation made. */
static unsigned nan_lanes(unsigned op)
{
    switch (op) {
#define NANS(T)                                                                                    \
    case SIMD_##T##_CEIL:                                                                          \
    case SIMD_##T##_FLOOR:                                                                         \
    case SIMD_##T##_TRUNC:                                                                         \
    case SIMD_##T##_NEAREST:                                                                       \
    case SIMD_##T##_SQRT:                                                                          \
    case SIMD_##T##_ADD:                                                                           \
    case SIMD_##T##_SUB:                                                                           \
    case SIMD_##T##_MUL:                                                                           \
    case SIMD_##T##_DIV:                                                                           \
    case SIMD_##T##_MIN:                                                                           \
    case SIMD_##T##_MAX:                                                                           \
    case SIMD_##T##_RELAXED_MADD:                                                                  \
    case SIMD_##T##_RELAXED_NMADD:
        NANS(F32X4)
    case SIMD_F32X4_DEMOTE_F64X2_ZERO: return 4; NANS(F64X2)
    case SIMD_F64X2_PROMOTE_LOW_F32X4: return 8;
    default: return 0;
    }
}

bool simd_equal(const struct simd_case *t, const union vec *want, const union vec *got)
{
    unsigned size = nan_lanes(t->op);
    if (!size)
        return !memcmp(want, got, sizeof *want);
    for (unsigned i = 0; i < 16 / size; i++) {
        uint64_t w = get(want, size, i), g = get(got, size, i);
        bool nan = size == 4 ? isnan(want->f32[i]) : isnan(want->f64[i]);
        if (!nan) {
            if (w != g)
                return false;
            continue;
        }
        /* A quiet NaN; if no operand is another one, the canonical one of either sign. */
        uint64_t quiet = size == 4 ? 0x7fc00000 : 0x7ff8000000000000;
        uint64_t magnitude = g & (UINT64_MAX >> (size == 4 ? 33 : 1));
        if ((g & quiet) != quiet)
            return false;
        bool canonical =
            t->op != SIMD_F32X4_DEMOTE_F64X2_ZERO && t->op != SIMD_F64X2_PROMOTE_LOW_F32X4;
        for (unsigned k = 0; k < 3; k++) {
            uint64_t o = get(&t->operands[k], size, i) & (UINT64_MAX >> (size == 4 ? 33 : 1));
            if (o > (size == 4 ? 0x7f800000 : 0x7ff0000000000000) && o != quiet)
                canonical = false;
        }
        if (canonical && magnitude != quiet)
            return false;
    }
    return true;
}
