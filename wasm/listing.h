/* What the compiler made of a function, for people to read: its instructions, its SSA as decoded
 * and as optimised, and which bytes of machine code belong to which instruction. For tools; the
 * module is compiled for it with wasm_load_options.positions. Nothing here is needed to run code.
 */
#ifndef QUINCE_WASM_LISTING_H
#define QUINCE_WASM_LISTING_H

#include "wasm.h"

/* An instruction in the text format, in the order of the module's bytes. */
struct wasm_listing_ins {
    uint32_t offset, end; /* its bytes in the module */
    uint32_t depth;       /* of nesting, for indentation: 0 in the body's outermost block */
    char *text;
};
/* A line of SSA: an instruction, or the head of a block. */
struct wasm_listing_ssa {
    uint32_t offset; /* of the instruction it comes from, in the module; 0: none */
    bool block;
    char *text;
};
/* From byte OFFSET of the machine code on it belongs to the instruction at POS; 0: to none. */
struct wasm_listing_position {
    uint32_t offset, pos;
};
struct wasm_listing {
    struct wasm_code code;
    struct wasm_listing_ins *ins;
    struct wasm_listing_ssa *decoded, *optimised;
    struct wasm_listing_position *positions; /* ascending, the first at 0 */
    uint32_t ins_count, decoded_count, optimised_count, position_count;
};

/* Of own function FUNC of the function index space. PASSES: those the module was compiled with.
 * NULL and *err on failure. */
struct wasm_listing *wasm_listing_new(struct wasm_module *module, uint32_t func, const char *passes,
                                      struct wasm_error *err);
void wasm_listing_free(struct wasm_listing *listing);

#endif
