/* Where virtual registers are defined and used, and where real registers are taken. Between the two
 * live_ranges.c finds where each lives. */
#include "target/x86_64/mir.h"

#include <string.h>

mreg phi_root(struct target_compiler *c, mreg r)
{
    while (vreg_at(c, r)->phi_group) {
        uint32_t up = vreg_at(c, r)->phi_group;
        if (vreg_at(c, up)->phi_group)
            vreg_at(c, r)->phi_group = vreg_at(c, up)->phi_group;
        r = up;
    }
    return r;
}

static inline void define(struct target_compiler *c, mreg r, uint32_t pos)
{
    struct vreg *v = vreg_at(c, r);
    v->def = pos;
    if (v->interval)
        return;
    v->start = pos;
    c->defs.data[c->defs.count++] = r; /* there is room for all */
    v->interval = c->defs.count;       /* which will be made in this order */
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

static bool has_args(const struct mins *m)
{
    return m->op == M_RET || (m->op >= M_CALL && m->op <= M_CALL_RDI);
}

/* What a special operation defines before its result, and the real registers it takes. */
__attribute__((noinline)) static void special_defs(struct target_compiler *c, const struct mins *m,
                                                   uint32_t i, uint32_t *written, uint32_t *counts)
{
    const struct mop_info *info = &mop_info[m->op];
    if (has_args(m))
        for (uint32_t k = 0; k < m->count; k++)
            counts[c->args.data[m->list + k].value]++;
    if (info->a == USE_TEMP && m->a)
        define(c, m->a, 2 * i);
    if (info->b == USE_TEMP && m->b)
        define(c, m->b, 2 * i);
    if (info->dst == DEF_EARLY && m->dst)
        define(c, m->dst, 2 * i);
    switch (m->op) {
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

static void move_defs(struct target_compiler *c, const struct mins *m, uint32_t i,
                      uint32_t *written)
{
    if (m->a && m->a < FIRST_VREG)
        fix(c, m->a, written[m->a], 2 * i + 1);
    if (m->dst < FIRST_VREG)
        written[m->dst] = 2 * i + 1;
    else
        hint_move(c, m);
}

static void phi_defs(struct target_compiler *c, const struct mblock *block, uint32_t *counts)
{
    for (uint32_t k = 0; k < block->own_count; k++)
        define(c, c->targets.data[block->own + k], 2 * block->first);
    for (uint32_t k = 0; k < block->phi_count; k++)
        counts[c->args.data[block->phis + k].value]++;
}

/* Definitions in order, and the life of real registers. Counts the uses of each register, real and
 * constant ones too, which spares the question. */
static void scan_defs(struct target_compiler *c, uint32_t *counts)
{
    uint32_t written[REG_COUNT] = {0}, *block_of = c->block_of.data;
    const struct mins *ins = c->ins.data;
    for (uint32_t b = 0; b < c->blocks.count; b++) {
        const struct mblock *block = &c->blocks.data[b];
        if (block->own_count | block->phi_count)
            phi_defs(c, block, counts);
        for (uint32_t i = block->first, end = block->end; i < end; i++) {
            const struct mins *m = &ins[i];
            block_of[i] = b;
            counts[m->dst] += mop_info[m->op].dst == DEF_MODIFY ? 2 : 1;
            counts[m->a]++;
            counts[m->b]++;
            counts[m->base]++;
            counts[m->index]++;
            if (mop_info[m->op].special)
                special_defs(c, m, i, written, counts);
            if (m->dst >= FIRST_VREG)
                define(c, m->dst, 2 * i + 1);
            if (m->op == M_MOV)
                move_defs(c, m, i, written);
        }
    }
}

/* Gives each register's uses their place, one behind the other: from numbers of uses to their end.
 */
static bool place_uses(struct target_compiler *c)
{
    uint64_t total = 0;
    uint32_t registers = FIRST_VREG + c->vregs.count;
    for (uint32_t r = FIRST_VREG; r < registers; r++) {
        total += c->use_first.data[r];
        c->use_first.data[r] = (uint32_t)total;
    }
    c->use_first.data[registers] = c->uses.count = (uint32_t)total;
    return total <= UINT32_MAX && vec_reserve(c, c->uses, total);
}

/* Where uses are looked for. */
struct here {
    struct vreg *vregs;
    struct use *uses;
    uint32_t *first; /* of registers: the first use found so far */
    uint16_t depth;  /* of loops around the block */
};

/* Found from the last to the first, so each takes its place before those found so far. */
static inline void use_add(const struct here *here, mreg r, uint32_t pos, unsigned kind,
                           unsigned hint)
{
    if (r >= FIRST_VREG)
        here->uses[--here->first[r]] = (struct use){pos, (uint8_t)kind, (uint8_t)hint, here->depth};
}

/* … of a value that would like to be in the real register HINT, 0: none. */
static void use_hinted(const struct here *here, mreg r, uint32_t pos, unsigned hint)
{
    use_add(here, r, pos, USE_ANY, hint);
    if (hint && r >= FIRST_VREG)
        here->vregs[r - FIRST_VREG].hinted = true;
}

/* R, written early or a temporary, lives until the results of the instruction at POS are there. */
static void lives_through(const struct here *here, mreg r, uint32_t pos)
{
    if (r >= FIRST_VREG)
        here->vregs[r - FIRST_VREG].end = pos + 2;
}

__attribute__((noinline)) static void special_uses(struct target_compiler *c, const struct mins *m,
                                                   uint32_t pos, const struct here *here)
{
    const struct mop_info *info = &mop_info[m->op];
    if (info->dst == DEF_EARLY)
        lives_through(here, m->dst, pos);
    use_add(here, m->dst, info->dst == DEF_EARLY ? pos : pos + 1, USE_REG, 0);
    if (has_args(m)) {
        for (uint32_t k = 0; k < m->count; k++) {
            const struct marg *arg = &c->args.data[m->list + k];
            use_hinted(here, arg->value, pos, arg->where < REG_COUNT ? arg->where : 0);
        }
    }
    if (info->a == USE_TEMP)
        lives_through(here, m->a, pos);
    if (info->b == USE_TEMP)
        lives_through(here, m->b, pos);
}

static unsigned operand_kind(unsigned kind)
{
    return kind == USE_TEMP ? USE_REG : kind;
}

/* Backwards: what is written comes first. */
static inline void uses_of(struct target_compiler *c, const struct mins *m, uint32_t pos,
                           const struct here *here)
{
    const struct mop_info *info = &mop_info[m->op];
    if (m->op == M_MOV) {
        use_add(here, m->dst, pos + 1, USE_ANY, 0);
        use_hinted(here, m->a, pos, m->dst < FIRST_VREG ? m->dst : 0);
        return;
    }
    if (mop_info[m->op].special)
        special_uses(c, m, pos, here);
    else
        use_add(here, m->dst, pos + 1, USE_REG, 0);
    use_add(here, m->a, pos, operand_kind(info->a), 0);
    if (m->b) {
        /* One memory operand per instruction, and before AVX one of 16 bytes must be aligned, which
         * the stack need not be. */
        bool no_memory = (m->base | m->index) || (m->size == 16 && !c->cpu.avx);
        use_add(here, m->b, pos, no_memory ? USE_REG : operand_kind(info->b), 0);
    }
    if (m->base | m->index) {
        use_add(here, m->base, pos, USE_REG, 0);
        use_add(here, m->index, pos, USE_REG, 0);
    }
    if (info->dst == DEF_MODIFY)
        use_add(here, m->dst, pos, USE_REG, 0);
}

__attribute__((noinline)) static void
phi_operands(struct target_compiler *c, const struct mblock *block, const struct here *here)
{
    for (uint32_t k = 0; k < block->phi_count; k++) {
        const struct marg *arg = &c->args.data[block->phis + k];
        use_add(here, arg->value, 2 * block->end - 1, USE_AT_END, 0);
        if (vreg_at(c, arg->value)->constant)
            continue;
        mreg a = phi_leader(c, arg->value), p = phi_leader(c, arg->where);
        if (a != p) {
            vreg_at(c, a)->phi_group = p;
            vreg_at(c, p)->leads = true;
        }
    }
}

static void scan_uses(struct target_compiler *c)
{
    struct here here = {c->vregs.data, c->uses.data, c->use_first.data, 0};
    const struct mins *ins = c->ins.data;
    for (uint32_t b = c->blocks.count; b-- > 0;) {
        const struct mblock *block = &c->blocks.data[b];
        here.depth = block->depth;
        if (block->phi_count) {
            vec_push(c, c->phi_blocks, b);
            phi_operands(c, block, &here);
        }
        for (uint32_t i = block->end, first = block->first; i-- > first;)
            uses_of(c, &ins[i], 2 * i, &here);
    }
}

bool live_build(struct target_compiler *c)
{
    uint32_t blocks = c->blocks.count;
    uint64_t registers = FIRST_VREG + (uint64_t)c->vregs.count;
    c->clobbers.count = c->defs.count = c->phi_blocks.count = 0;
    for (unsigned r = 0; r < REG_COUNT; r++)
        c->fixed[r].count = 0;
    if (!vec_reserve(c, c->block_of, (uint64_t)c->ins.count + c->split_most + 1) ||
        !vec_reserve(c, c->starts, (uint64_t)blocks + c->split_most + 1) ||
        !vec_reserve(c, c->defs, c->vregs.count) || !vec_reserve(c, c->use_first, registers + 1))
        return false;
    memset(c->use_first.data, 0, registers * sizeof *c->use_first.data);
    for (uint32_t b = 0; b < blocks; b++)
        c->starts.data[b] = 2 * c->blocks.data[b].first;
    c->starts.data[blocks] = 2 * c->ins.count;
    for (uint32_t i = 0; c->incoming && i < c->vregs.count; i++)
        if (c->vregs.data[i].incoming)
            define(c, FIRST_VREG + i, 0);
    scan_defs(c, c->use_first.data);
    if (c->failed || !place_uses(c))
        return false;
    scan_uses(c);
    return !c->failed && live_ranges(c);
}
