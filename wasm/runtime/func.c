/* Function objects: those of the host, and the types of all. */
#include <string.h>

#include "runtime/instance.h"

static uint8_t type_of_letter(char letter)
{
    switch (letter) {
    case 'i': return WASM_I32;
    case 'I': return WASM_I64;
    case 'f': return WASM_F32;
    case 'F': return WASM_F64;
    case 'r': return WASM_EXTERNREF; /* stands for either kind when linking */
    default: return 0;
    }
}

struct wasm_func *wasm_func_host(const char *type, wasm_host_fn fn)
{
    const char *colon = strchr(type, ':');
    size_t params = colon ? (size_t)(colon - type) : strlen(type);
    size_t results = colon ? strlen(colon + 1) : 0;
    if (results > 1 || params > 1000)
        return NULL;
    struct host_func *f = wasm_host_alloc(sizeof(*f) + params + results);
    if (!f)
        return NULL;
    memset(f, 0, sizeof(*f));
    f->func.code = (uintptr_t)fn;
    f->func.references = 1;
    f->param_count = (uint32_t)params;
    f->result_count = (uint32_t)results;
    for (size_t i = 0; i < params + results; i++) {
        f->types[i] = type_of_letter(i < params ? type[i] : colon[1]);
        if (!f->types[i]) {
            wasm_host_free(f);
            return NULL;
        }
    }
    return &f->func;
}

/* Instances copy what they need when they link, so this may come before they are freed. */
void wasm_func_release(struct wasm_func *func)
{
    if (func && !func->owner && !--func->references)
        wasm_host_free(func);
}

struct wasm_functype wasm_func_type(const struct wasm_func *func)
{
    if (func->owner)
        return module_functype(instance_of(func->owner)->module, func->index);
    const struct host_func *f = (const struct host_func *)func;
    return (struct wasm_functype){f->types, f->types + f->param_count, f->param_count,
                                  f->result_count};
}
