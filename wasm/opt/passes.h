/* The optimiser's passes, one file each. All keep the function ir_verify()-clean, take time linear
 * or nearly so, and need the analyses (ir_analyse) up to date, which those that change the control
 * flow renew. false: out of memory. */
#ifndef QUINCE_OPT_PASSES_H
#define QUINCE_OPT_PASSES_H

#include "opt/opt.h"

/* small functions in place of their calls */
bool opt_inline(struct ir_func *f, const struct opt_inlining *inlining);
bool opt_fold(struct ir_func *f);        /* constants, algebra, strength reduction */
bool opt_branch(struct ir_func *f);      /* branches on constants, single-predecessor phis */
bool opt_thread(struct ir_func *f);      /* jumps past decisions that are known */
bool opt_gvn(struct ir_func *f);         /* the same computation twice */
bool opt_combine(struct ir_func *f);     /* byte-wise loads in one */
bool opt_stores(struct ir_func *f);      /* byte-wise stores in one */
bool opt_memory(struct ir_func *f);      /* loads of what is known to be there */
bool opt_licm(struct ir_func *f);        /* out of loops */
bool opt_vectorise(struct ir_func *f);   /* several rounds of a loop at once */
bool opt_reassociate(struct ir_func *f); /* what the last round gives comes last */
bool opt_address(struct ir_func *f);     /* offsets instead of sums, where these cannot wrap */
/* behind all, for tests: traps where a value leaves its range */
bool opt_check_ranges(struct ir_func *f);

/* What is_const() says of an integer: its value, sign-extended for I32. */
static inline bool opt_const(const struct ir_func *f, ir_ref ref, int64_t *value)
{
    const struct ir_ins *ins = &f->ins[ref];
    if (ins->op != IR_CONST || (ins->type != IR_I32 && ins->type != IR_I64))
        return false;
    *value = ins->type == IR_I32 ? (int32_t)ins->imm : (int64_t)ins->imm;
    return true;
}

#endif
