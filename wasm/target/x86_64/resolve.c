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

unsigned place_in_parts(struct target_compiler *c, struct vreg *v, uint32_t pos)
{
    uint32_t i = v->current;
    while (at(c, i)->next && at(c, at(c, i)->next)->start <= pos)
        i = at(c, i)->next;
    v->current = i;
    return at(c, i)->reg;
}

void walk_reset(struct target_compiler *c)
{
    for (uint32_t k = 0; k < c->parted.count; k++) {
        struct vreg *v = vreg_at(c, c->parted.data[k]);
        v->current = v->interval;
    }
}

static uint64_t weight_of(struct target_compiler *c, uint32_t block)
{
    const struct mblock *b = &c->blocks.data[block];
    return b->cold ? 1 : 16ull << (b->depth > 8 ? 24 : b->depth * 3);
}

static uint64_t weight(struct target_compiler *c, uint32_t pos)
{
    uint32_t i = pos / 2 < c->ins.count ? pos / 2 : c->ins.count - 1;
    return weight_of(c, c->block_of.data[i]);
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

/* The same on the edge from the branch at PRED to B, which others lead to as well. */
static void on_critical_edge(struct target_compiler *c, mreg r, uint32_t pred, uint32_t b,
                             unsigned from, unsigned to)
{
    if (from == to)
        return;
    uint64_t outer = weight_of(c, c->preds.data[pred]), inner = weight_of(c, b);
    if (!to)
        vreg_at(c, r)->store_cost += (float)(outer < inner ? outer : inner);
    add_move(c, edge_position(c, pred, b), GAP_EDGE_OUT, r, from, to, 0);
}

static bool starts_block(struct target_compiler *c, uint32_t pos)
{
    return !(pos & 1) && pos / 2 < c->ins.count &&
           c->blocks.data[c->block_of.data[pos / 2]].first == pos / 2;
}

/* R is elsewhere at the end of the block at PRED in c->preds than at the start of B, which follows.
 */
static void on_edge(struct target_compiler *c, mreg r, uint32_t pred, uint32_t b, unsigned from,
                    unsigned to)
{
    uint32_t p = c->preds.data[pred];
    if (c->blocks.data[p].succ_count == 1)
        transition(c, c->starts.data[p + 1] - 2, GAP_EDGE_OUT, r, from, to);
    else if (c->pred_first.data[b + 1] - c->pred_first.data[b] > 1)
        on_critical_edge(c, r, pred, b, from, to);
    else
        transition(c, c->starts.data[b], GAP_EDGE_IN, r, from, to);
}

/* From each part of R to the next, but where control flow joins. */
static void between_parts(struct target_compiler *c, mreg r)
{
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
        if (c->joins.data[c->join_from.data[b]].block != b)
            on_edge(c, r, c->pred_first.data[b], b, at(c, i)->reg, part->reg);
    }
}

/* The first block that starts at POS or behind, counting the end as one more. */
static inline uint32_t block_from(const struct target_compiler *c, uint32_t pos)
{
    uint32_t blocks = c->blocks.count;
    if (pos / 2 >= c->ins.count)
        return pos > c->starts.data[blocks] ? blocks + 1 : blocks;
    uint32_t b = c->block_of.data[pos / 2];
    return b + (c->starts.data[b] < pos);
}

/* Where R is, by its ranges, of which the first is number RANGE. */
static bool find_stays(struct target_compiler *c, const struct vreg *v, uint32_t range)
{
    const struct interval *part = at(c, v->interval);
    c->stays.count = 0;
    for (const struct range *r = &c->ranges.data[range];;) {
        const struct interval *next = part->next ? at(c, part->next) : NULL;
        bool goes_on = next && next->start < r->to;
        uint32_t from = r->from > part->start ? r->from : part->start;
        struct stay stay = {from, goes_on ? next->start : r->to, part->reg};
        if (stay.from < stay.to && !vec_push(c, c->stays, stay))
            return false;
        if (goes_on)
            part = next;
        else if (r++->to == v->end)
            return true;
    }
}

/* Where R is just before POS. */
static unsigned stay_before(const struct target_compiler *c, uint32_t pos)
{
    const struct stay *stay = c->stays.data;
    for (uint32_t count = c->stays.count, half; count > 1; count -= half) {
        half = count / 2;
        stay += half & -(uint32_t)(stay[half - 1].to < pos);
    }
    return stay->reg;
}

/* Whether what leads to a join is all among the blocks that end in a stay. */
static bool within(struct span ends, struct span from)
{
    return from.first >= ends.first && from.last <= ends.last;
}

/* Compares where R is at the ends of the blocks before JOIN with REG, where it is there. */
static void on_join(struct target_compiler *c, mreg r, uint32_t join, unsigned reg,
                    struct span ends)
{
    const uint32_t *preds = c->preds.data, *first = c->pred_first.data;
    for (uint32_t i = first[join]; i < first[join + 1]; i++) {
        if (within(ends, (struct span){preds[i], preds[i]}))
            continue;
        unsigned from = stay_before(c, c->starts.data[preds[i] + 1]);
        if (from != reg)
            on_edge(c, r, i, join, from, reg);
    }
}

