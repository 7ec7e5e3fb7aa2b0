/* After allocation: spill slots, and the moves that connect the parts of split registers, within
 * blocks and along edges, with the operands of phis.
 *
 * A register that is ever in memory is stored either once, right after its definition (being in SSA
 * form, its slot is valid from then on), or wherever it goes from register to memory, whichever the
 * loops make cheaper. */
#include "target/x86_64/mir.h"

#include <string.h>

static struct interval *at(struct target_compiler *c, uint32_t i)
{
    return &c->intervals.data[i];
}

/* The part of R at POS; POS must not go down between resets. */
static const struct interval *part_at(struct target_compiler *c, struct vreg *v, uint32_t pos)
{
    uint32_t i = v->current;
    while (at(c, i)->next && at(c, at(c, i)->next)->start <= pos)
        i = at(c, i)->next;
    v->current = i;
    return at(c, i);
}

void walk_reset(struct target_compiler *c)
{
    for (uint32_t i = 0; i < c->vregs.count; i++)
        c->vregs.data[i].current = c->vregs.data[i].interval;
}

unsigned place_at(struct target_compiler *c, mreg r, uint32_t pos)
{
    return part_at(c, vreg_at(c, r), pos)->reg;
}

static uint64_t weight(struct target_compiler *c, uint32_t pos)
{
    uint32_t i = pos / 2 < c->ins.count ? pos / 2 : c->ins.count - 1;
    const struct mblock *b = &c->blocks.data[c->block_of.data[i]];
    return b->cold ? 1 : 16ull << (b->depth > 8 ? 24 : b->depth * 3);
}

static void add_move(struct target_compiler *c, uint32_t pos, unsigned phase, mreg vreg, mreg from,
                     mreg to, mreg phi)
{
    struct gap_move move = {(uint64_t)pos << 2 | phase, vreg, from, to, phi};
    vec_push(c, c->moves, move);
}

/* A transition of R. Of stores it is not known yet whether they are made here: their cost is. */
static void transition(struct target_compiler *c, uint32_t pos, unsigned phase, mreg r,
                       unsigned from, unsigned to)
{
    if (from == to)
        return;
    if (!to)
        vreg_at(c, r)->store_cost += (float)weight(c, pos);
    add_move(c, pos, phase, r, from, to, 0);
}

static bool starts_block(struct target_compiler *c, uint32_t pos)
{
    return !(pos & 1) && pos / 2 < c->ins.count &&
           c->blocks.data[c->block_of.data[pos / 2]].first == pos / 2;
}

/* R is elsewhere at the end of block P than at the start of B, which follows. */
static void on_edge(struct target_compiler *c, mreg r, uint32_t p, uint32_t b, unsigned from,
                    unsigned to)
{
    if (c->blocks.data[p].succ_count == 1)
        transition(c, c->starts.data[p + 1] - 2, GAP_EDGE_OUT, r, from, to);
    else
        transition(c, c->starts.data[b], GAP_EDGE_IN, r, from, to);
}

/* From each part of R to the next, but where control flow joins. */
static void between_parts(struct target_compiler *c, mreg r)
{
    const uint32_t *next_join = c->work.data;
    for (uint32_t i = vreg_at(c, r)->interval; at(c, i)->next; i = at(c, i)->next) {
        const struct interval *part = at(c, at(c, i)->next);
        uint32_t pos = part->start;
        if (at(c, i)->end != pos)
            continue;
        /* What must be gone before an instruction writes is stored before it. */
        if (!starts_block(c, pos)) {
            transition(c, pos & ~1u, GAP_SPLIT, r, at(c, i)->reg, part->reg);
            continue;
        }
        uint32_t b = c->block_of.data[pos / 2];
        if (next_join[b] != b && c->pred_first.data[b] != c->pred_first.data[b + 1])
            on_edge(c, r, b - 1, b, at(c, i)->reg, part->reg);
    }
}

/* The first block that starts at POS or behind, counting the end as one more. */
static uint32_t block_from(const struct target_compiler *c, uint32_t pos)
{
    uint32_t blocks = c->blocks.count;
    if (pos / 2 >= c->ins.count)
        return pos > c->starts.data[blocks] ? blocks + 1 : blocks;
    uint32_t b = c->block_of.data[pos / 2];
    return b + (c->starts.data[b] < pos);
}

