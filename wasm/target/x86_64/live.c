/* Liveness: where each virtual register lives, as ranges of positions, and where real registers are
 * taken. Each register's life is found by walking from
 * its uses up to its definition, so the time is that of the answer's size, whatever the shape of
 * the control flow. */
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

/* Found from the last to the first: in order along the chain. */
static inline void use_add(struct target_compiler *c, mreg r, uint32_t pos, unsigned kind,
                           unsigned hint, unsigned depth)
{
    if (r < FIRST_VREG)
        return;
    struct vreg *v = vreg_at(c, r);
    if (v->constant)
        return;
    struct use_node node = {
        .use = {.pos = pos, .kind = (uint8_t)kind, .hint = (uint8_t)hint, .depth = (uint16_t)depth},
        .next = v->uses,
    };
    v->uses = c->use_nodes.count;
    vec_push(c, c->use_nodes, node);
}

static bool has_args(const struct mins *m)
{
    return m->op == M_RET || (m->op >= M_CALL && m->op <= M_CALL_RDI);
}

static void uses_of(struct target_compiler *c, uint32_t i, unsigned depth)
{
    const struct mins *m = &c->ins.data[i];
    const struct mop_info *info = &mop_info[m->op];
    uint32_t pos = 2 * i;
    /* Backwards: what is written comes first. */
    if (m->dst >= FIRST_VREG) {
        unsigned kind = m->op == M_MOV ? USE_ANY : USE_REG;
        use_add(c, m->dst, info->dst == DEF_EARLY ? pos : pos + 1, kind, 0, depth);
        if (info->dst == DEF_EARLY)
            use_add(c, m->dst, pos + 1, USE_NONE, 0, depth);
    }
    if (has_args(m)) {
        for (uint32_t k = 0; k < m->count; k++) {
            const struct marg *arg = &c->args.data[m->list + k];
            use_add(c, arg->value, pos, USE_ANY, arg->where < REG_COUNT ? arg->where : 0, depth);
        }
    }
    if (info->a == USE_TEMP)
        use_add(c, m->a, pos + 1, USE_NONE, 0, depth);
    if (info->b == USE_TEMP)
        use_add(c, m->b, pos + 1, USE_NONE, 0, depth);
    if (m->a) {
        unsigned hint = m->op == M_MOV && m->dst < FIRST_VREG ? m->dst : 0;
        use_add(c, m->a, pos, info->a == USE_TEMP ? USE_REG : info->a, hint, depth);
    }
    if (m->b) {
        /* One memory operand per instruction, and before AVX one of 16 bytes must be aligned, which
         * the stack need not be. */
        bool no_memory = m->base || m->index || (m->size == 16 && !c->cpu.avx);
        unsigned kind = info->b == USE_TEMP || no_memory ? USE_REG : info->b;
        use_add(c, m->b, pos, kind, 0, depth);
    }
    if (m->base)
        use_add(c, m->base, pos, USE_REG, 0, depth);
    if (m->index)
        use_add(c, m->index, pos, USE_REG, 0, depth);
    if (info->dst == DEF_MODIFY)
        use_add(c, m->dst, pos, USE_REG, 0, depth);
}

static void scan_uses(struct target_compiler *c)
{
    for (uint32_t b = c->blocks.count; b-- > 0;) {
        const struct mblock *block = &c->blocks.data[b];
        for (uint32_t k = 0; k < block->phi_count; k++) {
            const struct marg *arg = &c->args.data[block->phis + k];
            if (vreg_at(c, arg->value)->constant)
                continue;
            use_add(c, arg->value, 2 * block->end, USE_NONE, 0, block->depth);
            mreg a = phi_leader(c, arg->value), p = phi_leader(c, arg->where);
            if (a != p) {
                vreg_at(c, a)->phi_group = p;
                vreg_at(c, p)->leads = true;
            }
        }
        for (uint32_t i = block->end; i-- > block->first;)
            uses_of(c, i, block->depth);
    }
}

static void sort_u32(uint32_t *a, uint32_t n)
{
    /* Shell's: short lists mostly, and no bad case worth fearing. */
    uint32_t gap = 1;
    while (gap < n / 3)
        gap = gap * 3 + 1;
    for (; gap; gap /= 3) {
        for (uint32_t i = gap; i < n; i++) {
            uint32_t value = a[i], k = i;
            for (; k >= gap && a[k - gap] > value; k -= gap)
                a[k] = a[k - gap];
            a[k] = value;
        }
    }
}

/* A register lives at the start of block B, which joins the set and, once, the list of work, which
 * has room for one more than all blocks. The new count of the latter; no branch, as none could be
 * predicted. */
static inline uint32_t enter(uint8_t *set, uint32_t *work, uint32_t count, uint32_t b)
{
    work[count] = b;
    count += !set[b];
    set[b] = 1;
    return count;
}

/* Adds to the ranges of a register, or to its last one. */
static inline void range_add(struct target_compiler *c, struct range *last, uint32_t from,
                             uint32_t to)
{
    if (from > last->to) {
        vec_push(c, c->ranges, *last);
        last->from = from;
    }
    if (to > last->to)
        last->to = to;
}

/* The ranges of a register: LAST, where it is defined, then the N blocks at whose starts it lives.
 * Takes them out of the set. */
