/* What the files of the loop vectoriser share: the description of one loop that can be done several
 * rounds at once.
 *
 * A round of the scalar loop may do several elements (unrolled by whoever made the module): LANES
 * of them. Element k of round r is element r × lanes + k of a loop that does one a round, if all
 * pointers step by LANES times the size of what they point to and the operations for every element
 * are the same: lanes of a node. */
#ifndef QUINCE_OPT_VECTORISE_H
#define QUINCE_OPT_VECTORISE_H

#include "opt/passes.h"

enum {
    VEC_BODY = 512, /* instructions of a loop */
    VEC_PHIS = 12,
    VEC_TERMS = 4, /* of an address */
    VEC_POINTERS = 8,
    VEC_NODES = 48,
    VEC_LANES = 64,       /* elements in a round of the scalar loop */
    VEC_LANE_REFS = 2048, /* nodes × lanes */
    VEC_PAIRS = 24,       /* of accesses that may overlap */
    VEC_REDUCTIONS = 4,
    VEC_REDUCTION_TERMS = 64,
    VEC_VECTORS = 24,     /* of one node in a round of the vector loop */
    VEC_OFFSET = 1 << 20, /* below: offsets from a pointer */
    VEC_STEP = 1 << 12,   /* up to: bytes a round */
};

struct repair_def;

/* A phi that grows by a constant. */
struct vec_induction {
    ir_ref phi, next, start;
    uint32_t step;
};

/* A loop goes on while what starts with START and steps by STEP, before (TESTS_NEXT: after) its
 * step, TEST LIMIT (0: the constant 0). */
struct vec_counter {
    ir_ref start, limit;
    uint32_t step;
    uint16_t test;
    bool tests_next;
    uint32_t known_rounds; /* 0: not known */
};

/* Sum of coefficient × value, and a constant, modulo 2^32. A value is of outside or a phi that
 * steps; sorted by value. */
struct vec_linear {
    struct {
        ir_ref value;
        uint32_t factor;
    } terms[VEC_TERMS];
    uint32_t count, constant;
    uint32_t step; /* what it grows by in a round */
};

/* What accesses at constant distances count from. */
struct vec_pointer {
    struct vec_linear at; /* the lowest of them */
    int32_t lowest;       /* from the first one found */
    uint32_t high;        /* highest offset of a node; with its size if the pointer stays */
};

/* A load or store in the loop: at pointer + offset. */
struct vec_access {
    ir_ref ref;
    uint8_t pointer, size;
    int64_t offset;
    bool used;
};

enum vec_kind {
    VEC_PENDING, /* operands not looked at yet */
    VEC_SPLAT,   /* the same everywhere, from outside of the loop */
    VEC_FIXED,   /* loaded from the same place everywhere, which nothing in the loop writes */
    VEC_LOAD,
    VEC_STORE,
    VEC_OP,
    VEC_SHIFT,    /* by scalar */
    VEC_SWAP,     /* the bytes of each lane turned around */
    VEC_SAME,     /* operand a, in as many bits as count */
    VEC_COUNTER,  /* a linear value */
    VEC_PREVIOUS, /* what operand a was an element before; the phi says what it was at first */
};

struct vec_node {
    uint8_t kind, type; /* type of the scalars; of comparisons: of what they compare */
    bool is_mask;       /* a comparison: all bits of a lane or none; for SELECT and sums */
    uint8_t size;       /* of accesses */
    uint8_t operand_count;
    uint16_t simd;  /* operation */
    uint32_t lanes; /* first of its scalars in lane_refs */
    uint8_t operands[3];
    uint8_t pointer;
    uint32_t offset;          /* of lane 0 */
    ir_ref scalar;            /* shift count; phi of PREVIOUS */
    struct vec_linear linear; /* COUNTER: of lane 0 */
    uint32_t delta;           /* from lane to lane */
    /* While code is made: its vector of now; the one before; a phi; what it is before the loop. */
    ir_ref value, last, phi, start;
};

struct vec_reduction {
    ir_ref phi, next;
    uint16_t op;
    uint8_t type, term_count;
    uint8_t terms[VEC_REDUCTION_TERMS]; /* nodes */
    ir_ref accumulator, result;         /* while code is made */
};

/* A store, and accesses from another pointer, that must not touch each other in one round of the
 * vector loop. */
struct vec_pair {
    uint8_t store, pointer; /* a node; of the others */
    bool same_fits;         /* at the same address there is no harm */
    uint32_t low, high;     /* lowest and highest offset of the others, as in vec_pointer */
};

struct vec_loop {
    struct ir_func *f;
    ir_block_ref block, latch, before, exit;
    uint32_t slot; /* of BEFORE among the predecessors */
    uint32_t memory;

    struct vec_counter counter;

    uint32_t lanes, lane_size; /* elements a scalar round; bytes of an element in a register */
    uint32_t rounds;           /* of the scalar loop in one of the vector loop; a power of two */
    uint32_t vectors;          /* of each node in one round of the vector loop */
    bool leaves_last; /* the scalar loop does at least one round, for what is wanted of it */

    uint32_t induction_count, pointer_count, node_count, pair_count, reduction_count, wanted_count,
        body_count, access_count, lane_ref_count;

