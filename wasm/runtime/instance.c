/* Instances: linking, allocation, initialisation, the start function. */
#include "runtime/instance.h"

#include <stdio.h>
#include <string.h>

static bool no_memory(struct wasm_error *err, const char *what)
{
    error_set(err, WASM_ERR_NOMEM, 0, "out of memory or over quota: %s", what);
    return false;
}

static bool unlinkable(struct wasm_error *err, const char *why, const struct wasm_import *import)
{
    error_set(err, WASM_ERR_UNLINKABLE, 0, "%s: \"%.60s\" \"%.80s\"", why, import->module,
              import->name);
    return false;
}

/* Binds import number INDEX of the function index space. */
static bool link_func(struct instance *in, uint32_t index, const struct wasm_import *import,
                      struct wasm_func *func, struct wasm_error *err)
{
    const struct wasm_functype want = module_functype(in->module, index);
    const struct wasm_functype have = wasm_func_type(func);
    bool host = !func->owner;
    bool equal = want.param_count == have.param_count && want.result_count == have.result_count;
    /* A host function's "r" is a reference of either kind. */
    for (uint32_t i = 0; equal && i < want.param_count; i++)
        equal = want.params[i] == have.params[i] ||
                (host && have.params[i] == WASM_EXTERNREF && want.params[i] == WASM_FUNCREF);
    for (uint32_t i = 0; equal && i < want.result_count; i++)
        equal = want.results[i] == have.results[i] ||
                (host && have.results[i] == WASM_EXTERNREF && want.results[i] == WASM_FUNCREF);
    const struct module_signature *signature =
        &in->module->signatures[in->module->info.func_types[index]];
    if (!equal || (host && !signature->host))
        return unlinkable(err, "incompatible import type", import);
    if (!host) {
        in->abi.imports[index] = func;
        if (!store_unite(&in->store, instance_of(func->owner)->store))
            return unlinkable(err, "both sides are running", import);
        return true;
    }
    struct wasm_func *own = &in->host_funcs[index];
    own->code = func->code;
    own->foreign = own->direct = signature->host;
    const struct wasm_module *module = in->module;
    const struct module_thunk *thunk =
        module_find_thunk(module, (uint32_t)(signature->host - (uintptr_t)module->code));
    if (thunk && !thunk->popped)
        own->direct = module->exit_stub + TARGET_DIRECT;
    own->instance = NULL;
    own->owner = &in->abi;
    own->type = signature->canonical;
    own->index = index;
    in->abi.imports[index] = own;
    return true;
}

/* Unites with the store an imported object lives in. */
static bool link_object(struct instance *in, struct object *object,
                        const struct wasm_import *import, struct wasm_error *err)
{
    if (!store_unite(&in->store, object_store(object)))
        return unlinkable(err, "both sides are running", import);
    store_adopt(in->store, object);
    return true;
}

static bool limits_match(const struct wasm_import *import, uint64_t size,
                         const struct object *object)
{
    return size >= import->min &&
           (!import->has_max || (object->has_max && object->declared_max <= import->max));
}

static bool link_imports(struct instance *in, const struct wasm_instance_options *options,
                         struct wasm_error *err)
{
    uint32_t next[5] = {0};
    for (uint32_t i = 0; i < in->module->info.import_count; i++) {
        const struct wasm_import *import = &in->module->info.imports[i];
        struct wasm_extern found = {import->kind, {NULL}};
        if (!options || !options->resolve || !options->resolve(options->context, import, &found) ||
            !found.func)
            return unlinkable(err, "unknown import", import);
        if (found.kind != import->kind || import->kind > WASM_TAG)
            return unlinkable(err, "incompatible import type", import);
        uint32_t index = next[import->kind]++;
        switch (import->kind) {
        case WASM_FUNC:
            if (!link_func(in, index, import, found.func, err))
                return false;
            break;
        case WASM_TABLE:
            if (found.table->type != import->type ||
                !limits_match(import, found.table->size, table_object(found.table)))
                return unlinkable(err, "incompatible import type", import);
            in->abi.tables[index] = found.table;
            if (!link_object(in, table_object(found.table), import, err))
                return false;
            break;
        case WASM_MEMORY:
            if (!limits_match(import, found.memory->size / WASM_PAGE_SIZE,
                              memory_object(found.memory)) ||
                import->shared != !!(found.memory->flags & WASM_MEMORY_SHARED) ||
                import->is64 != !!(found.memory->flags & WASM_MEMORY_64))
                return unlinkable(err, "incompatible import type", import);
            in->abi.memories[index] = found.memory;
            if (import->shared)
                memory_share(found.memory);
            else if (!link_object(in, memory_object(found.memory), import, err))
                return false;
            break;
        case WASM_TAG: {
            uint32_t type = in->module->info.tag_types[index];
            if (found.tag->type != in->module->signatures[type].canonical)
                return unlinkable(err, "incompatible import type", import);
            in->abi.tags[index] = found.tag;
            if (!link_object(in, tag_object(found.tag), import, err))
                return false;
            break;
        }
        default:
            if (found.global->type != import->type || found.global->mutable_ != import->mutable_)
                return unlinkable(err, "incompatible import type", import);
            in->abi.globals[index] = found.global;
            if (!link_object(in, global_object(found.global), import, err))
                return false;
        }
    }
    return true;
}

