/* Where each virtual register lives, as ranges of positions. Most are used in the block of their
 * definition or where only that leads. The others are looked at 64 at a time, a bit each: from
 * their uses back to their definitions, the last block first, then forwards again, where only
 * blocks cost something in which a range begins or ends. A definition stands before all uses. */
#include "target/x86_64/mir.h"

#include <string.h>

enum { BATCH = 64 };

/* 64 registers or fewer, and where the range of each stands that is being made. */
struct batch {
    uint32_t count;
    uint32_t defs[BATCH]; /* numbers in c->defs */
    mreg regs[BATCH];
    uint32_t from[BATCH];
    uint32_t use[BATCH]; /* the first that is not behind, in c->uses, */
    uint32_t use_end[BATCH];
    uint32_t last[BATCH]; /* range node, 0: none yet */
};

/* Sets of blocks, and which words may not be 0. */
struct block_sets {
    struct block_word *words;
    uint32_t low, high;
};

static inline void add_block(struct block_sets *sets, uint32_t b, bool pending)
{
    uint32_t word = b / 64;
    sets->words[word].touched |= 1ull << b % 64;
    sets->words[word].pending |= (uint64_t)pending << b % 64;
    sets->low = word < sets->low ? word : sets->low;
    sets->high = word > sets->high ? word : sets->high;
}

static uint32_t def_block(const struct target_compiler *c, const struct vreg *v)
{
    return v->start / 2 < c->ins.count ? c->block_of.data[v->start / 2] : 0;
}

/* Enters register I of a batch where it is used behind the block of its definition. */
static void enter_uses(struct target_compiler *c, mreg r, uint32_t i, struct block_sets *sets)
{
    struct live_block *blocks = c->live.data;
    uint64_t bit = 1ull << i;
    uint32_t from = def_block(c, vreg_at(c, r)), u = c->use_first.data[r];
    blocks[from].defs |= bit;
    add_block(sets, from, false);
    while (c->uses.data[u].pos < c->starts.data[from + 1])
        u++;
    for (uint32_t end = c->use_first.data[r + 1]; u < end; u++) {
        const struct use *use = &c->uses.data[u];
        uint32_t b = c->block_of.data[use->pos / 2];
        blocks[b].out |= (uint64_t)(use->kind == USE_AT_END) << i;
        blocks[b].in |= bit;
        blocks[b].pending |= bit;
        add_block(sets, b, true);
    }
}

/* From where they are used back to where they are defined: what lives at a block's start lives at
 * the end of all before it. */
static void go_back(struct target_compiler *c, struct block_sets *sets)
{
    struct live_block *blocks = c->live.data;
    struct block_word *words = sets->words;
    const uint32_t *preds = c->preds.data, *pred_first = c->pred_first.data;
    for (uint32_t word = sets->high;;) {
        if (!words[word].pending) {
            if (word <= sets->low)
                return;
            word--;
            continue;
        }
        unsigned k = 63 - (unsigned)__builtin_clzll(words[word].pending);
        uint32_t b = word * 64 + k;
        words[word].pending ^= 1ull << k;
        uint64_t bits = blocks[b].pending;
        blocks[b].pending = 0;
        for (uint32_t i = pred_first[b], end = pred_first[b + 1]; i < end; i++) {
            struct live_block *before = &blocks[preds[i]];
            before->out |= bits;
            uint64_t fresh = bits & ~(before->defs | before->in);
            if (!fresh)
                continue;
            before->in |= fresh;
            before->pending |= fresh;
            add_block(sets, preds[i], true);
            if (preds[i] / 64 > word) /* a loop's way back */
                word = preds[i] / 64;
        }
    }
}

static void put_range(struct target_compiler *c, struct batch *batch, uint32_t i, uint32_t to)
{
    uint32_t *last = &batch->last[i];
    if (*last && c->range_nodes.data[*last].range.to == batch->from[i]) {
        c->range_nodes.data[*last].range.to = to;
        return;
    }
    /* Forwards in a ring: the last one leads to the first. */
    uint32_t n = c->range_nodes.count;
    struct range_node node = {{batch->from[i], to}, n};
    if (!vec_push(c, c->range_nodes, node))
        return;
    if (*last) {
        c->range_nodes.data[n].next = c->range_nodes.data[*last].next;
        c->range_nodes.data[*last].next = n;
    }
    *last = n;
}

/* Behind the last use of register I before POS. */
static uint32_t last_use(struct target_compiler *c, struct batch *batch, uint32_t i, uint32_t pos)
{
    const struct use *uses = c->uses.data;
    uint32_t u = batch->use[i], end = batch->use_end[i];
    while (u < end && uses[u].pos < pos)
        u++;
    batch->use[i] = u;
    return uses[u - 1].pos + 1;
}

#define EACH_BIT(i, bits)                                                                          \
    for (uint64_t left = (bits), i; left && (i = (uint64_t)__builtin_ctzll(left), true);           \
         left &= left - 1)

