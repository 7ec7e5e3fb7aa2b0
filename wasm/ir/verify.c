/* The verifier: checks every invariant of ir.h, for debug builds and tests. It trusts nothing but
 * that the arrays of the function have the sizes it gives. */
#include "ir/dominators.h"
#include "ir/simd.h"
#include "host.h"
#include "runtime/abi.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Types per operation: the result, then a, b, c. n integer, q integer or reference, f float, t any
 * value: equal wherever the same letter stands in one rule. i l S D r: I32 I64 F32 F64 REF; v
 * nothing; * looked at by hand. */
static const char *const rules[IR_OP_COUNT] = {
    [IR_NOP] = "v",
    [IR_CONST] = "*",
    [IR_PARAM] = "t",
    [IR_PHI] = "t",
    [IR_COPY] = "tt",
    [IR_RESULT] = "*t",
    [IR_ADD] = "nnn",
    [IR_SUB] = "nnn",
    [IR_MUL] = "nnn",
    [IR_DIV_S] = "nnn",
    [IR_DIV_U] = "nnn",
    [IR_REM_S] = "nnn",
    [IR_REM_U] = "nnn",
    [IR_AND] = "nnn",
    [IR_OR] = "nnn",
    [IR_XOR] = "nnn",
    [IR_SHL] = "nnn",
    [IR_SHR_S] = "nnn",
    [IR_SHR_U] = "nnn",
    [IR_ROTL] = "nnn",
    [IR_ROTR] = "nnn",
    [IR_CLZ] = "nn",
    [IR_CTZ] = "nn",
    [IR_POPCNT] = "nn",
    [IR_BSWAP] = "nn",
    [IR_EQZ] = "in",
    [IR_EQ] = "iqq",
    [IR_NE] = "iqq",
    [IR_LT_S] = "inn",
    [IR_LT_U] = "inn",
    [IR_GT_S] = "inn",
    [IR_GT_U] = "inn",
    [IR_LE_S] = "inn",
    [IR_LE_U] = "inn",
    [IR_GE_S] = "inn",
    [IR_GE_U] = "inn",
    [IR_FEQ] = "iff",
    [IR_FNE] = "iff",
    [IR_FLT] = "iff",
    [IR_FGT] = "iff",
    [IR_FLE] = "iff",
    [IR_FGE] = "iff",
    [IR_FADD] = "fff",
    [IR_FSUB] = "fff",
    [IR_FMUL] = "fff",
    [IR_FDIV] = "fff",
    [IR_FMIN] = "fff",
    [IR_FMAX] = "fff",
    [IR_FCOPYSIGN] = "fff",
    [IR_FABS] = "ff",
    [IR_FNEG] = "ff",
    [IR_FSQRT] = "ff",
    [IR_FCEIL] = "ff",
    [IR_FFLOOR] = "ff",
    [IR_FTRUNC] = "ff",
    [IR_FNEAREST] = "ff",
    [IR_WRAP] = "il",
    [IR_ZEXT] = "li",
    [IR_SEXT] = "li",
    [IR_EXT8] = "nn",
    [IR_EXT16] = "nn",
    [IR_EXT32] = "ll",
    [IR_TRUNC_S] = "nf",
    [IR_TRUNC_U] = "nf",
    [IR_TRUNC_SAT_S] = "nf",
    [IR_TRUNC_SAT_U] = "nf",
    [IR_CONVERT_S] = "fn",
    [IR_CONVERT_U] = "fn",
    [IR_PROMOTE] = "DS",
    [IR_DEMOTE] = "SD",
    [IR_BITCAST] = "**",
    [IR_SELECT] = "ttti",
    [IR_LOAD] = "*n",
    [IR_STORE] = "vn*",
    [IR_MEMORY_SIZE] = "n",
    [IR_ATOMIC_LOAD] = "**",
    [IR_ATOMIC_STORE] = "v*n",
    [IR_ATOMIC_RMW] = "n*n",
    [IR_ATOMIC_CMPXCHG] = "n*nn",
    [IR_FENCE] = "v",
    [IR_SIMD1] = "**",
    [IR_SIMD2] = "***",
    [IR_SIMD3] = "****",
    [IR_GLOBAL_GET] = "t",
    [IR_GLOBAL_SET] = "vt",
    [IR_REF_NULL] = "r",
    [IR_REF_IS_NULL] = "ir",
    [IR_EXCEPTION] = "r",
    [IR_EXCEPTION_CLEAR] = "v",
    [IR_EXCEPTION_TAG] = "rr",
    [IR_EXCEPTION_GET] = "tr",
    [IR_EXCEPTION_SET] = "vrt",
    [IR_TAG] = "r",
    [IR_CALL] = "*",
    [IR_CALL_INDIRECT] = "*n",
    [IR_CALL_HELPER] = "*",
    [IR_JUMP] = "v",
    [IR_BRANCH] = "vi",
    [IR_SWITCH] = "vi",
    [IR_RETURN] = "v",
    [IR_TAIL_CALL] = "v",
    [IR_TAIL_CALL_INDIRECT] = "vn",
    [IR_TRAP] = "v",
};

