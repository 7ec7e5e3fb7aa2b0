/* What the two files of vectorising nests share: vectorise_nest.c finds out whether it can be done,
 * vectorise_nest_emit.c makes the code. */
#ifndef QUINCE_OPT_VECTORISE_NEST_H
#define QUINCE_OPT_VECTORISE_NEST_H

#include "opt/vectorise_emit.h"

enum {
    NEST_BODY = 256,    /* instructions */
    NEST_GROUPS = 8,    /* of addresses at constant distances */
    NEST_SPLATS = 24,   /* of values from outside */
    NEST_VECTORS = 2,   /* of each value in a round */
    NEST_TURNS = 6,     /* until it is known what depends on the round */
    NEST_STEP = 1 << 20 /* below: bytes that an address grows by in a round of the inner loop */
};

enum nest_class { NEST_UNIFORM, NEST_LINEAR, NEST_VECTOR };

struct nest_value {
    uint8_t kind; /* enum nest_class */
    bool needed;
    uint32_t step; /* NEST_LINEAR: what it grows by in a round of the outer loop */
    ir_ref scalar, vectors[NEST_VECTORS]; /* while code is made */
    ir_ref splat;                         /* of scalar */
};

/* Addresses: those of outside, and how they grow. */
struct nest_group {
    struct vec_linear at; /* its step is that of the outer loop; the lowest constant */
    uint32_t inner_step;
    uint32_t high; /* highest offset, with the size for what does not grow */
    bool stores;
    ir_ref low_end, high_end; /* I64 */
};

struct nest_access {
    uint32_t position;
    uint8_t group;
    int64_t offset;
};

struct nest {
    struct vec_loop *outer;
    struct ir_func *f;
    ir_block_ref blocks[3];     /* header, inner, latch */
    struct vec_counter counter; /* of the inner loop */
    uint32_t inner_slot;        /* of the header among the inner loop's predecessors */
    uint32_t vectors, induction_count, body_count, group_count, access_count, splat_count;
    /* From here on nothing is there before it is counted. */
    struct vec_induction inductions[VEC_PHIS]; /* of the inner loop */
    ir_ref body[NEST_BODY];                    /* by position, from 1 */
    struct nest_value values[NEST_BODY];
    struct nest_group groups[NEST_GROUPS];
    struct nest_access accesses[NEST_BODY];
    struct {
        ir_ref value, splat;
    } splats[NEST_SPLATS];
    ir_ref starts[NEST_BODY][NEST_VECTORS]; /* of the inner loop's phis */
};

static inline bool nest_inside(const struct nest *n, ir_ref ref)
{
    const struct ir_ins *ins = &n->f->ins[ref];
    return ins->op != IR_CONST &&
           (ins->block == n->blocks[0] || ins->block == n->blocks[1] || ins->block == n->blocks[2]);
}

static inline struct nest_value *nest_value_of(struct nest *n, ir_ref ref)
{
    return &n->values[n->f->ins[ref].mark & VEC_POSITION];
}

/* What REF is: a class and, if it is linear, its step. */
uint8_t nest_class_of(struct nest *n, ir_ref ref, uint32_t *step);
static inline bool nest_is_shift(unsigned op)
{
    return op == IR_SHL || op == IR_SHR_S || op == IR_SHR_U;
}
/* The result has the operand's bits. */
static inline bool nest_same_bits(unsigned op)
{
    return op == IR_BITCAST || op == IR_COPY;
}

/* The tests, and the vector loops from e->vector to e->after. */
void vec_nest_emit(struct emitter *e, struct nest *n);

#endif
