/* Register allocation: linear scan over live ranges with holes, splitting and second chances
 * (Wimmer and Mössenböck 2005; on SSA form, Wimmer and Franz 2010). Intervals are taken by start.
 * Each gets a register free for all of it, or for its first part, or takes one from whom needs it
 * latest; who loses is split where the control flow is coldest and stays in memory until the next
 * use that wants a register. */
#include "target/x86_64/mir.h"

#include <string.h>

#define FOREVER UINT32_MAX

struct scan {
    struct target_compiler *c;
    uint32_t position;
    uint32_t active[REG_COUNT];       /* interval living in the register now, 0 none */
    uint64_t idle;                    /* registers in which none does, by bit */
    uint64_t holed;                   /* … in which some wait in a hole of their life */
    uint32_t event[REG_COUNT];        /* until then who lives there, or waits in a hole, stays so */
    uint32_t swept;                   /* instructions before which events were looked for */
    uint32_t due;                     /* registers that may have had one: like c->due */
    uint32_t fixed_cursor[REG_COUNT]; /* first range that reaches beyond the position */
    uint32_t fixed_from[REG_COUNT];   /* … where that begins, FOREVER: there is none */
    uint32_t clobber_cursor, next_call;
    uint32_t until[REG_COUNT]; /* of the current interval: free until, as far as … */
    uint64_t known;            /* … the register's bit is set here */
    uint32_t call;             /* the first call it lives across */
    uint32_t next_header;      /* the loop whose start comes next, NO_LOOP: none does */
    uint32_t next_start;       /* … where that is */
    bool loop_starts;          /* at the position */
};

/* Sets of registers, by bit. */
#define SAVED ((uint64_t)SAVED_REGS << 1)
#define GPRS  (((1ull << R_R14) - (1ull << R_RAX)) & ~(1ull << R_RSP))
#define XMMS  ((1ull << R_XMM15) - (1ull << R_XMM0))

static bool callee_saved(unsigned r)
{
    return SAVED >> r & 1;
}

/* Takes a register out of the set REGS: the first one, those to be saved last. */
static unsigned take_reg(uint64_t *regs)
{
    uint64_t free = *regs & ~SAVED;
    unsigned r = (unsigned)__builtin_ctzll(free ? free : *regs);
    *regs &= ~(1ull << r);
    return r;
}

static struct interval *at(struct scan *s, uint32_t i)
{
    return &s->c->intervals.data[i];
}

/* Heap of split parts by start. */
static void heap_push(struct scan *s, uint32_t i)
{
    struct target_compiler *c = s->c;
    if (!vec_push(c, c->heap, i))
        return;
    uint32_t *heap = c->heap.data, k = c->heap.count - 1;
    while (k && at(s, heap[(k - 1) / 2])->start > at(s, i)->start) {
        heap[k] = heap[(k - 1) / 2];
        k = (k - 1) / 2;
    }
    heap[k] = i;
}

static uint32_t heap_pop(struct scan *s)
{
    uint32_t *heap = s->c->heap.data, top = heap[0], last = heap[--s->c->heap.count];
    uint32_t n = s->c->heap.count, k = 0;
    for (;;) {
        uint32_t child = 2 * k + 1;
        if (child >= n)
            break;
        if (child + 1 < n && at(s, heap[child + 1])->start < at(s, heap[child])->start)
            child++;
        if (at(s, heap[child])->start >= at(s, last)->start)
            break;
        heap[k] = heap[child];
        k = child;
    }
    if (n)
        heap[k] = last;
    return top;
}

/* Ranges are shared between parts; start and end cut them. */
static uint32_t range_from(struct scan *s, const struct interval *it, uint32_t k)
{
    uint32_t from = s->c->ranges.data[k].from;
    return from < it->start ? it->start : from;
}

static uint32_t range_to(struct scan *s, const struct interval *it, uint32_t k)
{
    uint32_t to = s->c->ranges.data[k].to;
    return to > it->end ? it->end : to;
}

