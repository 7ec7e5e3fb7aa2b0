/* Division by constants without division (Hacker's Delight, chapter 10; Granlund and Montgomery).
 */
#include "opt/fold.h"

static void become(struct ir_func *f, ir_ref r, enum ir_op op, ir_ref a, ir_ref b)
{
    f->shifts |= ir_is_shift(op);
    f->ins[r].op = (uint16_t)op;
    f->ins[r].a = a;
    f->ins[r].b = b;
    f->ins[r].c = 0;
}

/* R becomes x - q * k. */
static void remainder_of(struct ir_func *f, ir_ref r, ir_ref x, ir_ref q, uint64_t k)
{
    uint8_t type = f->ins[r].type;
    ir_ref product;
    if (!(k & (k - 1)))
        product = fold_binary(f, r, IR_SHL, type, q,
                              fold_const(f, r, type, (uint64_t)__builtin_ctzll(k)));
    else
        product = fold_binary(f, r, IR_MUL, type, q, fold_const(f, r, type, k));
    become(f, r, IR_SUB, x, product);
}

static ir_ref shift(struct ir_func *f, ir_ref where, enum ir_op op, ir_ref x, unsigned by)
{
    uint8_t type = f->ins[x].type;
    return by ? fold_binary(f, where, op, type, x, fold_const(f, where, type, by)) : x;
}

static ir_ref convert(struct ir_func *f, ir_ref where, enum ir_op op, uint8_t type, ir_ref x)
{
    ir_ref r = ir_insert_before(f, where, op, type);
    f->ins[r].a = x;
    f->ins[r].pos = f->ins[where].pos;
    return r;
}

static void unsigned_power(struct ir_func *f, ir_ref r, uint64_t k)
{
    uint8_t type = f->ins[r].type;
    ir_ref x = f->ins[r].a;
    if (f->ins[r].op == IR_REM_U)
        become(f, r, IR_AND, x, fold_const(f, r, type, k - 1));
    else
        become(f, r, IR_SHR_U, x, fold_const(f, r, type, (uint64_t)__builtin_ctzll(k)));
}

/* Rounds towards zero by adding k - 1 to negative dividends. */
static void signed_power(struct ir_func *f, ir_ref r, uint64_t k, unsigned bits)
{
    uint8_t type = f->ins[r].type;
    ir_ref x = f->ins[r].a;
    unsigned n = (unsigned)__builtin_ctzll(k);
    ir_ref sign = n > 1 ? shift(f, r, IR_SHR_S, x, bits - 1) : x;
    ir_ref bias = shift(f, r, IR_SHR_U, sign, bits - n);
    ir_ref sum = fold_binary(f, r, IR_ADD, type, x, bias);
    if (f->ins[r].op == IR_DIV_S) {
        become(f, r, IR_SHR_S, sum, fold_const(f, r, type, n));
        return;
    }
    ir_ref rounded = fold_binary(f, r, IR_AND, type, sum, fold_const(f, r, type, 0 - k));
    become(f, r, IR_SUB, x, rounded);
}

