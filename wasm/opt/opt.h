/* The optimiser: passes over one function's SSA, each switchable by name. */
#ifndef QUINCE_WASM_OPT_H
#define QUINCE_WASM_OPT_H

#include "ir/ir.h"

/* Runs the passes named in PASSES (comma separated; NULL: all, "": none) in their fixed order.
 * "all" among the names stands for all, "verify" checks the function after each pass (tests).
 * false: out of memory. The function is ir_verify()-clean before and after every pass. */
bool opt_run(struct ir_func *f, const char *passes);

#endif