static uint32_t intersect(struct scan *s, const struct interval *a, const struct interval *b)
{
    uint32_t i = a->range, k = b->range;
    while (i < a->range_end && k < b->range_end) {
        uint32_t a_from = range_from(s, a, i), a_to = range_to(s, a, i);
        uint32_t b_from = range_from(s, b, k), b_to = range_to(s, b, k);
        if (a_to <= b_from)
            i++;
        else if (b_to <= a_from)
            k++;
        else
            return a_from > b_from ? a_from : b_from;
    }
    return FOREVER;
}

/* From LIMIT on it does not matter. */
static uint32_t intersect_ranges(struct scan *s, const struct interval *it, unsigned reg,
                                 uint32_t limit)
{
    const struct range *fixed = s->c->fixed[reg].data;
    uint32_t n = s->c->fixed[reg].count, k = s->fixed_cursor[reg], i = it->range;
    while (k < n && fixed[k].to <= s->position)
        k++;
    s->fixed_cursor[reg] = k;
    s->fixed_from[reg] = k < n ? fixed[k].from : FOREVER;
    while (k < n && i < it->range_end) {
        uint32_t from = range_from(s, it, i), to = range_to(s, it, i);
        if (from >= limit)
            break;
        if (to <= fixed[k].from)
            i++;
        else if (fixed[k].to <= from)
            k++;
        else
            return from > fixed[k].from ? from : fixed[k].from;
    }
    return FOREVER;
}

static inline uint32_t intersect_fixed(struct scan *s, const struct interval *it, unsigned reg,
                                       uint32_t limit)
{
    return s->fixed_from[reg] >= it->end ? FOREVER : intersect_ranges(s, it, reg, limit);
}

/* The first call IT lives across. */
static uint32_t intersect_calls(struct scan *s, const struct interval *it)
{
    if (s->next_call >= it->end)
        return FOREVER;
    const uint32_t *calls = s->c->clobbers.data;
    uint32_t n = s->c->clobbers.count, low = s->clobber_cursor;
    for (uint32_t i = it->range; i < it->range_end; i++) {
        uint32_t from = range_from(s, it, i), to = range_to(s, it, i), high = n;
        if (low < n && calls[low] >= from)
            high = low; /* mostly */
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (calls[middle] < from)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == n)
            break;
        if (calls[low] < to)
            return calls[low];
    }
    return FOREVER;
}

/* Cuts IT at POS (or at the end of the hole POS lies in); the new part is not yet anywhere. */
static uint32_t split(struct scan *s, uint32_t i, uint32_t pos)
{
    struct target_compiler *c = s->c;
    if (!vec_reserve(c, c->intervals, (uint64_t)c->intervals.count + 1))
        return 0;
    uint32_t n = c->intervals.count++;
    struct interval *it = at(s, i), *part = at(s, n);
    *part = *it;
    part->start = pos;
    while (part->range < part->range_end && c->ranges.data[part->range].to <= pos)
        part->range++;
    if (part->range < part->range_end && c->ranges.data[part->range].from > pos)
        part->start = c->ranges.data[part->range].from;
    it->end = pos;
    if (part->range > it->range && part->start != pos)
        it->end = c->ranges.data[part->range - 1].to;
    bool straddles = part->range < part->range_end && c->ranges.data[part->range].from < pos;
    it->range_end = part->range + straddles;
    while (part->use < part->use_end && c->uses.data[part->use].pos < pos)
        part->use++;
    it->use_end = part->use;
    part->reg = 0;
    part->split = true;
    it->next = n;
    return n;
}

/* Next use at or after POS that would like a register. */
static uint32_t next_use(struct scan *s, const struct interval *it, uint32_t pos)
{
    for (uint32_t u = it->use; u < it->use_end; u++) {
        const struct use *use = &s->c->uses.data[u];
        if (use->pos >= pos && use->kind >= USE_MEM)
            return use->pos;
    }
    return FOREVER;
}

