/* Emission of single instructions: integers and memory. */
#include "target/x86_64/emit.h"

static uint32_t wide(unsigned size)
{
    return size == 8 ? X86_W : 0;
}

static void trap_site(struct target_compiler *c, const struct mins *m)
{
    if (m->flags & MI_TRAPS)
        code_trap_add(c->out, (uint32_t)c->out->size, WASM_TRAP_MEMORY, m->pos);
}

/* Where R is before (or after) instruction I, as a place of a parallel move. */
static uint32_t place_use(struct target_compiler *c, mreg r, uint32_t pos)
{
    if (r < FIRST_VREG)
        return r;
    uint32_t place = place_at(c, r, pos);
    return place ? place : stack_place(c, vreg_at(c, r));
}

/* dst = a; dst += x  →  lea, when a stays where it is. */
static bool merge_add(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i], *add = m + 1;
    if (add->op != M_ALU || add->dst != m->dst || add->size != m->size ||
        (add->sub != ALU_ADD && add->sub != ALU_SUB) || add->form > B_IMM || add->b == m->a ||
        flags_live(c, i + 1))
        return false;
    if (m->a < FIRST_VREG || vreg_at(c, m->a)->constant || m->dst < FIRST_VREG)
        return false;
    unsigned from = place_at(c, m->a, 2 * i), to = place_at(c, m->dst, 2 * i + 1);
    if (!from || !to || from == to || is_xmm(from))
        return false;
    struct x86_mem mem = {.base = (uint8_t)hw(from), .index = NO_REG};
    if (add->form == B_IMM) {
        int64_t k = add->sub == ALU_ADD ? (int64_t)add->imm : -(int64_t)add->imm;
        if (k != (int32_t)k)
            return false;
        mem.disp = (int32_t)k;
    } else {
        /* What dies at the first of the two may share the register with dst. */
        unsigned other = add->sub == ALU_ADD ? place_at(c, add->b, 2 * i + 2) : 0;
        if (!other || other == to)
            return false;
        mem.index = (uint8_t)hw(other);
    }
    x86_rm(c->out, X86(0, 0, 8d) | wide(m->size), hw(to), &mem);
    return true;
}

/* M, which was emitted from BEFORE on, leaves the flags alone: those of a comparison last as long
 * as its operands are what they were. */
static void keep_flags(struct target_compiler *c, const struct mins *m, uint32_t before,
                       bool leaves)
{
    const struct mins *compare = &c->ins.data[c->compare];
    bool kept = leaves && c->compare_end == before && m->dst != compare->a && m->dst != compare->b;
    c->compare_end = kept ? (uint32_t)c->out->size : 0;
}

static void emit_mov(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    uint32_t before = (uint32_t)c->out->size;
    bool xmm = m->dst < FIRST_VREG ? is_xmm(m->dst) : vreg_at(c, m->dst)->xmm;
    uint64_t imm = 0;
    uint32_t from = 0;
    if (m->a >= FIRST_VREG && vreg_at(c, m->a)->constant)
        imm = vreg_at(c, m->a)->imm;
    else
        from = place_use(c, m->a, 2 * i);
    uint32_t to = place_use(c, m->dst, 2 * i + 1);
    if (!from)
        emit_constant(c, to, xmm, m->size, imm, to < PLACE_STACK && flags_live(c, i));
    else
        emit_copy(c, to, from, xmm, m->size);
    keep_flags(c, m, before, from);
}

static void emit_load(struct target_compiler *c, uint32_t i)
{
    static const uint32_t ops[] = {
        [IR_S8] = X86(0, 1, be),          [IR_U8] = X86(0, 1, b6),
        [IR_S16] = X86(0, 1, bf),         [IR_U16] = X86(0, 1, b7),
        [IR_S32] = X86(0, 0, 63),         [IR_U32] = X86(0, 0, 8b),
        [IR_64] = X86(0, 0, 8b) | X86_W,  [IR_ACCESS_F32] = X86(f3, 1, 10),
        [IR_ACCESS_F64] = X86(f2, 1, 10), [IR_128] = X86(0, 1, 10),
    };
    const struct mins *m = &c->ins.data[i];
    struct x86_mem mem = mem_operand(c, m, i);
    uint32_t op = ops[m->sub];
    if (m->sub == IR_S32 && m->size == 4)
        op = X86(0, 0, 8b);
    else if (m->size == 8 && (m->sub == IR_S8 || m->sub == IR_S16 || m->sub == IR_S32))
        op |= X86_W;
    trap_site(c, m);
    if (m->sub >= IR_ACCESS_F32)
        xmm_rm(c, op, reg_def(c, m->dst, i), 0, &mem);
    else
        x86_rm(c->out, op, reg_def(c, m->dst, i), &mem);
}

