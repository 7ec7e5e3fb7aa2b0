/* A function as text, a line per instruction, for people. */
#include "ir/ir.h"
#include "ir/simd.h"
#include "runtime/abi.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const type_names[IR_TYPE_COUNT] = {"void", "i32",  "i64", "f32",
                                                      "f64",  "v128", "ref"};
static const char *const access_names[] = {"s8",  "u8", "s16", "u16", "s32",
                                           "u32", "64", "f32", "f64", "128"};
static const char *const helper_names[] = {
#define X(name) #name,
    WASM_HELPERS(X)
#undef X
};

struct line {
    char text[240];
    size_t used;
};

static void put(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t room = sizeof line->text - line->used;
    int n = vsnprintf(line->text + line->used, room, format, args);
    va_end(args);
    if (n > 0)
        line->used += (size_t)n < room ? (size_t)n : room - 1;
}

static void put_list(struct line *line, const struct ir_func *f, const char *label, char sigil,
                     uint32_t start, uint32_t count)
{
    put(line, "%s", label);
    for (uint32_t i = 0; i < count; i++) {
        if (line->used > sizeof line->text - 20) {
            put(line, " …");
            return;
        }
        put(line, "%s%c%u", i ? " " : "", sigil, f->pool[start + i]);
    }
}

static void put_ins(struct line *line, const struct ir_func *f, ir_ref r)
{
    const struct ir_ins *ins = &f->ins[r];
    const char *operands = ir_op_info[ins->op].operands;
    if (ins->type != IR_VOID)
        put(line, "    v%u:%s = ", r, type_names[ins->type]);
    else
        put(line, "    ");
    bool simd = ins->op >= IR_SIMD1 && ins->op <= IR_SIMD3 && ins->aux < SIMD_OP_COUNT;
    put(line, "%s", simd ? simd_op_info[ins->aux].name : ir_op_info[ins->op].name);
    if (ins->op == IR_LOAD || ins->op == IR_STORE ||
        (ins->op >= IR_ATOMIC_LOAD && ins->op <= IR_ATOMIC_CMPXCHG))
        put(line, ".%s", access_names[ins->access]);
    for (const char *o = operands; *o; o++) {
        switch (*o) {
        case 'a': put(line, " v%u", ins->a); break;
        case 'b': put(line, " v%u", ins->b); break;
        case 'c': put(line, " v%u", ins->c); break;
        case 'i': put(line, " #0x%" PRIx64, ins->imm); break;
        case 'l':
            put_list(line, f, " [", 'v', ins->list, ins->count);
            put(line, "]");
            break;
        case 'x':
            if (ins->op == IR_CALL_HELPER && ins->aux < WASM_HELPER_COUNT)
                put(line, " %s", helper_names[ins->aux]);
            else if (!simd)
                put(line, " @%u", ins->aux);
            break;
        default: break;
        }
    }
    if (ins->op == IR_CALL_INDIRECT || ins->op == IR_TAIL_CALL_INDIRECT)
        put(line, " table %u", ins->table);
    if (ir_flags[ins->op] & IR_E && f->blocks[ins->block].succ_count)
        put_list(line, f, " → ", 'b', f->blocks[ins->block].succs,
                 f->blocks[ins->block].succ_count);
    if (ins->pos && ir_flags[ins->op] & (IR_T | IR_K))
        put(line, "  ; 0x%x", ins->pos);
}

size_t ir_print_ins(const struct ir_func *f, ir_ref r, char *text, size_t size)
{
    struct line line = {.used = 0};
    put_ins(&line, f, r);
    snprintf(text, size, "%s", line.text + 4); /* without the indentation */
    return line.used - 4;
}

void ir_print(const struct ir_func *f, void (*out)(void *context, const char *line), void *context)
{
    struct line line = {.used = 0};
    put(&line, "func %u: %u blocks", f->index, f->block_count);
    out(context, line.text);
    for (ir_block_ref b = 0; b < f->block_count; b++) {
        const struct ir_block *block = &f->blocks[b];
        if (!block->first)
            continue;
        line.used = 0;
        put(&line, "b%u:", b);
        put_list(&line, f, " from ", 'b', block->preds, block->pred_count);
        if (block->loop_depth)
            put(&line, "  ; loop b%u depth %u", block->loop, block->loop_depth);
        out(context, line.text);
        for (ir_ref r = block->first; r; r = f->ins[r].next) {
            line.used = 0;
            put_ins(&line, f, r);
            out(context, line.text);
        }
    }
}
