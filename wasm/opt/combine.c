/* Byte-wise loads in either byte order: a sum of parts that turn out to be adjacent bytes of
 * memory, or the bytes of one value turned around, becomes one load, one byte swap, or both.
 *
 * Of a sum that nobody looks at above its low half only that counts, which is how the bytes of 16
 * bits get turned around.
 *
 * The loads that a wide one stands for have no effect and no other kind of trap between them, and
 * the wide one traps if one of its bytes is outside of memory, as they would have: then they go,
 * unless somebody else uses what they loaded. Addresses i32.add(p, k) of adjacent bytes may lie on
 * both sides of 2^32: since no memory has the last page before 2^32 (MEMORY_MAX_PAGES), both the
 * narrow and the wide access trap then. */
#include "opt/bytes.h"
#include "opt/fold.h"
#include "host.h"

#include <string.h>

enum { TREE_MAX = 48, DISTANCE_MAX = 256 };

struct combiner {
    struct ir_func *f;
    uint32_t *uses, count; /* of the instructions below COUNT, those from before the pass */
    uint8_t *wide;         /* somebody wants more than the low half of an I32 */
    bool changed;          /* there are copies */
    bool halves;           /* a value lost what nobody wanted */
};

/* What a tree gives: COUNT bytes from byte AT of the result on, everything else 0. */
struct bytes {
    struct byte_source from[8];
    unsigned at, count;
};

static bool is_sum(const struct ir_ins *ins)
{
    return ins->op == IR_OR || ins->op == IR_XOR || ins->op == IR_ADD;
}

static bool shifts_bytes(const struct ir_func *f, const struct ir_ins *ins)
{
    int64_t k;
    if (ins->op == IR_ZEXT)
        ins = &f->ins[ins->a];
    return (ins->op == IR_SHL || ins->op == IR_SHR_U) && opt_const(f, ins->b, &k) && k &&
           k % 8 == 0;
}

/* Whether it is worth looking: both operands may be parts, and at least one is put in place. */
static bool is_candidate(const struct ir_func *f, const struct ir_ins *ins)
{
    if ((ins->op != IR_AND && !is_sum(ins)) || (ins->type != IR_I32 && ins->type != IR_I64))
        return false;
    int64_t k;
    const struct ir_ins *a = &f->ins[ins->a], *b = &f->ins[ins->b];
    if (ins->op == IR_AND)
        return is_sum(a) && a->op != IR_ADD && opt_const(f, ins->b, &k) &&
               (k == 0xffff || k == UINT32_MAX) &&
               (shifts_bytes(f, &f->ins[a->a]) || shifts_bytes(f, &f->ins[a->b]));
    if (b->op == IR_CONST)
        return false;
    if (shifts_bytes(f, a) || shifts_bytes(f, b))
        return true;
    return (is_sum(a) || a->op == IR_AND) && (is_sum(b) || b->op == IR_AND || b->op == IR_LOAD);
}

/* WIDTH: bytes of ROOT that are wanted. */
static bool find_bytes(const struct ir_func *f, ir_ref root, unsigned width, struct bytes *bytes)
{
    unsigned end = 0;
    bytes->at = width;
    for (unsigned i = 0; i < width; i++) {
        if (!byte_source(f, root, i, &bytes->from[i]))
            return false;
        if (!bytes->from[i].source)
            continue;
        if (bytes->at == width)
            bytes->at = i;
        end = i + 1;
    }
    bytes->count = end > bytes->at ? end - bytes->at : 0;
    return bytes->count == 2 || bytes->count == 4 || bytes->count == 8;
}

