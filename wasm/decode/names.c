/* The name section (spec 7.4.1): names of the module and of its functions, for backtraces. What is
 * malformed in it is ignored from there on, as the specification asks. */
#include "decode/sections.h"

enum { NAMES_MODULE = 0, NAMES_FUNCTIONS = 1 };

static void decode_function_names(struct module_decoder *d, struct reader *r)
{
    struct module_info *info = d->info;
    uint32_t count, index, len;
    const uint8_t *name;
    if (info->func_names || !read_u32(r, &count))
        return;
    info->func_names = info_alloc(d, info->func_count, sizeof *info->func_names);
    if (!info->func_names)
        return;
    while (count-- && read_u32(r, &index) && read_name(r, &name, &len)) {
        if (index >= info->func_count || info->func_names[index])
            continue;
        info->func_names[index] = info_string(d, name, len);
        if (!info->func_names[index])
            return;
    }
}

void decode_names(struct module_decoder *d, const uint8_t *bytes, size_t size)
{
    struct wasm_error ignored = {0};
    struct reader r = {.base = d->info->bytes,
                       .p = bytes,
                       .end = bytes + size,
                       .end_message = "unexpected end",
                       .err = &ignored};
    while (r.p != r.end) {
        uint8_t id;
        uint32_t len, name_len;
        const uint8_t *content, *name;
        if (!read_u8(&r, &id) || !read_u32(&r, &len) || !read_bytes(&r, len, &content))
            return;
        struct reader sub = r;
        sub.p = content;
        sub.end = content + len;
        if (id == NAMES_FUNCTIONS)
            decode_function_names(d, &sub);
        else if (id == NAMES_MODULE && !d->info->module_name && read_name(&sub, &name, &name_len))
            d->info->module_name = info_string(d, name, name_len);
    }
}
