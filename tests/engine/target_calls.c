/* Tests of the code generator's calls: tail calls between all shapes of signatures, and exceptions
 * under register pressure, through functions of two instances. Each result is compared with what C
 * computes. */
#include "image.h"

#include <stdio.h>
#include <string.h>

static int number, failures;

static void check(bool good, const char *name)
{
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, name);
    failures += !good;
}

/* --- tail calls ----------------------------------------------------------------------------- */

/* Function n of a random module: as long as its first parameter is not 0, calls the next with that
 * minus one and a mixture of its own parameters; then returns some of them. The last parameter of
 * each of five types is always there. */
enum { ACTORS = 12, KINDS = 5, OWN_CALL = 0, IMPORTED = 1, INDIRECT = 2 };
static const char kinds[] = "IiFfv";
struct actor {
    char text[80];
    uint32_t type, count;
    uint32_t next, how;           /* of both instances */
    uint8_t from[IMAGE_VALUES];   /* of the next one's parameters: which of ours */
    uint8_t result[IMAGE_VALUES]; /* which parameters */
};
struct play {
    struct image image;
    struct actor actors[ACTORS];
    uint32_t result_count;
    char results[24];
};

static uint8_t of_type(const struct actor *a, char type)
{
    uint32_t at;
    do
        at = 1 + random_below(a->count - 1);
    while (a->text[at] != type);
    return (uint8_t)at;
}

static void invent(struct play *p, uint32_t most, bool vectors)
{
    uint32_t used = vectors ? KINDS : KINDS - 1;
    p->result_count = random_below(12);
    for (uint32_t i = 0; i < p->result_count; i++)
        p->results[i] = kinds[random_below(used)];
    for (uint32_t n = 0; n < ACTORS; n++) {
        struct actor *a = &p->actors[n];
        a->text[a->count++] = 'I';
        for (uint32_t extra = random_below(most); extra; extra--)
            a->text[a->count++] = kinds[random_below(used)];
        for (uint32_t k = 0; k < used; k++)
            a->text[a->count++] = kinds[k];
        a->text[a->count] = '\0';
        for (uint32_t i = 0; i < p->result_count; i++)
            a->result[i] = of_type(a, p->results[i]);
    }
    for (uint32_t n = 0; n < ACTORS; n++) {
        struct actor *a = &p->actors[n];
        a->next = random_below(ACTORS);
        a->how = random_below(3);
        const struct actor *to = &p->actors[a->next];
        for (uint32_t i = 1; i < to->count; i++)
            a->from[i] = of_type(a, to->text[i]);
    }
}

/* A value of random use that lives from here to the end, so that the frames are not empty. */
static ir_ref ballast(struct ir_func *f, ir_ref x, uint32_t n)
{
    ir_ref sum = x;
    for (uint32_t i = 0; i < n; i++)
        sum = build(f, 0, IR_XOR, IR_I64, sum, build(f, 0, IR_MUL, IR_I64, sum, x));
    return sum;
}

static bool write_actor(struct play *p, uint32_t n)
{
    struct actor *a = &p->actors[n];
    const struct actor *to = &p->actors[a->next];
    struct ir_func f;
    ir_ref params[IMAGE_VALUES], args[IMAGE_VALUES];
    build_start(&f, &p->image, ACTORS + n, params);
    ir_block_ref more, done;
    ir_ref weight = ballast(&f, params[0], random_below(20));
    ir_ref left = build(&f, 0, IR_NE, IR_I32, params[0], build_constant(&f, 0, IR_I64, 0));
    build_fork(&f, 0, left, &more, &done);
    args[0] = build(&f, more, IR_SUB, IR_I64, params[0], build_constant(&f, more, IR_I64, 1));
    for (uint32_t i = 1; i < to->count; i++)
        args[i] = params[a->from[i]];
    if (a->how == INDIRECT) {
        /* Instance A's functions stand first in the table, then B's; the global says which. */
        ir_ref side =
            build(&f, more, IR_WRAP, IR_I32, build_indexed(&f, more, IR_GLOBAL_GET, IR_I64, 0), 0);
        ir_ref other = build(&f, more, IR_AND, IR_I32, side, build_constant(&f, more, IR_I32, 1));
        ir_ref scaled =
            build(&f, more, IR_MUL, IR_I32, other, build_constant(&f, more, IR_I32, ACTORS));
        ir_ref element =
            build(&f, more, IR_ADD, IR_I32, scaled, build_constant(&f, more, IR_I32, a->next));
        ir_ref call =
            build_list(&f, more, IR_TAIL_CALL_INDIRECT, IR_VOID, to->type, args, to->count);
        ir_at(&f, call)->list_a = element;
    } else {
        build_list(&f, more, IR_TAIL_CALL, IR_VOID, a->next + (a->how == IMPORTED ? 0 : ACTORS),
                   args, to->count);
    }
    for (uint32_t i = 0; i < p->result_count; i++)
        args[i] = params[a->result[i]];
    ir_ref global = build_indexed(&f, done, IR_GLOBAL_GET, IR_I64, 0);
    for (uint32_t i = 0; i < p->result_count; i++)
        if (p->results[i] == 'I')
            args[i] = build(&f, done, IR_ADD, IR_I64, args[i],
                            build(&f, done, IR_ADD, IR_I64, global, weight));
    build_list(&f, done, IR_RETURN, IR_VOID, 0, args, p->result_count);
    return build_finish(&f, &p->image);
}

