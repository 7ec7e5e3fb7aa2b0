/* What the phis of a join would like: each way there brings a value in a register, and where it
 * goes on to another phi that is in one as well. All but those of one register cost a move. */
#include "target/x86_64/mir.h"

static const struct vreg *of(const struct target_compiler *c, mreg r)
{
    return &c->vregs.data[r - FIRST_VREG];
}

enum { JOIN_PHIS = 16 };
unsigned join_hint(const struct target_compiler *c, const struct interval *it)
{
    mreg r = it->vreg;
    uint32_t pos = it->start, b = pos / 2 < c->ins.count ? c->block_of.data[pos / 2] : 0;
    const struct mblock *block = &c->blocks.data[b];
    const uint32_t *own = c->targets.data + block->own;
    const uint32_t *preds = c->preds.data + c->pred_first.data[b];
    uint32_t ways = c->pred_first.data[b + 1] - c->pred_first.data[b], k = 0;
    if (pos != 2 * block->first || block->header || block->own_count > JOIN_PHIS)
        return 0;
    while (k < block->own_count && own[k] != r)
        k++;
    if (k == block->own_count)
        return 0;
    uint32_t votes[REG_COUNT] = {0};
    for (uint32_t i = 0; i < ways; i++) {
        const struct mblock *from = &c->blocks.data[preds[i]];
        const struct vreg *value = of(c, c->args.data[from->phis + k].value);
        if (!value->constant && !from->cold)
            votes[value->last_reg]++;
    }
    for (uint32_t u = it->use; u < it->use_end && u < it->use + 4; u++) {
        if (c->uses.data[u].kind != USE_AT_END)
            continue;
        const struct mblock *to = &c->blocks.data[c->block_of.data[c->uses.data[u].pos / 2]];
        for (uint32_t i = 0; i < to->phi_count && i < JOIN_PHIS && !to->cold; i++)
            if (c->args.data[to->phis + i].value == r)
                votes[of(c, c->args.data[to->phis + i].where)->last_reg]++;
    }
    unsigned best = 0;
    votes[0] = 0;
    for (unsigned reg = 1; reg < REG_COUNT; reg++)
        best = votes[reg] > votes[best] ? reg : best;
    return best;
}
