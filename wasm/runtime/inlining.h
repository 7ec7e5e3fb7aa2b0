/* What the inliner asks of the engine: bodies of small functions, and positions in them. */
#ifndef QUINCE_WASM_RUNTIME_INLINING_H
#define QUINCE_WASM_RUNTIME_INLINING_H

#include "opt/opt.h"
#include "runtime/module.h"

enum {
    DECODED_PER = 64, /* bytes of a module for each body that is decoded for inlining */
    INLINE_KEPT = 8,  /* bodies kept, by number modulo this */
};

struct kept_body {
    uint32_t func;
    bool known, good;
    struct ir_func ir;
};
struct inlining {
    struct opt_inlining asked;
    const struct module_info *info;
    struct body_decoder *decoder; /* both made when first needed */
    struct kept_body *kept;
    uint64_t decoded; /* how many so far */
    /* Where positions go, NULL: what is inlined stands for the call. */
    struct code_buffer *code;
};

/* CODE NULL: positions of what is inlined are those of the calls. */
void inlining_init(struct inlining *in, const struct module_info *info, struct code_buffer *code);
void inlining_free(struct inlining *in);

#endif
