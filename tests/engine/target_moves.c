/* Tests of the code generator's parallel moves: loops that pass values of all types from phi to phi
 * in random permutations and duplications, more of them than there are registers. */
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

static void invent(struct carousel *p, uint32_t bias)
{
    memset(p, 0, sizeof *p);
    p->count = 2 + random_below(MOST - 2);
    for (uint32_t i = 0; i < p->count; i++)
        p->text[i] = kinds[bias && random_below(3) ? 2 + random_below(3) : random_below(5)];
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

static bool run(const struct carousel *p)
{
    static struct image image;
    static struct image_instance in;
    char text[2 * MOST + 3];
    snprintf(text, sizeof text, "I%s:%s", p->text, p->text);
    image_start(&image, NULL);
    uint32_t func = image_func(&image, image_type(&image, text));
    bool good = write(&image, p, func) && image_finish(&image);
    if (good) {
        union wasm_value args[MOST + 1], values[MOST], next[MOST], results[MOST];
        memset(args, 0, sizeof args);
        for (uint32_t i = 0; i <= p->count; i++) {
            uint64_t two[2] = {random64(), random64()};
            memcpy(&args[i], two, sizeof two);
        }
        args[0].i64 = random_below(20);
        memcpy(values, args + 1, sizeof values);
        for (uint64_t left = args[0].i64; left; left--) {
            for (uint32_t i = 0; i < p->count; i++)
                next[i] = values[p->from[left & 1][i]];
            memcpy(values, next, sizeof values);
        }
        image_instantiate(&image, &in);
        good = !image_call(&in, func, args, results);
        for (uint32_t i = 0; i < p->count && good; i++) {
            char type = p->text[i];
            size_t size = type == 'v' ? 16 : type == 'i' || type == 'f' ? 4 : 8;
            good = !memcmp(&values[i], &results[i], size);
        }
        image_discard(&in);
    }
    image_free(&image);
    return good;
}

int main(void)
{
    bool good = true;
    for (uint32_t seed = 1; seed <= 600 && good; seed++) {
        random_state = seed;
        struct carousel p;
        invent(&p, seed & 1);
        good = run(&p);
        if (!good)
            printf("# seed %u: %s\n", seed, p.text);
    }
    printf("%s 1 - phis of all types around a loop\n1..1\n", good ? "ok" : "not ok");
    return !good;
}