/* Moves where control flow joins. A block's start in a range, unless R begins there, is where R
 * comes in. Most joins, and groups of them, are within one stay, with all blocks that lead there.
 */
static void on_joins(struct target_compiler *c, mreg r)
{
    const struct join *joins = c->joins.data;
    uint32_t start = vreg_at(c, r)->start;
    for (uint32_t i = 0; i < c->stays.count; i++) {
        struct stay stay = c->stays.data[i];
        uint32_t second = block_from(c, stay.from + 1), behind = block_from(c, stay.to);
        uint32_t first = stay.from == start ? second : block_from(c, stay.from);
        struct span ends = {second - 1, block_from(c, stay.to + 1) - 2};
        for (uint32_t k = c->join_from.data[first]; joins[k].block < behind;) {
            if (k % JOIN_GROUP == 0 && within(ends, c->join_groups.data[k / JOIN_GROUP])) {
                k += JOIN_GROUP;
                continue;
            }
            if (!within(ends, joins[k].from))
                on_join(c, r, joins[k].block, stay.reg, ends);
            k++;
        }
    }
}

static void phi_moves(struct target_compiler *c)
{
    walk_reset(c);
    for (uint32_t n = c->phi_blocks.count; n-- > 0;) {
        const struct mblock *p = &c->blocks.data[c->phi_blocks.data[n]];
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
    for (uint32_t k = 0; k < c->parted.count; k++) {
        mreg r = c->parted.data[k];
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

/* Once after the definition, or each time, whichever is cheaper. */
static void choose_stores(struct target_compiler *c)
{
    for (uint32_t k = 0; k < c->parted.count; k++) {
        mreg r = c->parted.data[k];
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
}

static void take_merged(struct target_compiler *c, uint32_t count)
{
    struct gap_move *swap = c->moves.data;
    uint32_t capacity = c->moves.capacity;
    c->moves.data = c->merged.data;
    c->moves.capacity = c->merged.capacity;
    c->moves.count = count;
    c->merged.data = swap;
    c->merged.capacity = capacity;
}

/* Stores of what is stored at its definition are not due elsewhere. */
static bool is_due(struct target_compiler *c, const struct gap_move *move)
{
    return move->to || move->phi || (move->key & 3) == GAP_STORE ||
           vreg_at(c, move->vreg)->store_each;
}

/* Drops what is not due and brings the phases into order. */
static bool by_phase(struct target_compiler *c)
{
    uint32_t n = 0, place[4] = {0}, to = 0;
    struct gap_move *moves = c->moves.data;
    for (uint32_t k = 0; k < c->moves.count; k++) {
        bool due = is_due(c, &moves[k]);
        moves[n] = moves[k];
        place[moves[n].key & 3] += due;
        n += due;
    }
    for (unsigned phase = 0; phase < 4; phase++) {
        to += place[phase];
        place[phase] = to - place[phase];
    }
    if (!vec_reserve(c, c->merged, n))
        return false;
    for (uint32_t k = 0; k < n; k++)
        c->merged.data[place[moves[k].key & 3]++] = moves[k];
    take_merged(c, n);
    return true;
}

/* Brings them into the order of the instructions before which they are due; those of one stay in
 * order. */
static bool by_instruction(struct target_compiler *c)
{
    uint32_t n = c->moves.count, places = c->ins.count + 1, to = 0;
    if (!vec_reserve(c, c->merged, n) || !vec_reserve(c, c->work, places))
        return false;
    uint32_t *place = c->work.data;
    const struct gap_move *moves = c->moves.data;
    memset(place, 0, places * sizeof *place);
    for (uint32_t k = 0; k < n; k++)
        place[moves[k].key >> 3]++;
    for (uint32_t i = 0; i < places; i++) {
        uint32_t count = place[i];
        place[i] = to;
        to += count;
    }
    for (uint32_t k = 0; k < n; k++)
        c->merged.data[place[moves[k].key >> 3]++] = moves[k];
    take_merged(c, n);
    return true;
}

/* Connects the parts of R, whose ranges begin with number RANGE. */
static void connect(struct target_compiler *c, mreg r, uint32_t range)
{
    struct vreg *v = vreg_at(c, r);
    for (uint32_t i = v->interval; i; i = at(c, i)->next)
        v->in_memory |= !at(c, i)->reg;
    if (!at(c, v->interval)->next)
        return;
    between_parts(c, r);
    if (find_stays(c, v, range))
        on_joins(c, r);
}

bool resolve_run(struct target_compiler *c)
{
    c->moves.count = c->parted.count = c->split_edges.count = 0;
    /* First parts, in the order of definitions. */
    for (uint32_t i = 1; i <= c->defs.count && !c->failed; i++) {
        const struct interval *it = at(c, i);
        if (it->reg && !it->next)
            continue;
        struct vreg *v = vreg_at(c, it->vreg);
        uint32_t range = v->range;
        v->store_cost = 0;
        if (vec_push(c, c->parted, it->vreg))
            connect(c, it->vreg, range);
    }
    phi_moves(c);
    choose_stores(c);
    assign_slots(c);
    if (c->failed || !edges_make(c))
        return false;
    return !c->moves.count || (by_phase(c) && loop_edges(c) && by_instruction(c));
}
