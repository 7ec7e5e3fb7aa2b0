/* SSA after blocks were copied: values that have several definitions now. */
#ifndef QUINCE_OPT_REPAIR_H
#define QUINCE_OPT_REPAIR_H

#include "opt/passes.h"

/* COPY stands in block BLOCK (a copy of ORIGINAL's block) for what ORIGINAL is in its own. */
struct repair_def {
    ir_ref original, copy;
    ir_block_ref block;
};

/* Makes every use of an ORIGINAL refer to the definition that reaches it, by phis where several do.
 * DEFS is sorted by ORIGINAL, so that those of one stand together. Uses in copied blocks of what
 * the same copy defines refer to that already. A COPY instruction in a copied block whose access is
 * REPAIR_PHI stands for a phi: what it copies is meant at the end of the only predecessor.
 * Other copies must not be there, and of these nobody else knows but phis and what is newer.
 * After ir_analyse(); what is not reachable is left alone. Time: originals times blocks, at worst.
 * false: out of memory. */
enum { REPAIR_PHI = 1 };
bool repair_ssa(struct ir_func *f, const struct repair_def *defs, uint32_t count);

#endif
