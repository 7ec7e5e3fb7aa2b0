/* Bodies of small functions for the inliner, decoded when asked for and kept for a while. One that
 * is not valid is said to be none here: its own turn to be compiled comes. */
#include "runtime/inlining.h"

static const struct ir_func *body(void *context, uint32_t func, uint32_t size)
{
    struct inlining *in = context;
    const struct module_func_body *bytes = &in->info->bodies[func - in->info->imported_funcs];
    if (bytes->end - bytes->start > size)
        return NULL;
    if (!in->kept)
        in->kept = array_new(INLINE_KEPT, sizeof(*in->kept));
    if (!in->decoder)
        in->decoder = body_decoder_new(in->info);
    if (!in->kept || !in->decoder)
        return NULL;
    struct kept_body *kept = &in->kept[func % INLINE_KEPT];
    if (kept->known && kept->func == func)
        return kept->good ? &kept->ir : NULL;
    /* Even a short body can be made to take long: all of them together take no longer than the
     * module. */
    if (in->decoded++ > in->info->size / DECODED_PER + INLINE_KEPT)
        return NULL;
    if (!kept->known)
        ir_func_init(&kept->ir, &in->info->ir, func);
    struct wasm_error ignored;
    kept->known = true;
    kept->func = func;
    kept->good = decode_body(in->decoder, func, &kept->ir, &ignored);
    return kept->good ? &kept->ir : NULL;
}

static uint32_t position(void *context, uint32_t pos, uint32_t call)
{
    struct inlining *in = context;
    return in->code ? code_inlined_add(in->code, pos, call) : call;
}

void inlining_init(struct inlining *in, const struct module_info *info, struct code_buffer *code)
{
    memset(in, 0, sizeof(*in));
    in->asked = (struct opt_inlining){body, position, in};
    in->info = info;
    /* Beyond that numbers of places in the module and of inlined ones would be the same. */
    in->code = info->size < CODE_INLINED ? code : NULL;
}

void inlining_free(struct inlining *in)
{
    for (unsigned i = 0; i < INLINE_KEPT && in->kept; i++)
        if (in->kept[i].known)
            ir_func_free(&in->kept[i].ir);
    wasm_host_free(in->kept);
    if (in->decoder)
        body_decoder_free(in->decoder);
}
