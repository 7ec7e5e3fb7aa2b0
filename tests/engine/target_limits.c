/* Tests that the code generator's work is linear in the size of a function, on shapes that tempt it
 * not to be: counted in basic blocks, where the engine counts them (COUNTED); under sanitizers that
 * it is done at all. */
#include "image.h"

#include <stdio.h>

static uint64_t work;
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    work++;
}

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

/* Basic blocks executed for COUNT; negative if it fails. */
static int64_t compile(shape make, uint32_t count)
{
    static struct image image;
    struct ir_func f;
    ir_ref param;
    image_start(&image, NULL);
    uint32_t func = image_func(&image, image_type(&image, "i:i"));
    build_start(&f, &image, func, &param);
    make(&f, count, param);
    work = 0;
    bool good = ir_analyse(&f) && target_compile(image.compiler, &f, &image.code, &image.funcs[0]);
    int64_t done = (int64_t)work;
    ir_func_free(&f);
    image_free(&image);
    return good ? done : -1;
}

enum { LARGER = 4, MOST = 5 }; /* times the size, times the work */

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
        uint32_t count = shapes[k].count;
        int64_t small = compile(shapes[k].make, count);
        int64_t large = compile(shapes[k].make, count * LARGER);
        bool good = small >= 0 && large >= 0 && large <= MOST * small;
#ifdef COUNTED
        good = good && small > count;
#endif
        printf("%s %d - %s\n# %lld blocks for %u, %lld for %u\n", good ? "ok" : "not ok", k + 1,
               shapes[k].name, (long long)small, count, (long long)large, count * LARGER);
        failures += !good;
    }
    printf("1..2\n");
    return failures != 0;
}