/* Instructions of the tree at ROOT that nobody else uses: what goes when ROOT becomes another. */
static unsigned tree_size(const struct combiner *c, ir_ref root)
{
    struct ir_func *f = c->f;
    ir_ref stack[TREE_MAX];
    unsigned depth = 0, size = 0;
    stack[depth++] = root;
    while (depth) {
        ir_ref r = stack[--depth];
        struct ir_ins *ins = &f->ins[r];
        if (r >= c->count || ins->op == IR_PHI ||
            (r != root && (c->uses[r] != 1 || ins->op == IR_CONST)))
            continue;
        size++;
        if (ins->op == IR_LOAD)
            continue;
        uint32_t count = ir_operand_count(ins);
        for (uint32_t k = 0; k < count && depth < TREE_MAX && size < TREE_MAX; k++)
            stack[depth++] = *ir_operand(f, ins, k);
    }
    return size;
}

/* All bytes from one value, from its lowest on: ascending or, with REVERSED, the other way. */
static bool one_value(const struct ir_func *f, const struct bytes *bytes, bool *reversed)
{
    const struct byte_source *from = bytes->from + bytes->at;
    ir_ref source = from[0].source;
    *reversed = from[0].byte != 0;
    for (unsigned i = 0; i < bytes->count; i++)
        if (from[i].source != source || from[i].byte != (*reversed ? bytes->count - 1 - i : i))
            return false;
    const struct ir_ins *ins = &f->ins[source];
    unsigned width = ins->op == IR_LOAD ? ir_access_bytes(ins->access) : byte_width(ins);
    /* In order, the value itself must have no more bytes; swapped, its upper ones are cut off. */
    if (*reversed)
        return bytes->count <= byte_width(ins);
    bool extended = ins->op == IR_LOAD && width < byte_width(ins) &&
                    (ins->access == IR_S8 || ins->access == IR_S16 || ins->access == IR_S32);
    return bytes->count == width && !extended;
}

/* Takes one use from REF. What nobody uses any more goes, and takes its own uses of others along:
 * of what may trap only those of LOADS. */
static void release(struct combiner *c, ir_ref ref, const ir_ref *loads, unsigned load_count)
{
    struct ir_func *f = c->f;
    ir_ref stack[TREE_MAX];
    unsigned depth = 0;
    stack[depth++] = ref;
    while (depth) {
        ir_ref r = stack[--depth];
        if (r >= c->count || !c->uses[r] || --c->uses[r])
            continue;
        struct ir_ins *ins = &f->ins[r];
        bool goes = ir_flags[ins->op] & IR_P;
        for (unsigned i = 0; i < load_count; i++)
            goes |= loads[i] == r;
        uint32_t count = ir_operand_count(ins);
        if (!goes || depth + count > TREE_MAX) {
            c->uses[r] = 1; /* as if somebody outside had it: it stays */
            continue;
        }
        for (uint32_t k = 0; k < count; k++)
            stack[depth++] = *ir_operand(f, ins, k);
        ir_remove(f, r);
    }
}

/* Adds R to the COUNT loads of LOADS unless it is there; false: no room or no plain load. */
static bool note_load(const struct combiner *c, ir_ref r, ir_ref *loads, unsigned *count)
{
    for (unsigned i = 0; i < *count; i++)
        if (loads[i] == r)
            return true;
    if (r >= c->count || c->f->ins[r].op != IR_LOAD || *count == 8)
        return false;
    loads[(*count)++] = r;
    return true;
}

/* Whether the loads stand in one block without an effect between them. Answers the last one. */
static ir_ref last_load(const struct ir_func *f, const ir_ref *loads, unsigned count)
{
    /* Backwards from each: the one from which all others are found is the last. */
    for (unsigned i = 0; i < count; i++) {
        unsigned found = 1;
        ir_ref r = f->ins[loads[i]].prev;
        for (unsigned steps = 0; r && found < count && steps < DISTANCE_MAX; steps++) {
            const struct ir_ins *ins = &f->ins[r];
            if (ins->op != IR_LOAD && ir_flags[ins->op] & (IR_W | IR_K | IR_T))
                break;
            if (ins->op == IR_LOAD)
                for (unsigned k = 0; k < count; k++)
                    found += loads[k] == r;
            r = ins->prev;
        }
        if (found == count)
            return loads[i];
    }
    return 0;
}

