/* The crossings of abi.h: from C into Wasm, from one instance into another, from Wasm into C, and
 * out of everything after a trap. */
#include "target/x86_64/abi_regs.h"
#include "target/x86_64/encode.h"

#define OFFSET(type, field) ((int32_t)offsetof(struct type, field))

static struct x86_mem at(unsigned base, int32_t disp)
{
    return (struct x86_mem){.base = (uint8_t)base, .index = NO_REG, .disp = disp};
}

static void start(struct code_buffer *out)
{
    while (out->size & 15)
        x86_byte(out, 0xcc);
}

static void trap(struct code_buffer *out, unsigned kind)
{
    code_trap_add(out, (uint32_t)out->size, kind, 0);
    x86_byte(out, 0x0f);
    x86_byte(out, 0x0b);
}

/* In ascending order of their DWARF numbers, as struct code_unwind has them. */
static const uint8_t entry_saves[] = {RBX, RBP, R12, R13, R14, R15};
enum { ENTRY_LOCALS = 24, MXCSR = 8 };
_Static_assert(X86_ENTRY_FP == 16, "rbp is saved below rbx");

/* For debuggers: from here on the first N of SAVES are pushed, and BELOW bytes below them. */
static void unwind(struct code_buffer *out, const uint8_t *saves, unsigned n, unsigned base,
                   uint32_t below, uint32_t popped)
{
    unsigned saved = 0;
    for (unsigned k = 0; k < n; k++)
        saved |= code_saved(saves[k]);
    code_unwind_add(out, (uint32_t)out->size, base, below + n * 8, popped, saved);
}

static void push_all(struct code_buffer *out, const uint8_t *saves, unsigned count, uint32_t popped)
{
    unwind(out, saves, 0, RSP, 0, popped);
    for (unsigned k = 0; k < count; k++) {
        x86_push(out, saves[k]);
        unwind(out, saves, k + 1, RSP, 0, popped);
    }
}

/* Takes BELOW bytes off the stack, then the registers. */
static void pop_all(struct code_buffer *out, const uint8_t *saves, unsigned count, uint32_t below,
                    uint32_t popped)
{
    unwind(out, saves, count, RSP, below, popped);
    x86_alu_imm(out, 8, ALU_ADD, RSP, (int32_t)below);
    unwind(out, saves, count, RSP, 0, popped);
    for (unsigned k = count; k-- > 0;) {
        x86_pop(out, saves[k]);
        unwind(out, saves, k, RSP, 0, popped);
    }
}

/* The end of every entry thunk; eax is the answer. */
static void entry_leave(struct code_buffer *out)
{
    pop_all(out, entry_saves, sizeof entry_saves, ENTRY_LOCALS, 0);
    x86_byte(out, 0xc3);
}

static void slot_access(struct code_buffer *out, uint8_t type, unsigned reg, unsigned base,
                        int32_t disp, bool store)
{
    struct x86_mem m = at(base, disp);
    uint32_t op;
    switch (type) {
    case IR_I32: op = X86(0, 0, 8b); break;
    case IR_F32: op = X86(f3, 1, 10); break;
    case IR_F64: op = X86(f2, 1, 10); break;
    case IR_V128: op = X86(0, 1, 10); break;
    default: op = X86(0, 0, 8b) | X86_W; break;
    }
    if (store && type_is_xmm(type))
        op += 1;
    else if (store)
        op = (op & ~0xffu) | 0x89;
    x86_rm(out, op, reg, &m);
}

static unsigned scratch_for(uint8_t type)
{
    return type_is_xmm(type) ? 15 : RAX;
}

