/* Emission of floating-point instructions and of the sequences that Wasm's semantics need around
 * them. What is rare (NaN, equal operands of min and max, conversions out of range) is in stubs at
 * the function's end. */
#include "target/x86_64/emit.h"

static void emit_sse_op(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned to = reg_use(c, m->dst, i);
    xmm_rb(c, m, i, m->list, to, to, m->flags & MI_IMM ? 1 : 0);
    if (m->flags & MI_IMM)
        x86_byte(c->out, m->sub);
}

/* Scalar conversions, roots and roundings keep the upper part of the target. */
static bool writes_part(uint32_t op)
{
    unsigned byte = op & 0xff, map = op >> 8 & 0xff, prefix = op >> 16 & 0xff;
    if (map == 3)
        return byte == 0x0a || byte == 0x0b;
    return (prefix == 0xf2 || prefix == 0xf3) && (byte == 0x2a || byte == 0x51 || byte == 0x5a);
}

static void clear(struct target_compiler *c, unsigned reg)
{
    xmm_rr(c, X86(0, 1, 57), reg, reg, reg);
}

static void emit_sse_unary(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct x86_mem mem;
    bool from_gpr = (m->list & 0xff) == 0x2a;
    unsigned from = REG_COUNT;
    if (m->form == B_REG && !in_memory(c, m->b, i, &mem))
        from = reg_use(c, m->b, i);
    unsigned to = reg_def(c, m->dst, i), upper = 0;
    if (writes_part(m->list)) {
        /* Without a register to take the upper part from they would wait for the target's last
         * writer. */
        upper = to;
        if (c->cpu.avx && !from_gpr && from != REG_COUNT)
            upper = from;
        else if (from_gpr || from != to)
            clear(c, to);
    }
    xmm_rb(c, m, i, m->list, to, upper, m->flags & MI_IMM ? 1 : 0);
    if (m->flags & MI_IMM)
        x86_byte(c->out, m->sub);
}

static void emit_minmax(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    unsigned a = reg_use(c, m->dst, i), b = reg_use(c, m->b, i);
    uint32_t prefix = m->size == 4 ? X86(f3, 1, 00) : X86(f2, 1, 00);
    xmm_rr(c, m->size == 4 ? X86(0, 1, 2e) : X86(66, 1, 2e), a, 0, b);
    /* Equal (perhaps zeros of different sign) or unordered. */
    struct stub *stub = stub_add(c, STUB_MINMAX, x86_jcc_near(out, CC_E), m->pos);
    xmm_rr(c, prefix | (m->sub ? 0x5fu : 0x5du), a, a, b);
    stub->size = m->size;
    stub->sub = m->sub;
    stub->a = (uint8_t)a;
    stub->b = (uint8_t)b;
    stub->back = (uint32_t)out->size;
}

/* Conversion with the processor's, whose answer for what does not fit is the smallest integer; the
 * stub looks at the operand again. */
static void emit_trunc(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    unsigned from = reg_use(c, m->a, i), temp = m->b ? reg_use(c, m->b, i) : 0;
    unsigned to = reg_def(c, m->dst, i);
    uint32_t op = m->sub & TRUNC_F64 ? X86(f2, 1, 2c) : X86(f3, 1, 2c);
    uint32_t field;
    if (!(m->sub & TRUNC_UNSIGNED)) {
        unsigned size = m->sub & TRUNC_64 ? 8 : 4;
        xmm_rr(c, op | (size == 8 ? X86_W : 0), to, 0, from);
        x86_alu_imm(out, size, ALU_CMP, to, 1);
        field = x86_jcc_near(out, CC_O);
    } else if (m->sub & TRUNC_64) {
        xmm_rr(c, op | X86_W, to, 0, from);
        x86_rr(out, X86(0, 0, 85) | X86_W, to, to);
        field = x86_jcc_near(out, CC_S);
    } else {
        xmm_rr(c, op | X86_W, to, 0, from);
        x86_mov(out, 4, temp, to);
        x86_alu(out, 8, ALU_CMP, temp, to);
        field = x86_jcc_near(out, CC_NE);
    }
    struct stub *stub = stub_add(c, STUB_TRUNC, field, m->pos);
    stub->sub = m->sub;
    stub->dst = (uint8_t)to;
    stub->a = (uint8_t)from;
    stub->b = (uint8_t)temp;
    stub->back = (uint32_t)out->size;
}

static void emit_convert_u64(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    unsigned from = reg_use(c, m->a, i), temp = reg_use(c, m->b, i), to = reg_def(c, m->dst, i);
    clear(c, to);
    x86_rr(out, X86(0, 0, 85) | X86_W, from, from);
    struct stub *stub = stub_add(c, STUB_CONVERT, x86_jcc_near(out, CC_S), m->pos);
    xmm_rr(c, (m->size == 4 ? X86(f3, 1, 2a) : X86(f2, 1, 2a)) | X86_W, to, to, from);
    stub->size = m->size;
    stub->dst = (uint8_t)to;
    stub->a = (uint8_t)from;
    stub->b = (uint8_t)temp;
    stub->back = (uint32_t)out->size;
}

static void emit_fselect(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    unsigned to = reg_use(c, m->dst, i), from = reg_use(c, m->b, i);
    if (m->sub == CC_FNE) {
        uint32_t unordered = x86_jcc_short(out, CC_P);
        uint32_t equal = x86_jcc_short(out, CC_E);
        x86_patch_short(out, unordered);
        xmm_copy(c, to, from);
        x86_patch_short(out, equal);
        return;
    }
    uint32_t skip = x86_jcc_short(out, m->sub ^ 1u);
    xmm_copy(c, to, from);
    x86_patch_short(out, skip);
}

static void emit_crossing(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct x86_mem mem;
    uint32_t w = m->size == 8 ? X86_W : 0;
    if (m->op == M_XMM_TO_GPR) {
        unsigned from = reg_use(c, m->a, i);
        xmm_rr(c, X86(66, 1, 7e) | w, from, 0, reg_def(c, m->dst, i));
    } else if (in_memory(c, m->a, i, &mem)) {
        xmm_rm(c, m->size == 8 ? X86(f2, 1, 10) : X86(f3, 1, 10), reg_def(c, m->dst, i), 0, &mem);
    } else {
        unsigned from = reg_use(c, m->a, i);
        xmm_rr(c, X86(66, 1, 6e) | w, reg_def(c, m->dst, i), 0, from);
    }
}

void emit_sse(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    switch (m->op) {
    case M_FCONST:
        emit_constant(c, R_XMM0 + reg_def(c, m->dst, i), true, m->size, m->imm, true);
        break;
    case M_SSE: emit_sse_op(c, i); break;
    case M_SSE_UNARY: emit_sse_unary(c, i); break;
    case M_UCOMIS: {
        unsigned a = reg_use(c, m->a, i);
        xmm_rb(c, m, i, m->size == 4 ? X86(0, 1, 2e) : X86(66, 1, 2e), a, 0, 0);
        break;
    }
    case M_GPR_TO_XMM:
    case M_XMM_TO_GPR: emit_crossing(c, i); break;
    case M_FMINMAX: emit_minmax(c, i); break;
    case M_TRUNC: emit_trunc(c, i); break;
    case M_CONVERT_U64: emit_convert_u64(c, i); break;
    case M_FSELECT: emit_fselect(c, i); break;
    default: emit_simd(c, i);
    }
}
