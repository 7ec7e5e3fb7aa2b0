/* Tests of the intermediate representation: dominators, loops and the splitting of edges on random
 * graphs against their definitions, and that the verifier finds what is wrong. */
#include "ir/ir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number, failures;

static void check(bool good, const char *name)
{
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, name);
    failures += !good;
}

static uint32_t state = 1;
static uint32_t random_below(uint32_t n)
{
    state = state * 1664525 + 1013904223;
    return (state >> 8) % n;
}

static void add_edge(struct ir_func *f, ir_block_ref from, ir_block_ref to)
{
    const ir_block_ref *preds = ir_preds(f, to);
    for (uint32_t i = 0; i < f->blocks[to].pred_count; i++)
        if (preds[i] == from)
            return;
    ir_pred_add(f, to, from);
}

static ir_ref constant(struct ir_func *f, ir_block_ref block, uint64_t value)
{
    ir_ref ref = ir_append(f, block, IR_CONST, IR_I32);
    ir_at(f, ref)->imm = value;
    return ref;
}

/* A random graph of N blocks; each has a constant and a terminator. */
static void random_graph(struct ir_func *f, uint32_t n)
{
    ir_func_reset(f);
    for (uint32_t i = 0; i < n; i++)
        ir_block_new(f);
    for (ir_block_ref b = 0; b < n; b++) {
        ir_ref value = constant(f, b, b);
        uint32_t count = random_below(4);
        if (count == 0) {
            ir_append(f, b, IR_RETURN, IR_VOID);
        } else if (count == 1) {
            ir_jump(f, b, 1 + random_below(n - 1));
        } else if (count == 2) {
            ir_block_ref x = 1 + random_below(n - 1), y = 1 + random_below(n - 1);
            ir_branch(f, b, value, x, y);
        } else {
            count = 1 + random_below(6);
            ir_switch(f, b, value, count);
            for (uint32_t i = 0; i < count; i++)
                f->pool[f->blocks[b].succs + i] = 1 + random_below(n - 1);
        }
        for (uint32_t i = 0; i < f->blocks[b].succ_count; i++)
            add_edge(f, b, ir_succs(f, b)[i]);
    }
}

/* Which blocks can be reached from the entry without passing AVOID. */
static void reach(const struct ir_func *f, ir_block_ref avoid, bool *reached)
{
    ir_block_ref stack[64];
    uint32_t depth = 0;
    memset(reached, 0, f->block_count);
    if (avoid != 0) {
        reached[0] = true;
        stack[depth++] = 0;
    }
    while (depth) {
        ir_block_ref b = stack[--depth];
        for (uint32_t i = 0; i < f->blocks[b].succ_count; i++) {
            ir_block_ref s = ir_succs(f, b)[i];
            if (s != avoid && !reached[s]) {
                reached[s] = true;
                stack[depth++] = s;
            }
        }
    }
}

static bool analysis_holds(struct ir_func *f)
{
    bool live[64], without[64];
    char why[200];
    reach(f, IR_NONE, live);
    if (!ir_verify(f, why, sizeof why) || !ir_analyse(f) || !ir_verify(f, why, sizeof why)) {
        printf("# %s\n", why);
        return false;
    }
    uint32_t count = 0;
    for (ir_block_ref b = 0; b < f->block_count; b++) {
        count += live[b];
        if (live[b] == !!(f->blocks[b].flags & IR_BLOCK_UNREACHABLE))
            return false;
    }
    if (count != f->order_count || f->order[0] != 0)
        return false;
    for (ir_block_ref a = 0; a < f->block_count; a++) {
        if (!live[a])
            continue;
        reach(f, a, without);
        for (ir_block_ref b = 0; b < f->block_count; b++)
            if (live[b] && ir_dominates(f, a, b) != (a == b || !without[b]))
                return false;
    }
    /* Loops: a header is what a block it dominates jumps to; members reach it without leaving. */
    for (ir_block_ref h = 0; h < f->block_count; h++) {
        if (!live[h])
            continue;
        bool member[64] = {false}, header = false;
        ir_block_ref stack[64];
        uint32_t depth = 0;
        member[h] = true;
        for (uint32_t i = 0; i < f->blocks[h].pred_count; i++) {
            ir_block_ref p = ir_preds(f, h)[i];
            if (!ir_dominates(f, h, p))
                continue;
            header = true;
            if (!member[p]) {
                member[p] = true;
                stack[depth++] = p;
            }
        }
        while (depth) {
            ir_block_ref b = stack[--depth];
            for (uint32_t i = 0; i < f->blocks[b].pred_count; i++) {
                ir_block_ref p = ir_preds(f, b)[i];
                if (!member[p]) {
                    member[p] = true;
                    stack[depth++] = p;
                }
            }
        }
        if (header != !!(f->blocks[h].flags & IR_BLOCK_LOOP_HEADER))
            return false;
        for (ir_block_ref b = 0; header && b < f->block_count; b++) {
            /* Is h among the loops around b? */
            ir_block_ref loop = live[b] ? f->blocks[b].loop : IR_NONE;
            while (loop != IR_NONE && loop != h)
                loop = f->blocks[loop].outer_loop;
            if (live[b] && (loop == h) != member[b])
                return false;
        }
    }
    for (ir_block_ref b = 0; b < f->block_count; b++) {
        uint32_t depth = 0;
        for (ir_block_ref l = f->blocks[b].loop; live[b] && l != IR_NONE;
             l = f->blocks[l].outer_loop)
            depth++;
        if (live[b] && depth != f->blocks[b].loop_depth)
            return false;
    }
    return true;
}

