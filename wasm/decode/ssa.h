/* Variables to SSA while the code is read, after Braun, Buchwald, Hack, Leißa, Mallon and Zwinkau,
 * "Simple and Efficient Construction of Static Single Assignment Form" (2013): a use looks for its
 * definition backwards and leaves phis only where it needs them. Internal to decode/.
 *
 * What is particular here: the only blocks read before all their predecessors are known are loop
 * headers; nothing recurses; definitions stand in a table by block and variable as far as that is
 * in proportion to the code, beyond it in a hash table, so that neither many locals nor many blocks
 * cost anything by themselves; and every step is counted, because the size of SSA itself can be
 * quadratic in that of the code.
 *
 * Wasm's control flow is structured, which most searches profit from: where what leaves a construct
 * meets again, a variable that nothing inside wrote is what it was when the construct began. Who
 * wrote is told by a bit per variable, which several may share. */
#ifndef QUINCE_WASM_DECODE_SSA_H
#define QUINCE_WASM_DECODE_SSA_H

#include "ir/ir.h"

struct ssa_def {
    uint32_t block, var;
    ir_ref value;
    uint32_t generation; /* of another function: the slot is free */
};
struct ssa_incomplete {
    ir_ref phi;
    uint32_t var, next;
};
/* A block with several predecessors, which are being asked. */
struct ssa_frame {
    ir_block_ref block, asked; /* ASKED: who wants to know, a chain of single predecessors away */
    uint32_t next_pred;        /* how many predecessors have been asked */
    ir_ref phi;                /* of a loop header: made before asking */
};
/* A constant of the function; they stand in the entry, where all may use them. */
struct ssa_const {
    uint64_t bits;
    ir_ref value;
    uint32_t owner; /* generation and type */
};
#define SSA_CONSTS 256u
/* Where to look for a variable that a block does not define: BEFORE if none of its bits is in
 * WRITTEN, else ABOVE. */
struct ssa_block {
    uint64_t written;    /* of a construct that ends here: bits of what it writes; else all */
    ir_block_ref before; /* … and the block it began in */
    ir_block_ref above;  /* the only predecessor; IR_NONE: there are others, or may come */
    uint32_t incomplete; /* first of the phis to complete when sealed, or IR_NONE */
    bool header, sealed;
};

struct ssa {
    struct ir_func *f;
    ir_ref *cells; /* definitions: of block B < table_blocks and variable V < table_vars at
                      B * table_vars + V; 0: none yet */
    uint32_t table_blocks, table_vars, cell_capacity;
    struct ssa_def *defs; /* those of the others, hashed */
    struct ssa_block *blocks;
    struct ssa_incomplete *incomplete;
    struct ssa_frame *frames;
    ir_ref *values, *phis;
    uint32_t *users; /* of ssa_finish() */
    uint32_t def_count, def_capacity, generation, block_count;
    uint32_t block_capacity, users_capacity;
    uint32_t incomplete_count, incomplete_capacity, frame_count, frame_capacity;
    uint32_t value_count, value_capacity, phi_count, phi_capacity;
    struct ssa_const consts[SSA_CONSTS]; /* by hash; only those of this generation count */
    ir_ref null;                         /* of references; made when needed */
    uint64_t written; /* bits of the variables that the innermost construct wrote so far */
    uint64_t steps, max_steps;
    uint64_t next_look; /* at the clock and the limit, in steps */
    uint64_t deadline;  /* wasm_host_now() scale; 0: none. Kept from function to function */
    /* Over max_steps, or (late) over the deadline as well: what was built is of no use. */
    bool exhausted, late;
    ir_ref first_copy; /* of the phis that proved superfluous the first; 0: none did */
};

void ssa_init(struct ssa *s);
void ssa_free(struct ssa *s);
/* For another function F, already empty. Makes the entry block. */
void ssa_reset(struct ssa *s, struct ir_func *f, uint64_t max_steps);
/* Definitions of the first VARS variables stand in a table of at most CELLS entries. */
void ssa_table(struct ssa *s, uint32_t vars, uint64_t cells);
ir_block_ref ssa_block_new(struct ssa *s);
/* A block that is read before its last predecessor is known, until ssa_seal(). */
ir_block_ref ssa_header_new(struct ssa *s);
void ssa_seal(struct ssa *s, ir_block_ref header);
/* Terminators of block FROM, with the predecessors of where they lead. Of a switch the caller sees
 * to that, for each block once, by ssa_pred_add(). */
ir_ref ssa_jump(struct ssa *s, ir_block_ref from, ir_block_ref to);
ir_ref ssa_branch(struct ssa *s, ir_block_ref from, ir_ref condition, ir_block_ref if_true,
                  ir_block_ref if_false);
void ssa_pred_add(struct ssa *s, ir_block_ref block, ir_block_ref pred);
/* Around a construct: the second takes what the first gave. */
static inline uint64_t ssa_enter(struct ssa *s)
{
    uint64_t outer = s->written;
    s->written = 0;
    return outer;
}
static inline void ssa_leave(struct ssa *s, uint64_t outer)
{
    s->written |= outer;
}
/* All that leaves the innermost construct, which began in block BEFORE, meets at LABEL. To be
 * called at its end. */
void ssa_join(struct ssa *s, ir_block_ref label, ir_block_ref before);
/* The constant of a numeric TYPE with BITS, zero-extended; the same one again, as a rule. */
ir_ref ssa_constant(struct ssa *s, enum ir_type type, uint64_t bits);
static inline bool ssa_in_table(const struct ssa *s, ir_block_ref block, uint32_t var)
{
    return block < s->table_blocks && var < s->table_vars;
}
static inline ir_ref *ssa_cell(const struct ssa *s, ir_block_ref block, uint32_t var)
{
    return &s->cells[(size_t)block * s->table_vars + var];
}
void ssa_define_hashed(struct ssa *s, uint32_t var, ir_block_ref block, ir_ref value);
static inline void ssa_define(struct ssa *s, uint32_t var, ir_block_ref block, ir_ref value)
{
    if (ssa_in_table(s, block, var))
        *ssa_cell(s, block, var) = value;
    else
        ssa_define_hashed(s, var, block, value);
}
static inline void ssa_write(struct ssa *s, uint32_t var, ir_block_ref block, ir_ref value)
{
    ssa_define(s, var, block, value);
    s->written |= UINT64_C(1) << var % 64;
}
/* PARAM_COUNT: variables below it start as parameters, others as zero. */
ir_ref ssa_read_before(struct ssa *s, uint32_t var, enum ir_type type, ir_block_ref block);
static inline ir_ref ssa_read(struct ssa *s, uint32_t var, enum ir_type type, ir_block_ref block)
{
    ir_ref value = ssa_in_table(s, block, var) ? *ssa_cell(s, block, var) : 0;
    return value ? value : ssa_read_before(s, var, type, block);
}
bool ssa_is_late(struct ssa *s);
void ssa_look(struct ssa *s); /* whether it is too late, or there were too many steps */
/* Counts work. */
static inline void ssa_step(struct ssa *s, uint64_t steps)
{
    s->steps += steps;
    if (s->steps >= s->next_look)
        ssa_look(s);
}
/* Removes the phis that turned out superfluous, and the copies. */
bool ssa_finish(struct ssa *s);

#endif