/* What no tail call may replace: calls actor 0 and returns its results, its own global among them
 * to show that r15 is back. */
static bool write_first(struct play *p, uint32_t index)
{
    struct ir_func f;
    ir_ref params[IMAGE_VALUES], values[IMAGE_VALUES];
    build_start(&f, &p->image, index, params);
    enum ir_type type = p->result_count ? (enum ir_type)f.signature->results[0] : IR_VOID;
    ir_ref call = build_list(&f, 0, IR_CALL, type, ACTORS, params, f.signature->param_count);
    values[0] = call;
    for (uint32_t i = 1; i < p->result_count; i++) {
        values[i] = build_indexed(&f, 0, IR_RESULT, (enum ir_type)f.signature->results[i], i);
        ir_at(&f, values[i])->a = call;
    }
    ir_ref global = build_indexed(&f, 0, IR_GLOBAL_GET, IR_I64, 0);
    for (uint32_t i = 0; i < p->result_count; i++)
        if (p->results[i] == 'I')
            values[i] = build(&f, 0, IR_ADD, IR_I64, values[i], global);
    values[p->result_count] = build(&f, 0, IR_ADD, IR_I64, params[0], global);
    build_list(&f, 0, IR_RETURN, IR_VOID, 0, values, p->result_count + 1);
    return build_finish(&f, &p->image);
}

static bool same_value(char type, const union wasm_value *x, const union wasm_value *y)
{
    size_t size = type == 'v' ? 16 : type == 'i' || type == 'f' ? 4 : 8;
    return !memcmp(x, y, size);
}

static bool run_play(struct play *p, uint32_t first, uint32_t rounds)
{
    static struct image_instance in[2];
    static struct wasm_func *elements[2 * ACTORS];
    union wasm_value args[IMAGE_VALUES], next[IMAGE_VALUES], results[IMAGE_VALUES];
    for (uint32_t k = 0; k < 2; k++)
        image_instantiate(&p->image, &in[k]);
    for (uint32_t k = 0; k < 2; k++) {
        for (uint32_t i = 0; i < ACTORS; i++) {
            in[k].imports[i] = &in[1 - k].funcs[i];
            elements[k * ACTORS + i] = &in[k].funcs[i];
        }
        image_table(&in[k], elements, 2 * ACTORS);
        /* Odd in A: its indirect calls go to B. B's stay in B where even or go to B: constant. */
        in[k].global.value.i64 = k ? 0x5000 + 2 * random_below(100) : 0x3001;
    }
    memset(args, 0, sizeof args);
    for (uint32_t i = 0; i < p->actors[0].count; i++) {
        uint64_t two[2] = {random64(), random64()};
        memcpy(&args[i], two, sizeof two);
    }
    args[0].i64 = rounds;
    uint32_t trap = image_call(&in[0], first, args, results);
    uint32_t at = 0, side = 0;
    uint64_t left = rounds;
    while (left) {
        const struct actor *a = &p->actors[at], *to = &p->actors[a->next];
        left--;
        next[0].i64 = left;
        for (uint32_t i = 1; i < to->count; i++)
            next[i] = args[a->from[i]];
        memcpy(args, next, sizeof args);
        if (a->how == IMPORTED)
            side = 1 - side;
        else if (a->how == INDIRECT)
            side = in[side].global.value.i64 & 1;
        at = a->next;
    }
    bool good = !trap;
    if (trap)
        printf("# trap %u\n", trap);
    for (uint32_t i = 0; i < p->result_count; i++) {
        union wasm_value expected = args[p->actors[at].result[i]];
        if (p->results[i] == 'I')
            expected.i64 += in[side].global.value.i64 + in[0].global.value.i64;
        if (!same_value(p->results[i], &expected, &results[i])) {
            printf("# result %u of %s\n", i, p->results);
            good = false;
        }
    }
    if (results[p->result_count].i64 != rounds + in[0].global.value.i64) {
        printf("# the caller's registers\n");
        good = false;
    }
    if (image_stack_used() > 32768) {
        printf("# %zu bytes of stack\n", image_stack_used());
        good = false;
    }
    image_discard(&in[0]);
    image_discard(&in[1]);
    return good;
}

