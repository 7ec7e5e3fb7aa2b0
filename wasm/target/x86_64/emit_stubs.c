/* Cold code at the end of a function. */
#include "target/x86_64/emit.h"

static void trap(struct target_compiler *c, const struct stub *s, unsigned kind)
{
    code_trap_add(c->out, (uint32_t)c->out->size, kind, s->pos);
    x86_byte(c->out, 0x0f); /* ud2: the fault handler finds it in the trap table */
    x86_byte(c->out, 0x0b);
}

static void go_back(struct target_compiler *c, const struct stub *s)
{
    x86_patch_near(c->out, x86_jmp_near(c->out), s->back);
}

/* The divisor is -1: the quotient is the negation, which overflows for the smallest integer; the
 * remainder is 0. */
static void stub_div(struct target_compiler *c, const struct stub *s)
{
    struct code_buffer *out = c->out;
    if (s->sub) {
        x86_rr(out, X86(0, 0, 31), RDX, RDX);
        go_back(c, s);
        return;
    }
    x86_rr(out, X86(0, 0, f7) | (s->size == 8 ? X86_W : 0), 3, RAX);
    uint32_t overflow = x86_jcc_short(out, CC_O);
    go_back(c, s);
    x86_patch_short(out, overflow);
    trap(c, s, WASM_TRAP_INT_OVERFLOW);
}

/* Unordered: adding gives a quiet NaN. Equal: or and and differ for zeros only. */
static void stub_minmax(struct target_compiler *c, const struct stub *s)
{
    struct code_buffer *out = c->out;
    uint32_t nan = x86_jcc_short(out, CC_P);
    xmm_rr(c, s->sub ? X86(0, 1, 54) : X86(0, 1, 56), s->a, s->a, s->b);
    go_back(c, s);
    x86_patch_short(out, nan);
    xmm_rr(c, s->size == 4 ? X86(f3, 1, 58) : X86(f2, 1, 58), s->a, s->a, s->b);
    go_back(c, s);
}

static void load_bits(struct target_compiler *c, const struct stub *s, uint64_t f64, uint32_t f32)
{
    bool wide = s->sub & TRUNC_F64;
    struct x86_mem m = {.rip = true};
    xmm_rm(c, wide ? X86(f2, 1, 10) : X86(f3, 1, 10), SCRATCH_XMM, 0, &m);
    pool_use(c, pool_add(c, wide ? 8 : 4, wide ? f64 : f32, 0), 0);
}

/* ucomis a, b */
static void compare(struct target_compiler *c, const struct stub *s, unsigned a, unsigned b)
{
    xmm_rr(c, s->sub & TRUNC_F64 ? X86(66, 1, 2e) : X86(0, 1, 2e), a, 0, b);
}

static void zero_scratch(struct target_compiler *c)
{
    xmm_rr(c, X86(0, 1, 57), SCRATCH_XMM, SCRATCH_XMM, SCRATCH_XMM);
}

/* a ≥ 2^63: subtract it, convert, add it back. Falls through with what is still too large or was
 * not that large; dst then is the sign bit plus something. */
static void large_unsigned(struct target_compiler *c, const struct stub *s, uint32_t *small,
                           uint32_t *too_large)
{
    struct code_buffer *out = c->out;
    bool wide = s->sub & TRUNC_F64;
    load_bits(c, s, 0x43e0000000000000, 0x5f000000);
    compare(c, s, s->a, SCRATCH_XMM);
    *small = x86_jcc_near(out, CC_B);
    /* dst = convert(a - 2^63), the difference formed in the scratch register: -(2^63 - a). */
    xmm_rr(c, wide ? X86(f2, 1, 5c) : X86(f3, 1, 5c), SCRATCH_XMM, SCRATCH_XMM, s->a);
    xmm_rr(c, (wide ? X86(f2, 1, 2c) : X86(f3, 1, 2c)) | X86_W, s->dst, 0, SCRATCH_XMM);
    /* -(a - 2^63) ≤ 0; for what does not fit the smallest integer comes out, whose negation is
     * itself: negative. */
    x86_rr(out, X86(0, 0, f7) | X86_W, 3, s->dst);
    *too_large = x86_jcc_near(out, CC_S);
    x86_mov_imm(out, s->b, 0x8000000000000000);
    x86_alu(out, 8, ALU_XOR, s->dst, s->b);
    go_back(c, s);
}