/* The ranges of a batch, from those blocks in which one of it lives; leaves all as it was. */
static void put_ranges(struct target_compiler *c, struct batch *batch, struct block_sets *sets)
{
    const uint32_t *starts = c->starts.data;
    uint64_t open = 0;
    uint32_t behind = 0; /* the last block of them */
    for (uint32_t word = sets->low; word <= sets->high; word++) {
        uint64_t touched = sets->words[word].touched;
        sets->words[word].touched = 0;
        for (; touched; touched &= touched - 1) {
            uint32_t b = word * 64 + (uint32_t)__builtin_ctzll(touched);
            struct live_block live = c->live.data[b];
            c->live.data[b] = (struct live_block){0};
            uint64_t goes_on = b == behind ? open & live.in : 0;
            EACH_BIT (i, open & ~goes_on) {
                put_range(c, batch, (uint32_t)i, starts[behind]);
            }
            EACH_BIT (i, live.in & ~goes_on) {
                batch->from[i] = starts[b];
            }
            EACH_BIT (i, live.in & ~live.out) {
                put_range(c, batch, (uint32_t)i, last_use(c, batch, (uint32_t)i, starts[b + 1]));
            }
            EACH_BIT (i, live.out & live.defs) {
                batch->from[i] = vreg_at(c, batch->regs[i])->start;
            }
            open = live.out;
            behind = b + 1;
        }
    }
    EACH_BIT (i, open) {
        put_range(c, batch, (uint32_t)i, starts[behind]);
    }
}

/* The interval of the K-th register that is defined, whose ranges begin with number RANGE and are
 * the last ones so far. */
static void put_interval(struct target_compiler *c, uint32_t k, uint32_t range)
{
    mreg r = c->defs.data[k];
    struct vreg *v = vreg_at(c, r);
    v->end = c->ranges.data[c->ranges.count - 1].to;
    v->range = range;
    v->current = 0;
    c->intervals.data[k + 1] = (struct interval){
        .vreg = r,
        .start = v->start,
        .end = v->end,
        .range = range,
        .range_end = c->ranges.count,
        .use = c->use_first.data[r],
        .use_end = c->use_first.data[r + 1],
    };
}

/* Finds where the registers of a batch live, and empties it. */
static bool do_batch(struct target_compiler *c, struct batch *batch)
{
    struct block_sets sets = {c->sets.data, UINT32_MAX, 0};
    c->range_nodes.count = 1; /* 0 is none */
    for (uint32_t i = 0; i < batch->count; i++) {
        batch->use[i] = c->use_first.data[batch->regs[i]];
        batch->use_end[i] = c->use_first.data[batch->regs[i] + 1];
        batch->last[i] = 0;
        enter_uses(c, batch->regs[i], i, &sets);
    }
    go_back(c, &sets);
    put_ranges(c, batch, &sets);
    if (c->failed || !vec_reserve(c, c->ranges, (uint64_t)c->ranges.count + c->range_nodes.count))
        return false;
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t range = c->ranges.count, n = batch->last[i];
        do {
            n = c->range_nodes.data[n].next;
            c->ranges.data[c->ranges.count++] = c->range_nodes.data[n].range;
        } while (n != batch->last[i]);
        put_interval(c, batch->defs[i], range);
    }
    batch->count = 0;
    return true;
}

/* Whether R is used only in the block of its definition and in blocks that only that one leads to:
 * adds its ranges. */
static bool lives_near(struct target_compiler *c, mreg r)
{
    const struct vreg *v = vreg_at(c, r);
    const uint32_t *starts = c->starts.data, *first = c->pred_first.data;
    const struct use *use = c->uses.data + c->use_first.data[r];
    const struct use *behind = c->uses.data + c->use_first.data[r + 1];
    uint32_t def = def_block(c, v), end = starts[def + 1], ranges = c->ranges.count;
    struct range range = {v->start, end};
    if (use == behind || behind[-1].pos < end) {
        range.to = use == behind ? v->start + 1 : behind[-1].pos + 1;
        if (range.to < v->end) /* through its instruction */
            range.to = v->end;
        return vec_push(c, c->ranges, range);
    }
    for (; use < behind; use++) {
        if (use->pos >= end) {
            uint32_t b = c->block_of.data[use->pos / 2];
            if (first[b + 1] - first[b] != 1 || c->preds.data[first[b]] != def) {
                c->ranges.count = ranges;
                return false;
            }
            if (range.to != starts[b]) {
                vec_push(c, c->ranges, range);
                range.from = starts[b];
            }
            end = starts[b + 1];
        }
        if (end != starts[def + 1])
            range.to = use->pos + 1;
    }
    return vec_push(c, c->ranges, range);
}

bool live_ranges(struct target_compiler *c)
{
    uint32_t blocks = c->blocks.count, words = blocks / 64 + 1;
    c->ranges.count = c->range_nodes.count = 0;
    if (!vec_reserve(c, c->intervals, (uint64_t)c->defs.count + 1) ||
        !vec_reserve(c, c->range_nodes, 1) || !vec_reserve(c, c->live, blocks) ||
        !vec_reserve(c, c->sets, words))
        return false;
    c->intervals.data[0] = (struct interval){0}; /* means none */
    c->intervals.count = c->defs.count + 1;
    memset(c->live.data, 0, blocks * sizeof *c->live.data);
    memset(c->sets.data, 0, words * sizeof *c->sets.data);
    struct batch batch;
    batch.count = 0;
    for (uint32_t k = 0; k < c->defs.count; k++) {
        uint32_t range = c->ranges.count;
        if (lives_near(c, c->defs.data[k])) {
            put_interval(c, k, range);
            continue;
        }
        if (c->failed)
            return false;
        batch.defs[batch.count] = k;
        batch.regs[batch.count++] = c->defs.data[k];
        if (batch.count == BATCH && !do_batch(c, &batch))
            return false;
    }
    return !batch.count || do_batch(c, &batch);
}