/* [mem] = b or imm; also read-modify-write and compare. IMM_OP/DIGIT with an immediate. */
static void mem_reg(struct target_compiler *c, uint32_t i, uint32_t op, unsigned digit,
                    bool short_imm)
{
    const struct mins *m = &c->ins.data[i];
    struct x86_mem mem = mem_operand(c, m, i);
    trap_site(c, m);
    if (m->flags & MI_LOCK)
        x86_byte(c->out, 0xf0);
    if (m->size == 2)
        x86_byte(c->out, 0x66);
    uint32_t flags = wide(m->size) | (m->size == 1 ? X86_BYTE : 0);
    if (m->form != B_IMM) {
        x86_rm(c->out, (m->size == 1 ? op - 1 : op) | flags, reg_use(c, m->b, i), &mem);
        return;
    }
    int32_t imm = (int32_t)m->imm;
    bool narrow = short_imm && m->size > 1 && imm >= -128 && imm <= 127;
    if (short_imm)
        x86_rm(c->out,
               (m->size == 1 ? 0x80u
                : narrow     ? 0x83u
                             : 0x81u) |
                   wide(m->size),
               digit, &mem);
    else
        x86_rm(c->out, (m->size == 1 ? 0xc6u : 0xc7u) | wide(m->size), digit, &mem);
    if (m->size == 1 || narrow)
        x86_byte(c->out, (unsigned)imm & 0xff);
    else if (m->size == 2)
        x86_byte(c->out, (unsigned)imm & 0xff), x86_byte(c->out, (unsigned)imm >> 8 & 0xff);
    else
        x86_u32(c->out, (uint32_t)imm);
}

static void emit_store(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    uint32_t op = m->sub == IR_ACCESS_F32   ? X86(f3, 1, 11)
                  : m->sub == IR_ACCESS_F64 ? X86(f2, 1, 11)
                  : m->sub == IR_128        ? X86(0, 1, 11)
                                            : 0;
    if (!op) {
        mem_reg(c, i, X86(0, 0, 89), 0, false);
        return;
    }
    struct x86_mem mem = mem_operand(c, m, i);
    trap_site(c, m);
    xmm_rm(c, op, reg_use(c, m->b, i), 0, &mem);
}

static void emit_alu(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned to = reg_use(c, m->dst, i);
    if (m->form == B_IMM)
        x86_alu_imm(c->out, m->size, m->sub, to, (int32_t)m->imm);
    else
        emit_rb(c, m, i, (m->sub << 3 | 3u) | wide(m->size), to, 0);
    c->flags_end = (uint32_t)c->out->size;
    c->flags_reg = (uint8_t)(to + 1);
    c->flags_size = m->size;
    c->flags_logic = m->sub == ALU_AND || m->sub == ALU_OR || m->sub == ALU_XOR;
}

/* A test of the register that the instruction right before has computed: the flags are there. */
static bool flags_known(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i], *user = m + 1;
    if (m->op != M_TEST || m->form != B_REG || m->a != m->b || c->flags_end != c->out->size ||
        c->flags_size != m->size || m->a < FIRST_VREG || place_at(c, m->a, 2 * i) != c->flags_reg)
        return false;
    if (user->op != M_JCC && user->op != M_SETCC && user->op != M_CMOV && user->op != M_FSELECT)
        return false;
    return c->flags_logic || user->sub == CC_E || user->sub == CC_NE;
}

/* A comparison that was made before, as for the second of two choices by one condition. */
static bool compared(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i], *old = &c->ins.data[c->compare];
    return c->compare_end == c->out->size && m->op == old->op && m->form == old->form &&
           m->size == old->size && m->a == old->a && m->b == old->b && m->imm == old->imm &&
           m->form <= B_IMM && m->a >= FIRST_VREG && (m->form == B_IMM || m->b >= FIRST_VREG);
}

