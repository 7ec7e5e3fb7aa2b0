/* A module's life: its description, its published code, what the embedder may ask of it. Compiling
 * is compile.c; loading what was compiled elsewhere is qwo_load.c. */
#include "runtime/module.h"

#include <string.h>

#include "host.h"

/* Canonical type numbers. */
static bool intern_types(struct wasm_module *m)
{
    const struct module_info *info = &m->info;
    m->signatures = array_new(info->type_count, sizeof(*m->signatures));
    if (!m->signatures)
        return false;
    for (uint32_t i = 0; i < info->type_count; i++) {
        const struct module_type *t = &info->types[i];
        m->signatures[i].canonical = type_intern(t);
        if (!m->signatures[i].canonical)
            return false;
        for (uint32_t k = 0; k < t->param_count; k++)
            if (t->params[k] == WASM_FUNCREF)
                m->signatures[i].has_references = true;
    }
    for (uint32_t i = 0; i < info->func_count; i++)
        m->signatures[info->func_types[i]].used = true;
    return true;
}

struct wasm_module *module_new(const uint8_t *bytes, size_t len,
                               const struct wasm_load_options *options, struct wasm_error *err)
{
    memset(err, 0, sizeof(*err));
    struct wasm_module *m = array_new(1, sizeof(*m));
    if (m)
        m->bytes = len <= UINT32_MAX ? wasm_host_alloc(len ? len : 1) : NULL;
    if (!m || !m->bytes) {
        error_set(err, len > UINT32_MAX ? WASM_ERR_LIMIT : WASM_ERR_NOMEM, 0,
                  "no memory for a module of %zu bytes", len);
        wasm_host_free(m);
        return NULL;
    }
    m->references = 1;
    if (len)
        memcpy(m->bytes, bytes, len);
    if (!decode_module(m->bytes, len, options, &m->info, err)) {
        wasm_host_free(m->bytes);
        wasm_host_free(m);
        return NULL;
    }
    if (!intern_types(m) || !module_collect_names(m)) {
        error_set(err, WASM_ERR_NOMEM, 0, "out of memory for the module's types and names");
        module_destroy(m);
        return NULL;
    }
    return m;
}

bool module_features_present(uint64_t features, struct wasm_error *err)
{
    struct target_features here;
    target_detect(&here);
    uint64_t missing = features & ~target_features_bits(&here);
    if (!missing)
        return true;
    unsigned bit = (unsigned)__builtin_ctzll(missing);
    const char *name = target_feature_name(bit);
    if (name)
        error_set(err, WASM_ERR_FEATURE, 0, "missing CPU feature: %s", name);
    else
        error_set(err, WASM_ERR_FEATURE, 0, "missing CPU feature: bit %u, unknown here", bit);
    return false;
}

/* The numbers of types belong to this process: filled in before the code becomes executable. */
static void fill_typerefs(void *context, uint8_t *bytes, uintptr_t address)
{
    const struct wasm_module *m = context;
    (void)address;
    for (uint32_t i = 0; i < m->typeref_count; i++)
        memcpy(bytes + m->typerefs[i].offset, &m->signatures[m->typerefs[i].type].canonical,
               sizeof(uint32_t));
}

bool module_publish(struct wasm_module *m, struct code_buffer *code,
                    const struct code_thunks *thunks, uint32_t exit_stub)
{
    m->typerefs = code->typerefs;
    m->typeref_count = code->typeref_count;
    m->traps = code->traps;
    m->trap_count = code->trap_count;
    m->sites = code->sites;
    m->site_count = code->site_count;
    m->inlined = code->inlined;
    m->inlined_count = code->inlined_count;
    code->inlined = NULL;
    code->typerefs = NULL;
    m->positions = code->positions;
    m->position_count = code->position_count;
    code->traps = NULL;
    code->sites = NULL;
    code->positions = NULL;
    m->code = wasm_host_publish(code->bytes, code->size, fill_typerefs, m);
    if (!m->code)
        return false;
    m->code_size = code->size;
    uintptr_t base = (uintptr_t)m->code;
    m->exit_offset = exit_stub;
    m->exit_stub = base + exit_stub;
    for (uint32_t i = 0; i < m->info.type_count; i++) {
        if (!m->signatures[i].used)
            continue;
        const struct code_thunks *t = &thunks[i];
        m->signatures[i].entry = base + t->entry;
        m->signatures[i].foreign = base + t->foreign;
        m->signatures[i].host = t->host == ~0u ? 0 : base + t->host;
    }
    range_add(m);
    if (code->want_unwind)
        m->gdb = gdb_register(m, code->unwind, code->unwind_count);
    return true;
}

void module_destroy(struct wasm_module *m)
{
    gdb_unregister(m->gdb);
    if (m->code) {
        range_remove(m);
        wasm_host_unpublish(m->code, m->code_size);
    }
    if (m->signatures)
        for (uint32_t i = 0; i < m->info.type_count; i++)
            if (m->signatures[i].canonical)
                type_release(&m->info.types[i]);
    module_info_free(&m->info);
    wasm_host_free(m->signatures);
    wasm_host_free(m->funcs);
    wasm_host_free(m->traps);
    wasm_host_free(m->sites);
    wasm_host_free(m->inlined);
    wasm_host_free(m->thunks);
    wasm_host_free(m->typerefs);
    wasm_host_free(m->names);
    wasm_host_free(m->positions);
    wasm_host_free(m->bytes);
    wasm_host_free(m);
}

void wasm_module_retain(struct wasm_module *module)
{
    __atomic_add_fetch(&module->references, 1, __ATOMIC_RELAXED);
}

void wasm_module_release(struct wasm_module *module)
{
    if (module && !__atomic_sub_fetch(&module->references, 1, __ATOMIC_ACQ_REL))
        module_destroy(module);
}

uint32_t wasm_module_import_count(const struct wasm_module *module)
{
    return module->info.import_count;
}

const struct wasm_import *wasm_module_import(const struct wasm_module *module, uint32_t i)
{
    return i < module->info.import_count ? &module->info.imports[i] : NULL;
}

uint32_t wasm_module_export_count(const struct wasm_module *module)
{
    return module->info.export_count;
}

const struct wasm_export *wasm_module_export(const struct wasm_module *module, uint32_t i)
{
    return i < module->info.export_count ? &module->info.exports[i] : NULL;
}

const uint8_t *wasm_module_custom(const struct wasm_module *module, const char *name, uint32_t nth,
                                  size_t *len)
{
    size_t name_len = strlen(name);
    for (uint32_t i = 0; i < module->info.custom_count; i++) {
        const struct module_custom *c = &module->info.customs[i];
        if (c->name_len != name_len || memcmp(c->name, name, name_len) || nth--)
            continue;
        *len = c->size;
        return module->info.bytes + c->start;
    }
    return NULL;
}