/* rbx: arguments, r13: results, rbp: the C stack, r12: func. */
static bool entry_thunk(const struct ir_signature *s, struct code_buffer *out, uint32_t *frame)
{
    push_all(out, entry_saves, sizeof entry_saves, 0);
    x86_alu_imm(out, 8, ALU_SUB, RSP, ENTRY_LOCALS);
    unwind(out, entry_saves, sizeof entry_saves, RSP, ENTRY_LOCALS, 0);
    /* Reading MXCSR to restore it would cost more than the rest of a crossing. */
    struct x86_mem m = at(RSP, MXCSR);
    x86_rm(out, X86(0, 0, c7), 0, &m);
    x86_u32(out, X86_DEFAULT_MXCSR);
    x86_rm(out, X86(0, 1, ae), 2, &m); /* ldmxcsr */
    x86_mov(out, 8, RBX, RSI);
    x86_mov(out, 8, R13, RCX);
    x86_mov(out, 8, R12, RDI);
    x86_load(out, 8, R15, RDI, OFFSET(wasm_func, owner));
    x86_load(out, 8, R14, R15, OFFSET(wasm_instance, memory0));
    x86_load(out, 8, RAX, R15, OFFSET(wasm_instance, exec));
    x86_store(out, 8, RAX, OFFSET(wasm_exec, exit_sp), RSP);
    x86_mov(out, 8, RBP, RSP);
    unwind(out, entry_saves, sizeof entry_saves, RBP, ENTRY_LOCALS, 0);
    x86_rr(out, X86(0, 0, 85) | X86_W, RDX, RDX);
    x86_rr(out, X86(0, 1, 40) | CC_NE | X86_W, RSP, RDX);
    uint32_t area = (abi_param_bytes(s) + abi_result_bytes(s) + 15) & ~15u;
    /* rsp is aligned without the `and`, unless it has changed; the callee takes its arguments away.
     */
    *frame = area - abi_param_bytes(s) + ENTRY_LOCALS + sizeof entry_saves * 8;
    x86_alu_imm(out, 8, ALU_AND, RSP, -16);
    if (area)
        x86_alu_imm(out, 8, ALU_SUB, RSP, (int32_t)area);
    for (uint32_t pass = 0; pass < 2; pass++) { /* stack first, it needs a scratch register */
        struct abi_walk walk = {0, 0, 0};
        for (uint32_t i = 0; i < s->param_count; i++) {
            uint8_t type = s->params[i];
            uint32_t where = abi_param(&walk, type);
            if (!x86_reserve(out, X86_MAX_STEP))
                return false;
            if (pass == 0 && where >= ARG_STACK) {
                slot_access(out, type, scratch_for(type), RBX, (int32_t)(i * 16), false);
                slot_access(out, type == IR_I32 ? IR_I64 : type, scratch_for(type), RSP,
                            (int32_t)(where - ARG_STACK), true);
            } else if (pass == 1 && where < ARG_STACK) {
                slot_access(out, type, hw(where), RBX, (int32_t)(i * 16), false);
            }
        }
    }
    x86_mov(out, 8, RAX, R12);
    m = at(R12, OFFSET(wasm_func, instance));
    x86_rm(out, X86(0, 0, 83) | X86_W, ALU_CMP, &m);
    x86_byte(out, 0);
    uint32_t host = x86_jcc_short(out, CC_E);
    x86_call_mem(out, R12, OFFSET(wasm_func, code));
    code_site_add(out, 0, false);
    uint32_t called = x86_jmp_short(out);
    x86_patch_short(out, host);
    x86_call_mem(out, R12, OFFSET(wasm_func, foreign));
    code_site_add(out, 0, false);
    x86_patch_short(out, called);
    for (uint32_t pass = 0; pass < 2; pass++) { /* registers first */
        struct abi_walk walk = {0, 0, 0};
        for (uint32_t i = 0; i < s->result_count; i++) {
            uint8_t type = s->results[i];
            uint32_t where = abi_result(&walk, type);
            if (!x86_reserve(out, X86_MAX_STEP))
                return false;
            if (pass == 0 && where < ARG_STACK) {
                slot_access(out, type, hw(where), R13, (int32_t)(i * 16), true);
            } else if (pass == 1 && where >= ARG_STACK) {
                slot_access(out, type, scratch_for(type), RSP, (int32_t)(where - ARG_STACK), false);
                slot_access(out, type, scratch_for(type), R13, (int32_t)(i * 16), true);
            }
        }
    }
    if (!x86_reserve(out, X86_MAX_STEP))
        return false;
    x86_mov(out, 8, RSP, RBP);
    x86_rr(out, X86(0, 0, 31), RAX, RAX);
    entry_leave(out);
    return true;
}

/* Copies BYTES from [rsp + FROM] to [rsp + TO] through r10. */
static bool copy_area(struct code_buffer *out, uint32_t from, uint32_t to, uint32_t bytes)
{
    for (uint32_t k = 0; k < bytes; k += 8) {
        if (!x86_reserve(out, X86_MAX_STEP))
            return false;
        x86_load(out, 8, R10, RSP, (int32_t)(from + k));
        x86_store(out, 8, RSP, (int32_t)(to + k), R10);
    }
    return true;
}