/* Where the loop that runs now ends, if IT, there since before it, was wanted in this round and
 * so will be in the next. */
static uint64_t wanted_again(struct scan *s, const struct interval *it, uint32_t block)
{
    struct target_compiler *c = s->c;
    uint32_t loop = c->loop_of.data[block];
    if (loop == NO_LOOP || it->use == it->use_end)
        return UINT64_MAX;
    const struct use *last = &c->uses.data[it->use];
    uint32_t from = c->starts.data[loop], end = c->loop_end.data[loop];
    bool again = last->pos < s->position && last->pos >= from && last->kind >= USE_MEM &&
                 it->start <= from && it->end >= end;
    return again ? end : UINT64_MAX;
}

/* How far off the next use from the current position is, for choosing who gives way. A use outside
 * of the loop that runs now is later than any inside, since the reload then stands outside too.
 * What the next round of a loop takes over, as it is or through a phi, is wanted at the end of this
 * one, unless the phi starts in memory. After so many uses that do as well from memory it is far
 * enough. */
#define LOOP_DISTANCE (1ull << 32)
#define USES_LOOKED   64
static uint64_t wanted_at(struct scan *s, struct interval *it)
{
    struct target_compiler *c = s->c;
    uint32_t pos = s->position;
    uint32_t block = pos / 2 < c->ins.count ? c->block_of.data[pos / 2] : 0;
    unsigned depth = c->blocks.data[block].depth;
    /* Of the uses that are over only the last one still matters. */
    while (it->use + 1 < it->use_end && c->uses.data[it->use + 1].pos < pos)
        it->use++;
    bool any_counts = depth;
    if (depth) {
        mreg leader = phi_leader(c, it->vreg);
        uint32_t phi = leader == it->vreg ? 0 : vreg_at(c, leader)->interval;
        any_counts = !phi || at(s, phi)->start >= pos || at(s, phi)->reg;
    }
    uint64_t again = depth ? wanted_again(s, it, block) : UINT64_MAX;
    for (uint32_t u = it->use, steps = 0; u < it->use_end; u++, steps++) {
        const struct use *use = &c->uses.data[u];
        if (use->pos < pos)
            continue;
        if (use->kind < USE_MEM && (!any_counts || use->depth < depth) && steps < USES_LOOKED)
            continue;
        uint64_t next = use->pos + (use->depth < depth ? (depth - use->depth) * LOOP_DISTANCE : 0);
        return next < again ? next : again;
    }
    return again;
}

/* The last use before POS, or the start: splitting before it would leave it without the register.
 */
static uint32_t latest_use(struct scan *s, const struct interval *it, uint32_t pos)
{
    uint32_t last = it->start, def = vreg_at(s->c, it->vreg)->def;
    for (uint32_t u = it->use; u < it->use_end && s->c->uses.data[u].pos < pos; u++)
        if (s->c->uses.data[u].pos > last)
            last = s->c->uses.data[u].pos;
    if (def > last && def < pos)
        last = def;
    return last;
}

/* The same for an even split place: operands of the instruction that POS is the end of come after.
 */
static uint32_t last_use(struct scan *s, const struct interval *it, uint32_t pos)
{
    uint32_t last = latest_use(s, it, pos);
    return (last & ~1u) < (pos & ~1u) ? last : (pos & ~1u) - 1;
}

