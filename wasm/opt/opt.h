/* The optimiser: passes over one function's SSA, each switchable by name. */
#ifndef QUINCE_WASM_OPT_H
#define QUINCE_WASM_OPT_H

#include "ir/ir.h"

/* What the inliner asks of whoever has all functions. */
struct opt_inlining {
    /* SSA of own function FUNC as it was decoded, if its body has at most SIZE bytes, else NULL.
     * Valid until the next question. */
    const struct ir_func *(*body)(void *context, uint32_t func, uint32_t size);
    /* A pos that stands for POS in a body that was put in place of the call at pos CALL. */
    uint32_t (*position)(void *context, uint32_t pos, uint32_t call);
    void *context;
};

/* Where the first word stands in PASSES that opt_run() does not know; NULL: it knows them all. */
const char *opt_unknown(const char *passes);
/* Runs the passes named in PASSES (comma separated; NULL: all, "": none) in their fixed order.
 * "all" among the names stands for all, one with a minus before it is left out, "verify" checks the
 * function after each pass, "check-ranges" puts checks of ranges behind all (tests). INLINING NULL:
 * nothing is inlined. false: out of memory. The function is ir_verify()-clean before and after
 * every pass. */
bool opt_run(struct ir_func *f, const char *passes, const struct opt_inlining *inlining);

#endif
