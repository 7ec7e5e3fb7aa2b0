/* Tests that the code generator's time is linear in the size of a function, on shapes that tempt it
 * not to be. Four times the size may take ten times as long, machines being what they are; were it
 * quadratic, it would be sixteen. */
#include "image.h"

#include <stdio.h>
#include <time.h>

/* COUNT values that are wanted only in cold blocks, which stand at the function's end: all that
 * time each is in a hole of its life. */
static void cold_uses(struct ir_func *f, uint32_t count, ir_ref param)
{
    ir_block_ref b = 0, cold;
    for (uint32_t i = 0; i < count; i++) {
        ir_ref value = build(f, b, IR_LOAD, IR_I32, param, 0);
        ir_at(f, value)->access = IR_U32;
        ir_at(f, value)->imm = i % 256 * 4;
        build_fork(f, b, value, &cold, &b);
        build_list(f, cold, IR_CALL, IR_I32, f->index, &value, 1);
        build_indexed(f, cold, IR_TRAP, IR_VOID, WASM_TRAP_UNREACHABLE);
    }
    build_list(f, b, IR_RETURN, IR_VOID, 0, &param, 1);
}

/* More values alive than there are registers, all used again and again, in blocks with a call. */
static void long_lives(struct ir_func *f, uint32_t count, ir_ref param)
{
    enum { LIVE = 24 };
    ir_ref live[LIVE];
    for (uint32_t i = 0; i < LIVE; i++)
        live[i] = build(f, 0, IR_MUL, IR_I32, param, build_constant(f, 0, IR_I32, 2 * i + 3));
    ir_block_ref b = 0, taken;
    for (uint32_t i = 0; i < count; i++) {
        ir_block_ref next;
        build_fork(f, b, live[random_below(LIVE)], &taken, &next);
        ir_ref call = build_list(f, taken, IR_CALL, IR_I32, f->index, &param, 1);
        ir_ref store = build(f, taken, IR_STORE, IR_VOID, call, live[random_below(LIVE)]);
        ir_at(f, store)->access = IR_U32;
        ir_jump(f, taken, next);
        ir_pred_add(f, next, taken);
        b = next;
    }
    build_list(f, b, IR_RETURN, IR_VOID, 0, &param, 1);
}

typedef void (*shape)(struct ir_func *f, uint32_t count, ir_ref param);

/* Seconds of processor time for COUNT, the best of three; negative if it fails. */
static double compile(shape make, uint32_t count)
{
    double best = -1;
    for (int round = 0; round < 3; round++) {
        static struct image image;
        struct ir_func f;
        ir_ref param;
        image_start(&image, NULL);
        uint32_t func = image_func(&image, image_type(&image, "i:i"));
        build_start(&f, &image, func, &param);
        make(&f, count, param);
        clock_t start = clock();
        bool good =
            ir_analyse(&f) && target_compile(image.compiler, &f, &image.code, &image.funcs[0]);
        double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        ir_func_free(&f);
        image_free(&image);
        if (!good)
            return -1;
        if (best < 0 || seconds < best)
            best = seconds;
    }
    return best;
}

int main(void)
{
    static const struct {
        const char *name;
        shape make;
        uint32_t count;
    } shapes[] = {
        {"values wanted in cold blocks only", cold_uses, 10000},
        {"more long lives than registers", long_lives, 5000},
    };
    int failures = 0;
    for (int k = 0; k < 2; k++) {
        double small = compile(shapes[k].make, shapes[k].count);
        double large = compile(shapes[k].make, shapes[k].count * 4);
        bool good = small >= 0 && large >= 0 && large < 10 * small + 0.01;
        printf("%s %d - %s\n# %.4f s for %u, %.4f s for %u\n", good ? "ok" : "not ok", k + 1,
               shapes[k].name, small, shapes[k].count, large, shapes[k].count * 4);
        failures += !good;
    }
    printf("1..2\n");
    return failures != 0;
}