/* Interval I lives in memory from its start until a use needs a register. */
static void to_memory(struct scan *s, uint32_t i)
{
    struct target_compiler *c = s->c;
    struct interval *it = at(s, i);
    it->reg = 0;
    uint32_t depth =
        it->start / 2 < c->ins.count ? c->blocks.data[c->block_of.data[it->start / 2]].depth : 0;
    for (uint32_t u = it->use; u < it->use_end; u++) {
        const struct use *use = &c->uses.data[u];
        bool wants = use->kind == USE_REG || (use->kind == USE_MEM && use->depth > depth);
        if (!wants || use->pos < it->start)
            continue;
        uint32_t low = it->start > s->position ? it->start : s->position;
        uint32_t pos = split_place(c, low, use->pos);
        if (pos <= low && it->start > s->position) {
            heap_push(s, i); /* comes out of a hole right at the use: its turn is then */
            return;
        }
        if (pos <= low) { /* no room for a reload: cannot happen with enough registers */
            mir_fail(c);
            return;
        }
        uint32_t part = split(s, i, pos);
        if (part)
            heap_push(s, part);
        return;
    }
}

/* Takes the register away from I at the current position. */
static void evict(struct scan *s, uint32_t i)
{
    struct target_compiler *c = s->c;
    struct interval *it = at(s, i);
    uint32_t pos = s->position, last = latest_use(s, it, pos);
    uint32_t better = last < pos ? split_place(c, last, pos) : pos;
    if (better > last && better < pos && better > it->start)
        pos = better;
    if (pos <= it->start) { /* it started here and has not been used */
        to_memory(s, i);
        return;
    }
    uint32_t part = split(s, i, pos);
    if (part)
        to_memory(s, part);
}

/* Those in a hole of their life, by register: a heap by where they come back. */
static uint32_t comes_back(struct scan *s, uint32_t i)
{
    return s->c->ranges.data[at(s, i)->range].from;
}

static void hole_push(struct scan *s, uint32_t i)
{
    struct target_compiler *c = s->c;
    unsigned r = at(s, i)->reg;
    if (!vec_push(c, c->holes[r], i))
        return;
    s->holed |= 1ull << r;
    uint32_t *heap = c->holes[r].data, k = c->holes[r].count - 1;
    for (; k && comes_back(s, heap[(k - 1) / 2]) > comes_back(s, i); k = (k - 1) / 2)
        heap[k] = heap[(k - 1) / 2];
    heap[k] = i;
}

static uint32_t hole_pop(struct scan *s, unsigned r)
{
    uint32_t *heap = s->c->holes[r].data, top = heap[0], n = --s->c->holes[r].count;
    s->holed &= ~((uint64_t)!n << r);
    uint32_t last = heap[n], k = 0;
    for (uint32_t child = 1; child < n; child = 2 * k + 1) {
        if (child + 1 < n && comes_back(s, heap[child + 1]) < comes_back(s, heap[child]))
            child++;
        if (comes_back(s, heap[child]) >= comes_back(s, last))
            break;
        heap[k] = heap[child];
        k = child;
    }
    heap[k] = last;
    return top;
}

/* With more than so many in holes of one register, it counts as taken from when the first of them
 * comes back, whatever its ranges: each is looked at a bounded number of times. */
#define MANY_HOLES 16

static bool many_holes(struct scan *s, unsigned r)
{
    return s->c->holes[r].count > MANY_HOLES;
}

/* Puts I where it belongs at the current position: in its register, in a hole, or nowhere. */
static void settle(struct scan *s, uint32_t i)
{
    struct target_compiler *c = s->c;
    struct interval *it = at(s, i);
    if (it->end <= s->position)
        return;
    while (it->range < it->range_end && c->ranges.data[it->range].to <= s->position)
        it->range++;
    if (it->range == it->range_end)
        return;
    if (c->ranges.data[it->range].from > s->position) {
        hole_push(s, i);
        return;
    }
    s->active[it->reg] = i;
    s->idle &= ~(1ull << it->reg);
}

