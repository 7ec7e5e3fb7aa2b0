/* Emission of calls and returns (abi.h). */
#include "target/x86_64/emit.h"

#define OFFSET(type, field) ((int32_t)offsetof(struct type, field))

/* call_indirect: element number → rax = function, rdi = where to enter it. */
static void emit_func(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    unsigned index = reg_use(c, m->a, i), zero = reg_use(c, m->b, i);
    x86_load(out, 8, RDI, R15, OFFSET(wasm_instance, tables));
    x86_load(out, 8, RDI, RDI, (int32_t)(m->list * 8));
    x86_mov(out, 4, RAX, index);
    x86_rr(out, X86(0, 0, 31), zero, zero);
    struct x86_mem mem = {.base = RDI, .index = NO_REG, .disp = OFFSET(wasm_table, size)};
    x86_alu_mem(out, 4, ALU_CMP, RAX, &mem);
    stub_add(c, STUB_TRAP, x86_jcc_near(out, CC_AE), m->pos)->trap = WASM_TRAP_UNDEFINED;
    /* Speculation that does not believe the jump reads element 0. */
    x86_rr(out, X86(0, 1, 40) | CC_AE, RAX, zero);
    x86_load(out, 8, RDI, RDI, OFFSET(wasm_table, elements));
    mem = (struct x86_mem){.base = RDI, .index = RAX, .scale = 3};
    x86_rm(out, X86(0, 0, 8b) | X86_W, RAX, &mem);
    mem = (struct x86_mem){.base = RAX, .index = NO_REG, .disp = OFFSET(wasm_func, type)};
    code_trap_add(out, (uint32_t)out->size, WASM_TRAP_NULL, m->pos);
    x86_rm(out, X86(0, 0, 81), ALU_CMP, &mem);
    x86_u32(out, (uint32_t)m->imm);
    stub_add(c, STUB_TRAP, x86_jcc_near(out, CC_NE), m->pos)->trap = WASM_TRAP_SIGNATURE;
    x86_load(out, 8, RDI, RAX, OFFSET(wasm_func, code));
    mem.disp = OFFSET(wasm_func, instance);
    x86_rm(out, X86(0, 0, 39) | X86_W, R15, &mem);
    mem.disp = OFFSET(wasm_func, foreign);
    x86_rm(out, X86(0, 1, 40) | CC_NE | X86_W, RDI, &mem);
}

static void call_or_jump(struct target_compiler *c, const struct mins *m, unsigned reg,
                         const struct x86_mem *mem)
{
    unsigned digit = m->flags & MI_TAIL ? 4 : 2;
    if (mem)
        x86_rm(c->out, X86(0, 0, ff), digit, mem);
    else
        x86_rr(c->out, X86(0, 0, ff), digit, reg);
}

/* After a helper: the deadline may have passed meanwhile. */
static void check_interrupted(struct target_compiler *c, const struct mins *m)
{
    struct code_buffer *out = c->out;
    x86_load(out, 8, RCX, R15, OFFSET(wasm_instance, exec));
    struct x86_mem mem = {.base = RCX, .index = NO_REG, .disp = OFFSET(wasm_exec, interrupted)};
    x86_rm(out, X86(0, 0, 83), ALU_CMP, &mem);
    x86_byte(out, 0);
    stub_add(c, STUB_TRAP, x86_jcc_near(out, CC_NE), m->pos)->trap = WASM_TRAP_TIMEOUT;
}

void emit_call(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    struct x86_mem mem = {.base = RAX, .index = NO_REG};
    if (m->op == M_FUNC) {
        emit_func(c, i);
        return;
    }
    pmove_args(c, m, 2 * i);
    pmove_run(c, false);
    if (!x86_reserve(out, X86_MAX_STEP))
        return;
    if (m->op == M_RET) {
        emit_epilogue(c);
        x86_byte(out, 0xc3);
        return;
    }
    if (m->flags & MI_TAIL)
        emit_epilogue(c);
    switch (m->op) {
    case M_CALL:
        x86_byte(out, m->flags & MI_TAIL ? 0xe9 : 0xe8);
        code_reloc_add(out, (uint32_t)out->size, (uint32_t)m->imm);
        x86_u32(out, 0);
        break;
    case M_CALL_IMPORT:
        x86_load(out, 8, RAX, R15, OFFSET(wasm_instance, imports));
        x86_load(out, 8, RAX, RAX, (int32_t)(m->imm * 8));
        mem.disp = OFFSET(wasm_func, foreign);
        call_or_jump(c, m, 0, &mem);
        break;
    case M_CALL_HELPER:
        x86_load(out, 8, RAX, R15, OFFSET(wasm_instance, helpers));
        x86_mov(out, 8, RDI, R15);
        mem.disp = (int32_t)(m->imm * 8);
        x86_rm(out, X86(0, 0, ff), 2, &mem);
        code_site_add(out, m->pos);
        check_interrupted(c, m);
        return;
    default: call_or_jump(c, m, RDI, NULL); break;
    }
    if (!(m->flags & MI_TAIL))
        code_site_add(out, m->pos);
}
