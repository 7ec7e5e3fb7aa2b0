/* Where virtual registers are defined and used, and where real registers are taken. Between the two
 * live_ranges.c finds where each lives. */
#include "target/x86_64/mir.h"

#include <string.h>

mreg phi_leader(struct target_compiler *c, mreg r)
{
    while (vreg_at(c, r)->phi_group) {
        uint32_t up = vreg_at(c, r)->phi_group;
        if (vreg_at(c, up)->phi_group)
            vreg_at(c, r)->phi_group = vreg_at(c, up)->phi_group;
        r = up;
    }
    return r;
}

static void define(struct target_compiler *c, mreg r, uint32_t pos)
{
    struct vreg *v = vreg_at(c, r);
    if (v->start == UINT32_MAX) {
        v->start = pos;
        vec_push(c, c->defs, r);
    }
    v->def = pos;
}

static void fix(struct target_compiler *c, mreg r, uint32_t from, uint32_t to)
{
    uint32_t n = c->fixed[r].count;
    if (n && c->fixed[r].data[n - 1].to >= from) {
        if (to > c->fixed[r].data[n - 1].to)
            c->fixed[r].data[n - 1].to = to;
        return;
    }
    struct range range = {from, to};
    vec_push(c, c->fixed[r], range);
}

static void hint_move(struct target_compiler *c, const struct mins *m)
{
    if (m->dst >= FIRST_VREG) {
        struct vreg *to = vreg_at(c, m->dst);
        if (!to->hint)
            to->hint = m->a;
        if (m->a >= FIRST_VREG && !vreg_at(c, m->a)->hint2)
            vreg_at(c, m->a)->hint2 = m->dst;
    }
}

/* An exception arrives with nothing in the callee-saved registers either. */
static void clobber_saved(struct target_compiler *c, uint32_t pos)
{
    for (mreg r = 1; r < R_XMM0; r++)
        if (SAVED_REGS >> (r - 1) & 1)
            fix(c, r, pos, pos + 1);
}

/* Definitions in order, and the life of real registers. */
static void scan_defs(struct target_compiler *c)
{
    uint32_t written[REG_COUNT] = {0};
    for (uint32_t b = 0; b < c->blocks.count; b++) {
        const struct mblock *block = &c->blocks.data[b];
        for (uint32_t k = 0; k < block->own_count; k++)
            define(c, c->targets.data[block->own + k], 2 * block->first);
        for (uint32_t i = block->first; i < block->end; i++) {
            const struct mins *m = &c->ins.data[i];
            const struct mop_info *info = &mop_info[m->op];
            c->block_of.data[i] = b;
            if (info->a == USE_TEMP && m->a)
                define(c, m->a, 2 * i);
            if (info->b == USE_TEMP && m->b)
                define(c, m->b, 2 * i);
            if (m->dst >= FIRST_VREG) {
                define(c, m->dst, info->dst == DEF_EARLY ? 2 * i : 2 * i + 1);
                vreg_at(c, m->dst)->def = 2 * i + 1;
            }
            switch (m->op) {
            case M_MOV:
                hint_move(c, m);
                if (m->a && m->a < FIRST_VREG)
                    fix(c, m->a, written[m->a], 2 * i + 1);
                if (m->dst < FIRST_VREG)
                    written[m->dst] = 2 * i + 1;
                break;
            case M_DIV:
                fix(c, R_RAX, written[R_RAX], 2 * i + 2);
                fix(c, R_RDX, 2 * i, 2 * i + 2);
                written[R_RAX] = written[R_RDX] = 2 * i + 1;
                break;
            case M_UPDATE:
                fix(c, R_RAX, 2 * i, 2 * i + 2);
                written[R_RAX] = 2 * i + 1;
                break;
            case M_CMPXCHG:
                fix(c, R_RAX, written[R_RAX], 2 * i + 2);
                written[R_RAX] = 2 * i + 1;
                break;
            case M_SHIFT_CL: fix(c, R_RCX, written[R_RCX], 2 * i + 1); break;
            case M_FUNC:
                fix(c, R_RAX, 2 * i, 2 * i + 2);
                fix(c, R_RDI, 2 * i, 2 * i + 2);
                written[R_RAX] = written[R_RDI] = 2 * i;
                break;
            case M_CALL_RDI:
                fix(c, R_RAX, written[R_RAX], 2 * i + 1);
                fix(c, R_RDI, written[R_RDI], 2 * i + 1);
                /* fallthrough */
            case M_CALL:
            case M_CALL_IMPORT:
            case M_CALL_HELPER:
                vec_push(c, c->clobbers, 2 * i + 1);
                if (m->flags & MI_CATCHES)
                    clobber_saved(c, 2 * i + 1);
                written[R_RAX] = written[R_RDX] = 2 * i + 1;
                written[R_XMM0] = written[R_XMM0 + 1] = 2 * i + 1;
                break;
            default: break;
            }
        }
    }
}

