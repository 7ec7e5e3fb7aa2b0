/* What register allocation asks of the control flow: where loops are, and where it is coldest. */
#include "target/x86_64/mir.h"

#define BLOCKS_LOOKED 64u
uint32_t split_place(struct target_compiler *c, uint32_t low, uint32_t high)
{
    if (high / 2 >= c->ins.count)
        return high & ~1u;
    /* A split at the start of a block puts the moves on the edges into it. */
    const uint32_t *weights = c->weights.data;
    uint32_t to = c->block_of.data[high / 2], from = c->block_of.data[low / 2];
    uint32_t lowest = weights[to], best = 0;
    if (to - from > BLOCKS_LOOKED)
        from = to - BLOCKS_LOOKED;
    for (uint32_t b = to; b > from && lowest; b--) {
        if (weights[b - 1] < lowest) {
            lowest = weights[b - 1];
            best = b;
        }
    }
    return best ? c->starts.data[best] : high & ~1u;
}

/* Loops stand in one piece; what is cold stands behind them and counts as in none. */
uint32_t find_loops(struct target_compiler *c)
{
    uint32_t blocks = c->blocks.count, open = NO_LOOP, first = NO_LOOP, *next = &first;
    if (!vec_reserve(c, c->loop_of, (uint64_t)blocks + c->split_most) ||
        !vec_reserve(c, c->loop_end, blocks) || !vec_reserve(c, c->weights, blocks))
        return NO_LOOP;
    uint32_t *loop_of = c->loop_of.data, *loop_end = c->loop_end.data;
    for (uint32_t b = 0; b < blocks; b++) {
        struct mblock *block = &c->blocks.data[b];
        unsigned depth = block->cold ? 0 : block->depth;
        c->weights.data[b] = block->cold ? 0 : depth + 1;
        bool header = block->header && depth;
        while (open != NO_LOOP && c->blocks.data[open].depth >= depth + !header) {
            uint32_t outer = loop_end[open];
            loop_end[open] = c->starts.data[b];
            open = outer;
        }
        if (header) {
            if (open != NO_LOOP)
                c->blocks.data[open].nests = true;
            loop_end[b] = open; /* until it is known */
            open = b;
            *next = b;
            next = &block->next_header;
        }
        loop_of[b] = open;
    }
    *next = NO_LOOP;
    while (open != NO_LOOP) {
        uint32_t outer = loop_end[open];
        loop_end[open] = c->starts.data[blocks];
        open = outer;
    }
    return first;
}

/* With more ways or phis it is not looked at, so that no loop takes long. */
enum { SLACK_WAYS = 16, SLACK_PHIS = 64 };
uint32_t loop_slack(struct target_compiler *c, mreg r, uint32_t pos)
{
    uint32_t b = c->block_of.data[pos / 2], k = 0;
    const struct mblock *block = &c->blocks.data[b];
    uint32_t first = c->pred_first.data[b], behind = c->pred_first.data[b + 1];
    if (behind - first > SLACK_WAYS || block->own_count > SLACK_PHIS)
        return 0;
    const uint32_t *own = c->targets.data + block->own;
    while (k < block->own_count && own[k] != r)
        k++;
    uint32_t ready = pos, end = c->loop_end.data[b];
    for (; first < behind && k < block->own_count; first++) {
        if (c->preds.data[first] < b)
            continue;
        const struct mblock *from = &c->blocks.data[c->preds.data[first]];
        uint32_t start = vreg_at(c, c->args.data[from->phis + k].value)->start;
        ready = start > ready ? start : ready;
    }
    return ready < end ? end - ready : 0;
}
