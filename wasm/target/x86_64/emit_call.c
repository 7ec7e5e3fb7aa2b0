/* Emission of calls and returns (abi.h). */
#include "target/x86_64/abi_regs.h"
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
    code_typeref_add(out, (uint32_t)out->size, (uint32_t)m->imm);
    x86_u32(out, 0);
    stub_add(c, STUB_TRAP, x86_jcc_near(out, CC_NE), m->pos)->trap = WASM_TRAP_SIGNATURE;
    x86_load(out, 8, RDI, RAX, OFFSET(wasm_func, code));
    if (m->flags & MI_TAIL) {
        x86_load(out, 8, zero, RAX, OFFSET(wasm_func, foreign));
        x86_alu_imm(out, 8, ALU_SUB, zero, FOREIGN_TAIL);
    }
    mem.disp = OFFSET(wasm_func, instance);
    x86_rm(out, X86(0, 0, 39) | X86_W, R15, &mem);
    mem.disp = OFFSET(wasm_func, foreign);
    if (m->flags & MI_TAIL)
        x86_rr(out, X86(0, 1, 40) | CC_NE | X86_W, RDI, zero);
    else
        x86_rm(out, X86(0, 1, 40) | CC_NE | X86_W, RDI, &mem);
}

/* After a helper or a host function: the deadline may have passed meanwhile. */
static void check_interrupted(struct target_compiler *c, const struct mins *m)
{
    struct code_buffer *out = c->out;
    x86_load(out, 8, RCX, R15, OFFSET(wasm_instance, exec));
    struct x86_mem mem = {.base = RCX, .index = NO_REG, .disp = OFFSET(wasm_exec, interrupted)};
    x86_rm(out, X86(0, 0, 83), ALU_CMP, &mem);
    x86_byte(out, 0);
    stub_add(c, STUB_TRAP, x86_jcc_near(out, CC_NE), m->pos)->trap = WASM_TRAP_TIMEOUT;
}

static void helper_call(struct target_compiler *c, const struct mins *m)
{
    struct code_buffer *out = c->out;
    x86_load(out, 8, RAX, R15, OFFSET(wasm_instance, helpers));
    x86_mov(out, 8, RDI, R15);
    x86_call_mem(out, RAX, (int32_t)(m->imm * 8));
    code_site_add(out, m->pos, m->flags & MI_CATCHES);
    check_interrupted(c, m);
}

static void load_import(struct target_compiler *c, const struct mins *m)
{
    x86_load(c->out, 8, RAX, R15, OFFSET(wasm_instance, imports));
    x86_load(c->out, 8, RAX, RAX, (int32_t)(m->imm * 8));
}

/* Of a host function perhaps, which leaves the upper half of an int undefined. */
static void import_call(struct target_compiler *c, const struct mins *m)
{
    struct code_buffer *out = c->out;
    x86_call_mem(out, RAX, OFFSET(wasm_func, direct));
    emit_unwind(c, (uint32_t)out->size - 1, c->frame);
    code_site_add(out, m->pos, m->flags & MI_CATCHES);
    if (m->size == 4)
        x86_mov(out, 4, RAX, RAX);
    check_interrupted(c, m);
}

static void rel32(struct target_compiler *c, const struct mins *m, unsigned opcode)
{
    x86_byte(c->out, opcode);
    code_reloc_add(c->out, (uint32_t)c->out->size, (uint32_t)m->imm);
    x86_u32(c->out, 0);
}

/* rsp goes down by the stack arguments and comes back with the callee's return. */
static void emit_plain_call(struct target_compiler *c, const struct mins *m, uint32_t i)
{
    struct code_buffer *out = c->out;
    uint32_t bytes = (uint32_t)m->disp;
    if (bytes)
        x86_alu_imm(out, 8, ALU_SUB, RSP, (int32_t)bytes);
    c->frame += bytes;
    c->spill_base += bytes;
    emit_unwind(c, (uint32_t)out->size, c->frame);
    pmove_args(c, m, 2 * i);
    pmove_run(c, false);
    c->frame -= bytes;
    c->spill_base -= bytes;
    if (!x86_reserve(out, X86_MAX_STEP))
        return;
    switch (m->op) {
    case M_CALL: rel32(c, m, 0xe8); break;
    case M_CALL_IMPORT:
        load_import(c, m);
        import_call(c, m);
        return;
    case M_CALL_HELPER: helper_call(c, m); return;
    default: x86_rr(out, X86(0, 0, ff), 2, RDI); break;
    }
    /* Debuggers look a caller up by the byte before its return address, with rsp as it will be. */
    emit_unwind(c, (uint32_t)out->size - 1, c->frame);
    code_site_add(out, m->pos, m->flags & MI_CATCHES);
}

/* From our frame, rsp lowered by BYTES, to above the return address; rsp back. */
static bool unstage(struct target_compiler *c, uint32_t bytes)
{
    uint32_t to = bytes + c->frame + 8 + c->incoming - bytes;
    for (uint32_t k = 0; k < bytes; k += 8) {
        if (!x86_reserve(c->out, X86_MAX_STEP))
            return false;
        x86_load(c->out, 8, R11, RSP, (int32_t)k);
        x86_store(c->out, 8, RSP, (int32_t)(to + k), R11);
    }
    x86_alu_imm(c->out, 8, ALU_ADD, RSP, (int32_t)bytes);
    return true;
}

/* The callee takes our place on the stack: its arguments end where ours do, the return address
 * stands below them. */
static void emit_tail_call(struct target_compiler *c, const struct mins *m, uint32_t i)
{
    struct code_buffer *out = c->out;
    uint32_t bytes = (uint32_t)m->disp, staged = m->flags & MI_STAGED ? bytes : 0;
    if (staged)
        x86_alu_imm(out, 8, ALU_SUB, RSP, (int32_t)staged);
    c->frame += staged;
    c->spill_base += staged;
    pmove_args(c, m, 2 * i);
    pmove_run(c, false);
    c->frame -= staged;
    c->spill_base -= staged;
    if (!x86_reserve(out, X86_MAX_STEP) || (staged && !unstage(c, staged)) ||
        !x86_reserve(out, X86_MAX_STEP))
        return;
    emit_epilogue(c);
    if (c->incoming != bytes) {
        x86_load(out, 8, R11, RSP, 0);
        x86_alu_imm(out, 8, ALU_ADD, RSP, (int32_t)(c->incoming - bytes));
        x86_store(out, 8, RSP, 0, R11);
        code_unwind_add(out, (uint32_t)out->size, RSP, 0, bytes, 0);
    }
    switch (m->op) {
    case M_CALL: rel32(c, m, 0xe9); break;
    case M_CALL_IMPORT:
        load_import(c, m);
        x86_load(out, 8, R11, RAX, OFFSET(wasm_func, foreign));
        x86_alu_imm(out, 8, ALU_SUB, R11, FOREIGN_TAIL);
        x86_rr(out, X86(0, 0, ff), 4, R11);
        break;
    default: x86_rr(out, X86(0, 0, ff), 4, RDI); break;
    }
}

void emit_call(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    if (m->op == M_FUNC) {
        emit_func(c, i);
    } else if (m->op == M_RET) {
        pmove_args(c, m, 2 * i);
        pmove_run(c, false);
        if (!x86_reserve(c->out, X86_MAX_STEP))
            return;
        emit_epilogue(c);
        x86_ret(c->out, c->incoming);
    } else if (m->flags & MI_TAIL) {
        emit_tail_call(c, m, i);
    } else {
        emit_plain_call(c, m, i);
    }
}