/* Where R is at the starts and at the ends of the blocks it lives in. */
static void place_in_blocks(struct target_compiler *c, const struct vreg *v,
                            const struct range *ranges, uint32_t count)
{
    const struct interval *part = at(c, v->interval);
    for (uint32_t k = 0; k < count;) {
        const struct interval *next = part->next ? at(c, part->next) : NULL;
        uint32_t from = ranges[k].from > part->start ? ranges[k].from : part->start;
        uint32_t to = next && next->start < ranges[k].to ? next->start : ranges[k].to;
        if (from < to) {
            uint32_t first = block_from(c, from), behind = block_from(c, from + 1);
            memset(c->at_start.data + first, part->reg, block_from(c, to) - first);
            memset(c->at_end.data + behind - 1, part->reg, block_from(c, to + 1) - behind);
        }
        if (next && next->start < ranges[k].to)
            part = next;
        else
            k++;
    }
}

/* Compares where R is at the end of blocks with where the next ones want it, where control flow
 * joins. A block's start in a range, unless R begins there, is where R comes in. */
static void on_joins(struct target_compiler *c, mreg r, const struct range *ranges, uint32_t count)
{
    const struct vreg *v = vreg_at(c, r);
    const uint32_t *starts = c->starts.data, *preds = c->preds.data, *first = c->pred_first.data;
    const uint32_t *next_join = c->work.data;
    const uint8_t *at_start = c->at_start.data, *at_end = c->at_end.data;
    uint32_t blocks = c->blocks.count;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t b = block_from(c, ranges[k].from), to = ranges[k].to;
        if (b < blocks && starts[b] == v->start)
            b++;
        for (b = next_join[b]; b < blocks && starts[b] < to; b = next_join[b + 1])
            for (uint32_t i = first[b]; i < first[b + 1]; i++)
                if (at_end[preds[i]] != at_start[b])
                    on_edge(c, r, preds[i], b, at_end[preds[i]], at_start[b]);
    }
}

/* For each block, the first from there on that control flow reaches otherwise than from the one
 * before it. */
static bool find_joins(struct target_compiler *c)
{
    const uint32_t *preds = c->preds.data, *first = c->pred_first.data;
    uint32_t blocks = c->blocks.count;
    if (!vec_reserve(c, c->work, (uint64_t)blocks + 2))
        return false;
    c->work.data[blocks] = c->work.data[blocks + 1] = blocks;
    for (uint32_t b = blocks; b-- > 0;) {
        uint32_t count = first[b + 1] - first[b];
        bool joins = count > 1 || (count == 1 && preds[first[b]] + 1 != b);
        c->work.data[b] = joins ? b : c->work.data[b + 1];
    }
    return true;
}

static void phi_moves(struct target_compiler *c)
{
    walk_reset(c);
    for (uint32_t b = 0; b < c->blocks.count; b++) {
        const struct mblock *p = &c->blocks.data[b];
        for (uint32_t k = 0; k < p->phi_count; k++) {
            const struct marg *arg = &c->args.data[p->phis + k];
            const struct vreg *v = vreg_at(c, arg->value);
            const struct interval *phi = at(c, vreg_at(c, arg->where)->interval);
            unsigned value = v->constant ? 0 : place_at(c, arg->value, 2 * p->end - 1);
            if (!v->constant && value && value == phi->reg)
                continue;
            add_move(c, 2 * (p->end - 1), GAP_EDGE_OUT, arg->value, value, phi->reg, arg->where);
        }
    }
}

/* Whether the WORDS 8-byte slots from SLOT on, aligned, may hold what lives from START on. */
static bool slot_free(struct target_compiler *c, uint32_t slot, uint32_t words, uint32_t start)
{
    if (words == 2 && (slot & 1 || slot + 1 >= c->work.count || c->work.data[slot + 1] > start))
        return false;
    return c->work.data[slot] <= start;
}

/* Slots are reused once the life of what they held has ended. Phis first try the slot of their
 * kin, which makes moves between them vanish; for that the first slots stay in the family. */
