/* Tests of the code generator's moves: loops that pass values of all types from phi to phi in
 * random permutations and duplications, more of them than there are registers; and such that are
 * left to one place by branches everywhere in them, with what they had been given in this round. */
#include "image.h"

#include <stdio.h>
#include <string.h>

enum { MOST = 40 };
static const char kinds[] = "IiFfv";

/* Turns once around per count, in one of two ways by the count's low bit. */
struct carousel {
    uint32_t count;
    char text[MOST + 1];
    uint8_t from[2][MOST];
};

static void invent(struct carousel *p, uint32_t bias, uint32_t most)
{
    memset(p, 0, sizeof *p);
    p->count = 2 + random_below(most - 2);
    for (uint32_t i = 0; i < p->count; i++)
        p->text[i] = kinds[!bias || !random_below(3) ? random_below(5)
                           : bias == 1               ? 2 + random_below(3)
                                                     : 2 * random_below(2)];
    for (uint32_t way = 0; way < 2; way++)
        for (uint32_t i = 0; i < p->count; i++) {
            uint32_t at = i;
            if (random_below(8))
                do
                    at = random_below(p->count);
                while (p->text[at] != p->text[i]);
            p->from[way][i] = (uint8_t)at;
        }
}

/* (rounds i64, values…) → values… */
static bool write(struct image *image, const struct carousel *p, uint32_t index)
{
    struct ir_func f;
    ir_ref params[MOST + 1], phis[MOST];
    build_start(&f, image, index, params);
    ir_block_ref loop = ir_block_new(&f), done, again, ways[2];
    ir_jump(&f, 0, loop);
    ir_pred_add(&f, loop, 0);
    ir_pred_add(&f, loop, loop + 3);
    ir_pred_add(&f, loop, loop + 4);
    ir_ref left = ir_phi_new(&f, loop, IR_I64);
    for (uint32_t i = 0; i < p->count; i++)
        phis[i] = ir_phi_new(&f, loop, (enum ir_type)f.signature->params[i + 1]);
    ir_ref over = build(&f, loop, IR_EQ, IR_I32, left, build_constant(&f, loop, IR_I64, 0));
    build_fork(&f, loop, over, &done, &again);
    ir_ref one = build_constant(&f, again, IR_I64, 1);
    ir_ref less = build(&f, again, IR_SUB, IR_I64, left, one);
    ir_ref odd = build(&f, again, IR_AND, IR_I64, left, one);
    ir_ref way = build(&f, again, IR_WRAP, IR_I32, odd, 0);
    build_fork(&f, again, way, &ways[1], &ways[0]);
    ir_jump(&f, ways[1], loop);
    ir_jump(&f, ways[0], loop);
    uint32_t list = ir_at(&f, left)->list;
    f.pool[list] = params[0];
    f.pool[list + 1] = f.pool[list + 2] = less;
    for (uint32_t i = 0; i < p->count; i++) {
        list = ir_at(&f, phis[i])->list;
        f.pool[list] = params[i + 1];
        f.pool[list + 1] = phis[p->from[1][i]];
        f.pool[list + 2] = phis[p->from[0][i]];
    }
    build_list(&f, done, IR_RETURN, IR_VOID, 0, phis, p->count);
    return build_finish(&f, image);
}

/* So many branches leave the loop, each after a sum of so many of the values, some twice. */
struct doors {
    uint32_t count;
    struct {
        uint64_t mask,
            key; /* it is left where the rounds that are left, and the mask, are the key */
        uint8_t terms[MOST];
        uint32_t term_count;
    } doors[6];
};

static void invent_doors(struct doors *d, const struct carousel *p)
{
    d->count = 1 + random_below(6);
    for (uint32_t k = 0; k < d->count; k++) {
        d->doors[k].mask = random_below(32);
        d->doors[k].key = random_below(32);
        d->doors[k].term_count = 0;
        for (uint32_t n = random_below(MOST); n; n--) {
            uint32_t i = random_below(p->count);
            if (p->text[i] == 'I' || p->text[i] == 'F')
                d->doors[k].terms[d->doors[k].term_count++] = (uint8_t)i;
        }
    }
}

static bool leaves(const struct doors *d, uint32_t k, uint64_t left)
{
    return (left & d->doors[k].mask) == d->doors[k].key;
}