static bool tail_calls(uint32_t most, bool vectors, uint32_t rounds)
{
    static struct play p;
    memset(&p, 0, sizeof p);
    invent(&p, most, vectors);
    image_start(&p.image, NULL);
    for (uint32_t n = 0; n < ACTORS; n++) {
        char text[120];
        snprintf(text, sizeof text, "%s:%s", p.actors[n].text, p.results);
        p.actors[n].type = image_type(&p.image, text);
        image_import(&p.image, p.actors[n].type);
    }
    for (uint32_t n = 0; n < ACTORS; n++)
        image_func(&p.image, p.actors[n].type);
    char text[120];
    snprintf(text, sizeof text, "%s:%sI", p.actors[0].text, p.results);
    uint32_t first = image_func(&p.image, image_type(&p.image, text));
    bool good = true;
    for (uint32_t n = 0; n < ACTORS && good; n++)
        good = write_actor(&p, n);
    good = good && write_first(&p, first) && image_finish(&p.image);
    good = good && run_play(&p, first, 0) && run_play(&p, first, 3) && run_play(&p, first, rounds);
    image_free(&p.image);
    return good;
}

static void test_tail_calls(void)
{
    bool good = true;
    for (uint32_t seed = 1; seed <= 150 && good; seed++) {
        random_state = seed;
        good = tail_calls(seed % 5 ? 24 : 3, false, 1000);
        if (!good)
            printf("# seed %u\n", seed);
    }
    check(good, "tail calls between random signatures, in and across instances");
    for (uint32_t seed = 1; seed <= 150 && good; seed++) {
        random_state = seed;
        good = tail_calls(seed % 5 ? 24 : 3, true, 1000);
        if (!good)
            printf("# seed %u with vectors\n", seed);
    }
    check(good, "the same with vectors");
    random_state = 4711;
    check(tail_calls(20, true, 1000000), "a million of them in 32 KiB of stack");
}

/* --- exceptions ------------------------------------------------------------------------------- */

/* Function n of a chain: computes values of all types from its parameters, calls the next function
 * (or throws), and makes a sum of all it knew before. It catches what has its tag, throws the rest
 * again, or does not look at all. */
enum { LINKS = 10, SCRATCH = 1024 };
enum catching { BLIND, CATCHES, RETHROWS };
struct chain_link {
    char text[80];
    uint32_t type, count, live, how;
    enum catching catching;
    uint32_t tag;               /* what it catches */
    uint8_t from[IMAGE_VALUES]; /* of the next one's parameters: which of ours */
};
struct chain {
    struct image image;
    struct chain_link links[LINKS];
    char results[16]; /* of all; the first is I */
    uint32_t result_count;
    uint32_t thrown; /* the tag */
};
static struct {
    struct wasm_exception header;
    union wasm_value values[4];
} thrown __attribute__((aligned(16)));