static inline void find_event(struct scan *s, unsigned r)
{
    struct target_compiler *c = s->c;
    const struct interval *it = at(s, s->active[r]);
    uint32_t event = s->active[r] ? range_to(s, it, it->range) : FOREVER;
    if (s->holed >> r & 1 && comes_back(s, c->holes[r].data[0]) < event)
        event = comes_back(s, c->holes[r].data[0]);
    s->event[r] = event;
    if (event == FOREVER)
        return;
    uint32_t *due = event / 2 < s->swept ? &s->due : &c->due.data[event / 2];
    *due |= 1u << (r - 1);
}

/* What happens to register R at the current position; mostly, that a life ends. */
static inline void pass_event(struct scan *s, unsigned r)
{
    uint32_t i = s->active[r];
    s->active[r] = 0;
    s->idle |= 1ull << r;
    s->event[r] = FOREVER;
    if (at(s, i)->end > s->position)
        settle(s, i);
    while (s->holed >> r & 1 && comes_back(s, s->c->holes[r].data[0]) <= s->position)
        settle(s, hole_pop(s, r));
    if (s->active[r] || s->holed >> r & 1)
        find_event(s, r);
}

/* To the current position, with the registers of one class. Events are entered in c->due where they
 * were foreseen last; those that were put off since are found again. */
static void advance(struct scan *s, uint64_t class)
{
    struct target_compiler *c = s->c;
    uint32_t pos = s->position, swept = pos / 2 + 1, count = swept - s->swept;
    const uint32_t *due = c->due.data + s->swept;
    s->swept = swept;
    for (; count > 4; count--) /* four and fewer without a branch: they are many and all alike */
        s->due |= *due++;
    s->due |= (due[0] & -(uint32_t)(count > 0)) | (due[1] & -(uint32_t)(count > 1)) |
              (due[2] & -(uint32_t)(count > 2)) | (due[3] & -(uint32_t)(count > 3));
    for (uint32_t left = s->due & (uint32_t)(class >> 1); left; left &= left - 1) {
        unsigned r = 1 + (unsigned)__builtin_ctz(left);
        if (s->event[r] > pos && s->event[r] / 2 < swept)
            continue; /* by the end of this instruction */
        s->due &= ~(left & -left);
        if (s->event[r] <= pos)
            pass_event(s, r);
    }
    while (s->next_call < pos)
        s->next_call =
            ++s->clobber_cursor < c->clobbers.count ? c->clobbers.data[s->clobber_cursor] : FOREVER;
}

static void occupy(struct scan *s, uint32_t i, unsigned reg)
{
    struct target_compiler *c = s->c;
    struct interval *it = at(s, i);
    struct vreg *leader = vreg_at(c, phi_leader(c, it->vreg));
    it->reg = (uint8_t)reg;
    vreg_at(c, it->vreg)->last_reg = (uint8_t)reg;
    s->active[reg] = i;
    s->idle &= ~(1ull << reg);
    find_event(s, reg);
    c->used_regs |= 1u << (reg - 1);
    if (!it->split || !leader->group_reg)
        leader->group_reg = (uint8_t)reg;
}

/* The register a hint stands for now; 0 unknown. */
static unsigned hint_reg(struct scan *s, mreg hint)
{
    if (hint < FIRST_VREG)
        return hint;
    const struct vreg *v = vreg_at(s->c, hint);
    return v->last_reg ? v->last_reg : vreg_at(s->c, phi_leader(s->c, hint))->group_reg;
}

/* Registers that the current interval IT would like, the first one most, 0: none; answers them as a
 * set too. */
