/* Where each virtual register lives, as ranges of positions. Those that are used in other blocks
 * than that of their definition are looked at 64 at a time, a bit each: from their uses back to
 * their definitions, the last block first, then forwards again, where only blocks cost something in
 * which a range begins or ends. A definition stands before all uses. */
#include "target/x86_64/mir.h"

#include <string.h>

enum { BATCH = 64 };

/* 64 registers or fewer, and where the range of each stands that is being made. */
struct batch {
    uint32_t count;
    mreg regs[BATCH];
    uint32_t from[BATCH];
    uint32_t use[BATCH];  /* the first that is not behind, in use_nodes */
    uint32_t last[BATCH]; /* range node, 0: none yet */
};

/* A set of blocks, and the words of it that may not be 0. */
struct block_set {
    uint64_t *words;
    uint32_t low, high;
};

static inline void set_add(struct block_set *set, uint32_t b)
{
    uint32_t word = b / 64;
    set->words[word] |= 1ull << b % 64;
    set->low = word < set->low ? word : set->low;
    set->high = word > set->high ? word : set->high;
}

/* A phi's operand, which the edge's move reads where its block ends, wherever it is then. */
static inline bool at_end(const struct use *use)
{
    return use->kind == USE_NONE && !(use->pos & 1);
}

/* Before which position it counts. */
static inline uint32_t use_before(const struct use *use)
{
    return at_end(use) ? use->pos : use->pos + 1;
}

static uint32_t def_block(const struct target_compiler *c, const struct vreg *v)
{
    return v->start / 2 < c->ins.count ? c->block_of.data[v->start / 2] : 0;
}

/* Enters register I of a batch where it is used. */
static void enter_uses(struct target_compiler *c, const struct vreg *v, uint32_t i,
                       struct block_set *pending, struct block_set *touched)
{
    struct live_block *blocks = c->live.data;
    uint64_t bit = 1ull << i;
    uint32_t from = def_block(c, v);
    blocks[from].defs |= bit;
    set_add(touched, from);
    for (uint32_t n = v->uses; n; n = c->use_nodes.data[n].next) {
        const struct use *use = &c->use_nodes.data[n].use;
        uint32_t b = c->block_of.data[(use_before(use) - 1) / 2];
        if (at_end(use))
            blocks[b].out |= bit;
        if (b == from || blocks[b].in & bit)
            continue;
        blocks[b].in |= bit;
        blocks[b].pending |= bit;
        set_add(pending, b);
        set_add(touched, b);
    }
}

/* From where they are used back to where they are defined: what lives at a block's start lives at
 * the end of all before it. */
