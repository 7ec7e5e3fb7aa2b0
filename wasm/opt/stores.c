/* Byte-wise stores: pieces of one value stored side by side, in either byte order, become one
 * store.
 *
 * What the first of them wrote can be seen when a later one traps. So they are joined only where
 * either none can trap once the first did not, because it has the highest address, or none can trap
 * at all: an access before in the block reached as far, or the address is known to be inside of the
 * memory's smallest size. */
#include "opt/bytes.h"
#include "opt/fold.h"
#include "host.h"

enum { RUN_MAX = 8, BACK_MAX = 64 };

struct joiner {
    struct ir_func *f;
    struct ir_range *ranges; /* made when first asked for */
    uint32_t range_count;
    ir_ref run[RUN_MAX]; /* stores with nothing between them that has an effect or may trap */
    unsigned count;
};

/* Stores run[first] to run[last] cover COUNT bytes. */
struct group {
    unsigned first, last, count;
    ir_ref lowest, source;
    unsigned from; /* the first byte of the source that is stored */
    bool reversed, wraps, downwards;
};

static bool find_source(const struct ir_func *f, const struct byte_source *bytes, struct group *g)
{
    g->source = bytes[0].source;
    g->reversed = bytes[1].byte < bytes[0].byte;
    g->from = bytes[g->reversed ? g->count - 1 : 0].byte;
    if (!g->source || g->from + g->count > byte_width(&f->ins[g->source]))
        return false;
    for (unsigned i = 0; i < g->count; i++)
        if (bytes[i].source != g->source ||
            bytes[i].byte != g->from + (g->reversed ? g->count - 1 - i : i))
            return false;
    return true;
}

/* Whether the stores lie side by side, and pieces of one value in them. */
static bool find_group(const struct joiner *j, struct group *g)
{
    const struct ir_func *f = j->f;
    const struct ir_ins *first = &f->ins[j->run[g->first]];
    int64_t at[RUN_MAX], low = 0;
    g->lowest = j->run[g->first];
    g->wraps = false;
    for (unsigned i = g->first; i <= g->last; i++) {
        bool wraps;
        if (!byte_distance(f, &f->ins[j->run[i]], first, &at[i], &wraps))
            return false;
        g->wraps |= wraps;
        if (at[i] < low) {
            low = at[i];
            g->lowest = j->run[i];
        }
    }
    struct byte_source bytes[8] = {{0, 0}};
    unsigned filled = 0;
    for (unsigned i = g->first; i <= g->last; i++) {
        const struct ir_ins *store = &f->ins[j->run[i]];
        unsigned size = ir_access_bytes(store->access);
        int64_t place = at[i] - low;
        if (place + size > g->count || filled >> place & 1)
            return false;
        for (unsigned k = 0; k < size; k++)
            if (!byte_source(f, store->b, k, &bytes[place + k]))
                return false;
        filled |= ((1u << size) - 1) << place;
    }
    g->downwards = at[g->first] - low + ir_access_bytes(first->access) == g->count;
    return filled == (1u << g->count) - 1 && find_source(f, bytes, g);
}

/* Whether an access before the group has reached its end. */
static bool reached(const struct ir_func *f, ir_ref before, ir_ref lowest, unsigned count)
{
    const struct ir_ins *low = &f->ins[lowest];
    ir_ref r = f->ins[before].prev;
    for (unsigned steps = 0; r && steps < BACK_MAX; steps++, r = f->ins[r].prev) {
        const struct ir_ins *ins = &f->ins[r];
        int64_t distance;
        bool wraps;
        if ((ins->op == IR_LOAD || ins->op == IR_STORE) &&
            byte_distance(f, ins, low, &distance, &wraps) && !wraps && distance >= 0 &&
            distance + ir_access_bytes(ins->access) >= count)
            return true;
    }
    return false;
}