static bool splitting_holds(struct ir_func *f)
{
    char why[200];
    for (ir_block_ref b = 1; b < f->block_count; b++) {
        if (f->blocks[b].flags & IR_BLOCK_UNREACHABLE || random_below(3) == 0)
            continue;
        ir_ref phi = ir_phi_new(f, b, IR_I32);
        for (uint32_t i = 0; i < ir_at(f, phi)->count; i++)
            f->pool[ir_at(f, phi)->list + i] = f->ins[f->blocks[ir_preds(f, b)[i]].last].prev;
    }
    if (!ir_verify(f, why, sizeof why) || !ir_split_critical_edges(f) ||
        !ir_verify(f, why, sizeof why)) {
        printf("# %s\n", why);
        return false;
    }
    for (ir_block_ref b = 0; b < f->block_count; b++) {
        bool phi = f->blocks[b].first && ir_at(f, f->blocks[b].first)->op == IR_PHI;
        if (f->blocks[b].pred_count < 2 || !phi)
            continue;
        for (uint32_t i = 0; i < f->blocks[b].pred_count; i++)
            if (f->blocks[ir_preds(f, b)[i]].succ_count > 1)
                return false;
    }
    return true;
}

static void test_verifier(struct ir_func *f)
{
    char why[200];
    ir_func_reset(f);
    ir_block_ref entry = ir_block_new(f), left = ir_block_new(f), right = ir_block_new(f),
                 join = ir_block_new(f);
    ir_ref a = constant(f, entry, 1);
    ir_branch(f, entry, a, left, right);
    add_edge(f, entry, left);
    add_edge(f, entry, right);
    ir_ref b = constant(f, left, 2);
    ir_jump(f, left, join);
    add_edge(f, left, join);
    ir_jump(f, right, join);
    add_edge(f, right, join);
    ir_ref sum = ir_append(f, join, IR_ADD, IR_I32);
    ir_at(f, sum)->a = a;
    ir_at(f, sum)->b = a;
    ir_append(f, join, IR_RETURN, IR_VOID);
    check(ir_verify(f, why, sizeof why), "a diamond is well-formed");
    ir_at(f, sum)->b = b;
    check(!ir_verify(f, why, sizeof why), "a use that its definition does not dominate is found");
    ir_at(f, sum)->b = sum;
    check(!ir_verify(f, why, sizeof why), "a use before the definition is found");
    ir_at(f, sum)->b = 0;
    check(!ir_verify(f, why, sizeof why), "a missing operand is found");
    ir_at(f, sum)->b = a;
    ir_at(f, sum)->type = IR_I64;
    check(!ir_verify(f, why, sizeof why), "a wrong type is found");
    ir_at(f, sum)->type = IR_I32;
    f->blocks[join].pred_count = 1;
    check(!ir_verify(f, why, sizeof why), "a missing predecessor is found");
    f->blocks[join].pred_count = 2;
    f->pool[f->blocks[join].preds + 1] = left;
    check(!ir_verify(f, why, sizeof why), "a predecessor listed twice is found");
    f->pool[f->blocks[join].preds + 1] = right;
    ir_ref phi = ir_phi_new(f, join, IR_I32);
    f->pool[ir_at(f, phi)->list] = b;
    f->pool[ir_at(f, phi)->list + 1] = b;
    check(!ir_verify(f, why, sizeof why), "a phi operand from the wrong side is found");
    f->pool[ir_at(f, phi)->list + 1] = a;
    check(ir_verify(f, why, sizeof why), "and the right one accepted");

    ir_ref copy = ir_insert_before(f, sum, IR_COPY, IR_I32);
    ir_at(f, copy)->a = phi;
    ir_ref again = ir_insert_before(f, sum, IR_COPY, IR_I32);
    ir_at(f, again)->a = copy;
    ir_at(f, sum)->a = again;
    check(ir_resolve(f) && ir_at(f, sum)->a == phi && ir_at(f, sum)->prev != again &&
              ir_at(f, sum)->prev != copy && ir_verify(f, why, sizeof why),
          "copies are resolved and gone");
}

int main(void)
{
    struct ir_func f;
    ir_func_init(&f, NULL, 0);
    bool analysis = true, splitting = true;
    for (uint32_t i = 0; i < 2000 && analysis && splitting; i++) {
        random_graph(&f, 2 + random_below(30));
        analysis = analysis_holds(&f);
        splitting = analysis && splitting_holds(&f);
        if (!analysis || !splitting)
            printf("# graph %u\n", i);
    }
    check(analysis, "order, dominators and loops of random graphs are what they are defined to be");
    check(splitting, "no critical edge to a phi is left after splitting");
    test_verifier(&f);
    ir_func_free(&f);
    printf("1..%d\n", number);
    return failures != 0;
}