static void go_back(struct target_compiler *c, struct block_set *pending, struct block_set *touched)
{
    struct live_block *blocks = c->live.data;
    const uint32_t *preds = c->preds.data, *pred_first = c->pred_first.data;
    for (;;) {
        uint32_t word = pending->high; /* a loop's way back may have led behind the last one */
        if (!pending->words[word]) {
            if (word <= pending->low)
                return;
            pending->high--;
            continue;
        }
        unsigned k = 63 - (unsigned)__builtin_clzll(pending->words[word]);
        uint32_t b = word * 64 + k;
        pending->words[word] &= ~(1ull << k);
        uint64_t bits = blocks[b].pending;
        blocks[b].pending = 0;
        for (uint32_t i = pred_first[b]; i < pred_first[b + 1]; i++) {
            struct live_block *before = &blocks[preds[i]];
            before->out |= bits;
            uint64_t fresh = bits & ~(before->defs | before->in);
            if (!fresh)
                continue;
            before->in |= fresh;
            before->pending |= fresh;
            set_add(pending, preds[i]);
            set_add(touched, preds[i]);
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
    uint32_t n = batch->use[i], to = 0;
    for (; n && use_before(&c->use_nodes.data[n].use) <= pos; n = c->use_nodes.data[n].next)
        to = use_before(&c->use_nodes.data[n].use);
    batch->use[i] = n;
    return to;
}

#define EACH_BIT(i, bits)                                                                          \
    for (uint64_t left = (bits), i; left && (i = (uint64_t)__builtin_ctzll(left), true);           \
         left &= left - 1)

/* The ranges of a batch, from those blocks in which one of it lives; leaves all as it was. */
static void put_ranges(struct target_compiler *c, struct batch *batch, struct block_set *touched)
{
    const uint32_t *starts = c->starts.data;
    uint64_t open = 0;
    uint32_t behind = 0; /* the last block of them */
    for (uint32_t word = touched->low; word <= touched->high && word != UINT32_MAX; word++) {
        for (; touched->words[word]; touched->words[word] &= touched->words[word] - 1) {
            uint32_t b = word * 64 + (uint32_t)__builtin_ctzll(touched->words[word]);
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

/* Finds where registers live that do in several blocks. */
static void find_ranges(struct target_compiler *c, struct batch *batch, uint64_t *sets,
                        uint32_t words)
{
    struct block_set pending = {sets, UINT32_MAX, 0}, touched = {sets + words, UINT32_MAX, 0};
    c->range_nodes.count = 1; /* 0 is none */
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct vreg *v = vreg_at(c, batch->regs[i]);
        batch->use[i] = v->uses;
        batch->last[i] = 0;
        enter_uses(c, v, i, &pending, &touched);
    }
    if (pending.low <= pending.high)
        go_back(c, &pending, &touched);
    if (touched.low <= touched.high)
        put_ranges(c, batch, &touched);
}

/* The interval of R with its uses; its ranges beyond the block of its definition are those in the
 * ring that ends with LAST, 0: none. */
static void put_interval(struct target_compiler *c, mreg r, uint32_t last)
{
    struct vreg *v = vreg_at(c, r);
    struct range own = {v->start, v->start + 1}; /* in the block of the definition */
    uint32_t own_end = c->starts.data[def_block(c, v) + 1];
    struct interval it = {
        .vreg = r, .start = v->start, .range = c->ranges.count, .use = c->uses.count};
    for (uint32_t n = v->uses; n; n = c->use_nodes.data[n].next) {
        struct use use = c->use_nodes.data[n].use;
        uint32_t before = use_before(&use);
        if (before > own.to && before <= own_end)
            own.to = before;
        if (at_end(&use)) {
            use.kind = USE_ANY;
            use.pos--;
        }
        if (use.kind != USE_NONE)
            c->uses.data[c->uses.count++] = use; /* there is room for all nodes */
    }
    uint32_t first = last ? c->range_nodes.data[last].next : 0;
    if (!first || c->range_nodes.data[first].range.from != own.from)
        vec_push(c, c->ranges, own);
    for (uint32_t n = first; n; n = n == last ? 0 : c->range_nodes.data[n].next)
        vec_push(c, c->ranges, c->range_nodes.data[n].range);
    if (c->failed)
        return;
    it.end = v->end = c->ranges.data[c->ranges.count - 1].to;
    it.range_end = c->ranges.count;
    it.use_end = c->uses.count;
    if (vec_push(c, c->intervals, it))
        v->interval = c->intervals.count - 1;
}

bool live_ranges(struct target_compiler *c)
{
    uint32_t blocks = c->blocks.count, words = blocks / 64 + 1;
    struct interval no_interval = {0}; /* entry 0 means none */
    struct range_node no_node = {0};
    c->uses.count = c->ranges.count = c->intervals.count = c->range_nodes.count = 0;
    if (!vec_push(c, c->intervals, no_interval) || !vec_push(c, c->range_nodes, no_node) ||
        !vec_reserve(c, c->uses, c->use_nodes.count) || !vec_reserve(c, c->live, blocks) ||
        !vec_reserve(c, c->sets, 2 * (uint64_t)words))
        return false;
    memset(c->live.data, 0, blocks * sizeof *c->live.data);
    memset(c->sets.data, 0, 2 * words * sizeof *c->sets.data);
    struct batch batch;
    for (uint32_t first = 0, end; first < c->defs.count && !c->failed; first = end) {
        batch.count = 0;
        for (end = first; end < c->defs.count && batch.count < BATCH; end++)
            if (vreg_at(c, c->defs.data[end])->leaves)
                batch.regs[batch.count++] = c->defs.data[end];
        find_ranges(c, &batch, c->sets.data, words);
        for (uint32_t k = first, i = 0; k < end && !c->failed; k++) {
            mreg r = c->defs.data[k];
            put_interval(c, r, vreg_at(c, r)->leaves ? batch.last[i++] : 0);
        }
    }
    return !c->failed;
}