#define FAMILY_SLOTS 64u
static void assign_slots(struct target_compiler *c)
{
    c->work.count = 0;  /* of each 8-byte slot: the end of its tenant's life */
    c->reach.count = 0; /* … and whether it is kept for a group of phis */
    uint32_t cursor = 0;
    for (uint32_t k = 0; k < c->defs.count; k++) {
        mreg r = c->defs.data[k];
        struct vreg *v = vreg_at(c, r);
        if (v->incoming || !v->in_memory)
            continue;
        uint32_t words = v->size == 16 ? 2 : 1, n = c->work.count, found = UINT32_MAX;
        uint32_t *kin = &vreg_at(c, phi_leader(c, r))->group_slot;
        if (*kin && slot_free(c, *kin - 1, words, v->start))
            found = *kin - 1;
        /* A bounded search keeps this linear. */
        for (uint32_t step = 0; step < n && step < 32 && found == UINT32_MAX; step++) {
            uint32_t slot = (cursor + step) % n;
            if (slot_free(c, slot, words, v->start) && !c->reach.data[slot] &&
                !c->reach.data[slot + words - 1])
                found = slot;
        }
        if (found == UINT32_MAX) {
            found = words == 2 ? (n + 1) & ~1u : n;
            while (c->work.count < found + words)
                if (!vec_push(c, c->work, 0) || !vec_push(c, c->reach, 0))
                    return;
        }
        cursor = found;
        for (uint32_t w = 0; w < words; w++)
            c->work.data[found + w] = v->end;
        if (!*kin) {
            *kin = found + 1;
            if (vreg_at(c, phi_leader(c, r))->leads && found < FAMILY_SLOTS)
                c->reach.data[found] = c->reach.data[found + words - 1] = 1;
        }
        v->slot = (int32_t)(found * 8);
    }
    c->spill_bytes = c->work.count * 8;
}

/* By key; merges runs of doubling length, from one array into the other. */
static bool sort_moves(struct target_compiler *c)
{
    uint32_t n = c->moves.count;
    if (!vec_reserve(c, c->merged, n))
        return false;
    for (uint32_t run = 1; run < n; run *= 2) {
        const struct gap_move *a = c->moves.data;
        struct gap_move *out = c->merged.data;
        for (uint32_t low = 0; low < n; low += 2 * run) {
            uint32_t middle = n - low < run ? n : low + run;
            uint32_t high = n - low < 2 * run ? n : low + 2 * run;
            if (middle == high || a[middle - 1].key <= a[middle].key) {
                memcpy(out + low, a + low, (high - low) * sizeof *out);
                continue;
            }
            uint32_t i = low, k = middle;
            for (uint32_t to = low; to < high; to++)
                out[to] = k == high || (i < middle && a[i].key <= a[k].key) ? a[i++] : a[k++];
        }
        struct gap_move *swap = c->moves.data;
        uint32_t capacity = c->moves.capacity;
        c->moves.data = c->merged.data;
        c->moves.capacity = c->merged.capacity;
        c->merged.data = swap;
        c->merged.capacity = capacity;
    }
    return true;
}

/* Once after the definition, or each time, whichever is cheaper; what is not due goes. */
static void choose_stores(struct target_compiler *c)
{
    uint32_t before = c->moves.count, kept = 0;
    for (uint32_t k = 0; k < c->defs.count; k++) {
        mreg r = c->defs.data[k];
        struct vreg *v = vreg_at(c, r);
        if (!v->in_memory || v->incoming)
            continue;
        v->store_each = v->store_cost < (float)weight(c, v->def);
        if (v->store_each)
            continue;
        /* Definitions are in order of start, not of def: a fresh look. */
        v->current = v->interval;
        unsigned reg = place_at(c, r, v->def);
        if (!reg)
            continue;
        uint32_t pos = starts_block(c, v->def) ? v->def : (v->def / 2 + 1) * 2;
        add_move(c, pos, GAP_STORE, r, reg, 0, 0);
    }
    for (uint32_t k = 0; k < c->moves.count; k++) {
        struct gap_move move = c->moves.data[k];
        if (k < before && !move.to && !move.phi && !vreg_at(c, move.vreg)->store_each)
            continue;
        c->moves.data[kept++] = move;
    }
    c->moves.count = kept;
}

bool resolve_run(struct target_compiler *c)
{
    uint32_t blocks = c->blocks.count, range = 0;
    c->moves.count = 0;
    if (!vec_reserve(c, c->at_start, blocks) || !vec_reserve(c, c->at_end, blocks) ||
        !find_joins(c))
        return false;
    for (uint32_t k = 0; k < c->defs.count && !c->failed; k++) {
        mreg r = c->defs.data[k];
        struct vreg *v = vreg_at(c, r);
        uint32_t first = range; /* ranges stand in the order of the registers */
        while (c->ranges.data[range].to != v->end)
            range++;
        range++;
        for (uint32_t i = v->interval; i; i = at(c, i)->next)
            v->in_memory |= !at(c, i)->reg;
        if (at(c, v->interval)->next) {
            between_parts(c, r);
            place_in_blocks(c, v, &c->ranges.data[first], range - first);
            on_joins(c, r, &c->ranges.data[first], range - first);
        }
    }
    phi_moves(c);
    choose_stores(c);
    assign_slots(c);
    return !c->failed && loop_edges(c) && sort_moves(c);
}