enum { HINTS = 6 };
static inline uint64_t collect_hints(struct scan *s, const struct interval *it,
                                     uint8_t hints[HINTS])
{
    struct target_compiler *c = s->c;
    const struct vreg *v = vreg_at(c, it->vreg);
    unsigned before = v->last_reg; /* of an earlier part */
    if (!before && (v->leads || v->phi_group))
        before = join_hint(s->c, it);
    unsigned group = vreg_at(c, phi_leader(c, it->vreg))->group_reg;
    unsigned use = 0, next = 0, next_group = 0, source = 0;
    for (uint32_t u = it->use; v->hinted && !use && u < it->use_end && u < it->use + 4; u++)
        use = c->uses.data[u].hint;
    if (v->hint2)
        next = hint_reg(s, v->hint2);
    if (v->hint)
        source = hint_reg(s, v->hint);
    if (v->hint2 >= FIRST_VREG)
        next_group = vreg_at(c, phi_leader(c, v->hint2))->group_reg;
    hints[0] = (uint8_t)before;
    hints[1] = (uint8_t)group;
    hints[2] = (uint8_t)use;
    hints[3] = (uint8_t)next;
    hints[4] = (uint8_t)source;
    hints[5] = (uint8_t)next_group;
    return 1ull << before | 1ull << group | 1ull << use | 1ull << next | 1ull << source |
           1ull << next_group;
}

/* Until when register R is free for the current interval IT. */
static uint32_t free_until(struct scan *s, const struct interval *it, unsigned r)
{
    struct target_compiler *c = s->c;
    if (s->active[r])
        return 0;
    if (s->known >> r & 1)
        return s->until[r];
    uint32_t call = callee_saved(r) ? FOREVER : s->call;
    uint32_t until = intersect_fixed(s, it, r, call);
    if (call < until)
        until = call;
    /* Lives that began in SSA form at their definition meet nothing that is in a hole there. */
    uint32_t waiting = it->split && s->holed >> r & 1 ? c->holes[r].count : 0;
    for (uint32_t n = 0; n < waiting && until; n++) {
        uint32_t other = c->holes[r].data[n];
        bool many = many_holes(s, r);
        uint32_t meet = many ? comes_back(s, other) : intersect(s, it, at(s, other));
        if (meet < until)
            until = meet;
        if (many)
            break;
    }
    s->known |= 1ull << r;
    return s->until[r] = until;
}

/* The first of REGS, which are idle, that is free for all of IT, 0: none. Those not saved are among
 * them only if IT lives across no call. */
static inline unsigned first_free(struct scan *s, const struct interval *it, uint64_t regs)
{
    for (; regs; regs &= regs - 1) {
        unsigned r = (unsigned)__builtin_ctzll(regs);
        bool simple = s->fixed_from[r] >= it->end && !(it->split & s->holed >> r);
        if (simple || free_until(s, it, r) >= it->end)
            return r;
    }
    return 0;
}

/* A register for the current interval I, which gets none for all of its life: for the first part of
 * it, if that is worth it; 0: none. */
__attribute__((noinline)) static unsigned
take_first_part(struct scan *s, uint32_t i, uint64_t class, const uint8_t hints[HINTS])
{
    const struct interval *it = at(s, i);
    uint64_t idle = s->idle & class;
    uint32_t best = 0;
    unsigned reg = 0;
    for (uint64_t left = idle; left;) {
        unsigned r = take_reg(&left);
        uint32_t until = free_until(s, it, r);
        if (until > best) {
            best = until;
            reg = r;
        }
        if (best >= s->call)
            left &= SAVED; /* the others are lost there too */
    }
    for (unsigned k = 0; k < HINTS; k++)
        if (idle >> hints[k] & 1 && free_until(s, it, hints[k]) == best)
            reg = hints[k];
    /* Not worth it when nothing wants the register before it is lost. */
    if ((best & ~1u) <= it->start || next_use(s, it, it->start) >= best)
        return 0;
    uint32_t part = split(s, i, split_place(s->c, last_use(s, it, best), best));
    if (!part)
        return 0;
    heap_push(s, part);
    return reg;
}