    /* From here on nothing is there before it is counted. */
    struct vec_induction inductions[VEC_PHIS];
    struct vec_pointer pointers[VEC_POINTERS];
    struct vec_node nodes[VEC_NODES];
    struct vec_pair pairs[VEC_PAIRS];
    struct vec_reduction reductions[VEC_REDUCTIONS];
    ir_ref wanted[VEC_PHIS];  /* values of the loop that are wanted outside */
    uint8_t order[VEC_NODES]; /* nodes: operands first, stores last */
    /* By position in the body, from 1. */
    ir_ref body[VEC_BODY];
    bool covered[VEC_BODY];
    uint8_t uses[VEC_BODY]; /* in the body, up to 255 */
    struct vec_access accesses[VEC_BODY];
    ir_ref lane_refs[VEC_LANE_REFS];
};

/* mark of instructions of a loop: position in the body, and whether one outside uses it. */
#define VEC_WANTED      0x80000000u
#define VEC_WANTED_NEST 0x40000000u /* outside of the loop around it as well */
#define VEC_POSITION    0x3fffffffu

static inline uint32_t vec_position(const struct vec_loop *v, ir_ref ref)
{
    return v->f->ins[ref].mark & VEC_POSITION;
}
/* What a phi of the loop gets from the round before. */
static inline ir_ref vec_latch_value(const struct vec_loop *v, const struct ir_ins *phi)
{
    return v->f->pool[phi->list + !v->slot];
}
/* That of PHI, or NULL. */
const struct vec_induction *vec_induction_of(const struct vec_induction *inductions, uint32_t count,
                                             ir_ref phi);
struct vec_access *vec_access_of(struct vec_loop *v, ir_ref ref); /* of a LOAD or STORE in it */
bool vec_same_terms(const struct vec_linear *a, const struct vec_linear *b);

/* Describes BLOCK, a loop of one block, which is entered from BEFORE. Whether it is worth looking
 * for more: it counts, and all it touches is at linear addresses. */
bool vec_begin(struct vec_loop *v, struct ir_func *f, ir_block_ref block, ir_block_ref before);
/* Then, with VEC_WANTED in the marks: whether it can be vectorised. */
bool vec_match(struct vec_loop *v);
/* The comparison at the end of LATCH that sends on to HEADER, with one of INDUCTIONS. The limit may
 * be a value of the loop. */
bool vec_find_counter(const struct ir_func *f, ir_block_ref latch, ir_block_ref header,
                      const struct vec_induction *inductions, uint32_t count,
                      struct vec_counter *counter);
/* How often a loop comes round at most, UINT32_MAX if nothing tells, where it does not wrap: the
 * rest of what a compiler has unrolled, say. */
uint32_t vec_most_rounds(const struct ir_func *f, const struct vec_counter *counter);
/* Linear form of REF in the loop; false: it has none. */
bool vec_linear(const struct vec_loop *v, ir_ref ref, struct vec_linear *linear);
static inline bool vec_inside(const struct vec_loop *v, ir_ref ref)
{
    return v->f->ins[ref].block == v->block && v->f->ins[ref].op != IR_CONST;
}
/* vectorise_emit.c: makes the code. Appends to DEFS what repair_ssa() needs, at most VEC_PHIS;
 * false: no memory. */
bool vec_emit(struct vec_loop *v, struct repair_def *defs, uint32_t *def_count);

/* vectorise_nest.c: the header and *LATCH of a loop around INNER, a loop of one block, if there is
 * nothing else in it; IR_NONE: no. */
ir_block_ref vec_nest_around(const struct ir_func *f, ir_block_ref inner, ir_block_ref *latch);
/* Vectorises that loop if it can: as vec_match() and vec_emit(). V is space for it. */
bool vec_nest(struct vec_loop *v, struct ir_func *f, ir_block_ref inner, struct repair_def *defs,
              uint32_t *def_count, bool *changed);

/* Nothing is wanted if finding it is too much work: the scalar loop does the last round then. */
enum { VEC_REPAIRS = 16 }; /* originals × blocks, of the function's instructions */
static inline void vec_limit_repairs(struct vec_loop *v, uint32_t def_count)
{
    if ((uint64_t)(def_count + v->wanted_count) * v->f->block_count >
        (uint64_t)VEC_REPAIRS * v->f->ins_count)
        v->leaves_last = true;
}

unsigned vec_access_size(unsigned access); /* bytes; 0: no element */
/* Whether a memory has 32-bit addresses and no other thread sees it. */
bool vec_plain_memory(const struct ir_func *f, uint32_t memory);
bool vec_add_term(struct vec_linear *l, ir_ref value, uint32_t factor); /* false: no room */

/* vectorise_ops.c: the vector operation for a scalar one, on lanes of SIZE bytes that hold values
 * of TYPE (or their low bits); 0: none. */
uint16_t vec_lane_op(unsigned op, uint8_t type, uint32_t size);
uint16_t vec_splat_op(uint8_t type, uint32_t size);
/* Widens the low lanes of SIZE bytes to twice that. */
uint16_t vec_extend_op(uint32_t size, bool is_signed);

#endif