static bool allocate(struct instance *in, struct wasm_error *err)
{
    const struct module_info *info = &in->module->info;
    in->abi.imports = array_new(info->imported_funcs, sizeof(*in->abi.imports));
    in->abi.memories = array_new(info->memory_count, sizeof(*in->abi.memories));
    in->abi.tables = array_new(info->table_count, sizeof(*in->abi.tables));
    in->abi.globals = array_new(info->global_count, sizeof(*in->abi.globals));
    in->abi.funcs = array_new(info->func_count - info->imported_funcs, sizeof(*in->abi.funcs));
    in->host_funcs = array_new(info->imported_funcs, sizeof(*in->host_funcs));
    in->own_memories =
        array_new(info->memory_count - info->imported_memories, sizeof(*in->own_memories));
    in->own_tables = array_new(info->table_count - info->imported_tables, sizeof(*in->own_tables));
    in->own_globals =
        array_new(info->global_count - info->imported_globals, sizeof(*in->own_globals));
    in->abi.tags = array_new(info->tag_count, sizeof(*in->abi.tags));
    in->own_tags = array_new(info->tag_count - info->imported_tags, sizeof(*in->own_tags));
    in->elem_dropped = array_new(info->elem_count, 1);
    in->data_dropped = array_new(info->data_count, 1);
    in->stack = stack_create(in->stack_size);
    if (!in->abi.imports || !in->abi.memories || !in->abi.tables || !in->abi.globals ||
        !in->abi.funcs || !in->host_funcs || !in->own_memories || !in->own_tables ||
        !in->own_globals || !in->abi.tags || !in->own_tags || !in->elem_dropped ||
        !in->data_dropped || !in->stack)
        return no_memory(err, "instance");
    in->abi.exit_stub = in->module->exit_stub;
    in->abi.helpers = target_helper_stubs;
    return true;
}

/* The module's own functions, memories, tables and globals. */
static bool create(struct instance *in, struct wasm_error *err)
{
    const struct wasm_module *module = in->module;
    const struct module_info *info = &module->info;
    for (uint32_t i = info->imported_funcs; i < info->func_count; i++) {
        const struct module_signature *signature = &module->signatures[info->func_types[i]];
        struct wasm_func *f = &in->abi.funcs[i - info->imported_funcs];
        f->code = (uintptr_t)module->code + module->funcs[i - info->imported_funcs].start;
        f->foreign = f->direct = signature->foreign;
        f->instance = f->owner = &in->abi;
        f->type = signature->canonical;
        f->index = i;
    }
    for (uint32_t i = info->imported_memories; i < info->memory_count; i++) {
        struct memory_object *m = memory_create(in, &info->memories[i]);
        if (!m)
            return no_memory(err, "memory");
        in->own_memories[i - info->imported_memories] = m;
        in->abi.memories[i] = &m->memory;
    }
    for (uint32_t i = info->imported_tags; i < info->tag_count; i++) {
        struct tag_object *t = &in->own_tags[i - info->imported_tags];
        t->object.kind = WASM_TAG;
        t->object.owner = &in->abi;
        t->tag.type = module->signatures[info->tag_types[i]].canonical;
        in->abi.tags[i] = &t->tag;
    }
    in->abi.memory0 = info->memory_count ? in->abi.memories[0]->base : NULL;
    for (uint32_t i = info->imported_tables; i < info->table_count; i++) {
        const struct module_table *t = &info->tables[i];
        struct table_object *o =
            table_create(in, t->type, (uint32_t)t->limits.min, t->limits.has_max,
                         t->limits.max < UINT32_MAX ? (uint32_t)t->limits.max : UINT32_MAX);
        if (!o)
            return no_memory(err, "table");
        in->own_tables[i - info->imported_tables] = o;
        in->abi.tables[i] = &o->table;
    }
    for (uint32_t i = info->imported_globals; i < info->global_count; i++) {
        struct global_object *g = &in->own_globals[i - info->imported_globals];
        g->object.kind = WASM_GLOBAL;
        g->object.owner = &in->abi;
        g->global.type = info->globals[i].type;
        g->global.mutable_ = info->globals[i].mutable_;
        g->global.value = init_eval(in, &info->globals[i].init);
        in->abi.globals[i] = &g->global;
    }
    return true;
}