/* (rounds i64, values…) → (values…, sum i64, sum f64): two branches at the end go on or leave. */
static bool write_doors(struct image *image, const struct carousel *p, const struct doors *d,
                        uint32_t index)
{
    struct ir_func f;
    ir_ref params[MOST + 1], phis[MOST + 2];
    build_start(&f, image, index, params);
    ir_block_ref loop = ir_block_new(&f), done = ir_block_new(&f), at = loop;
    ir_ref none = build_constant(&f, 0, IR_F64, 0);
    ir_jump(&f, 0, loop);
    ir_pred_add(&f, loop, 0);
    ir_pred_add(&f, loop, loop + 2 + d->count); /* what the last branches are in */
    ir_pred_add(&f, loop, loop + 3 + d->count);
    ir_ref left = ir_phi_new(&f, loop, IR_I64), sum = ir_phi_new(&f, loop, IR_I64), next = sum;
    ir_ref float_sum = ir_phi_new(&f, loop, IR_F64), float_next = float_sum;
    for (uint32_t i = 0; i < p->count; i++)
        phis[i] = ir_phi_new(&f, loop, (enum ir_type)f.signature->params[i + 1]);
    for (uint32_t k = 0; k < d->count; k++) {
        for (uint32_t n = 0; n < d->doors[k].term_count; n++) {
            uint32_t i = d->doors[k].terms[n];
            if (p->text[i] == 'F') {
                float_next = build(&f, at, IR_FADD, IR_F64, phis[i], float_next);
                continue;
            }
            next = build(&f, at, IR_ROTL, IR_I64, next, build_constant(&f, at, IR_I64, 1));
            next = build(&f, at, IR_XOR, IR_I64, next, phis[i]);
        }
        ir_ref masked =
            build(&f, at, IR_AND, IR_I64, left, build_constant(&f, at, IR_I64, d->doors[k].mask));
        ir_ref key = build_constant(&f, at, IR_I64, d->doors[k].key);
        ir_ref leave = build(&f, at, IR_EQ, IR_I32, masked, key);
        ir_block_ref on = ir_block_new(&f);
        ir_branch(&f, at, leave, done, on);
        ir_pred_add(&f, done, at);
        ir_pred_add(&f, on, at);
        at = on;
    }
    ir_ref less = build(&f, at, IR_SUB, IR_I64, left, build_constant(&f, at, IR_I64, 1));
    ir_ref odd = build(&f, at, IR_AND, IR_I64, left, build_constant(&f, at, IR_I64, 1));
    ir_block_ref ways[2];
    build_fork(&f, at, build(&f, at, IR_WRAP, IR_I32, odd, 0), &ways[0], &ways[1]);
    for (uint32_t way = 0; way < 2; way++) {
        ir_ref zero = build_constant(&f, ways[way], IR_I64, 0);
        ir_branch(&f, ways[way], build(&f, ways[way], IR_NE, IR_I32, less, zero), loop, done);
        ir_pred_add(&f, done, ways[way]);
    }
    f.pool[ir_at(&f, left)->list] = f.pool[ir_at(&f, sum)->list] = params[0];
    f.pool[ir_at(&f, float_sum)->list] = none;
    for (uint32_t way = 0; way < 2; way++) {
        f.pool[ir_at(&f, left)->list + 1 + way] = less;
        f.pool[ir_at(&f, sum)->list + 1 + way] = next;
        f.pool[ir_at(&f, float_sum)->list + 1 + way] = float_next;
    }
    for (uint32_t i = 0; i < p->count; i++) {
        ir_ref *values = &f.pool[ir_at(&f, phis[i])->list];
        values[0] = params[i + 1];
        values[1] = phis[p->from[1][i]];
        values[2] = phis[p->from[0][i]];
    }
    phis[p->count] = sum;
    phis[p->count + 1] = float_sum;
    build_list(&f, done, IR_RETURN, IR_VOID, 0, phis, p->count + 2);
    return build_finish(&f, image);
}