static void emit_compare(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned a = reg_use(c, m->a, i);
    if (m->op == M_CMP) {
        if (m->form == B_IMM)
            x86_alu_imm(c->out, m->size, ALU_CMP, a, (int32_t)m->imm);
        else
            emit_rb(c, m, i, X86(0, 0, 3b) | wide(m->size), a, 0);
        return;
    }
    if (m->form != B_IMM) {
        emit_rb(c, m, i, X86(0, 0, 85) | wide(m->size), a, 0);
        return;
    }
    uint32_t imm = (uint32_t)m->imm;
    if (imm <= 0xff) { /* only compared for zero */
        x86_rr(c->out, X86(0, 0, f6) | X86_RBYTE, 0, a);
        x86_byte(c->out, imm);
    } else {
        /* A positive mask makes the upper half irrelevant. */
        x86_rr(c->out, X86(0, 0, f7) | wide(imm <= INT32_MAX ? 4 : m->size), 0, a);
        x86_u32(c->out, imm);
    }
}

static void emit_bits(struct target_compiler *c, uint32_t i)
{
    static const uint32_t ops[] = {
        [BITS_POPCNT] = X86(f3, 1, b8), [BITS_LZCNT] = X86(f3, 1, bd),
        [BITS_TZCNT] = X86(f3, 1, bc),  [BITS_BSR] = X86(0, 1, bd),
        [BITS_BSF] = X86(0, 1, bc),
    };
    const struct mins *m = &c->ins.data[i];
    unsigned to = reg_def(c, m->dst, i);
    emit_rb(c, m, i, ops[m->sub] | wide(m->size), to, 0);
}

static void emit_extend(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    uint32_t op = m->sub == 1   ? X86(0, 1, be) | X86_RBYTE
                  : m->sub == 2 ? X86(0, 1, bf)
                                : X86(0, 0, 63);
    emit_rb(c, m, i, op | wide(m->size), reg_def(c, m->dst, i), 0);
}

static void emit_zero_extend(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    uint32_t op = m->size == 1   ? X86(0, 1, b6) | X86_RBYTE
                  : m->size == 2 ? X86(0, 1, b7)
                                 : X86(0, 0, 8b);
    struct x86_mem mem;
    if (in_memory(c, m->a, i, &mem)) {
        x86_rm(c->out, op, reg_def(c, m->dst, i), &mem);
    } else {
        unsigned from = reg_use(c, m->a, i);
        x86_rr(c->out, op, reg_def(c, m->dst, i), from);
    }
}

static void emit_div(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    struct x86_mem mem;
    struct stub *stub = NULL;
    if (m->sub & DIV_CHECK) {
        /* MIN / -1 overflows as division by zero does: catch it before. */
        if (in_memory(c, m->b, i, &mem)) {
            x86_rm(out, X86(0, 0, 83) | wide(m->size), ALU_CMP, &mem);
            x86_byte(out, 0xff);
        } else {
            x86_alu_imm(out, m->size, ALU_CMP, reg_use(c, m->b, i), -1);
        }
        stub = stub_add(c, STUB_DIV, x86_jcc_near(out, CC_E), m->pos);
        stub->size = m->size;
        stub->sub = m->sub & DIV_REM;
    }
    if (m->sub & DIV_SIGNED) {
        if (m->size == 8)
            x86_byte(out, 0x48);
        x86_byte(out, 0x99);
    } else {
        x86_rr(out, X86(0, 0, 31), RDX, RDX);
    }
    code_trap_add(out, (uint32_t)out->size, WASM_TRAP_DIV_ZERO, m->pos);
    unsigned digit = m->sub & DIV_SIGNED ? 7 : 6;
    if (in_memory(c, m->b, i, &mem)) {
        x86_rm(out, X86(0, 0, f7) | wide(m->size), digit, &mem);
    } else {
        x86_rr(out, X86(0, 0, f7) | wide(m->size), digit, reg_use(c, m->b, i));
    }
    if (stub)
        stub->back = (uint32_t)out->size;
}

static void emit_setcc(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    unsigned to = reg_def(c, m->dst, i);
    if (m->sub >= CC_FEQ) {
        /* Equal: zero flag without parity. Both moves leave the flags. */
        bool equal = m->sub == CC_FEQ;
        x86_mov_imm(out, to, !equal);
        uint32_t unordered = x86_jcc_short(out, CC_P);
        x86_rr(out, X86(0, 1, 90) | (equal ? CC_E : CC_NE) | X86_RBYTE, 0, to);
        x86_patch_short(out, unordered);
        return;
    }
    x86_rr(out, X86(0, 1, 90) | m->sub | X86_RBYTE, 0, to);
    if (!c->zeroed)
        x86_rr(out, X86(0, 1, b6) | X86_RBYTE, to, to);
    c->zeroed = false;
}