/* What stands where a foreign thunk's callee returns to, nothing but a nop; its displacement is not
 * 0, so it is none of x86_nops(). */
enum { FOREIGN_RETURN = 0x51801f0f };

/* A tail call into another instance. If our caller is a foreign thunk, its results are the same as
 * ours and it will restore the registers of who called it: this call needs no thunk of its own, so
 * that instances can call each other in tail position forever. */
static void foreign_tail(struct code_buffer *out)
{
    size_t end = out->size + FOREIGN_TAIL;
    x86_load(out, 8, R11, RSP, 0);
    struct x86_mem m = at(R11, 0);
    x86_rm(out, X86(0, 0, 81), ALU_CMP, &m);
    x86_u32(out, FOREIGN_RETURN);
    uint32_t other = x86_jcc_short(out, CC_NE);
    x86_load(out, 8, R15, RAX, OFFSET(wasm_func, instance));
    x86_load(out, 8, R14, R15, OFFSET(wasm_instance, memory0));
    m = at(RAX, OFFSET(wasm_func, code));
    x86_rm(out, X86(0, 0, ff), 4, &m);
    while (out->size < end)
        x86_byte(out, 0xcc);
    x86_patch_short(out, other);
}

/* A tail call to a function of the host. */
static void host_tail(struct code_buffer *out)
{
    size_t end = out->size + FOREIGN_TAIL;
    uint32_t over = x86_jmp_short(out);
    while (out->size < end)
        x86_byte(out, 0xcc);
    x86_patch_short(out, over);
}

/* rax: func. The result registers pass through. */
static bool foreign_thunk(const struct ir_signature *s, struct code_buffer *out, uint32_t *frame)
{
    uint32_t params = abi_param_bytes(s), results = abi_result_bytes(s);
    uint32_t area = ((results + 15) & ~15u) + 8; /* and 8 to keep rsp aligned */
    static const uint8_t saves[] = {R14, R15};
    push_all(out, saves, sizeof saves, params);
    *frame = area + 16;
    x86_alu_imm(out, 8, ALU_SUB, RSP, (int32_t)(area + params));
    unwind(out, saves, sizeof saves, RSP, area + params, params);
    x86_load(out, 8, R15, RAX, OFFSET(wasm_func, instance));
    x86_load(out, 8, R14, R15, OFFSET(wasm_instance, memory0));
    if (!copy_area(out, params + *frame + 8, 0, params))
        return false;
    x86_call_mem(out, RAX, OFFSET(wasm_func, code));
    out->size--; /* debuggers look us up there, with rsp as it will be */
    unwind(out, saves, sizeof saves, RSP, area, params);
    out->size++;
    code_site_add(out, 0, false);
    x86_u32(out, FOREIGN_RETURN);
    x86_u32(out, 0);
    out->size--;
    if (!copy_area(out, 0, *frame + 8 + params, results) || !x86_reserve(out, X86_MAX_STEP))
        return false;
    pop_all(out, saves, sizeof saves, area, params);
    x86_ret(out, params);
    return true;
}

/* rax: func. The registers of the two conventions are the same, and so is the order of stack
 * arguments; only the return address stands between. The checks are done while rsp points to it,
 * so that a backtrace need not know this frame. */
static bool host_thunk(const struct ir_signature *s, struct code_buffer *out, uint32_t *frame)
{
    uint32_t params = abi_param_bytes(s), area = params + 8;
    *frame = area;
    unwind(out, NULL, 0, RSP, 0, params);
    x86_load(out, 8, R10, R15, OFFSET(wasm_instance, exec));
    struct x86_mem m = at(R10, OFFSET(wasm_exec, host_limit));
    x86_alu_mem(out, 8, ALU_CMP, RSP, &m);
    uint32_t low = x86_jcc_near(out, CC_B);
    x86_alu_imm(out, 8, ALU_SUB, RSP, (int32_t)area);
    unwind(out, NULL, 0, RSP, area, params);
    if (!copy_area(out, area + 8, 0, params))
        return false;
    x86_mov(out, 8, RDI, R15);
    x86_call_mem(out, RAX, OFFSET(wasm_func, code));
    code_site_add(out, 0, false);
    x86_alu_imm(out, 8, ALU_ADD, RSP, (int32_t)area);
    unwind(out, NULL, 0, RSP, 0, params);
    /* C leaves the upper half of an int undefined. */
    if (s->result_count && s->results[0] == IR_I32)
        x86_mov(out, 4, RAX, RAX);
    x86_load(out, 8, RCX, R15, OFFSET(wasm_instance, exec));
    m = at(RCX, OFFSET(wasm_exec, interrupted));
    x86_rm(out, X86(0, 0, 83), ALU_CMP, &m);
    x86_byte(out, 0);
    uint32_t late = x86_jcc_near(out, CC_NE);
    x86_ret(out, params);
    x86_patch_near(out, low, (uint32_t)out->size);
    trap(out, WASM_TRAP_STACK);
    x86_patch_near(out, late, (uint32_t)out->size);
    trap(out, WASM_TRAP_TIMEOUT);
    return true;
}

