/* What wasm/entry.h needs of the architecture. Contract: wasm_entry_switch() sets the
 * floating-point control, fills the frame at the end of INSTANCE's stack, changes to that stack,
 * calls the function by the engine's calling convention with COUNT of the arguments, and answers
 * INSTANCE, with the function's result in *value; or, when exec->leave brought it back, NULL and
 * the trap in *value. */
#ifndef QUINCE_WASM_TARGET_ENTRY_INLINE_H
#define QUINCE_WASM_TARGET_ENTRY_INLINE_H

#if defined(__x86_64__)
#include "target/x86_64/entry_inline.h"
#else
#error "calls by entry are not known for this architecture"
#endif

#endif