/* Of ARGS, what the loop leaves with. */
static void walk_doors(const struct carousel *p, const struct doors *d, union wasm_value *args)
{
    union wasm_value values[MOST + 2], next[MOST];
    memcpy(values, args + 1, sizeof *values * p->count);
    values[p->count] = args[0];
    memset(&values[p->count + 1], 0, sizeof *values);
    for (uint64_t left = args[0].i64;; left--) {
        uint64_t sum = values[p->count].i64;
        double float_sum = values[p->count + 1].f64;
        bool out = false;
        for (uint32_t k = 0; k < d->count && !out; k++) {
            for (uint32_t n = 0; n < d->doors[k].term_count; n++) {
                uint32_t i = d->doors[k].terms[n];
                if (p->text[i] == 'F')
                    float_sum += values[i].f64;
                else
                    sum = (sum << 1 | sum >> 63) ^ values[i].i64;
            }
            out = leaves(d, k, left);
        }
        if (out || left == 1)
            break;
        for (uint32_t i = 0; i < p->count; i++)
            next[i] = values[p->from[left & 1][i]];
        memcpy(values, next, sizeof *values * p->count);
        values[p->count].i64 = sum;
        values[p->count + 1].f64 = float_sum;
    }
    memcpy(args, values, sizeof *values * (p->count + 2));
}

/* Calls FUNC of TYPES with ARGS: whether it gives EXPECTED. */
static bool gives(struct image *image, uint32_t func, const char *types, union wasm_value *args,
                  const union wasm_value *expected)
{
    static struct image_instance in;
    union wasm_value results[MOST + 2];
    image_instantiate(image, &in);
    bool good = !image_call(&in, func, args, results);
    for (uint32_t i = 0; types[i] && good; i++) {
        size_t size = types[i] == 'v' ? 16 : types[i] == 'i' || types[i] == 'f' ? 4 : 8;
        good = !memcmp(&expected[i], &results[i], size);
    }
    image_discard(&in);
    return good;
}

static void invent_args(const struct carousel *p, union wasm_value args[MOST + 1])
{
    memset(args, 0, (MOST + 1) * sizeof *args);
    for (uint32_t i = 0; i <= p->count; i++) {
        uint64_t two[2] = {random64(), random64()};
        memcpy(&args[i], two, sizeof two);
        if (i && p->text[i - 1] == 'F') /* sums of which are exact */
            args[i].f64 = random_below(1000);
    }
    args[0].i64 = random_below(20);
}

static bool run_doors(const struct carousel *p)
{
    static struct image image;
    char text[2 * MOST + 5];
    struct doors d;
    invent_doors(&d, p);
    snprintf(text, sizeof text, "I%s:%sIF", p->text, p->text);
    image_start(&image, NULL);
    uint32_t func = image_func(&image, image_type(&image, text));
    bool good = write_doors(&image, p, &d, func) && image_finish(&image);
    for (uint32_t k = 0; k < 8 && good; k++) {
        union wasm_value args[MOST + 1], expected[MOST + 2];
        invent_args(p, args);
        args[0].i64++; /* a round at least */
        memcpy(expected, args, sizeof args);
        walk_doors(p, &d, expected);
        good = gives(&image, func, strchr(text, ':') + 1, args, expected);
    }
    image_free(&image);
    return good;
}

static bool run(const struct carousel *p)
{
    static struct image image;
    char text[2 * MOST + 3];
    snprintf(text, sizeof text, "I%s:%s", p->text, p->text);
    image_start(&image, NULL);
    uint32_t func = image_func(&image, image_type(&image, text));
    bool good = write(&image, p, func) && image_finish(&image);
    if (good) {
        union wasm_value args[MOST + 1], values[MOST], next[MOST];
        invent_args(p, args);
        memcpy(values, args + 1, sizeof values);
        for (uint64_t left = args[0].i64; left; left--) {
            for (uint32_t i = 0; i < p->count; i++)
                next[i] = values[p->from[left & 1][i]];
            memcpy(values, next, sizeof values);
        }
        good = gives(&image, func, p->text, args, values);
    }
    image_free(&image);
    return good;
}

static bool tested(unsigned number, const char *name, bool (*test)(const struct carousel *p))
{
    bool good = true;
    for (uint32_t seed = 1; seed <= 900 && good; seed++) {
        random_state = seed;
        struct carousel p;
        invent(&p, seed % 3,
               seed % 5 ? MOST : 9); /* any types, mostly floats and vectors, mostly I and F */
        good = test(&p);
        if (!good)
            printf("# seed %u: %s\n", seed, p.text);
    }
    printf("%s %u - %s\n", good ? "ok" : "not ok", number, name);
    return good;
}

int main(void)
{
    bool good = tested(1, "phis of all types around a loop", run);
    good &= tested(2, "loops that are left from everywhere", run_doors);
    printf("1..2\n");
    return !good;
}