static bool inside_memory(struct joiner *j, ir_ref lowest, unsigned count)
{
    struct ir_func *f = j->f;
    const struct ir_ins *low = &f->ins[lowest];
    if (!f->module || low->aux >= f->module->memory_count || f->ins[low->a].type != IR_I32)
        return false;
    if (!j->ranges) {
        j->range_count = f->ins_count;
        j->ranges = wasm_host_alloc((size_t)f->ins_count * sizeof *j->ranges);
        if (!j->ranges) {
            f->failed = true;
            return false;
        }
        ir_ranges(f, j->ranges);
    }
    uint64_t size = f->module->memories[low->aux].min_pages << 16, last;
    if (low->a >= j->range_count || f->module->memories[low->aux].min_pages > UINT16_MAX)
        return false;
    last = (uint64_t)j->ranges[low->a].hi + count;
    return low->imm <= size && last <= size - low->imm;
}

static bool may_join(struct joiner *j, const struct group *g)
{
    if (!g->wraps && (g->downwards || reached(j->f, j->run[g->first], g->lowest, g->count)))
        return true;
    return inside_memory(j, g->lowest, g->count);
}

static void join(struct joiner *j, const struct group *g)
{
    static const uint8_t accesses[] = {[2] = IR_U16, [4] = IR_U32, [8] = IR_64};
    struct ir_func *f = j->f;
    ir_ref last = j->run[g->last], value = g->source;
    uint8_t type = f->ins[value].type;
    if (g->from)
        value = fold_binary(f, last, IR_SHR_U, type, value, fold_const(f, last, type, g->from * 8));
    if (g->reversed)
        value = byte_swapped(f, last, value, g->count, g->count == 8 ? IR_I64 : IR_I32);
    if (f->failed)
        return;
    struct ir_ins *store = &f->ins[last];
    const struct ir_ins *low = &f->ins[g->lowest];
    store->a = low->a;
    store->imm = low->imm;
    store->b = value;
    store->access = accesses[g->count];
    store->pos = f->ins[j->run[g->first]].pos;
    for (unsigned i = g->first; i < g->last; i++)
        ir_remove(f, j->run[i]);
}

/* The run is over. */
static void finish(struct joiner *j)
{
    static const uint8_t counts[] = {8, 4, 2};
    for (unsigned first = 0; first + 1 < j->count && !j->f->failed;) {
        unsigned next = first + 1;
        for (unsigned k = 0; k < 3 && next == first + 1; k++) {
            struct group g = {.first = first, .count = counts[k]};
            unsigned bytes = 0;
            for (unsigned i = first; i < j->count && bytes < g.count; i++) {
                bytes += ir_access_bytes(j->f->ins[j->run[i]].access);
                g.last = i;
            }
            if (bytes == g.count && g.last > first && find_group(j, &g) && may_join(j, &g)) {
                join(j, &g);
                next = g.last + 1;
            }
        }
        first = next;
    }
    j->count = 0;
}

static bool is_piece(const struct ir_func *f, const struct ir_ins *ins)
{
    uint8_t type = f->ins[ins->b].type;
    return (type == IR_I32 || type == IR_I64) &&
           (ins->access == IR_U8 || ins->access == IR_U16 || ins->access == IR_U32) &&
           f->ins[ins->b].op != IR_CONST;
}

bool opt_stores(struct ir_func *f)
{
    if (!f->shifts)
        return true;
    struct joiner j = {.f = f};
    for (uint32_t i = 0; i < f->order_count && !f->failed; i++) {
        for (ir_ref r = f->blocks[f->order[i]].first; r && !f->failed; r = f->ins[r].next) {
            const struct ir_ins *ins = &f->ins[r];
            if (ins->op == IR_STORE && is_piece(f, ins)) {
                if (j.count == RUN_MAX)
                    finish(&j);
                j.run[j.count++] = r;
            } else if (j.count && ir_flags[ins->op] & (IR_T | IR_R | IR_W | IR_K | IR_E)) {
                finish(&j);
            }
        }
        finish(&j);
    }
    wasm_host_free(j.ranges);
    return !f->failed;
}
