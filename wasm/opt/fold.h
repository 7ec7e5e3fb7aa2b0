/* What the files of folding share. */
#ifndef QUINCE_OPT_FOLD_H
#define QUINCE_OPT_FOLD_H

#include "ir/ir.h"

/* New instructions before WHERE. */
ir_ref fold_const(struct ir_func *f, ir_ref where, uint8_t type, uint64_t value);
ir_ref fold_binary(struct ir_func *f, ir_ref where, enum ir_op op, uint8_t type, ir_ref a,
                   ir_ref b);
/* The value of binary operation OP on two constants, sign-extended if they are I32 (not IS_64),
 * whose upper half then means nothing. False: none, or it traps. */
bool fold_value(unsigned op, int64_t a, int64_t b, bool is_64, uint64_t *value);
/* R divides by the constant K, which is not 0: shifts, masks and multiplications instead. */
void fold_division(struct ir_func *f, ir_ref r, int64_t k, bool is_64);

#endif
