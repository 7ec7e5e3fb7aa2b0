/* From bytes to a module by way of the compiler: decode, compile function by function, publish. */
#include <string.h>

#include "host.h"
#include "runtime/inlining.h"

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
    struct inlining inlining;
};

static bool out_of_memory(struct loader *l)
{
    error_set(l->err, WASM_ERR_NOMEM, 0, "out of memory while compiling");
    return false;
}

static bool too_late(struct loader *l)
{
    error_set(l->err, WASM_ERR_TIMEOUT, 0, "compiling took longer than its deadline");
    return false;
}

static bool choose_features(struct loader *l, struct target_features *features)
{
    const char *wrong;
    if (!target_features_parse(l->options ? l->options->cpu : NULL, features, &wrong)) {
        error_set(l->err, WASM_ERR_FEATURE, 0, "unknown CPU feature '%.*s'",
                  (int)strcspn(wrong, ","), wrong);
        return false;
    }
    l->module->features = target_features_bits(features);
    return true;
}

static bool check_passes(struct loader *l)
{
    const char *wrong = opt_unknown(l->options ? l->options->passes : NULL);
    if (wrong)
        error_set(l->err, WASM_ERR_FEATURE, 0,
                  "unknown optimiser pass '%.*s'; docs/compiler.md lists them",
                  (int)strcspn(wrong, ","), wrong);
    return !wrong;
}

/* Room for as much code as there usually is, so that it is not copied several times; if there is
 * too little memory for that, it will grow as it has to. */
static void code_room(struct loader *l)
{
    const struct module_info *info = &l->module->info;
    size_t bytes = 16384; /* thunks */
    for (uint32_t i = 0; i < info->func_count - info->imported_funcs; i++)
        bytes += (info->bodies[i].end - info->bodies[i].start) * (size_t)7 / 4;
    if (bytes > CODE_MAX)
        bytes = CODE_MAX;
    l->code.bytes = wasm_host_alloc(bytes);
    l->code.capacity = l->code.bytes ? bytes : 0;
}

static bool compile_functions(struct loader *l)
{
    struct wasm_module *m = l->module;
    const struct module_info *info = &m->info;
    struct target_features features;
    if (!choose_features(l, &features) || !check_passes(l))
        return false;
    m->funcs = array_new(info->func_count - info->imported_funcs, sizeof(*m->funcs));
    l->decoder = body_decoder_new(info);
    l->compiler = target_compiler_new(&features);
    if (!m->funcs || !l->decoder || !l->compiler)
        return out_of_memory(l);
    l->code.want_positions = l->options && l->options->positions;
    l->code.want_unwind = l->options && l->options->debugger;
    ir_func_init(&l->func, &info->ir, 0);
    code_room(l);
    uint64_t deadline = l->options ? l->options->deadline_ns : 0;
    body_decoder_set_deadline(l->decoder, deadline);
    l->func.deadline = deadline;
    for (uint32_t i = info->imported_funcs; i < info->func_count; i++) {
        if (ir_late(&l->func))
            return too_late(l);
        if (!decode_body(l->decoder, i, &l->func, l->err))
            return false;
        const char *lacking = target_lacks(&features, &l->func);
        if (lacking) {
            error_set(l->err, WASM_ERR_UNSUPPORTED, 0, "%s", lacking);
            return false;
        }
        if (!opt_run(&l->func, l->options ? l->options->passes : NULL, &l->inlining.asked) ||
            !target_compile(l->compiler, &l->func, &l->code, &m->funcs[i - info->imported_funcs]))
            return l->func.late ? too_late(l) : out_of_memory(l);
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
    m->thunks = array_new((size_t)info->type_count * 3 + 1, sizeof(*m->thunks));
    uint32_t end;
    if (!l->equal || !m->thunks || !target_exit_stub(&l->code, exit_stub, &end))
        return out_of_memory(l);
    thunk_add(m, *exit_stub + TARGET_DIRECT, end, 0, 0, THUNK_HOST);
    for (uint32_t i = 0; i < info->type_count; i++) {
        if (!m->signatures[i].used)
            continue;
        uint32_t same = first_equal(m, l->equal, mask, i);
        if (same < i) {
            l->thunks[i] = l->thunks[same];
            continue;
        }
        struct code_thunks *t = &l->thunks[i];
        if (!target_thunks(&info->ir.types[i], &l->code, t))
            return out_of_memory(l);
        thunk_add(m, t->entry, t->entry_end, t->entry_frame, 0, THUNK_ENTRY);
        thunk_add(m, t->foreign, t->foreign_end, t->foreign_frame, t->popped, THUNK_FOREIGN);
        if (t->host != ~0u)
            thunk_add(m, t->host, t->host_end, t->host_frame, t->popped, THUNK_HOST);
    }
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
    inlining_free(&l->inlining);
    wasm_host_free(l->thunks);
    wasm_host_free(l->equal);
    wasm_host_free(l->code.inlined);
    wasm_host_free(l->code.bytes);
    wasm_host_free(l->code.traps);
    wasm_host_free(l->code.sites);
    wasm_host_free(l->code.relocs);
    wasm_host_free(l->code.typerefs);
    wasm_host_free(l->code.positions);
    wasm_host_free(l->code.unwind);
}

static bool compile(struct loader *l)
{
    uint32_t exit_stub;
    l->thunks = array_new(l->module->info.type_count, sizeof(*l->thunks));
    if (!l->thunks)
        return out_of_memory(l);
    if (!compile_functions(l) || !compile_thunks(l, &exit_stub))
        return false;
    if (l->code.failed || l->code.size > UINT32_MAX)
        return out_of_memory(l);
    target_patch(&l->code, l->module->funcs, l->module->info.imported_funcs);
    return module_publish(l->module, &l->code, l->thunks, exit_stub) || out_of_memory(l);
}

struct wasm_module *wasm_module_load(const uint8_t *bytes, size_t len,
                                     const struct wasm_load_options *options,
                                     struct wasm_error *err)
{
    struct wasm_error local;
    err = err ? err : &local;
    struct loader l = {.options = options, .err = err};
    l.module = module_new(bytes, len, options, err);
    if (!l.module)
        return NULL;
    inlining_init(&l.inlining, &l.module->info, &l.code);
    bool ok = compile(&l);
    loader_free(&l);
    if (!ok) {
        module_destroy(l.module);
        return NULL;
    }
    return l.module;
}

bool wasm_has_compiler(void)
{
    return true;
}