static bool trapped(struct wasm_error *err, enum wasm_trap trap, const char *where)
{
    error_set(err, WASM_ERR_TRAP, 0, "%s: %s", where, wasm_trap_name(trap));
    err->trap = trap;
    return false;
}

/* Active segments in order, then the start function. What was written before a trap stays. */
static bool initialise(struct instance *in, struct wasm_error *err)
{
    const struct module_info *info = &in->module->info;
    for (uint32_t i = 0; i < info->elem_count; i++) {
        const struct module_elem *e = &info->elems[i];
        if (e->mode == SEGMENT_ACTIVE && !table_init(in, in->abi.tables[e->table], i,
                                                     init_eval(in, &e->offset).i32, 0, e->count))
            return trapped(err, WASM_TRAP_TABLE, "element segment");
        if (e->mode != SEGMENT_PASSIVE)
            in->elem_dropped[i] = 1;
    }
    for (uint32_t i = 0; i < info->data_count; i++) {
        const struct module_data *d = &info->datas[i];
        if (d->mode != SEGMENT_ACTIVE)
            continue;
        union wasm_value offset = init_eval(in, &d->offset);
        if (!memory_init(in, in->abi.memories[d->memory], i,
                         info->memories[d->memory].is64 ? offset.i64 : offset.i32, 0, d->size))
            return trapped(err, WASM_TRAP_MEMORY, "data segment");
        in->data_dropped[i] = 1;
    }
    if (info->start != ~0u) {
        struct wasm_func *start = info->start < info->imported_funcs
                                      ? in->abi.imports[info->start]
                                      : &in->abi.funcs[info->start - info->imported_funcs];
        enum wasm_trap trap = wasm_call(start, NULL, NULL);
        if (trap) {
            /* The trace is lost with the instance, so the message tells of it. */
            char frames[sizeof(err->message) - 64];
            trapped(err, trap, "start function");
            trace_innermost(in->store, frames, sizeof(frames));
            strcat(err->message, frames);
            return false;
        }
    }
    return true;
}

struct wasm_instance *wasm_instance_new(struct wasm_module *module,
                                        const struct wasm_instance_options *options,
                                        struct wasm_error *err)
{
    struct wasm_error local;
    if (!err)
        err = &local;
    memset(err, 0, sizeof(*err));
    if (!module_features_present(module->features, err))
        return NULL;
    struct instance *in = array_new(1, sizeof(*in));
    struct wasm_store *store = store_new();
    if (!in || !store) {
        wasm_host_free(in);
        wasm_host_free(store);
        no_memory(err, "instance");
        return NULL;
    }
    wasm_module_retain(module);
    in->module = module;
    in->open = true;
    in->host_data = options ? options->host_data : NULL;
    in->max_pages = options && options->max_pages ? options->max_pages : UINT64_MAX;
    in->max_elements =
        options && options->max_elements ? options->max_elements : WASM_DEFAULT_ELEMENTS;
    size_t stack_size = options && options->stack_size ? options->stack_size : WASM_DEFAULT_STACK;
    if (stack_size < 2 * WASM_HOST_STACK)
        stack_size = 2 * WASM_HOST_STACK;
    in->stack_size = (stack_size + 4095) & ~(size_t)4095;
    in->store = store;
    in->abi.entry_frequency = ENTRY_NOT_READY;
    wasm_instance_set_budget(&in->abi, options ? options->budget_ns : 0);
    in->abi.exec = &store->exec;
    store->members = &in->abi;
    store->holds = 1;
    if (allocate(in, err) && link_imports(in, options, err) && create(in, err) &&
        initialise(in, err))
        return &in->abi;
    /* Its functions may be in a table of another by now, which keeps the store. */
    wasm_instance_free(&in->abi);
    return NULL;
}

