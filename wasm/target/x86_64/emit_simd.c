/* Emission of vector instructions, and of everything on xmm registers in the encoding the CPU has:
 * VEX from AVX on, so that no instruction waits for, or has to move, what it does not need. */
#include "target/x86_64/emit.h"

void xmm_rr(struct target_compiler *c, uint32_t op, unsigned reg, unsigned vvvv, unsigned rm)
{
    if (c->cpu.avx)
        x86_vrr(c->out, op, reg, vvvv, rm);
    else
        x86_rr(c->out, op, reg, rm);
}

void xmm_rm(struct target_compiler *c, uint32_t op, unsigned reg, unsigned vvvv,
            const struct x86_mem *m)
{
    if (c->cpu.avx)
        x86_vrm(c->out, op, reg, vvvv, m);
    else
        x86_rm(c->out, op, reg, m);
}

void xmm_copy(struct target_compiler *c, unsigned to, unsigned from)
{
    if (c->cpu.avx && from >= 8 && to < 8) /* the store's form is a byte shorter */
        x86_vrr(c->out, X86(0, 1, 29), from, 0, to);
    else
        xmm_rr(c, X86(0, 1, 28), to, 0, from);
}

void xmm_rb(struct target_compiler *c, const struct mins *m, uint32_t i, uint32_t op, unsigned reg,
            unsigned vvvv, unsigned trail)
{
    struct x86_mem mem;
    switch (m->form) {
    case B_MEM:
        mem = mem_operand(c, m, i);
        if (m->flags & MI_TRAPS)
            code_trap_add(c->out, (uint32_t)c->out->size, WASM_TRAP_MEMORY, m->pos);
        xmm_rm(c, op, reg, vvvv, &mem);
        return;
    case B_POOL:
        mem = (struct x86_mem){.rip = true};
        xmm_rm(c, op, reg, vvvv, &mem);
        pool_use(c, (uint32_t)m->imm, trail);
        return;
    default:
        if (in_memory(c, m->b, i, &mem))
            xmm_rm(c, op, reg, vvvv, &mem);
        else
            xmm_rr(c, op, reg, vvvv, reg_use(c, m->b, i));
    }
}

static void emit_vex(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned a = reg_use(c, m->a, i), to = reg_def(c, m->dst, i);
    xmm_rb(c, m, i, m->list, to, a, m->flags & MI_IMM ? 1 : 0);
    if (m->flags & MI_IMM)
        x86_byte(c->out, m->sub);
}

static void emit_shift(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    if (m->op == M_VEX_SHIFT) {
        unsigned from = reg_use(c, m->a, i);
        x86_vrr(c->out, m->list, m->sub, reg_def(c, m->dst, i), from);
    } else {
        x86_rr(c->out, m->list, m->sub, reg_use(c, m->dst, i));
    }
    x86_byte(c->out, (unsigned)m->imm);
}

static void emit_blend(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned a = reg_use(c, m->a, i), b = reg_use(c, m->b, i), mask = reg_use(c, m->index, i);
    x86_vrr(c->out, m->list, reg_def(c, m->dst, i), a, b);
    x86_byte(c->out, mask << 4);
}

static void emit_extract(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned from = reg_use(c, m->a, i), to = reg_def(c, m->dst, i);
    if (m->size == 2) {
        xmm_rr(c, X86(66, 1, c5), to, 0, from);
    } else if (m->size >= 4 && !m->sub) {
        xmm_rr(c, X86(66, 1, 7e) | (m->size == 8 ? X86_W : 0), from, 0, to);
        return;
    } else {
        uint32_t op = m->size == 1 ? X86(66, 3, 14) : X86(66, 3, 16);
        xmm_rr(c, op | (m->size == 8 ? X86_W : 0), from, 0, to);
    }
    x86_byte(c->out, m->sub);
}

static void emit_extract_store(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct x86_mem mem = mem_operand(c, m, i);
    unsigned from = reg_use(c, m->b, i);
    if (m->flags & MI_TRAPS)
        code_trap_add(c->out, (uint32_t)c->out->size, WASM_TRAP_MEMORY, m->pos);
    if (m->size == 8 || (m->size == 4 && !m->sub)) {
        xmm_rm(c,
               m->size == 4 ? X86(f3, 1, 11)
               : m->sub     ? X86(0, 1, 17)
                            : X86(f2, 1, 11),
               from, 0, &mem);
        return;
    }
    static const uint32_t ops[] = {
        [1] = X86(66, 3, 14), [2] = X86(66, 3, 15), [4] = X86(66, 3, 16)};
    xmm_rm(c, ops[m->size], from, 0, &mem);
    x86_byte(c->out, m->sub);
}

void emit_simd(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned a;
    switch (m->op) {
    case M_VEX: emit_vex(c, i); break;
    case M_SSE_SHIFT:
    case M_VEX_SHIFT: emit_shift(c, i); break;
    case M_VBLEND: emit_blend(c, i); break;
    case M_PTEST:
        a = reg_use(c, m->a, i);
        xmm_rb(c, m, i, X86(66, 2, 17), a, 0, 0);
        break;
    case M_PEXTR: emit_extract(c, i); break;
    case M_PEXTR_STORE: emit_extract_store(c, i); break;
    case M_MOVMSK:
        a = reg_use(c, m->a, i);
        xmm_rr(c, m->list, reg_def(c, m->dst, i), 0, a);
        break;
    case M_VCONST: emit_constant(c, R_XMM0 + reg_def(c, m->dst, i), true, 16, m->imm, true); break;
    default: mir_fail(c);
    }
}