/* A free register for the current interval I, or for its first part; 0: none. */
static unsigned take_free(struct scan *s, uint32_t i, uint64_t class)
{
    const struct interval *it = at(s, i);
    s->call = intersect_calls(s, it);
    s->known = 0;
    uint8_t hints[HINTS];
    uint64_t wished = collect_hints(s, it, hints);
    uint64_t idle = s->idle & class, used = (uint64_t)s->c->used_regs << 1;
    if (s->call < it->end)
        idle &= SAVED;
    unsigned reg = 0;
    for (unsigned k = 0; k < HINTS && !reg && wished & idle; k++)
        reg = first_free(s, it, idle & 1ull << hints[k]);
    if (!reg)
        reg = first_free(s, it, idle & ~SAVED);
    if (!reg)
        reg = first_free(s, it, idle & SAVED & used);
    if (!reg)
        reg = first_free(s, it, idle & SAVED & ~used);
    return reg ? reg : take_first_part(s, i, class, hints);
}

/* Those in a hole of REG lose it when they come back, if I then is still there. */
static void lose_holes(struct scan *s, uint32_t i, unsigned reg)
{
    uint32_t others[MANY_HOLES], count = s->c->holes[reg].count;
    if (!count || many_holes(s, reg))
        return; /* I is gone before the first of many comes back */
    memcpy(others, s->c->holes[reg].data, count * sizeof *others);
    s->c->holes[reg].count = 0;
    s->holed &= ~(1ull << reg);
    for (uint32_t k = 0; k < count; k++) {
        if (intersect(s, at(s, i), at(s, others[k])) == FOREVER) {
            hole_push(s, others[k]);
            continue;
        }
        uint32_t part = split(s, others[k], s->position);
        if (!part)
            return;
        to_memory(s, part);
    }
}

/* The same with regard to how long memory takes: where a loop starts, what passes from one round to
 * the next in memory had better be ready early. */
static uint64_t wanted_from(struct scan *s, struct interval *it)
{
    uint64_t wanted = wanted_at(s, it);
    bool never = wanted <= s->position + 1 || wanted >= LOOP_DISTANCE;
    return never || !s->loop_starts ? wanted : wanted + loop_slack(s->c, it->vreg, s->position);
}

/* When the current interval IT would lose a register, and how late others want it: wanted_from().
 */
struct claim {
    uint32_t block;
    uint64_t wanted;
};

static void claim_of_holes(struct scan *s, const struct interval *it, unsigned r,
                           struct claim *claim)
{
    const uint32_t *holes = s->c->holes[r].data;
    if (many_holes(s, r)) {
        if (comes_back(s, holes[0]) < claim->block)
            claim->block = comes_back(s, holes[0]);
        return;
    }
    for (uint32_t n = 0; n < s->c->holes[r].count; n++) {
        struct interval *other = at(s, holes[n]);
        if (intersect(s, it, other) == FOREVER)
            continue;
        uint64_t wanted = wanted_at(s, other);
        claim->wanted = wanted < claim->wanted ? wanted : claim->wanted;
    }
}

static struct claim claim_of(struct scan *s, const struct interval *it, unsigned r)
{
    uint32_t call = callee_saved(r) ? FOREVER : s->call;
    uint32_t fixed = intersect_fixed(s, it, r, call);
    struct claim claim = {fixed < call ? fixed : call, UINT64_MAX};
    if (s->active[r])
        claim.wanted = wanted_from(s, at(s, s->active[r]));
    if (s->holed >> r & 1)
        claim_of_holes(s, it, r, &claim);
    if (claim.block != FOREVER && claim.wanted > claim.block)
        claim.wanted = claim.block;
    return claim;
}

/* The register for the current interval I that others want the latest, taken away from them; 0:
 * they all need theirs sooner. */