/* All bytes from memory, one beside the other. */
static bool adjacent(const struct combiner *c, const struct bytes *bytes, ir_ref *loads,
                     unsigned *load_count, bool *reversed, ir_ref *lowest)
{
    const struct ir_func *f = c->f;
    const struct byte_source *from = bytes->from + bytes->at;
    int64_t first = 0, step = 0;
    *load_count = 0;
    for (unsigned i = 0; i < bytes->count; i++) {
        int64_t distance;
        bool wraps;
        if (!from[i].source || !note_load(c, from[i].source, loads, load_count) ||
            !byte_distance(f, &f->ins[from[i].source], &f->ins[from[0].source], &distance, &wraps))
            return false;
        int64_t at = distance + from[i].byte;
        if (i == 0)
            first = at;
        else if (i == 1)
            step = at - first;
        if ((step != 1 && step != -1 && i) || at != first + step * (int64_t)i)
            return false;
    }
    *reversed = step < 0;
    *lowest = from[*reversed ? bytes->count - 1 : 0].source;
    /* No load reaches beyond the bytes that are wanted of all. */
    for (unsigned i = 0; i < *load_count; i++) {
        int64_t distance;
        bool wraps;
        byte_distance(f, &f->ins[loads[i]], &f->ins[*lowest], &distance, &wraps);
        if (distance < 0 || distance + ir_access_bytes(f->ins[loads[i]].access) > bytes->count)
            return false;
    }
    return true;
}

static ir_ref shifted(struct ir_func *f, ir_ref where, ir_ref value, unsigned bytes)
{
    if (!bytes)
        return value;
    uint8_t type = f->ins[value].type;
    return fold_binary(f, where, IR_SHL, type, value, fold_const(f, where, type, bytes * 8));
}

/* VALUE as one of TYPE: its upper half is 0, or not wanted. */
static ir_ref converted(struct ir_func *f, ir_ref where, ir_ref value, uint8_t type)
{
    if (f->ins[value].type == type)
        return value;
    return fold_binary(f, where, type == IR_I64 ? IR_ZEXT : IR_WRAP, type, value, 0);
}

static ir_ref wide_load(struct ir_func *f, ir_ref last, ir_ref lowest, unsigned count, uint8_t type)
{
    static const uint8_t accesses[] = {[2] = IR_U16, [4] = IR_U32, [8] = IR_64};
    ir_ref load = ir_insert_before(f, last, IR_LOAD, count == 8 ? IR_I64 : (enum ir_type)type);
    struct ir_ins *ins = &f->ins[load];
    const struct ir_ins *low = &f->ins[lowest];
    ins->a = low->a;
    ins->imm = low->imm;
    ins->aux = low->aux;
    ins->access = accesses[count];
    ins->pos = low->pos;
    return load;
}

static void combine(struct combiner *c, ir_ref root)
{
    struct ir_func *f = c->f;
    struct bytes bytes;
    bool half = !c->wide[root] && is_sum(&f->ins[root]);
    if (!find_bytes(f, root, half ? 2 : byte_width(&f->ins[root]), &bytes))
        return;
    uint8_t type = f->ins[root].type;
    bool reversed;
    ir_ref loads[8], lowest, value;
    unsigned load_count = 0;
    if (one_value(f, &bytes, &reversed)) {
        value = bytes.from[bytes.at].source;
        unsigned gain = tree_size(c, root);
        if (gain <= (reversed ? bytes.count == 2 ? 2u : 1u : 0u) + (bytes.at != 0))
            return;
        c->uses[value]++; /* before the old uses go */
    } else if (adjacent(c, &bytes, loads, &load_count, &reversed, &lowest)) {
        ir_ref last = last_load(f, loads, load_count);
        unsigned gain = tree_size(c, root);
        if (!last || gain <= (reversed ? bytes.count == 2 ? 3u : 2u : 1u) + (bytes.at != 0))
            return;
        c->uses[f->ins[lowest].a]++;
        value =
            wide_load(f, last, lowest, bytes.count, reversed && bytes.count < 8 ? IR_I32 : type);
    } else {
        return;
    }
    c->changed = true;
    c->halves |= half;
    ir_ref a = f->ins[root].a, b = f->ins[root].b;
    if (reversed)
        value = byte_swapped(f, root, value, bytes.count, type);
    value = shifted(f, root, converted(f, root, value, type), bytes.at);
    if (f->failed)
        return;
    f->ins[root].op = IR_COPY;
    f->ins[root].a = value;
    f->ins[root].b = f->ins[root].c = 0;
    release(c, a, loads, load_count);
    release(c, b, loads, load_count);
}

