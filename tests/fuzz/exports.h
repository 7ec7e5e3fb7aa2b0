/* Runs what a module exports and tells what can be seen of it, for comparison with what v8.mjs
 * tells of the same module. */
#ifndef QUINCE_FUZZ_EXPORTS_H
#define QUINCE_FUZZ_EXPORTS_H

#include <stdint.h>
#include <stdio.h>

#include "wasm.h"

/* Instantiates MODULE with stand-ins for its imports and calls every exported function twice, with
 * BUDGET_NS for each call; ends early when a call runs out of it, when the stack does, or after
 * TOTAL_NS. Writes a line for each result and each change of an exported memory or global to OUT,
 * unless that is NULL. NaNs are all written alike. */
void run_exports(struct wasm_module *module, uint64_t budget_ns, uint64_t total_ns, FILE *out);

#endif