static unsigned take_blocked(struct scan *s, uint32_t i, uint64_t class)
{
    struct target_compiler *c = s->c;
    struct interval *it = at(s, i);
    unsigned reg = 0;
    uint32_t block = it->start / 2 < c->ins.count ? c->block_of.data[it->start / 2] : 0;
    s->loop_starts = c->loop_of.data[block] == block && it->start == c->starts.data[block];
    struct claim best = {0, 0};
    for (uint64_t left = class; left;) {
        unsigned r = take_reg(&left);
        struct claim claim = claim_of(s, it, r);
        if ((claim.block & ~1u) > it->start && claim.wanted > best.wanted) {
            best = claim;
            reg = r;
        }
    }
    uint64_t first = wanted_from(s, it);
    bool must = false;
    for (uint32_t u = it->use; u < it->use_end && c->uses.data[u].pos <= it->start + 1; u++)
        must |= c->uses.data[u].kind == USE_REG;
    if (!must && (!reg || best.wanted <= first)) {
        to_memory(s, i);
        return 0;
    }
    if (!reg) {
        mir_fail(c);
        return 0;
    }
    if (best.block < it->end) {
        uint32_t part = split(s, i, split_place(c, last_use(s, it, best.block), best.block));
        if (!part)
            return 0;
        heap_push(s, part);
    }
    uint32_t loser = s->active[reg];
    if (loser)
        evict(s, loser);
    lose_holes(s, i, reg);
    return reg;
}

/* What is free where the loops start that the scan has come past: for moves on the edges there. */
static void note_free(struct scan *s)
{
    struct target_compiler *c = s->c;
    while (s->next_start < s->position) {
        struct mblock *block = &c->blocks.data[s->next_header];
        for (uint64_t idle = s->idle & GPRS; idle; idle &= idle - 1) {
            unsigned r = (unsigned)__builtin_ctzll(idle);
            if (s->event[r] > s->next_start)
                block->free |= 1u << (r - 1);
        }
        s->next_header = block->next_header;
        s->next_start = s->next_header == NO_LOOP ? FOREVER : c->starts.data[s->next_header];
    }
}

bool regalloc_run(struct target_compiler *c)
{
    struct scan s = {.c = c};
    memset(s.event, 0xff, sizeof s.event);
    for (unsigned r = 0; r < REG_COUNT; r++)
        s.fixed_from[r] = c->fixed[r].count ? c->fixed[r].data[0].from : FOREVER;
    s.next_call = c->clobbers.count ? c->clobbers.data[0] : FOREVER;
    size_t events = (size_t)c->ins.count + 1 + 4; /* advance() looks so far */
    if (!vec_reserve(c, c->due, events))
        return false;
    memset(c->due.data, 0, events * sizeof *c->due.data);
    s.idle = GPRS | XMMS;
    c->heap.count = 0;
    for (unsigned r = 0; r < REG_COUNT; r++)
        c->holes[r].count = 0;
    /* Where exceptions arrive all are saved, so that the unwinder need not know which. */
    c->used_regs = c->catches ? SAVED_REGS : 0;
    s.next_header = find_loops(c);
    s.next_start = s.next_header == NO_LOOP ? FOREVER : c->starts.data[s.next_header];
    uint32_t steps = 0, whole = c->intervals.count; /* parts come behind */
    for (uint32_t next = 1; (next < whole || c->heap.count) && !c->failed;) {
        uint32_t i;
        if (++steps % 1024 == 0 && ir_late(c->f))
            return false;
        if (c->heap.count &&
            (next >= whole || at(&s, c->heap.data[0])->start <= at(&s, next)->start))
            i = heap_pop(&s);
        else
            i = next++;
        s.position = at(&s, i)->start;
        if (s.next_start < s.position)
            note_free(&s);
        const struct vreg *v = vreg_at(c, at(&s, i)->vreg);
        uint64_t class = v->xmm ? XMMS : GPRS;
        advance(&s, class);
        if (v->incoming && !at(&s, i)->split) {
            to_memory(&s, i);
            continue;
        }
        unsigned reg = take_free(&s, i, class);
        if (!reg && !c->failed)
            reg = take_blocked(&s, i, class);
        if (reg)
            occupy(&s, i, reg);
    }
    return !c->failed;
}
