/* What stands where in a module's machine code, by name: for backtraces, profilers, debuggers. */
#include <stdio.h>

#include "runtime/module.h"

/* The name section's, else that of the first export, else that of the import. */
bool module_collect_names(struct wasm_module *module)
{
    const struct module_info *info = &module->info;
    const char **names = array_new(info->func_count, sizeof(*names));
    if (!names)
        return false;
    for (uint32_t i = 0; info->func_names && i < info->func_count; i++)
        names[i] = info->func_names[i];
    for (uint32_t i = 0; i < info->export_count; i++) {
        const struct wasm_export *export = &info->exports[i];
        if (export->kind == WASM_FUNC && (!names[export->index] || !*names[export->index]))
            names[export->index] = export->name;
    }
    for (uint32_t i = 0, n = 0; i < info->import_count; i++) {
        if (info->imports[i].kind != WASM_FUNC)
            continue;
        if (!names[n] || !*names[n])
            names[n] = info->imports[i].name;
        n++;
    }
    module->names = names;
    return true;
}

const char *wasm_module_func_name(const struct wasm_module *module, uint32_t index)
{
    const char *name = index < module->info.func_count ? module->names[index] : NULL;
    return name ? name : "";
}

size_t wasm_module_code_size(const struct wasm_module *module)
{
    return module->code_size;
}

static uint32_t own_funcs(const struct wasm_module *module)
{
    return module->info.func_count - module->info.imported_funcs;
}

/* Functions, the exit stub, thunks: the order in which they are compiled. */
uint32_t wasm_module_code_count(const struct wasm_module *module)
{
    return own_funcs(module) + 1 + module->thunk_count;
}

struct wasm_code wasm_module_code(const struct wasm_module *module, uint32_t i)
{
    static const enum wasm_code_kind kinds[] = {
        [THUNK_ENTRY] = WASM_CODE_ENTRY,
        [THUNK_FOREIGN] = WASM_CODE_FOREIGN,
        [THUNK_HOST] = WASM_CODE_HOST,
    };
    struct wasm_code code = {.kind = WASM_CODE_FUNC};
    uintptr_t base = (uintptr_t)module->code;
    uint32_t funcs = own_funcs(module);
    if (i < funcs) {
        const struct code_func *f = &module->funcs[i];
        code.index = module->info.imported_funcs + i;
        code.address = base + f->start;
        code.size = f->end - f->start;
        code.offset = module->info.bodies[i].start;
        code.end = module->info.bodies[i].end;
    } else if (i == funcs) {
        uint32_t end = module->thunk_count ? module->thunks[0].start : (uint32_t)module->code_size;
        code.kind = WASM_CODE_EXIT;
        code.address = module->exit_stub;
        code.size = end - module->exit_offset;
    } else if (i - funcs - 1 < module->thunk_count) {
        const struct module_thunk *thunk = &module->thunks[i - funcs - 1];
        code.kind = kinds[thunk->kind];
        code.address = base + thunk->start;
        code.size = thunk->end - thunk->start;
    }
    return code;
}

size_t wasm_code_name(const struct wasm_module *module, const struct wasm_code *code, char *name,
                      size_t size)
{
    static const char *const thunks[] = {
        [WASM_CODE_ENTRY] = "wasm-entry",
        [WASM_CODE_FOREIGN] = "wasm-foreign",
        [WASM_CODE_HOST] = "wasm-host",
        [WASM_CODE_EXIT] = "wasm-exit",
    };
    int n;
    if (code->kind != WASM_CODE_FUNC)
        n = snprintf(name, size, "%s", thunks[code->kind]);
    else if (*wasm_module_func_name(module, code->index))
        n = snprintf(name, size, "%s", wasm_module_func_name(module, code->index));
    else
        n = snprintf(name, size, "func[%u]", code->index);
    for (size_t i = 0; i < size && name[i]; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            name[i] = '?';
    return n < 0 ? 0 : (size_t)n;
}