static bool host_can(const struct ir_signature *s)
{
    if (s->result_count > 1 || (s->result_count && s->results[0] == IR_V128))
        return false;
    for (uint32_t i = 0; i < s->param_count; i++)
        if (s->params[i] == IR_V128)
            return false;
    return true;
}

bool target_thunks(const struct ir_signature *signature, struct code_buffer *out,
                   struct code_thunks *where)
{
    if (!x86_reserve(out, X86_MAX_STEP))
        return false;
    start(out);
    where->entry = (uint32_t)out->size;
    if (!entry_thunk(signature, out, &where->entry_frame) || !x86_reserve(out, X86_MAX_STEP))
        return false;
    where->entry_end = (uint32_t)out->size;
    start(out);
    foreign_tail(out);
    where->foreign = (uint32_t)out->size;
    where->popped = abi_param_bytes(signature);
    if (!foreign_thunk(signature, out, &where->foreign_frame) || !x86_reserve(out, X86_MAX_STEP))
        return false;
    where->foreign_end = (uint32_t)out->size;
    where->host = where->host_end = UINT32_MAX;
    where->host_frame = 0;
    if (!host_can(signature))
        return !out->failed;
    start(out);
    host_tail(out);
    where->host = (uint32_t)out->size;
    if (!host_thunk(signature, out, &where->host_frame))
        return false;
    where->host_end = (uint32_t)out->size;
    return !out->failed;
}

/* rax: func. As host_thunk(), but that the C function returns to who called us, which sees to the
 * rest. */
static void direct_thunk(struct code_buffer *out)
{
    unwind(out, NULL, 0, RSP, 0, 0);
    x86_load(out, 8, R10, R15, OFFSET(wasm_instance, exec));
    struct x86_mem m = at(R10, OFFSET(wasm_exec, host_limit));
    x86_alu_mem(out, 8, ALU_CMP, RSP, &m);
    uint32_t low = x86_jcc_short(out, CC_B);
    x86_mov(out, 8, RDI, R15);
    m = at(RAX, OFFSET(wasm_func, code));
    x86_rm(out, X86(0, 0, ff), 4, &m); /* jmp */
    x86_patch_short(out, low);
    trap(out, WASM_TRAP_STACK);
}

bool target_exit_stub(struct code_buffer *out, uint32_t *offset, uint32_t *end)
{
    if (!x86_reserve(out, X86_MAX_STEP))
        return false;
    start(out);
    *offset = (uint32_t)out->size;
    x86_load(out, 8, RAX, R15, OFFSET(wasm_instance, exec));
    x86_byte(out, 0xfc); /* cld: a fault may have left anything */
    x86_load(out, 8, RDX, RAX, OFFSET(wasm_exec, leave));
    x86_rr(out, X86(0, 0, 85) | X86_W, RDX, RDX);
    uint32_t thunk = x86_jcc_short(out, CC_E);
    x86_rr(out, X86(0, 0, ff), 4, RDX); /* jmp */
    x86_patch_short(out, thunk);
    x86_load(out, 8, RSP, RAX, OFFSET(wasm_exec, exit_sp));
    x86_mov(out, 4, RAX, RDI);
    entry_leave(out);
    while (out->size < *offset + TARGET_DIRECT)
        x86_byte(out, 0xcc);
    direct_thunk(out);
    *end = (uint32_t)out->size;
    return out->size - *offset - TARGET_DIRECT < TARGET_DIRECT;
}