static void invent_chain(struct chain *p)
{
    strcpy(p->results, "I");
    p->result_count = 1 + random_below(8);
    for (uint32_t i = 1; i < p->result_count; i++)
        p->results[i] = kinds[random_below(KINDS)];
    p->thrown = random_below(2);
    for (uint32_t n = 0; n < LINKS; n++) {
        struct chain_link *a = &p->links[n];
        a->text[a->count++] = 'I';
        for (uint32_t extra = random_below(14); extra; extra--)
            a->text[a->count++] = kinds[random_below(KINDS)];
        for (uint32_t k = 0; k < KINDS; k++)
            a->text[a->count++] = kinds[k];
        a->live = random_below(20);
        a->how = random_below(3);
        a->catching = (enum catching)random_below(3);
        a->tag = random_below(2);
    }
    p->links[0].catching = CATCHES;
    p->links[0].tag = p->thrown;
    for (uint32_t n = 0; n + 1 < LINKS; n++) {
        struct chain_link *a = &p->links[n], *to = a + 1;
        for (uint32_t i = 0; i < to->count; i++) {
            uint32_t at;
            do
                at = random_below(a->count);
            while (a->text[at] != to->text[i] || (i && !at));
            a->from[i] = (uint8_t)(i ? at : 0);
        }
    }
}

/* x as an i64; a vector by way of the memory, its halves added. */
static ir_ref as_integer(struct ir_func *f, ir_block_ref b, char type, ir_ref x)
{
    switch (type) {
    case 'I': return x;
    case 'i': return build(f, b, IR_ZEXT, IR_I64, x, 0);
    case 'F': return build(f, b, IR_BITCAST, IR_I64, x, 0);
    case 'f': return build(f, b, IR_ZEXT, IR_I64, build(f, b, IR_BITCAST, IR_I32, x, 0), 0);
    default: break;
    }
    ir_ref address = build_constant(f, b, IR_I32, SCRATCH);
    ir_at(f, build(f, b, IR_STORE, IR_VOID, address, x))->access = IR_128;
    ir_ref low = build(f, b, IR_LOAD, IR_I64, address, 0);
    ir_at(f, low)->access = IR_64;
    ir_ref high = build(f, b, IR_LOAD, IR_I64, address, 0);
    ir_at(f, high)->access = IR_64;
    ir_at(f, high)->imm = 8;
    return build(f, b, IR_ADD, IR_I64, low, high);
}

static uint64_t integer_of(char type, const union wasm_value *x)
{
    uint64_t two[2];
    memcpy(two, x, sizeof two);
    return type == 'v' ? two[0] + two[1] : type == 'i' || type == 'f' ? x->i32 : x->i64;
}