/* A use in BLOCK. Found from the last to the first: in order along the chain. */
static inline void use_add(struct target_compiler *c, mreg r, uint32_t pos, unsigned kind,
                           unsigned hint, const struct mblock *block)
{
    if (r < FIRST_VREG)
        return;
    struct vreg *v = vreg_at(c, r);
    if (v->constant)
        return;
    struct use_node node = {
        .use = {.pos = pos, .kind = (uint8_t)kind, .hint = (uint8_t)hint, .depth = block->depth},
        .next = v->uses,
    };
    if (v->start < 2 * block->first)
        v->leaves = true;
    v->uses = c->use_nodes.count;
    vec_push(c, c->use_nodes, node);
}

static bool has_args(const struct mins *m)
{
    return m->op == M_RET || (m->op >= M_CALL && m->op <= M_CALL_RDI);
}

static void uses_of(struct target_compiler *c, uint32_t i, const struct mblock *block)
{
    const struct mins *m = &c->ins.data[i];
    const struct mop_info *info = &mop_info[m->op];
    uint32_t pos = 2 * i;
    /* Backwards: what is written comes first. */
    if (m->dst >= FIRST_VREG) {
        unsigned kind = m->op == M_MOV ? USE_ANY : USE_REG;
        use_add(c, m->dst, info->dst == DEF_EARLY ? pos : pos + 1, kind, 0, block);
        if (info->dst == DEF_EARLY)
            use_add(c, m->dst, pos + 1, USE_NONE, 0, block);
    }
    if (has_args(m)) {
        for (uint32_t k = 0; k < m->count; k++) {
            const struct marg *arg = &c->args.data[m->list + k];
            use_add(c, arg->value, pos, USE_ANY, arg->where < REG_COUNT ? arg->where : 0, block);
        }
    }
    if (info->a == USE_TEMP)
        use_add(c, m->a, pos + 1, USE_NONE, 0, block);
    if (info->b == USE_TEMP)
        use_add(c, m->b, pos + 1, USE_NONE, 0, block);
    if (m->a) {
        unsigned hint = m->op == M_MOV && m->dst < FIRST_VREG ? m->dst : 0;
        use_add(c, m->a, pos, info->a == USE_TEMP ? USE_REG : info->a, hint, block);
    }
    if (m->b) {
        /* One memory operand per instruction, and before AVX one of 16 bytes must be aligned, which
         * the stack need not be. */
        bool no_memory = m->base || m->index || (m->size == 16 && !c->cpu.avx);
        unsigned kind = info->b == USE_TEMP || no_memory ? USE_REG : info->b;
        use_add(c, m->b, pos, kind, 0, block);
    }
    if (m->base)
        use_add(c, m->base, pos, USE_REG, 0, block);
    if (m->index)
        use_add(c, m->index, pos, USE_REG, 0, block);
    if (info->dst == DEF_MODIFY)
        use_add(c, m->dst, pos, USE_REG, 0, block);
}

static void scan_uses(struct target_compiler *c)
{
    for (uint32_t b = c->blocks.count; b-- > 0;) {
        const struct mblock *block = &c->blocks.data[b];
        for (uint32_t k = 0; k < block->phi_count; k++) {
            const struct marg *arg = &c->args.data[block->phis + k];
            if (vreg_at(c, arg->value)->constant)
                continue;
            use_add(c, arg->value, 2 * block->end, USE_NONE, 0, block);
            mreg a = phi_leader(c, arg->value), p = phi_leader(c, arg->where);
            if (a != p) {
                vreg_at(c, a)->phi_group = p;
                vreg_at(c, p)->leads = true;
            }
        }
        for (uint32_t i = block->end; i-- > block->first;)
            uses_of(c, i, block);
    }
}

bool live_build(struct target_compiler *c)
{
    c->use_nodes.count = c->clobbers.count = c->defs.count = 0;
    for (unsigned r = 0; r < REG_COUNT; r++)
        c->fixed[r].count = 0;
    uint32_t blocks = c->blocks.count;
    if (!vec_reserve(c, c->block_of, (uint64_t)c->ins.count + 1) ||
        !vec_reserve(c, c->starts, (uint64_t)blocks + 1))
        return false;
    for (uint32_t b = 0; b < blocks; b++)
        c->starts.data[b] = 2 * c->blocks.data[b].first;
    c->starts.data[blocks] = 2 * c->ins.count;
    struct use_node no_use = {0};
    vec_push(c, c->use_nodes, no_use);
    for (uint32_t i = 0; i < c->vregs.count; i++) {
        struct vreg *v = &c->vregs.data[i];
        if (!v->constant)
            v->start = UINT32_MAX;
        if (v->incoming)
            define(c, FIRST_VREG + i, 0);
    }
    scan_defs(c);
    scan_uses(c);
    return !c->failed && live_ranges(c);
}