/* 32 bits: the product with a 33-bit reciprocal, of which the top bit is added by hand. */
static void unsigned_32(struct ir_func *f, ir_ref r, uint32_t k)
{
    ir_ref x = f->ins[r].a;
    bool rem = f->ins[r].op == IR_REM_U;
    unsigned n = 32 - (unsigned)__builtin_clz(k - 1);          /* ceil(log2 k) */
    uint64_t magic = ((((uint64_t)1 << n) - k) << 32) / k + 1; /* below 2^32, plus 2^32 */
    uint64_t full = magic + ((uint64_t)1 << 32);
    ir_ref wide = n < 32 ? convert(f, r, IR_ZEXT, IR_I64, x) : 0, q;
    if (n == 32) { /* k above 2^31: it goes once or not at all */
        q = fold_binary(f, r, IR_GE_U, IR_I32, x, fold_const(f, r, IR_I32, k));
    } else if (!(full & 1)) { /* an even magic number needs no extra bit */
        ir_ref p = fold_binary(f, r, IR_MUL, IR_I64, wide, fold_const(f, r, IR_I64, full >> 1));
        q = convert(f, r, IR_WRAP, IR_I32, shift(f, r, IR_SHR_U, p, 31 + n));
    } else if (ir_limit(f, x) <= INT32_MAX) {
        /* 33 bits times 31 bits fit. */
        ir_ref p = fold_binary(f, r, IR_MUL, IR_I64, wide, fold_const(f, r, IR_I64, full));
        q = convert(f, r, IR_WRAP, IR_I32, shift(f, r, IR_SHR_U, p, 32 + n));
    } else {
        ir_ref p = fold_binary(f, r, IR_MUL, IR_I64, wide, fold_const(f, r, IR_I64, magic));
        ir_ref high = convert(f, r, IR_WRAP, IR_I32, shift(f, r, IR_SHR_U, p, 32));
        ir_ref rest = shift(f, r, IR_SHR_U, fold_binary(f, r, IR_SUB, IR_I32, x, high), 1);
        q = shift(f, r, IR_SHR_U, fold_binary(f, r, IR_ADD, IR_I32, rest, high), n - 1);
    }
    if (rem)
        remainder_of(f, r, x, q, k);
    else
        become(f, r, IR_COPY, q, 0);
}

static void signed_32(struct ir_func *f, ir_ref r, int32_t k)
{
    ir_ref x = f->ins[r].a;
    bool rem = f->ins[r].op == IR_REM_S;
    uint32_t d = k < 0 ? 0u - (uint32_t)k : (uint32_t)k;
    unsigned n = 31 - (unsigned)__builtin_clz(d);
    /* ceil(2^(32 + n) / d): 33 bits at most, for products with 31 bits and a sign. */
    uint64_t magic = (((uint64_t)1 << (32 + n)) / d) + 1;
    ir_ref wide = convert(f, r, IR_SEXT, IR_I64, x);
    ir_ref p = fold_binary(f, r, IR_MUL, IR_I64, wide, fold_const(f, r, IR_I64, magic));
    ir_ref q = convert(f, r, IR_WRAP, IR_I32, shift(f, r, IR_SHR_S, p, 32 + n));
    ir_ref sign = shift(f, r, IR_SHR_S, x, 31);
    if (rem || k > 0)
        q = fold_binary(f, r, IR_SUB, IR_I32, q, sign);
    else
        q = fold_binary(f, r, IR_SUB, IR_I32, sign, q);
    if (rem)
        remainder_of(f, r, x, q, d);
    else
        become(f, r, IR_COPY, q, 0);
}

void fold_division(struct ir_func *f, ir_ref r, int64_t k, bool is_64)
{
    bool is_signed = f->ins[r].op == IR_DIV_S || f->ins[r].op == IR_REM_S;
    bool rem = f->ins[r].op == IR_REM_S || f->ins[r].op == IR_REM_U;
    uint64_t u = is_64 ? (uint64_t)k : (uint32_t)k;
    if (k == 1) {
        if (rem)
            become(f, r, IR_CONST, 0, 0), f->ins[r].imm = 0;
        else
            become(f, r, IR_COPY, f->ins[r].a, 0);
        return;
    }
    if (!is_signed) {
        if (!(u & (u - 1)))
            unsigned_power(f, r, u);
        else if (!is_64)
            unsigned_32(f, r, (uint32_t)u);
        return;
    }
    if (k == -1 || k == (is_64 ? INT64_MIN : INT32_MIN))
        return; /* -1 may trap */
    uint64_t d = k < 0 ? 0 - (uint64_t)k : (uint64_t)k;
    if (k > 0 && !(d & (d - 1)))
        signed_power(f, r, u, is_64 ? 64 : 32);
    else if (!is_64 && d & (d - 1))
        signed_32(f, r, (int32_t)k);
}
