/* The operation table as data, and what follows from it: how to walk an instruction's operands and
 * how to resolve copies. */
#include "ir/ir.h"
#include "ir/simd.h"

#include <string.h>

const struct ir_op_info ir_op_info[IR_OP_COUNT] = {
#define X(name, operands, flags) {#name, operands, flags},
    IR_OPS(X)
#undef X
};

const struct simd_op_info simd_op_info[SIMD_OP_COUNT] = {
#define X(number, name, text, types, flags) [number] = {text, types, flags},
    SIMD_OPS(X)
#undef X
};

uint32_t simd_lanes(uint32_t op)
{
    uint32_t lanes = 0;
    for (const char *p = strchr(simd_op_info[op].name, 'x') + 1; *p >= '0' && *p <= '9'; p++)
        lanes = 10 * lanes + (uint32_t)(*p - '0');
    return lanes;
}

/* Operand shapes: the number of fixed operands, and whether a list follows. */
struct shape {
    uint8_t fixed, list;
};
#define HAS(s, n, ch) ((s)[(n) < sizeof(s) ? (n) : 0] == (ch))
#define FIXED(s)      (uint8_t)(HAS(s, 0, 'a') + HAS(s, 1, 'b') + HAS(s, 2, 'c'))
#define LIST(s)       (uint8_t)(HAS(s, 0, 'l') || HAS(s, 1, 'l'))
static const struct shape shapes[IR_OP_COUNT] = {
#define X(name, operands, flags) {FIXED(operands), LIST(operands)},
    IR_OPS(X)
#undef X
};

uint32_t ir_operand_count(const struct ir_ins *ins)
{
    struct shape shape = shapes[ins->op];
    return shape.list ? shape.fixed + ins->count : shape.fixed;
}

uint32_t *ir_operand(struct ir_func *f, struct ir_ins *ins, uint32_t i)
{
    struct shape shape = shapes[ins->op];
    if (i >= shape.fixed)
        return &f->pool[ins->list + i - shape.fixed];
    return i == 0 ? &ins->a : i == 1 ? &ins->b : &ins->c;
}

/* What REF stands for once copies are followed; shortens the path for the next one. */
static ir_ref follow(struct ir_func *f, ir_ref ref)
{
    ir_ref end = ref;
    while (f->ins[end].op == IR_COPY)
        end = f->ins[end].a;
    while (f->ins[ref].op == IR_COPY) {
        ir_ref next = f->ins[ref].a;
        f->ins[ref].a = end;
        ref = next;
    }
    return end;
}

bool ir_resolve(struct ir_func *f)
{
    if (f->failed)
        return false;
    for (ir_block_ref b = 0; b < f->block_count; b++) {
        for (ir_ref r = f->blocks[b].first; r; r = f->ins[r].next) {
            struct ir_ins *ins = &f->ins[r];
            struct shape shape = shapes[ins->op];
            if (shape.fixed > 0 && f->ins[ins->a].op == IR_COPY)
                ins->a = follow(f, ins->a);
            if (shape.fixed > 1 && f->ins[ins->b].op == IR_COPY)
                ins->b = follow(f, ins->b);
            if (shape.fixed > 2 && f->ins[ins->c].op == IR_COPY)
                ins->c = follow(f, ins->c);
            if (!shape.list)
                continue;
            uint32_t *list = f->pool + ins->list;
            for (uint32_t i = 0; i < ins->count; i++)
                if (f->ins[list[i]].op == IR_COPY)
                    list[i] = follow(f, list[i]);
        }
    }
    for (ir_block_ref b = 0; b < f->block_count; b++) {
        for (ir_ref r = f->blocks[b].first, next; r; r = next) {
            next = f->ins[r].next;
            if (f->ins[r].op == IR_COPY)
                ir_remove(f, r);
        }
    }
    return true;
}