static bool write_link(struct chain *p, uint32_t n)
{
    const struct chain_link *a = &p->links[n];
    struct ir_func f;
    ir_ref params[IMAGE_VALUES], live[32], args[IMAGE_VALUES];
    build_start(&f, &p->image, LINKS + n, params);
    for (uint32_t i = 0; i < a->live; i++)
        live[i] = build(&f, 0, IR_MUL, IR_I64, params[0],
                        build_constant(&f, 0, IR_I64, 2 * i + 0x123456789));
    ir_block_ref back = 0, handler = IR_NONE;
    ir_ref call;
    if (n + 1 == LINKS) {
        /* Odd: throws an exception whose values are those of the parameters. */
        ir_ref odd =
            build(&f, 0, IR_WRAP, IR_I32,
                  build(&f, 0, IR_AND, IR_I64, params[0], build_constant(&f, 0, IR_I64, 1)), 0);
        ir_block_ref throws;
        build_fork(&f, 0, odd, &throws, &back);
        ir_ref e = build_constant(&f, throws, IR_REF, (uintptr_t)&thrown);
        for (uint32_t k = 0; k < 4; k++) {
            uint32_t at = a->count - KINDS + 1 + k; /* i F f v */
            ir_at(&f, build(&f, throws, IR_EXCEPTION_SET, IR_VOID, e, params[at]))->imm = k;
        }
        build_list(&f, throws, IR_CALL_HELPER, IR_VOID, WASM_HELPER_exception_throw, &e, 1);
        build_indexed(&f, throws, IR_TRAP, IR_VOID, WASM_TRAP_UNREACHABLE);
        for (uint32_t i = 0; i < p->result_count; i++) {
            char text[2] = {p->results[i], 0};
            args[i] = params[a->count - KINDS + strcspn(kinds, text)];
        }
        args[0] = params[0];
    } else {
        for (uint32_t i = 0; i < a[1].count; i++)
            args[i] = params[a->from[i]];
        if (a->how == INDIRECT) {
            ir_ref element = build_constant(&f, 0, IR_I32, n + 1);
            call = build_list(&f, 0, IR_CALL_INDIRECT, IR_I64, a[1].type, args, a[1].count);
            ir_at(&f, call)->list_a = element;
        } else {
            call = build_list(&f, 0, IR_CALL, IR_I64, n + 1 + (a->how == IMPORTED ? 0 : LINKS),
                              args, a[1].count);
        }
        ir_at(&f, call)->access = a->catching == BLIND ? 0 : IR_CALL_CATCHES;
        if (a->catching != BLIND) {
            ir_ref e = build_indexed(&f, 0, IR_EXCEPTION, IR_REF, 0);
            build_fork(&f, 0, build(&f, 0, IR_REF_IS_NULL, IR_I32, e, 0), &back, &handler);
            live[30] = e;
        }
        args[0] = call;
        for (uint32_t i = 1; i < p->result_count; i++) {
            args[i] = build_indexed(&f, back, IR_RESULT, (enum ir_type)f.signature->results[i], i);
            ir_at(&f, args[i])->a = call;
        }
    }
    for (int caught = 0; caught < 2; caught++) {
        ir_block_ref b = caught ? handler : back;
        ir_ref sum;
        if (caught) {
            if (handler == IR_NONE)
                break;
            ir_ref e = live[30], tag = build(&f, b, IR_EXCEPTION_TAG, IR_REF, e, 0);
            ir_ref mine = build_indexed(&f, b, IR_TAG, IR_REF, a->tag);
            ir_block_ref here, again;
            if (a->catching == CATCHES) {
                build_fork(&f, b, build(&f, b, IR_EQ, IR_I32, tag, mine), &here, &again);
            } else {
                again = b;
                here = IR_NONE;
            }
            build_list(&f, again, IR_CALL_HELPER, IR_VOID, WASM_HELPER_exception_throw, &e, 1);
            build_indexed(&f, again, IR_TRAP, IR_VOID, WASM_TRAP_UNREACHABLE);
            if (here == IR_NONE)
                break;
            b = here;
            build_indexed(&f, b, IR_EXCEPTION_CLEAR, IR_VOID, 0);
            static const enum ir_type types[] = {IR_I32, IR_F64, IR_F32, IR_V128};
            sum = build_constant(&f, b, IR_I64, 77);
            for (uint32_t k = 0; k < 4; k++) {
                ir_ref value = build(&f, b, IR_EXCEPTION_GET, types[k], e, 0);
                ir_at(&f, value)->imm = k;
                sum = build(&f, b, IR_ADD, IR_I64, sum, as_integer(&f, b, kinds[k + 1], value));
            }
            for (uint32_t i = 0; i < p->result_count; i++) {
                char text[2] = {p->results[i], 0};
                args[i] = params[a->count - KINDS + strcspn(kinds, text)];
            }
        } else {
            sum = args[0];
        }
        sum = build(&f, b, IR_ADD, IR_I64, sum, build_indexed(&f, b, IR_GLOBAL_GET, IR_I64, 0));
        for (uint32_t i = 0; i < a->count; i++)
            sum = build(&f, b, IR_ADD, IR_I64, sum, as_integer(&f, b, a->text[i], params[i]));
        for (uint32_t i = 0; i < a->live; i++)
            sum = build(&f, b, IR_ADD, IR_I64, sum, live[i]);
        args[0] = sum;
        build_list(&f, b, IR_RETURN, IR_VOID, 0, args, p->result_count);
    }
    return build_finish(&f, &p->image);
}

struct outcome {
    bool threw;
    union wasm_value values[16], payload[4];
};