void wasm_instance_free(struct wasm_instance *instance)
{
    struct instance *in = instance ? instance_of(instance) : NULL;
    if (!in || !in->open)
        return;
    in->open = false;
    if (in->store->exec.owner == instance)
        call_unready(&in->store->exec);
    budget_mark(in->store);
    if (!budget_runs(in->store)) {
        stack_destroy(in->stack, in->stack_size);
        in->stack = NULL;
    }
    store_release(in->store);
}

void instance_destroy(struct instance *in)
{
    const struct module_info *info = &in->module->info;
    stack_destroy(in->stack, in->stack_size);
    for (uint32_t i = 0; in->abi.memories && i < info->memory_count; i++) {
        if (!in->abi.memories[i])
            continue;
        if (info->memories[i].shared)
            memory_unshare(in->abi.memories[i]);
        else if (i >= info->imported_memories)
            memory_destroy((struct memory_object *)in->abi.memories[i]);
    }
    for (uint32_t i = 0; in->own_tables && i < info->table_count - info->imported_tables; i++)
        if (in->own_tables[i])
            table_destroy(in->own_tables[i]);
    wasm_host_free(in->abi.imports);
    wasm_host_free(in->abi.memories);
    wasm_host_free(in->abi.tables);
    wasm_host_free(in->abi.globals);
    wasm_host_free(in->abi.funcs);
    wasm_host_free(in->host_funcs);
    wasm_host_free(in->own_memories);
    wasm_host_free(in->own_tables);
    wasm_host_free(in->own_globals);
    wasm_host_free(in->abi.tags);
    wasm_host_free(in->own_tags);
    wasm_host_free(in->elem_dropped);
    wasm_host_free(in->data_dropped);
    wasm_module_release(in->module);
    wasm_host_free(in);
}

void *wasm_instance_data(struct wasm_instance *instance)
{
    return instance_of(instance)->host_data;
}

struct wasm_module *wasm_instance_module(struct wasm_instance *instance)
{
    return instance_of(instance)->module;
}

void wasm_instance_set_budget(struct wasm_instance *instance, uint64_t ns)
{
    instance_of(instance)->budget_ns = ns;
    instance_of(instance)->tick_frequency = budget_frequency(ns);
    if (instance->entry_frequency != ENTRY_NOT_READY)
        instance->entry_frequency = instance_of(instance)->tick_frequency;
}

bool wasm_instance_export(struct wasm_instance *instance, const char *name, size_t name_len,
                          struct wasm_extern *out)
{
    const struct module_info *info = &instance_of(instance)->module->info;
    for (uint32_t i = 0; i < info->export_count; i++) {
        const struct wasm_export *e = &info->exports[i];
        if (e->name_len != name_len || memcmp(e->name, name, name_len))
            continue;
        out->kind = e->kind;
        switch (e->kind) {
        case WASM_FUNC:
            out->func = e->index < info->imported_funcs
                            ? instance->imports[e->index]
                            : &instance->funcs[e->index - info->imported_funcs];
            return true;
        case WASM_TABLE: out->table = instance->tables[e->index]; return true;
        case WASM_MEMORY: out->memory = instance->memories[e->index]; return true;
        case WASM_GLOBAL: out->global = instance->globals[e->index]; return true;
        case WASM_TAG: out->tag = instance->tags[e->index]; return true;
        default: return false;
        }
    }
    return false;
}

struct wasm_func *wasm_instance_func(struct wasm_instance *instance, const char *name)
{
    struct wasm_extern found;
    return wasm_instance_export(instance, name, strlen(name), &found) && found.kind == WASM_FUNC
               ? found.func
               : NULL;
}
