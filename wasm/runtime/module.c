/* From bytes to a module: decode, compile function by function, publish. */
#include "runtime/module.h"

#include <string.h>

#include "host.h"
#include "opt/opt.h"

/* Everything needed while compiling only. */
struct loader {
    struct wasm_module *module;
    const struct wasm_load_options *options;
    struct wasm_error *err;
    struct ir_func func;
    struct body_decoder *decoder;
    struct target_compiler *compiler;
    struct code_buffer code;
    struct code_thunks *thunks; /* by type index */
    uint32_t *equal;            /* first_equal()'s table */
};

static bool out_of_memory(struct loader *l)
{
    error_set(l->err, WASM_ERR_NOMEM, 0, "out of memory while compiling");
    return false;
}

/* Canonical type numbers, for the module and for the compiler. */
static bool intern_types(struct loader *l)
{
    struct wasm_module *m = l->module;
    const struct module_info *info = &m->info;
    m->signatures = array_new(info->type_count, sizeof(*m->signatures));
    l->thunks = array_new(info->type_count, sizeof(*l->thunks));
    if (!m->signatures || !l->thunks)
        return out_of_memory(l);
    for (uint32_t i = 0; i < info->type_count; i++) {
        const struct module_type *t = &info->types[i];
        uint32_t canonical = type_intern(t);
        if (!canonical)
            return out_of_memory(l);
        m->signatures[i].canonical = info->signatures[i].canonical = canonical;
        for (uint32_t k = 0; k < t->param_count; k++)
            if (t->params[k] == WASM_FUNCREF)
                m->signatures[i].has_references = true;
    }
    return true;
}

static bool compile_functions(struct loader *l)
{
    struct wasm_module *m = l->module;
    const struct module_info *info = &m->info;
    struct target_features features;
    target_detect(&features);
    if (l->options && l->options->cpu && !target_restrict(&features, l->options->cpu)) {
        error_set(l->err, WASM_ERR_UNSUPPORTED, 0, "no such CPU: %s", l->options->cpu);
        return false;
    }
    m->funcs = array_new(info->func_count - info->imported_funcs, sizeof(*m->funcs));
    l->decoder = body_decoder_new(info);
    l->compiler = target_compiler_new(&features);
    if (!m->funcs || !l->decoder || !l->compiler)
        return out_of_memory(l);
    ir_func_init(&l->func, &info->ir, 0);
    uint64_t deadline = l->options ? l->options->deadline_ns : 0;
    body_decoder_set_deadline(l->decoder, deadline);
    for (uint32_t i = info->imported_funcs; i < info->func_count; i++) {
        if (deadline && wasm_host_now() > deadline) {
            error_set(l->err, WASM_ERR_TIMEOUT, 0, "compiling took longer than its deadline");
            return false;
        }
        if (!decode_body(l->decoder, i, &l->func, l->err))
            return false;
        const char *lacking = target_lacks(&features, &l->func);
        if (lacking) {
            error_set(l->err, WASM_ERR_UNSUPPORTED, 0, "%s", lacking);
            return false;
        }
        if (!opt_run(&l->func, l->options ? l->options->passes : NULL) ||
            !target_compile(l->compiler, &l->func, &l->code, &m->funcs[i - info->imported_funcs]))
            return out_of_memory(l);
    }
    return true;
}

/* The backtrace's tables are sorted by place. */
static void thunk_add(struct wasm_module *m, uint32_t start, uint32_t end, uint32_t frame,
                      uint32_t popped, enum thunk_kind kind)
{
    uint32_t at = m->thunk_count++;
    for (; at && m->thunks[at - 1].start > start; at--)
        m->thunks[at] = m->thunks[at - 1];
    m->thunks[at] = (struct module_thunk){start, end, frame, popped, kind};
}

/* The first type index with the canonical number of type I that has thunks, through a hash table of
 * type indices (0: free, else index + 1); I itself is entered if there is none. */
static uint32_t first_equal(const struct wasm_module *m, uint32_t *table, uint32_t mask, uint32_t i)
{
    uint32_t canonical = m->signatures[i].canonical, at = canonical * 2654435761u & mask;
    for (; table[at]; at = (at + 1) & mask)
        if (m->signatures[table[at] - 1].canonical == canonical)
            return table[at] - 1;
    table[at] = i + 1;
    return i;
}