static void expect(const struct chain *p, uint32_t n, const union wasm_value *args, uint32_t side,
                   const struct image_instance *in, struct outcome *out)
{
    const struct chain_link *a = &p->links[n];
    uint64_t sum;
    bool again = n + 1 == LINKS;
    if (again) {
        out->threw = args[0].i64 & 1;
        memcpy(out->payload, args + a->count - KINDS + 1, sizeof out->payload);
        sum = args[0].i64;
    } else {
        union wasm_value next[IMAGE_VALUES];
        for (uint32_t i = 0; i < a[1].count; i++)
            next[i] = args[a->from[i]];
        /* The table holds A's functions alone. */
        expect(p, n + 1, next,
               a->how == INDIRECT   ? 0
               : a->how == IMPORTED ? 1 - side
                                    : side,
               in, out);
        sum = out->values[0].i64;
    }
    bool catches = !again && out->threw && a->catching == CATCHES && a->tag == p->thrown;
    if (out->threw && !catches)
        return;
    if (catches) {
        out->threw = false;
        sum = 77;
        for (uint32_t k = 0; k < 4; k++)
            sum += integer_of(kinds[k + 1], &out->payload[k]);
    }
    for (uint32_t i = 1; i < p->result_count && (again || catches); i++) {
        char text[2] = {p->results[i], 0};
        out->values[i] = args[a->count - KINDS + strcspn(kinds, text)];
    }
    sum += in[side].global.value.i64;
    for (uint32_t i = 0; i < a->count; i++)
        sum += integer_of(a->text[i], &args[i]);
    for (uint32_t i = 0; i < a->live; i++)
        sum += args[0].i64 * (2 * i + 0x123456789);
    out->values[0].i64 = sum;
}

static bool run_chain(struct chain *p, bool throws)
{
    static struct image_instance in[2];
    static struct wasm_func *elements[LINKS];
    union wasm_value args[IMAGE_VALUES], results[16];
    struct outcome expected = {.threw = false};
    for (uint32_t k = 0; k < 2; k++) {
        image_instantiate(&p->image, &in[k]);
        in[k].global.value.i64 = random64();
    }
    for (uint32_t i = 0; i < LINKS; i++) {
        in[0].imports[i] = &in[1].funcs[i];
        in[1].imports[i] = &in[0].funcs[i];
        elements[i] = &in[0].funcs[i];
    }
    /* One tag for both sides, as by an import. */
    for (uint32_t k = 0; k < 2; k++)
        in[1].tags[k] = in[0].tags[k];
    for (uint32_t k = 0; k < 2; k++)
        image_table(&in[k], elements, LINKS);
    thrown.header.tag = in[0].tags[p->thrown];
    for (uint32_t i = 0; i < p->links[0].count; i++) {
        uint64_t two[2] = {random64(), random64()};
        memcpy(&args[i], two, sizeof two);
    }
    args[0].i64 = (args[0].i64 & ~1ull) | throws;
    uint32_t trap = image_call(&in[0], LINKS, args, results);
    expect(p, 0, args, 0, in, &expected);
    bool good = !trap && !expected.threw;
    for (uint32_t i = 0; i < p->result_count && good; i++)
        good = same_value(p->results[i], &expected.values[i], &results[i]);
    if (trap)
        printf("# trap %u\n", trap);
    image_discard(&in[0]);
    image_discard(&in[1]);
    return good;
}

static bool exceptions(void)
{
    static struct chain p;
    memset(&p, 0, sizeof p);
    invent_chain(&p);
    image_start(&p.image, NULL);
    for (uint32_t n = 0; n < LINKS; n++) {
        char text[120];
        snprintf(text, sizeof text, "%s:%s", p.links[n].text, p.results);
        p.links[n].type = image_type(&p.image, text);
        image_import(&p.image, p.links[n].type);
    }
    for (uint32_t n = 0; n < LINKS; n++)
        image_func(&p.image, p.links[n].type);
    bool good = true;
    for (uint32_t n = 0; n < LINKS && good; n++)
        good = write_link(&p, n);
    good = good && image_finish(&p.image) && run_chain(&p, false) && run_chain(&p, true);
    image_free(&p.image);
    return good;
}

static void test_exceptions(void)
{
    bool good = true;
    for (uint32_t seed = 1; seed <= 300 && good; seed++) {
        random_state = seed;
        good = exceptions();
        if (!good)
            printf("# seed %u\n", seed);
    }
    check(good, "exceptions through random frames, caught, thrown again, not seen");
}

int main(void)
{
    test_tail_calls();
    test_exceptions();
    printf("1..%d\n", number);
    return failures != 0;
}