/* Before a compare whose SETCC follows at once: clears the result's register if it is free. */
static void zero_for_setcc(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i], *set = m + 1;
    if (set->op != M_SETCC || set->sub >= CC_FEQ)
        return;
    mreg to = place_at(c, set->dst, 2 * i + 3);
    mreg used[] = {m->a, m->b, m->base, m->index};
    for (unsigned k = 0; k < 4; k++) {
        mreg r = used[k];
        if (r >= FIRST_VREG)
            r = place_at(c, r, 2 * i);
        if (r && r == to)
            return;
    }
    x86_rr(c->out, X86(0, 0, 31), hw(to), hw(to));
    c->zeroed = true;
}

static void emit_shift(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned to = reg_use(c, m->dst, i);
    if (m->op == M_SHIFT_CL) {
        x86_rr(c->out, X86(0, 0, d3) | wide(m->size), m->sub, to);
    } else if (m->imm == 1) {
        if (m->sub == 4)
            x86_alu(c->out, m->size, ALU_ADD, to, to);
        else
            x86_rr(c->out, X86(0, 0, d1) | wide(m->size), m->sub, to);
    } else if (m->imm) {
        x86_rr(c->out, X86(0, 0, c1) | wide(m->size), m->sub, to);
        x86_byte(c->out, (unsigned)m->imm);
    }
}

/* VEX instructions with operand b in rm and a in vvvv. */
static void emit_vex(struct target_compiler *c, uint32_t i, uint32_t op)
{
    const struct mins *m = &c->ins.data[i];
    struct x86_mem mem;
    unsigned a = m->op == M_RORX ? 0 : reg_use(c, m->a, i), rm = 0;
    bool memory = m->form == B_MEM;
    if (memory) {
        mem = mem_operand(c, m, i);
        trap_site(c, m);
    } else if (in_memory(c, m->b, i, &mem)) {
        memory = true;
    } else {
        rm = reg_use(c, m->b, i);
    }
    op |= wide(m->size);
    unsigned to = reg_def(c, m->dst, i);
    if (memory)
        x86_vrm(c->out, op, to, a, &mem);
    else
        x86_vrr(c->out, op, to, a, rm);
    if (m->op == M_RORX)
        x86_byte(c->out, (unsigned)m->imm);
}

static void emit_lea(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct x86_mem mem = mem_operand(c, m, i);
    unsigned to = reg_def(c, m->dst, i);
    if (!mem.scale && mem.base != NO_REG && mem.index != NO_REG && !mem.disp) {
        if (mem.base == to || mem.index == to) {
            if (!flags_live(c, i)) {
                x86_alu(c->out, m->size, ALU_ADD, to, mem.base == to ? mem.index : mem.base);
                return;
            }
        } else if ((mem.base & 7) == RBP && (mem.index & 7) != RBP) {
            uint8_t t = mem.base; /* rbp and r13 as base need a displacement */
            mem.base = mem.index;
            mem.index = t;
        }
    }
    x86_rm(c->out, X86(0, 0, 8d) | wide(m->size), to, &mem);
}

void emit_switch(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    unsigned index = reg_use(c, m->a, i), base = reg_use(c, m->b, i);
    struct x86_mem mem = {.rip = true};
    x86_rm(out, X86(0, 0, 8d) | X86_W, base, &mem);
    if (c->tables.count)
        c->tables.data[c->tables.count - 1].field = (uint32_t)out->size - 4;
    mem = (struct x86_mem){.base = (uint8_t)base, .index = (uint8_t)index, .scale = 2};
    x86_rm(out, X86(0, 0, 63) | X86_W, index, &mem);
    x86_alu(out, 8, ALU_ADD, base, index);
    x86_rr(out, X86(0, 0, ff), 4, base);
}

static void emit_unary(struct target_compiler *c, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned to = reg_use(c, m->dst, i);
    if (m->op == M_BSWAP)
        x86_bswap(c->out, m->size, to);
    else
        x86_rr(c->out, X86(0, 0, f7) | wide(m->size), m->op == M_NEG ? 3 : 2, to);
}

