/* Making the code of vectorised loops: what loops of one block and nests share. */
#ifndef QUINCE_OPT_VECTORISE_EMIT_H
#define QUINCE_OPT_VECTORISE_EMIT_H

#include "opt/repair.h"
#include "opt/vectorise.h"

struct emitter {
    struct vec_loop *v;
    struct ir_func *f;
    ir_block_ref now; /* what is made is appended to it */
    ir_block_ref join, vector, after;
    ir_ref start[VEC_POINTERS], wide[VEC_POINTERS], end[VEC_POINTERS]; /* I32, I64, I64 */
    ir_ref pointer[VEC_POINTERS];                                      /* of the vector loop */
    ir_ref total, rounds; /* I64: of the scalar loop; those that the vector loop does */
};

/* Instructions, folded where all is constant. B 0: one operand. */
ir_ref vec_constant(struct emitter *e, uint8_t type, uint64_t value);
ir_ref vec_vector_constant(struct emitter *e, uint64_t low, uint64_t high);
ir_ref vec_put(struct emitter *e, enum ir_op op, uint8_t type, ir_ref a, ir_ref b);
ir_ref vec_put_k(struct emitter *e, enum ir_op op, uint8_t type, ir_ref a, uint64_t k);
ir_ref vec_simd(struct emitter *e, uint16_t op, uint8_t type, ir_ref a, ir_ref b);
ir_ref vec_splat(struct emitter *e, uint8_t type, ir_ref value);
/* REF, which is of outside: constants may stand in the loop, and are made again. */
ir_ref vec_outside(struct emitter *e, ir_ref ref);
/* Goes on in a new block if CONDITION holds, else to the scalar loop. */
void vec_check(struct emitter *e, ir_ref condition);
/* I64: rounds of the loop that C counts; goes on if there are LEAST, more than 0, or known ones. */
ir_ref vec_count_rounds(struct emitter *e, const struct vec_counter *c, uint32_t least);
/* Lane k: k × DELTA. All lanes: VALUE. I32. */
ir_ref vec_ramp(struct emitter *e, uint32_t delta);
ir_ref vec_repeated(struct emitter *e, uint32_t value);
/* Lanes from and to what SCALAR loads and stores, at ADDRESS + OFFSET. */
ir_ref vec_load(struct emitter *e, ir_ref scalar, ir_ref address, uint64_t offset);
void vec_store(struct emitter *e, ir_ref scalar, ir_ref address, uint64_t offset, ir_ref value);
/* The bytes of every lane turned around. */
ir_ref vec_turned(struct emitter *e, ir_ref value);

/* A where MASK is set, else B. */
ir_ref vec_chosen(struct emitter *e, ir_ref a, ir_ref b, ir_ref mask);

/* Blocks, and the test whether there are rounds enough; then, behind the vector loop, the way to
 * the exit and to the scalar loop. */
bool vec_emit_begin(struct emitter *e);
void vec_emit_after(struct emitter *e, struct repair_def *defs, uint32_t *def_count);

#endif