/* Whether operand K of INS matters only in its low half. */
static bool wants_half(const struct ir_func *f, const struct ir_ins *ins, uint32_t k)
{
    int64_t constant;
    switch (ins->op) {
    case IR_AND:
        return k == 0 && opt_const(f, ins->b, &constant) && constant >= 0 && constant <= 0xffff;
    case IR_SHL: return k == 0 && opt_const(f, ins->b, &constant) && (constant & 31) >= 16;
    case IR_STORE: return k == 1 && (ins->access == IR_U8 || ins->access == IR_U16);
    case IR_EXT8:
    case IR_EXT16: return true;
    default: return false;
    }
}

static bool count_uses(struct combiner *c)
{
    struct ir_func *f = c->f;
    c->count = f->ins_count;
    c->uses = wasm_host_alloc((size_t)c->count * (sizeof *c->uses + sizeof *c->wide));
    if (!c->uses)
        return false;
    c->wide = (uint8_t *)(c->uses + c->count);
    memset(c->uses, 0, (size_t)c->count * (sizeof *c->uses + sizeof *c->wide));
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next) {
            const struct ir_ins *ins = &f->ins[r];
            struct ir_shape shape = ir_shapes[ins->op];
            for (uint32_t k = 0; k < shape.fixed; k++) {
                ir_ref used = ins->abc[k];
                c->uses[used]++;
                if (!c->wide[used])
                    c->wide[used] = f->ins[used].type != IR_I32 || !wants_half(f, ins, k);
            }
            for (uint32_t k = 0; shape.list && k < ins->count; k++) {
                c->uses[f->pool[ins->list + k]]++;
                c->wide[f->pool[ins->list + k]] = 1;
            }
        }
    return true;
}

/* x & 0xffff where x has lost its upper half. */
static void drop_masks(struct ir_func *f)
{
    for (uint32_t i = 0; i < f->order_count; i++)
        for (ir_ref r = f->blocks[f->order[i]].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            int64_t k;
            if (ins->op == IR_AND && ins->type == IR_I32 && opt_const(f, ins->b, &k) &&
                k == 0xffff && f->ins[ins->a].op != IR_COPY && ir_limit(f, ins->a) <= 0xffff) {
                ins->op = IR_COPY;
                ins->b = 0;
            }
        }
}

bool opt_combine(struct ir_func *f)
{
    if (!f->shifts)
        return true;
    struct combiner c = {.f = f};
    for (uint32_t i = 0; i < f->order_count && !f->failed; i++) {
        /* From the end of a block, so that a whole sum is seen before its parts. */
        for (ir_ref r = f->blocks[f->order[i]].last, prev; r && !f->failed; r = prev) {
            if (is_candidate(f, &f->ins[r]) && (!c.uses || (r < c.count && c.uses[r]))) {
                if (!c.uses && !count_uses(&c))
                    return false;
                if (c.uses[r])
                    combine(&c, r);
            }
            prev = f->ins[r].prev;
        }
    }
    wasm_host_free(c.uses);
    if (f->failed || (c.changed && !ir_resolve(f)))
        return false;
    if (!c.halves)
        return true;
    drop_masks(f);
    return ir_resolve(f);
}