static void stub_trunc(struct target_compiler *c, const struct stub *s)
{
    struct code_buffer *out = c->out;
    bool is_64 = s->sub & TRUNC_64, is_unsigned = s->sub & TRUNC_UNSIGNED;
    bool saturate = s->sub & TRUNC_SAT;
    compare(c, s, s->a, s->a);
    uint32_t nan = x86_jcc_near(out, CC_P), small = 0, too_large = 0;
    if (is_unsigned && is_64)
        large_unsigned(c, s, &small, &too_large);
    if (small)
        x86_patch_near(out, small, (uint32_t)out->size);
    if (is_unsigned) {
        /* Negative, or too large. */
        if (saturate) {
            zero_scratch(c);
            compare(c, s, s->a, SCRATCH_XMM);
            uint32_t negative = x86_jcc_near(out, CC_B);
            if (too_large)
                x86_patch_near(out, too_large, (uint32_t)out->size);
            x86_mov_imm(out, s->dst, is_64 ? UINT64_MAX : UINT32_MAX);
            go_back(c, s);
            x86_patch_near(out, negative, (uint32_t)out->size);
            x86_patch_near(out, nan, (uint32_t)out->size);
            x86_rr(out, X86(0, 0, 31), s->dst, s->dst);
            go_back(c, s);
            return;
        }
        if (too_large)
            x86_patch_near(out, too_large, (uint32_t)out->size);
        trap(c, s, WASM_TRAP_INT_OVERFLOW);
        x86_patch_near(out, nan, (uint32_t)out->size);
        trap(c, s, WASM_TRAP_CONVERSION);
        return;
    }
    if (saturate) {
        /* The smallest integer is there already; for positive operands the largest is due. */
        zero_scratch(c);
        compare(c, s, s->a, SCRATCH_XMM);
        uint32_t positive = x86_jcc_near(out, CC_A);
        go_back(c, s);
        x86_patch_near(out, positive, (uint32_t)out->size);
        x86_mov_imm(out, s->dst, is_64 ? INT64_MAX : INT32_MAX);
        go_back(c, s);
        x86_patch_near(out, nan, (uint32_t)out->size);
        x86_rr(out, X86(0, 0, 31), s->dst, s->dst);
        go_back(c, s);
        return;
    }
    /* Fits if it is above the bound (f64 to i32: -2^31 - 1, exclusive; else the smallest integer
     * itself, inclusive) and negative. */
    bool exclusive = s->sub & TRUNC_F64 && !is_64;
    if (is_64)
        load_bits(c, s, 0xc3e0000000000000, 0xdf000000);
    else
        load_bits(c, s, 0xc1e0000000200000, 0xcf000000);
    compare(c, s, s->a, SCRATCH_XMM);
    uint32_t below = x86_jcc_near(out, exclusive ? CC_BE : CC_B);
    zero_scratch(c);
    compare(c, s, s->a, SCRATCH_XMM);
    uint32_t above = x86_jcc_near(out, CC_AE);
    go_back(c, s);
    x86_patch_near(out, below, (uint32_t)out->size);
    x86_patch_near(out, above, (uint32_t)out->size);
    trap(c, s, WASM_TRAP_INT_OVERFLOW);
    x86_patch_near(out, nan, (uint32_t)out->size);
    trap(c, s, WASM_TRAP_CONVERSION);
}

/* An integer with the top bit set: halve it (keeping the sticky bit), convert, double. */
static void stub_convert(struct target_compiler *c, const struct stub *s)
{
    struct code_buffer *out = c->out;
    uint32_t prefix = s->size == 4 ? X86(f3, 1, 00) : X86(f2, 1, 00);
    /* from is still needed by others: the odd bit is looked at in place. */
    x86_mov(out, 8, s->b, s->a);
    x86_rr(out, X86(0, 0, d1) | X86_W, 5, s->b);
    x86_rr(out, X86(0, 0, f6) | X86_RBYTE, 0, s->a);
    x86_byte(out, 1);
    uint32_t even = x86_jcc_short(out, CC_E);
    x86_alu_imm(out, 8, ALU_OR, s->b, 1);
    x86_patch_short(out, even);
    xmm_rr(c, prefix | 0x2a | X86_W, s->dst, s->dst, s->b);
    xmm_rr(c, prefix | 0x58, s->dst, s->dst, s->dst);
    go_back(c, s);
}

void emit_stubs(struct target_compiler *c)
{
    for (uint32_t k = 0; k < c->stubs.count && x86_reserve(c->out, X86_MAX_STEP); k++) {
        const struct stub *s = &c->stubs.data[k];
        x86_patch_near(c->out, s->field, (uint32_t)c->out->size);
        code_position(c->out, s->pos);
        switch (s->kind) {
        case STUB_TRAP: trap(c, s, s->trap); break;
        case STUB_DIV: stub_div(c, s); break;
        case STUB_MINMAX: stub_minmax(c, s); break;
        case STUB_TRUNC: stub_trunc(c, s); break;
        default: stub_convert(c, s); break;
        }
    }
}