struct verifier {
    struct ir_func *f;
    struct ir_tree tree;
    uint32_t *position; /* of an instruction within its block; 0: in none */
    char *why;
    size_t size;
};

static bool fail(struct verifier *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool fail(struct verifier *v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (v->why && v->size)
        vsnprintf(v->why, v->size, format, args);
    va_end(args);
    return false;
}

static bool is_call(uint16_t op)
{
    return op == IR_CALL || op == IR_CALL_INDIRECT || op == IR_CALL_HELPER;
}

static bool in_pool(const struct ir_func *f, uint32_t start, uint32_t count)
{
    return start <= f->pool_count && count <= f->pool_count - start;
}

/* Chains: every instruction in one block, phis first, one terminator, last. */
static bool check_chain(struct verifier *v, ir_block_ref b)
{
    struct ir_func *f = v->f;
    const struct ir_block *block = &f->blocks[b];
    ir_ref prev = 0;
    uint32_t position = 0;
    bool phis_over = false;
    for (ir_ref r = block->first; r; prev = r, r = f->ins[r].next) {
        if (r >= f->ins_count)
            return fail(v, "block %u: instruction %u does not exist", b, r);
        const struct ir_ins *ins = &f->ins[r];
        if (v->position[r])
            return fail(v, "instruction %u is chained twice", r);
        v->position[r] = ++position;
        if (ins->prev != prev || ins->block != b)
            return fail(v, "instruction %u: wrong back link or block", r);
        if (ins->op >= IR_OP_COUNT || ins->type >= IR_TYPE_COUNT)
            return fail(v, "instruction %u: unknown operation or type", r);
        if (ins->op == IR_PHI && phis_over)
            return fail(v, "instruction %u: phi after other instructions", r);
        phis_over |= ins->op != IR_PHI;
        bool terminator = ir_flags[ins->op] & IR_E;
        if (terminator != (r == block->last))
            return fail(v, "block %u: instruction %u %s", b, r,
                        terminator ? "ends it too early" : "ends it without being a terminator");
    }
    if (prev != block->last)
        return fail(v, "block %u: last is %u, the chain ends at %u", b, block->last, prev);
    if (!prev && b == 0)
        return fail(v, "the entry is empty");
    if (prev) {
        uint16_t op = f->ins[prev].op;
        uint32_t n = block->succ_count;
        bool right = op == IR_JUMP     ? n == 1
                     : op == IR_BRANCH ? n == 2
                     : op == IR_SWITCH ? n > 0
                                       : !n;
        if (!right)
            return fail(v, "block %u: %s with %u successors", b, ir_op_info[op].name, n);
    } else if (block->succ_count || block->pred_count) {
        return fail(v, "block %u: empty, but connected", b);
    }
    if (!in_pool(f, block->succs, block->succ_count) ||
        !in_pool(f, block->preds, block->pred_count))
        return fail(v, "block %u: edges outside of the pool", b);
    for (uint32_t i = 0; i < block->succ_count; i++)
        if (f->pool[block->succs + i] >= f->block_count)
            return fail(v, "block %u: successor does not exist", b);
    for (uint32_t i = 0; i < block->pred_count; i++)
        if (f->pool[block->preds + i] >= f->block_count)
            return fail(v, "block %u: predecessor does not exist", b);
    return true;
}

/* Predecessors are exactly the blocks that have the block as successor, once each. */
static bool check_edges(struct verifier *v)
{
    struct ir_func *f = v->f;
    uint32_t n = f->block_count;
    uint64_t edges = 0;
    for (ir_block_ref b = 0; b < n; b++)
        edges += f->blocks[b].succ_count;
    uint32_t *memory = edges > UINT32_MAX / 4 ? NULL : ir_scratch(f, 3, (uint32_t)edges + 1);
    if (!memory)
        return fail(v, "out of memory");
    uint32_t *stamp = memory, *start = memory + n, *count = start + n, *source = count + n;
    memset(stamp, 0xff, n * sizeof *stamp);
    memset(count, 0, n * sizeof *count);
    for (ir_block_ref b = 0; b < n; b++) {
        for (uint32_t i = 0; i < f->blocks[b].succ_count; i++) {
            ir_block_ref s = f->pool[f->blocks[b].succs + i];
            if (stamp[s] != b)
                count[s]++;
            stamp[s] = b;
        }
    }
    uint32_t total = 0;
    for (ir_block_ref b = 0; b < n; b++) {
        start[b] = total;
        total += count[b];
        count[b] = 0;
    }
    memset(stamp, 0xff, n * sizeof *stamp);
    for (ir_block_ref b = 0; b < n; b++) {
        for (uint32_t i = 0; i < f->blocks[b].succ_count; i++) {
            ir_block_ref s = f->pool[f->blocks[b].succs + i];
            if (stamp[s] != b)
                source[start[s] + count[s]++] = b;
            stamp[s] = b;
        }
    }
    memset(stamp, 0xff, n * sizeof *stamp);
    for (ir_block_ref b = 0; b < n; b++) {
        const struct ir_block *block = &f->blocks[b];
        for (uint32_t i = 0; i < block->pred_count; i++) {
            ir_block_ref p = f->pool[block->preds + i];
            if (stamp[p] == b)
                return fail(v, "block %u: predecessor %u listed twice", b, p);
            stamp[p] = b;
        }
        if (block->pred_count != count[b])
            return fail(v, "block %u: %u predecessors listed, %u exist", b, block->pred_count,
                        count[b]);
        for (uint32_t i = 0; i < count[b]; i++)
            if (stamp[source[start[b] + i]] != b)
                return fail(v, "block %u: predecessor %u is not listed", b, source[start[b] + i]);
    }
    if (n && f->blocks[0].pred_count)
        return fail(v, "the entry has predecessors");
    return true;
}

static const char *const type_names[IR_TYPE_COUNT] = {"void", "i32",  "i64", "f32",
                                                      "f64",  "v128", "ref"};

static bool type_fits(char rule, uint8_t type, uint8_t *bound_n, uint8_t *bound_f, uint8_t *bound_t)
{
    uint8_t *bound;
    switch (rule) {
    case 'v': return type == IR_VOID;
    case 'i': return type == IR_I32;
    case 'l': return type == IR_I64;
    case 'S': return type == IR_F32;
    case 'D': return type == IR_F64;
    case 'r': return type == IR_REF;
    case 'n':
        if (type != IR_I32 && type != IR_I64)
            return false;
        bound = bound_n;
        break;
    case 'q':
        if (type != IR_I32 && type != IR_I64 && type != IR_REF)
            return false;
        bound = bound_n;
        break;
    case 'f':
        if (type != IR_F32 && type != IR_F64)
            return false;
        bound = bound_f;
        break;
    case 't':
        if (type == IR_VOID)
            return false;
        bound = bound_t;
        break;
    default: return true;
    }
    if (*bound == IR_VOID)
        *bound = type;
    return *bound == type;
}

static bool access_fits(uint8_t access, uint8_t type)
{
    switch (access) {
    case IR_S8:
    case IR_U8:
    case IR_S16:
    case IR_U16: return type == IR_I32 || type == IR_I64;
    case IR_S32:
    case IR_U32: return type == IR_I32 || type == IR_I64;
    case IR_64: return type == IR_I64;
    case IR_ACCESS_F32: return type == IR_F32 || type == IR_V128;
    case IR_ACCESS_F64: return type == IR_F64 || type == IR_V128;
    case IR_128: return type == IR_V128;
    default: return false;
    }
}

/* The list of INS from its first entry has the types wanted. */
static bool check_list(struct verifier *v, ir_ref r, const uint8_t *types, uint32_t count)
{
    struct ir_func *f = v->f;
    const struct ir_ins *ins = &f->ins[r];
    if (ins->count != count)
        return fail(v, "instruction %u: %u operands in its list, %u needed", r, ins->count, count);
    for (uint32_t i = 0; i < count; i++)
        if (f->ins[f->pool[ins->list + i]].type != types[i])
            return fail(v, "instruction %u: list operand %u has type %s", r, i,
                        type_names[f->ins[f->pool[ins->list + i]].type]);
    return true;
}

static const struct ir_signature *callee_signature(const struct ir_func *f,
                                                   const struct ir_ins *ins)
{
    const struct ir_module *m = f->module;
    uint32_t type = ins->aux;
    if (ins->op == IR_CALL || ins->op == IR_TAIL_CALL) {
        if (ins->aux >= m->func_count)
            return NULL;
        type = m->func_types[ins->aux];
    } else if (ins->op != IR_CALL_INDIRECT && ins->op != IR_TAIL_CALL_INDIRECT) {
        return NULL;
    }
    return type < m->type_count ? &m->types[type] : NULL;
}

static bool check_simd(struct verifier *v, ir_ref r)
{
    struct ir_func *f = v->f;
    struct ir_ins *ins = &f->ins[r];
    const char *types = ins->aux < SIMD_OP_COUNT ? simd_op_info[ins->aux].types : NULL;
    uint32_t count = ir_operand_count(ins);
    uint8_t bound[3] = {0};
    if (!types || strlen(types) != count + 1)
        return fail(v, "instruction %u: no vector operation %u of %u operands", r, ins->aux, count);
    for (uint32_t i = 0; i <= count; i++) {
        uint8_t type = i ? f->ins[*ir_operand(f, ins, i - 1)].type : ins->type;
        if (types[i] == 'v' ? type != IR_V128
                            : !type_fits(types[i], type, &bound[0], &bound[1], &bound[2]))
            return fail(v, "instruction %u: %s of %s", r, simd_op_info[ins->aux].name,
                        type_names[type]);
    }
    if (simd_op_info[ins->aux].flags & SIMD_L && ins->imm >= simd_lanes(ins->aux))
        return fail(v, "instruction %u: no lane %u", r, (unsigned)ins->imm);
    if (ins->aux == SIMD_I8X16_SHUFFLE && (ins->imm | ins->imm2) & ~UINT64_C(0x1f1f1f1f1f1f1f1f))
        return fail(v, "instruction %u: shuffle from beyond two vectors", r);
    return true;
}

/* What the rules cannot say. Needs f->module for what refers to the module. */
static bool check_special(struct verifier *v, ir_ref r)
{
    struct ir_func *f = v->f;
    const struct ir_ins *ins = &f->ins[r];
    const struct ir_module *m = f->module;
    const struct ir_signature *s;
    switch (ins->op) {
    case IR_CONST:
        return ins->type != IR_VOID ? true : fail(v, "instruction %u: constant without type", r);
    case IR_PARAM:
        if (ins->block != 0)
            return fail(v, "instruction %u: PARAM outside of the entry", r);
        if (f->signature &&
            (ins->aux >= f->signature->param_count || f->signature->params[ins->aux] != ins->type))
            return fail(v, "instruction %u: no such parameter", r);
        return true;
    case IR_PHI:
        if (ins->count != f->blocks[ins->block].pred_count)
            return fail(v, "instruction %u: phi of %u for %u predecessors", r, ins->count,
                        f->blocks[ins->block].pred_count);
        for (uint32_t i = 0; i < ins->count; i++)
            if (f->ins[f->pool[ins->list + i]].type != ins->type)
                return fail(v, "instruction %u: phi operand %u has another type", r, i);
        return true;
    case IR_RESULT:
        if (!is_call(f->ins[ins->a].op))
            return fail(v, "instruction %u: RESULT of something else than a call", r);
        s = m ? callee_signature(f, &f->ins[ins->a]) : NULL;
        if (!ins->aux || (s && (ins->aux >= s->result_count || s->results[ins->aux] != ins->type)))
            return fail(v, "instruction %u: no such result", r);
        return true;
    case IR_BITCAST: {
        static const uint8_t other[IR_TYPE_COUNT] = {
            [IR_I32] = IR_F32, [IR_F32] = IR_I32, [IR_I64] = IR_F64, [IR_F64] = IR_I64};
        if (!ins->type || other[f->ins[ins->a].type] != ins->type)
            return fail(v, "instruction %u: BITCAST between these types", r);
        return true;
    }
    case IR_LOAD:
    case IR_STORE:
        if (!access_fits(ins->access, ins->op == IR_LOAD ? ins->type : f->ins[ins->b].type))
            return fail(v, "instruction %u: access %u does not fit the type", r, ins->access);
        if (m && (ins->aux >= m->memory_count ||
                  (f->ins[ins->a].type == IR_I64) != m->memories[ins->aux].is64))
            return fail(v, "instruction %u: wrong memory or address type", r);
        return true;
    case IR_ATOMIC_LOAD:
    case IR_ATOMIC_STORE:
    case IR_ATOMIC_RMW:
    case IR_ATOMIC_CMPXCHG:
        if (ins->access != IR_U8 && ins->access != IR_U16 && ins->access != IR_U32 &&
            ins->access != IR_64)
            return fail(v, "instruction %u: atomic access %u", r, ins->access);
        if (m && (ins->aux >= m->memory_count ||
                  (f->ins[ins->a].type == IR_I64) != m->memories[ins->aux].is64))
            return fail(v, "instruction %u: wrong memory or address type", r);
        return true;
    case IR_SIMD1:
    case IR_SIMD2:
    case IR_SIMD3: return check_simd(v, r);
    case IR_TAG:
        return !m || ins->aux < m->tag_count ? true : fail(v, "instruction %u: no such tag", r);
    case IR_MEMORY_SIZE:
        return !m || ins->aux < m->memory_count ? true
                                                : fail(v, "instruction %u: no such memory", r);
    case IR_GLOBAL_GET:
    case IR_GLOBAL_SET: {
        uint8_t type = ins->op == IR_GLOBAL_GET ? ins->type : f->ins[ins->a].type;
        if (m && (ins->aux >= m->global_count || m->globals[ins->aux].type != type))
            return fail(v, "instruction %u: no such global of this type", r);
        return true;
    }
    case IR_CALL:
    case IR_CALL_INDIRECT:
    case IR_TAIL_CALL:
    case IR_TAIL_CALL_INDIRECT:
        if (!m)
            return true;
        s = callee_signature(f, ins);
        if (!s)
            return fail(v, "instruction %u: callee does not exist", r);
        if (!(ir_flags[ins->op] & IR_E) && ins->type != (s->result_count ? s->results[0] : IR_VOID))
            return fail(v, "instruction %u: type is not that of result 0", r);
        return check_list(v, r, s->params, s->param_count);
    case IR_CALL_HELPER:
        return ins->aux < WASM_HELPER_COUNT ? true : fail(v, "instruction %u: no such helper", r);
    case IR_RETURN:
        return !f->signature || check_list(v, r, f->signature->results, f->signature->result_count);
    case IR_TRAP:
        return ins->aux && ins->aux < WASM_TRAP_COUNT ? true
                                                      : fail(v, "instruction %u: no such trap", r);
    default: return true;
    }
}

static bool check_ins(struct verifier *v, ir_ref r)
{
    struct ir_func *f = v->f;
    struct ir_ins *ins = &f->ins[r];
    const char *operands = ir_op_info[ins->op].operands;
    if (strchr(operands, 'l') && !in_pool(f, ins->list, ins->count))
        return fail(v, "instruction %u: list outside of the pool", r);
    struct ir_shape shape = ir_shapes[ins->op];
    for (uint32_t i = shape.fixed; i < (shape.list ? 1u : 3u); i++)
        if (ins->abc[i])
            return fail(v, "instruction %u (%s) has no %c, but that is %u", r,
                        ir_op_info[ins->op].name, "abc"[i], ins -> abc[i]);
    uint32_t count = ir_operand_count(ins);
    for (uint32_t i = 0; i < count; i++) {
        ir_ref operand = *ir_operand(f, ins, i);
        if (!operand || operand >= f->ins_count || !v->position[operand])
            return fail(v, "instruction %u (%s): operand %u (%u) is not in the function", r,
                        ir_op_info[ins->op].name, i, operand);
    }
    uint8_t n = IR_VOID, fl = IR_VOID, t = IR_VOID;
    const char *rule = rules[ins->op];
    if (!type_fits(rule[0], ins->type, &n, &fl, &t))
        return fail(v, "instruction %u: %s of type %s", r, ir_op_info[ins->op].name,
                    type_names[ins->type]);
    for (uint32_t i = 0; rule[1 + i]; i++) {
        uint8_t type = f->ins[*ir_operand(f, ins, i)].type;
        if (!type_fits(rule[1 + i], type, &n, &fl, &t))
            return fail(v, "instruction %u: operand %u of %s has type %s", r, i,
                        ir_op_info[ins->op].name, type_names[type]);
    }
    if (!check_special(v, r))
        return false;
    /* Definitions dominate uses; a phi uses its operand at the end of the predecessor. */
    for (uint32_t i = 0; i < count; i++) {
        ir_ref operand = *ir_operand(f, ins, i);
        ir_block_ref def = f->ins[operand].block, use = ins->block;
        bool in_order = v->position[operand] < v->position[r];
        if (ins->op == IR_PHI) {
            use = f->pool[f->blocks[ins->block].preds + i];
            if (v->tree.rpo[use] == IR_NONE)
                continue;
            in_order = true;
        }
        const uint32_t *place = v->tree.rpo;
        if (place[def] == IR_NONE ||
            !(def == use ? in_order : ir_tree_dominates(&v->tree, place[def], place[use])))
            return fail(v, "instruction %u (%s, block %u): operand %u is not defined before it", r,
                        ir_op_info[ins->op].name, ins->block, operand);
    }
    return true;
}

static bool check_func(struct verifier *v)
{
    struct ir_func *f = v->f;
    if (f->failed)
        return fail(v, "building it failed for lack of memory");
    if (!f->block_count)
        return fail(v, "no blocks");
    for (ir_block_ref b = 0; b < f->block_count; b++)
        if (!check_chain(v, b))
            return false;
    if (!check_edges(v))
        return false;
    uint32_t *memory = ir_scratch(f, IR_TREE_ARRAYS, 0);
    if (!memory)
        return fail(v, "out of memory");
    ir_dominator_tree(f, memory, &v->tree);
    for (ir_block_ref b = 0; b < f->block_count; b++) {
        if (v->tree.rpo[b] == IR_NONE)
            continue;
        for (ir_ref r = f->blocks[b].first; r; r = f->ins[r].next)
            if (!check_ins(v, r))
                return false;
    }
    return true;
}

bool ir_verify(struct ir_func *f, char *why, size_t size)
{
    struct verifier v = {.f = f, .why = why, .size = size};
    v.position = wasm_host_alloc((size_t)f->ins_count * sizeof *v.position);
    if (!v.position)
        return fail(&v, "out of memory");
    memset(v.position, 0, (size_t)f->ins_count * sizeof *v.position);
    bool good = check_func(&v);
    wasm_host_free(v.position);
    return good;
}