static void put_ranges(struct target_compiler *c, struct range last, uint32_t *work, uint32_t n)
{
    const uint32_t *starts = c->starts.data, *reach = c->reach.data;
    uint8_t *set = c->set.data;
    uint32_t low = UINT32_MAX, high = 0;
    for (uint32_t i = 0; i < n; i++) {
        low = work[i] < low ? work[i] : low;
        high = work[i] > high ? work[i] : high;
    }
    if (n && (high - low) / 8 <= n) { /* close together: the set has them in order */
        for (uint32_t b = low; b <= high; b++) {
            if (!set[b])
                continue;
            set[b] = 0;
            range_add(c, &last, starts[b], reach[b]);
        }
    } else {
        sort_u32(work, n);
        for (uint32_t i = 0; i < n; i++) {
            set[work[i]] = 0;
            range_add(c, &last, starts[work[i]], reach[work[i]]);
        }
    }
    vec_push(c, c->ranges, last);
}

/* From the COUNT blocks on the list of work back to DEF_BLOCK: all in between join them, and what
 * lives at a block's start lives to the end of those before it. The new count; whether it lives to
 * the end of DEF_BLOCK. A function of its own to have all of this in registers. */
static __attribute__((noinline)) uint32_t go_back(const struct target_compiler *c,
                                                  uint32_t def_block, uint32_t count, bool *leaves)
{
    const uint32_t *restrict preds = c->preds.data, *restrict pred_first = c->pred_first.data;
    const uint32_t *restrict ends = c->starts.data + 1;
    uint32_t *restrict work = c->work.data, *restrict reach = c->reach.data;
    uint8_t *restrict set = c->set.data;
    for (uint32_t k = 0; k < count; k++) {
        const uint32_t *p = preds + pred_first[work[k]], *end = preds + pred_first[work[k] + 1];
        for (; p < end; p++) {
            uint32_t before = *p;
            if (before == def_block) {
                *leaves = true;
                continue;
            }
            reach[before] = ends[before];
            count = enter(set, work, count, before);
        }
    }
    return count;
}

/* Finds where R lives. */
static void live_one(struct target_compiler *c, mreg r)
{
    struct vreg *v = vreg_at(c, r);
    uint32_t *work = c->work.data, *reach = c->reach.data, count = 0;
    uint8_t *set = c->set.data;
    const uint32_t *block_of = c->block_of.data;
    uint32_t def_block = v->start / 2 < c->ins.count ? block_of[v->start / 2] : 0;
    uint32_t def_end = v->start + 1, use_first = c->uses.count;
    for (uint32_t n = v->uses; n; n = c->use_nodes.data[n].next) {
        struct use use = c->use_nodes.data[n].use;
        bool at_end = use.kind == USE_NONE && !(use.pos & 1);
        uint32_t b = block_of[at_end ? use.pos / 2 - 1 : use.pos / 2];
        uint32_t to = at_end ? use.pos : use.pos + 1;
        if (b == def_block) {
            def_end = to > def_end ? to : def_end;
        } else {
            uint32_t before = count;
            count = enter(set, work, count, b);
            if (count != before || to > reach[b])
                reach[b] = to;
        }
        if (at_end) { /* the edge's move reads it where the block ends, wherever it is */
            use.kind = USE_ANY;
            use.pos--;
        }
        if (use.kind != USE_NONE)
            c->uses.data[c->uses.count++] = use; /* there is room for all nodes */
    }
    bool leaves = false;
    if (count)
        count = go_back(c, def_block, count, &leaves);
    if (leaves)
        def_end = c->starts.data[def_block + 1];
    uint32_t range_first = c->ranges.count;
    put_ranges(c, (struct range){v->start, def_end}, work, count);
    if (c->failed)
        return;
    v->end = c->ranges.data[c->ranges.count - 1].to;
    struct interval it = {
        .vreg = r,
        .start = v->start,
        .end = v->end,
        .range = range_first,
        .range_end = c->ranges.count,
        .use = use_first,
        .use_end = c->uses.count,
    };
    if (vec_push(c, c->intervals, it))
        v->interval = c->intervals.count - 1;
}

bool live_build(struct target_compiler *c)
{
    c->uses.count = c->ranges.count = c->use_nodes.count = 0;
    c->intervals.count = c->clobbers.count = c->defs.count = 0;
    for (unsigned r = 0; r < REG_COUNT; r++)
        c->fixed[r].count = 0;
    uint32_t blocks = c->blocks.count;
    if (!vec_reserve(c, c->block_of, (uint64_t)c->ins.count + 1) ||
        !vec_reserve(c, c->starts, (uint64_t)blocks + 1) || !vec_reserve(c, c->reach, blocks) ||
        !vec_reserve(c, c->work, (uint64_t)blocks + 1) ||
        !vec_reserve(c, c->set, (uint64_t)blocks + 8))
        return false;
    memset(c->set.data, 0, (size_t)blocks + 8);
    for (uint32_t b = 0; b < blocks; b++)
        c->starts.data[b] = 2 * c->blocks.data[b].first;
    c->starts.data[blocks] = 2 * c->ins.count;
    struct use_node no_use = {0};
    vec_push(c, c->use_nodes, no_use);
    /* Entry 0 means none. */
    struct interval no_interval = {0};
    vec_push(c, c->intervals, no_interval);
    for (uint32_t i = 0; i < c->vregs.count; i++) {
        struct vreg *v = &c->vregs.data[i];
        if (!v->constant)
            v->start = UINT32_MAX;
        if (v->incoming)
            define(c, FIRST_VREG + i, 0);
    }
    scan_defs(c);
    scan_uses(c);
    if (c->failed || !vec_reserve(c, c->uses, c->use_nodes.count))
        return false;
    for (uint32_t i = 0; i < c->defs.count && !c->failed; i++)
        live_one(c, c->defs.data[i]);
    return !c->failed;
}
