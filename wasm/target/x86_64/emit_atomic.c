/* Emission of atomic operations. */
#include "target/x86_64/emit.h"

static void trap_site(struct target_compiler *c, const struct mins *m)
{
    if (m->flags & MI_TRAPS)
        code_trap_add(c->out, (uint32_t)c->out->size, WASM_TRAP_MEMORY, m->pos);
}

/* lock OP [mem], reg of M's width; OP is the wide form, the byte form stands before it. */
static void locked(struct target_compiler *c, const struct mins *m, uint32_t op, unsigned reg,
                   const struct x86_mem *mem)
{
    x86_byte(c->out, 0xf0);
    if (m->size == 2)
        x86_byte(c->out, 0x66);
    uint32_t flags = m->size == 8 ? X86_W : m->size == 1 ? X86_BYTE : 0;
    x86_rm(c->out, (m->size == 1 ? op - 1 : op) | flags, reg, mem);
}

/* rax = [mem]; until nobody came between: [mem] = rax op a. */
static void emit_update(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    struct x86_mem mem = mem_operand(c, m, i);
    unsigned value = reg_use(c, m->a, i), temp = reg_use(c, m->b, i);
    trap_site(c, m);
    x86_rm(out,
           m->size == 1   ? X86(0, 1, b6)
           : m->size == 2 ? X86(0, 1, b7)
           : m->size == 4 ? X86(0, 0, 8b)
                          : X86(0, 0, 8b) | X86_W,
           RAX, &mem);
    uint32_t again = (uint32_t)out->size;
    x86_mov(out, 8, temp, RAX);
    x86_alu(out, m->size == 8 ? 8 : 4, m->sub, temp, value);
    locked(c, m, X86(0, 1, b1), temp, &mem);
    x86_byte(out, 0x70 | CC_NE);
    x86_byte(out, (again - ((uint32_t)out->size + 1)) & 0xff);
}

void emit_atomic(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    if (m->op == M_FENCE) {
        x86_byte(c->out, 0x0f); /* mfence */
        x86_byte(c->out, 0xae);
        x86_byte(c->out, 0xf0);
        return;
    }
    if (m->op == M_UPDATE) {
        emit_update(c, i);
        return;
    }
    struct x86_mem mem = mem_operand(c, m, i);
    trap_site(c, m);
    if (m->op == M_CMPXCHG)
        locked(c, m, X86(0, 1, b1), reg_use(c, m->b, i), &mem);
    else
        locked(c, m, m->sub ? X86(0, 1, c1) : X86(0, 0, 87), reg_use(c, m->dst, i), &mem);
}
