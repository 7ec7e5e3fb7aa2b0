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

/* A transition of R: adds the move unless it is a store; those are only counted here and added when
 * it is known how R is stored. */
static void transition(struct target_compiler *c, uint32_t pos, unsigned phase, mreg r,
                       unsigned from, unsigned to, bool counting)
{
    struct vreg *v = vreg_at(c, r);
    if (from == to)
        return;
    if (to) {
        if (!counting)
            add_move(c, pos, phase, r, from, to, 0);
    } else if (counting) {
        v->store_cost += (float)weight(c, pos);
    } else if (v->store_each) {
        add_move(c, pos, phase, r, from, 0, 0);
    }
}

static bool starts_block(struct target_compiler *c, uint32_t pos)
{
    return !(pos & 1) && pos / 2 < c->ins.count &&
           c->blocks.data[c->block_of.data[pos / 2]].first == pos / 2;
}

static void inside_blocks(struct target_compiler *c, bool counting)
{
    for (uint32_t k = 0; k < c->defs.count; k++) {
        mreg r = c->defs.data[k];
        uint32_t i = vreg_at(c, r)->interval;
        for (; at(c, i)->next; i = at(c, i)->next) {
            const struct interval *part = at(c, at(c, i)->next);
            if (at(c, i)->end != part->start || starts_block(c, part->start))
                continue;
            /* What must be gone before an instruction writes is stored before it. */
            transition(c, part->start & ~1u, GAP_SPLIT, r, at(c, i)->reg, part->reg, counting);
        }
    }
}

static void on_edge(struct target_compiler *c, uint32_t from, uint32_t to, bool counting)
{
    const struct mblock *p = &c->blocks.data[from], *s = &c->blocks.data[to];
    uint32_t pos = 2 * s->first, phase = GAP_EDGE_IN;
    if (p->succ_count == 1) {
        pos = 2 * (p->end - 1);
        phase = GAP_EDGE_OUT;
    }
    for (uint32_t k = 0; k < s->live_count; k++) {
        mreg r = c->live.data[s->live + k];
        transition(c, pos, phase, r, place_at(c, r, 2 * p->end - 1),
                   c->live_place.data[s->live + k], counting);
    }
    if (counting || !p->phi_count)
        return;
    for (uint32_t k = 0; k < p->phi_count; k++) {
        const struct marg *arg = &c->args.data[p->phis + k];
        const struct vreg *v = vreg_at(c, arg->value);
        const struct interval *phi = at(c, vreg_at(c, arg->where)->interval);
        unsigned value = v->constant ? 0 : place_at(c, arg->value, 2 * p->end - 1);
        if (!v->constant && value && value == phi->reg)
            continue;
        add_move(c, pos, phase, arg->value, value, phi->reg, arg->where);
    }
}

static void on_edges(struct target_compiler *c, bool counting)
{
    walk_reset(c);
    for (uint32_t b = 0; b < c->blocks.count; b++) {
        const struct mblock *block = &c->blocks.data[b];
        for (uint32_t k = 0; k < block->succ_count; k++) {
            uint32_t to = c->targets.data[block->succs + k];
            bool seen = false; /* a switch may name a target often */
            for (uint32_t j = k; j-- > 0 && !seen && k - j < 16;)
                seen = c->targets.data[block->succs + j] == to;
            if (!seen)
                on_edge(c, b, to, counting);
        }
    }
}

static void place_starts(struct target_compiler *c)
{
    walk_reset(c);
    for (uint32_t b = 0; b < c->blocks.count; b++) {
        const struct mblock *block = &c->blocks.data[b];
        for (uint32_t k = 0; k < block->live_count; k++)
            c->live_place.data[block->live + k] =
                (uint8_t)place_at(c, c->live.data[block->live + k], 2 * block->first);
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

static void sort_moves(struct target_compiler *c)
{
    struct gap_move *a = c->moves.data;
    uint32_t n = c->moves.count, gap = 1;
    while (gap < n / 3)
        gap = gap * 3 + 1;
    for (; gap; gap /= 3) {
        for (uint32_t i = gap; i < n; i++) {
            struct gap_move value = a[i];
            uint32_t k = i;
            for (; k >= gap && a[k - gap].key > value.key; k -= gap)
                a[k] = a[k - gap];
            a[k] = value;
        }
    }
}

bool resolve_run(struct target_compiler *c)
{
    c->moves.count = 0;
    bool any = false;
    for (uint32_t k = 0; k < c->defs.count; k++) {
        struct vreg *v = vreg_at(c, c->defs.data[k]);
        for (uint32_t i = v->interval; i; i = at(c, i)->next)
            v->in_memory |= !at(c, i)->reg;
        any |= v->in_memory;
    }
    place_starts(c);
    if (any) {
        inside_blocks(c, true);
        on_edges(c, true);
        walk_reset(c);
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
    }
    inside_blocks(c, false);
    on_edges(c, false);
    assign_slots(c);
    sort_moves(c);
    return !c->failed;
}