/* Thunks for every signature that a function has; equal signatures share. */
static bool compile_thunks(struct loader *l, uint32_t *exit_stub)
{
    struct wasm_module *m = l->module;
    const struct module_info *info = &m->info;
    uint32_t mask = 15;
    while (mask < info->type_count * 2)
        mask = mask * 2 + 1;
    l->equal = array_new((size_t)mask + 1, sizeof(*l->equal));
    m->thunks = array_new((size_t)info->type_count * 3, sizeof(*m->thunks));
    if (!l->equal || !m->thunks || !target_exit_stub(&l->code, exit_stub))
        return out_of_memory(l);
    for (uint32_t i = 0; i < info->func_count; i++)
        m->signatures[info->func_types[i]].used = true;
    for (uint32_t i = 0; i < info->type_count; i++) {
        if (!m->signatures[i].used)
            continue;
        uint32_t same = first_equal(m, l->equal, mask, i);
        if (same < i) {
            l->thunks[i] = l->thunks[same];
            continue;
        }
        struct code_thunks *t = &l->thunks[i];
        if (!target_thunks(&info->signatures[i], &l->code, t))
            return out_of_memory(l);
        thunk_add(m, t->entry, t->entry_end, 0, 0, THUNK_ENTRY);
        thunk_add(m, t->foreign, t->foreign_end, t->foreign_frame, t->popped, THUNK_FOREIGN);
        if (t->host != ~0u)
            thunk_add(m, t->host, t->host_end, t->host_frame, t->popped, THUNK_HOST);
    }
    return true;
}

static bool publish(struct loader *l, uint32_t exit_stub)
{
    struct wasm_module *m = l->module;
    if (l->code.failed || l->code.size > UINT32_MAX)
        return out_of_memory(l);
    target_patch(&l->code, m->funcs, m->info.imported_funcs);
    m->code = wasm_host_publish(l->code.bytes, l->code.size, NULL, NULL);
    if (!m->code)
        return out_of_memory(l);
    m->code_size = l->code.size;
    uintptr_t base = (uintptr_t)m->code;
    m->exit_stub = base + exit_stub;
    for (uint32_t i = 0; i < m->info.type_count; i++) {
        if (!m->signatures[i].used)
            continue;
        const struct code_thunks *t = &l->thunks[i];
        m->signatures[i].entry = base + t->entry;
        m->signatures[i].foreign = base + t->foreign;
        m->signatures[i].host = t->host == ~0u ? 0 : base + t->host;
    }
    m->traps = l->code.traps;
    m->trap_count = l->code.trap_count;
    m->sites = l->code.sites;
    m->site_count = l->code.site_count;
    l->code.traps = NULL;
    l->code.sites = NULL;
    range_add(m);
    return true;
}

static void loader_free(struct loader *l)
{
    if (l->func.module)
        ir_func_free(&l->func);
    if (l->decoder)
        body_decoder_free(l->decoder);
    if (l->compiler)
        target_compiler_free(l->compiler);
    wasm_host_free(l->thunks);
    wasm_host_free(l->equal);
    wasm_host_free(l->code.bytes);
    wasm_host_free(l->code.traps);
    wasm_host_free(l->code.sites);
    wasm_host_free(l->code.relocs);
}

static void module_destroy(struct wasm_module *m)
{
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
    wasm_host_free(m->thunks);
    wasm_host_free(m->bytes);
    wasm_host_free(m);
}

struct wasm_module *wasm_module_load(const uint8_t *bytes, size_t len,
                                     const struct wasm_load_options *options,
                                     struct wasm_error *err)
{
    struct wasm_error local;
    if (!err)
        err = &local;
    memset(err, 0, sizeof(*err));
    struct wasm_module *m = array_new(1, sizeof(*m));
    struct loader l = {.module = m, .options = options, .err = err};
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
    uint32_t exit_stub = 0;
    bool ok = intern_types(&l) && compile_functions(&l) && compile_thunks(&l, &exit_stub) &&
              publish(&l, exit_stub);
    loader_free(&l);
    if (!ok) {
        module_destroy(m);
        return NULL;
    }
    return m;
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

size_t wasm_module_code_size(const struct wasm_module *module)
{
    return module->code_size;
}

const char *wasm_module_func_name(const struct wasm_module *module, uint32_t index)
{
    const struct module_info *info = &module->info;
    if (index >= info->func_count)
        return "";
    if (info->func_names && info->func_names[index])
        return info->func_names[index];
    for (uint32_t i = 0; i < info->export_count; i++)
        if (info->exports[i].kind == WASM_FUNC && info->exports[i].index == index)
            return info->exports[i].name;
    for (uint32_t i = 0, n = 0; i < info->import_count; i++)
        if (info->imports[i].kind == WASM_FUNC && n++ == index)
            return info->imports[i].name;
    return "";
}
