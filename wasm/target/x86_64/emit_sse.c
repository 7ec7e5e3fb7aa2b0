/* Emission of floating-point instructions and of the sequences that Wasm's semantics need around
 * them. What is rare (NaN, equal operands of min and max, conversions out of range) is in stubs at
 * the function's end. */
#include "target/x86_64/emit.h"

static void emit_sse_op(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned to = reg_use(c, m->dst, i);
    emit_rb(c, m, i, m->list, to, 0);
}

static bool writes_part(uint32_t op)
{
    unsigned byte = op & 0xff;
    return byte == 0x2a || byte == 0x51 || byte == 0x5a || byte == 0x0a || byte == 0x0b;
}

static void emit_sse_unary(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct x86_mem mem;
    bool from_gpr = (m->list & 0xff) == 0x2a;
    unsigned from = REG_COUNT;
    if (m->form == B_REG && !in_memory(c, m->b, i, &mem))
        from = reg_use(c, m->b, i);
    unsigned to = reg_def(c, m->dst, i);
    /* These keep the upper part of the target: without this they would wait for its last writer. */
    if (writes_part(m->list) && (from_gpr || from != to))
        x86_rr(c->out, X86(0, 1, 57), to, to);
    emit_rb(c, m, i, m->list, to, m->sub != NO_IMM);
    if (m->sub != NO_IMM)
        x86_byte(c->out, m->sub);
}

static void emit_minmax(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    unsigned a = reg_use(c, m->dst, i), b = reg_use(c, m->b, i);
    uint32_t prefix = m->size == 4 ? X86(f3, 1, 00) : X86(f2, 1, 00);
    x86_rr(out, m->size == 4 ? X86(0, 1, 2e) : X86(66, 1, 2e), a, b);
    /* Equal (perhaps zeros of different sign) or unordered. */
    struct stub *stub = stub_add(c, STUB_MINMAX, x86_jcc_near(out, CC_E), m->pos);
    x86_rr(out, prefix | (m->sub ? 0x5fu : 0x5du), a, b);
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
        x86_rr(out, op | (size == 8 ? X86_W : 0), to, from);
        x86_alu_imm(out, size, ALU_CMP, to, 1);
        field = x86_jcc_near(out, CC_O);
    } else if (m->sub & TRUNC_64) {
        x86_rr(out, op | X86_W, to, from);
        x86_rr(out, X86(0, 0, 85) | X86_W, to, to);
        field = x86_jcc_near(out, CC_S);
    } else {
        x86_rr(out, op | X86_W, to, from);
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
    x86_rr(out, X86(0, 1, 57), to, to);
    x86_rr(out, X86(0, 0, 85) | X86_W, from, from);
    struct stub *stub = stub_add(c, STUB_CONVERT, x86_jcc_near(out, CC_S), m->pos);
    x86_rr(out, (m->size == 4 ? X86(f3, 1, 2a) : X86(f2, 1, 2a)) | X86_W, to, from);
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
        x86_rr(out, X86(0, 1, 28), to, from);
        x86_patch_short(out, equal);
        return;
    }
    uint32_t skip = x86_jcc_short(out, m->sub ^ 1u);
    x86_rr(out, X86(0, 1, 28), to, from);
    x86_patch_short(out, skip);
}

static void emit_crossing(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    struct x86_mem mem;
    uint32_t w = m->size == 8 ? X86_W : 0;
    if (m->op == M_XMM_TO_GPR) {
        unsigned from = reg_use(c, m->a, i);
        x86_rr(out, X86(66, 1, 7e) | w, from, reg_def(c, m->dst, i));
    } else if (in_memory(c, m->a, i, &mem)) {
        x86_rm(out, m->size == 8 ? X86(f2, 1, 10) : X86(f3, 1, 10), reg_def(c, m->dst, i), &mem);
    } else {
        unsigned from = reg_use(c, m->a, i);
        x86_rr(out, X86(66, 1, 6e) | w, reg_def(c, m->dst, i), from);
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
        emit_rb(c, m, i, m->size == 4 ? X86(0, 1, 2e) : X86(66, 1, 2e), a, 0);
        break;
    }
    case M_GPR_TO_XMM:
    case M_XMM_TO_GPR: emit_crossing(c, i); break;
    case M_FMINMAX: emit_minmax(c, i); break;
    case M_TRUNC: emit_trunc(c, i); break;
    case M_CONVERT_U64: emit_convert_u64(c, i); break;
    case M_FSELECT: emit_fselect(c, i); break;
    default: mir_fail(c);
    }
}