uint32_t emit_ins(struct target_compiler *c, uint32_t i, bool merge)
{
    const struct mins *m = &c->ins.data[i];
    struct code_buffer *out = c->out;
    switch (m->op) {
    case M_NOP: break;
    case M_MOV:
        if (merge && merge_add(c, i))
            return 2;
        emit_mov(c, i);
        break;
    case M_MOVZX32: emit_zero_extend(c, i); break;
    case M_CONST: {
        uint32_t to = reg_def(c, m->dst, i);
        emit_constant(c, to + 1, false, m->size, m->imm, flags_live(c, i));
        break;
    }
    case M_LOAD: emit_load(c, i); break;
    case M_STORE: emit_store(c, i); break;
    case M_LEA: emit_lea(c, i); break;
    case M_ALU: emit_alu(c, i); break;
    case M_ALU_STORE: mem_reg(c, i, m->sub << 3 | 1u, m->sub, true); break;
    case M_CMP:
    case M_TEST:
        if ((merge && flags_known(c, i)) || compared(c, i))
            break;
        if (merge)
            zero_for_setcc(c, i);
        emit_compare(c, i);
        c->compare = i;
        c->compare_end = (uint32_t)out->size;
        break;
    case M_CMP_MEM:
        if (merge)
            zero_for_setcc(c, i);
        mem_reg(c, i, X86(0, 0, 39), ALU_CMP, true);
        break;
    case M_IMUL: {
        unsigned to = reg_use(c, m->dst, i);
        emit_rb(c, m, i, X86(0, 1, af) | wide(m->size), to, 0);
        break;
    }
    case M_IMUL3: {
        int64_t k = (int64_t)m->imm;
        bool narrow = k >= -128 && k <= 127;
        unsigned to = reg_def(c, m->dst, i);
        emit_rb(c, m, i, (narrow ? X86(0, 0, 6b) : X86(0, 0, 69)) | wide(m->size), to,
                narrow ? 1 : 4);
        if (narrow)
            x86_byte(out, (unsigned)k & 0xff);
        else
            x86_u32(out, (uint32_t)k);
        break;
    }
    case M_SHIFT:
    case M_SHIFT_CL: emit_shift(c, i); break;
    case M_SHIFTX:
        emit_vex(c, i,
                 m->sub == 4   ? X86(66, 2, f7)
                 : m->sub == 5 ? X86(f2, 2, f7)
                               : X86(f3, 2, f7));
        break;
    case M_RORX: emit_vex(c, i, X86(f2, 3, f0)); break;
    case M_ANDN: emit_vex(c, i, X86(0, 2, f2)); break;
    case M_NEG:
    case M_NOT:
    case M_BSWAP: emit_unary(c, i); break;
    case M_BITS: emit_bits(c, i); break;
    case M_SEXT: emit_extend(c, i); break;
    case M_DIV: emit_div(c, i); break;
    case M_SETCC: emit_setcc(c, i); break;
    case M_CMOV: {
        uint32_t before = (uint32_t)out->size;
        unsigned to = reg_use(c, m->dst, i);
        if (m->sub == CC_FNE) {
            emit_rb(c, m, i, (X86(0, 1, 40) | CC_NE) | wide(m->size), to, 0);
            emit_rb(c, m, i, (X86(0, 1, 40) | CC_P) | wide(m->size), to, 0);
        } else {
            emit_rb(c, m, i, (X86(0, 1, 40) | m->sub) | wide(m->size), to, 0);
        }
        keep_flags(c, m, before, true);
        break;
    }
    case M_TRAP:
        code_trap_add(out, (uint32_t)out->size, (unsigned)m->imm, m->pos);
        x86_byte(out, 0x0f);
        x86_byte(out, 0x0b);
        break;
    case M_TRAP_IF: {
        struct stub *stub = stub_add(c, STUB_TRAP, x86_jcc_near(out, m->sub), m->pos);
        stub->trap = (uint32_t)m->imm;
        break;
    }
    case M_RET:
    case M_FUNC:
    case M_CALL:
    case M_CALL_IMPORT:
    case M_CALL_HELPER:
    case M_CALL_RDI: emit_call(c, i); break;
    case M_SWAP:
    case M_CMPXCHG:
    case M_UPDATE:
    case M_FENCE: emit_atomic(c, i); break;
    default: emit_sse(c, i); break;
    }
    return 1;
}
