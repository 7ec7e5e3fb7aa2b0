/* The commands of a test script: modules, actions and assertions about them. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "spec.h"

struct named {
    char *name; /* of the script's variable; NULL: none */
    struct wasm_instance *instance;
};
struct registered {
    char *name;
    struct wasm_instance *instance;
};
/* What one script has made so far. Everything lives until its end, as linking demands. */
struct script {
    const char *directory;
    const struct wasm_load_options *load;
    FILE *log;
    struct spec_counts *counts;
    struct named *modules;
    struct registered *registered;
    unsigned module_count, registered_count;
    struct wasm_instance *current;
    /* spectest */
    struct wasm_func *funcs[7];
    struct wasm_global *globals[4];
    struct wasm_table *table;
    struct wasm_memory *memory, *shared_memory;
    const struct spec_exclusion *excluded;
    unsigned excluded_count;
    int line;
};

static void fail(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct script *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(s->log, "# line %d: ", s->line);
    vfprintf(s->log, format, args);
    fputc('\n', s->log);
    va_end(args);
    s->counts->failed++;
}

static const char *member(const cJSON *json, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name));
}

/* The module `spectest`. */

static void print_nothing(struct wasm_instance *caller)
{
    (void)caller;
}
static void print_i32(struct wasm_instance *caller, uint32_t a)
{
    (void)caller, (void)a;
}
static void print_i64(struct wasm_instance *caller, uint64_t a)
{
    (void)caller, (void)a;
}
static void print_f32(struct wasm_instance *caller, float a)
{
    (void)caller, (void)a;
}
static void print_f64(struct wasm_instance *caller, double a)
{
    (void)caller, (void)a;
}
static void print_i32_f32(struct wasm_instance *caller, uint32_t a, float b)
{
    (void)caller, (void)a, (void)b;
}
static void print_f64_f64(struct wasm_instance *caller, double a, double b)
{
    (void)caller, (void)a, (void)b;
}
static const struct wasm_host_func spectest_funcs[] = {
    {"print", ":", (wasm_host_fn)print_nothing},
    {"print_i32", "i:", (wasm_host_fn)print_i32},
    {"print_i64", "I:", (wasm_host_fn)print_i64},
    {"print_f32", "f:", (wasm_host_fn)print_f32},
    {"print_f64", "F:", (wasm_host_fn)print_f64},
    {"print_i32_f32", "if:", (wasm_host_fn)print_i32_f32},
    {"print_f64_f64", "FF:", (wasm_host_fn)print_f64_f64},
};
static const char *const spectest_globals[] = {"global_i32", "global_i64", "global_f32",
                                               "global_f64"};

static bool spectest_make(struct script *s)
{
    bool ok = true;
    for (unsigned i = 0; i < 7; i++)
        ok &= (s->funcs[i] = wasm_func_host(spectest_funcs[i].type, spectest_funcs[i].fn)) != NULL;
    ok &=
        (s->globals[0] = wasm_global_new(WASM_I32, false, (union wasm_value){.i32 = 666})) != NULL;
    ok &=
        (s->globals[1] = wasm_global_new(WASM_I64, false, (union wasm_value){.i64 = 666})) != NULL;
    ok &= (s->globals[2] = wasm_global_new(WASM_F32, false, (union wasm_value){.f32 = 666.6f})) !=
          NULL;
    ok &= (s->globals[3] = wasm_global_new(WASM_F64, false, (union wasm_value){.f64 = 666.6})) !=
          NULL;
    ok &= (s->table = wasm_table_new(WASM_FUNCREF, 10, 20)) != NULL;
    ok &= (s->memory = wasm_memory_new(1, 2)) != NULL;
    ok &= (s->shared_memory = wasm_memory_new_shared(1, 2)) != NULL;
    return ok;
}

static bool spectest_resolve(struct script *s, const char *name, struct wasm_extern *out)
{
    for (unsigned i = 0; i < 7; i++) {
        if (strcmp(name, spectest_funcs[i].name))
            continue;
        out->kind = WASM_FUNC;
        out->func = s->funcs[i];
        return true;
    }
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(name, spectest_globals[i]))
            continue;
        out->kind = WASM_GLOBAL;
        out->global = s->globals[i];
        return true;
    }
    if (!strcmp(name, "table")) {
        out->kind = WASM_TABLE;
        out->table = s->table;
        return true;
    }
    if (!strcmp(name, "memory") || !strcmp(name, "shared_memory")) {
        out->kind = WASM_MEMORY;
        out->memory = name[0] == 's' ? s->shared_memory : s->memory;
        return true;
    }
    return false;
}

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    struct script *s = context;
    if (!strcmp(import->module, "spectest"))
        return spectest_resolve(s, import->name, out);
    for (unsigned i = s->registered_count; i-- > 0;)
        if (!strcmp(s->registered[i].name, import->module))
            return wasm_instance_export(s->registered[i].instance, import->name, import->name_len,
                                        out);
    return false;
}

/* Modules */

uint8_t *spec_read(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    if (!f)
        return NULL;
    long end = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
    if (end >= 0) {
        rewind(f);
        data = malloc((size_t)end + 1);
        size_t got = data ? fread(data, 1, (size_t)end, f) : 0;
        if (data)
            data[got] = '\0';
        if (size)
            *size = got;
    }
    fclose(f);
    return data;
}

static uint8_t *read_module(struct script *s, const char *file, size_t *size)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", s->directory, file);
    return spec_read(path, size);
}

bool spec_through_files;

static struct wasm_module *load_module(struct script *s, const uint8_t *bytes, size_t size,
                                       struct wasm_error *err)
{
    static const uint8_t no_hash[32];
    struct wasm_module *module = wasm_module_load(bytes, size, s->load, err);
    if (!module || !spec_through_files)
        return module;
    size_t saved_size = 0;
    uint8_t *saved = wasm_module_save(module, no_hash, &saved_size);
    wasm_module_release(module);
    module = wasm_module_load_compiled(saved, saved_size, NULL, err);
    wasm_host_free(saved);
    return module;
}

/* Loads and instantiates; *err says at which of the two it failed. */
static struct wasm_instance *instantiate(struct script *s, const cJSON *command,
                                         struct wasm_error *err, bool *loaded)
{
    size_t size = 0;
    const char *file = member(command, "filename");
    uint8_t *bytes = file ? read_module(s, file, &size) : NULL;
    memset(err, 0, sizeof(*err));
    *loaded = false;
    if (!bytes) {
        snprintf(err->message, sizeof(err->message), "cannot read the module");
        return NULL;
    }
    struct wasm_module *module = load_module(s, bytes, size, err);
    free(bytes);
    if (!module)
        return NULL;
    *loaded = true;
    struct wasm_instance_options options = {.resolve = resolve, .context = s};
    struct wasm_instance *instance = wasm_instance_new(module, &options, err);
    wasm_module_release(module);
    return instance;
}

static void keep(struct script *s, const char *name, struct wasm_instance *instance)
{
    s->modules = realloc(s->modules, (s->module_count + 1) * sizeof(*s->modules));
    s->modules[s->module_count].name = name ? strdup(name) : NULL;
    s->modules[s->module_count++].instance = instance;
}

static struct wasm_instance *find(struct script *s, const char *name)
{
    if (!name)
        return s->current;
    for (unsigned i = s->module_count; i-- > 0;)
        if (s->modules[i].name && !strcmp(s->modules[i].name, name))
            return s->modules[i].instance;
    return NULL;
}

static void run_module(struct script *s, const cJSON *command)
{
    struct wasm_error err;
    bool loaded;
    struct wasm_instance *instance = instantiate(s, command, &err, &loaded);
    s->current = instance;
    if (!instance) {
        fail(s, "module: offset 0x%x: %s", err.offset, err.message);
        return;
    }
    keep(s, member(command, "name"), instance);
}

static void run_register(struct script *s, const cJSON *command)
{
    struct wasm_instance *instance = find(s, member(command, "name"));
    const char *as = member(command, "as");
    if (!instance || !as) {
        fail(s, "register: no such module");
        return;
    }
    s->registered = realloc(s->registered, (s->registered_count + 1) * sizeof(*s->registered));
    s->registered[s->registered_count].name = strdup(as);
    s->registered[s->registered_count++].instance = instance;
}

/* Actions */

enum { MAX_VALUES = 1000 };
struct outcome {
    bool ran; /* it was found and well formed; otherwise a failure was reported */
    enum wasm_trap trap;
    struct wasm_functype type;
    union wasm_value values[MAX_VALUES];
};

/* The export that TEXT names, which may hold SPEC_ZERO. */
static bool find_export(struct wasm_instance *instance, const char *text, struct wasm_extern *out)
{
    static char name[1 << 16];
    size_t len = 0;
    while (*text && len < sizeof(name)) {
        bool zero = !strncmp(text, SPEC_ZERO, strlen(SPEC_ZERO));
        name[len++] = zero ? '\0' : *text;
        text += zero ? strlen(SPEC_ZERO) : 1;
    }
    return wasm_instance_export(instance, name, len, out);
}

static void act(struct script *s, const cJSON *action, struct outcome *out)
{
    out->ran = false;
    out->trap = WASM_TRAP_NONE;
    const char *kind = member(action, "type"), *field = member(action, "field");
    struct wasm_instance *instance = find(s, member(action, "module"));
    struct wasm_extern found;
    if (!kind || !field || !instance || !find_export(instance, field, &found)) {
        fail(s, "no export \"%s\"", field ? field : "?");
        return;
    }
    if (!strcmp(kind, "get")) {
        if (found.kind != WASM_GLOBAL) {
            fail(s, "\"%s\" is no global", field);
            return;
        }
        out->values[0] = wasm_global_get(found.global);
        out->type = (struct wasm_functype){NULL, NULL, 0, 1};
        out->ran = true;
        return;
    }
    if (found.kind != WASM_FUNC) {
        fail(s, "\"%s\" is no function", field);
        return;
    }
    out->type = wasm_func_type(found.func);
    static union wasm_value args[MAX_VALUES];
    unsigned count = 0;
    const cJSON *json;
    cJSON_ArrayForEach(json, cJSON_GetObjectItemCaseSensitive(action, "args"))
    {
        if (count == MAX_VALUES || !spec_value(json, &args[count++])) {
            fail(s, "an argument of \"%s\" is not understood", field);
            return;
        }
    }
    if (count != out->type.param_count || out->type.result_count > MAX_VALUES) {
        fail(s, "\"%s\" takes %u arguments, the script gives %u", field, out->type.param_count,
             count);
        return;
    }
    out->trap = wasm_call(found.func, args, out->values);
    out->ran = true;
}

static uint8_t type_named(const char *name)
{
    return !strcmp(name, "i32")       ? WASM_I32
           : !strcmp(name, "i64")     ? WASM_I64
           : !strcmp(name, "f32")     ? WASM_F32
           : !strcmp(name, "f64")     ? WASM_F64
           : !strcmp(name, "v128")    ? WASM_V128
           : !strcmp(name, "funcref") ? WASM_FUNCREF
                                      : WASM_EXTERNREF;
}

/* One result that may be any of several. */
static void run_either(struct script *s, const char *field, const cJSON *either,
                       const struct outcome *o)
{
    const cJSON *json;
    if (o->type.result_count == 1) {
        cJSON_ArrayForEach(json, either)
        {
            if (spec_matches(json, &o->values[0], o->type.results[0])) {
                s->counts->passed++;
                return;
            }
        }
    }
    char text[64] = "nothing";
    if (o->type.result_count)
        spec_print_value(&o->values[0], o->type.results[0], text, sizeof(text));
    fail(s, "\"%s\" is %s, none of those expected", field, text);
}

static void run_exception(struct script *s, const cJSON *command)
{
    static struct outcome o;
    act(s, cJSON_GetObjectItemCaseSensitive(command, "action"), &o);
    if (!o.ran)
        return;
    if (o.trap == WASM_TRAP_EXCEPTION)
        s->counts->passed++;
    else
        fail(s, "ended with \"%s\", not an exception", wasm_trap_name(o.trap));
}

static void run_return(struct script *s, const cJSON *command)
{
    static struct outcome o;
    act(s, cJSON_GetObjectItemCaseSensitive(command, "action"), &o);
    if (!o.ran)
        return;
    const cJSON *action = cJSON_GetObjectItemCaseSensitive(command, "action");
    const char *field = member(action, "field");
    if (o.trap) {
        fail(s, "\"%s\" trapped: %s", field, wasm_trap_name(o.trap));
        return;
    }
    const cJSON *expected = cJSON_GetObjectItemCaseSensitive(command, "expected"), *json;
    const cJSON *either = cJSON_GetObjectItemCaseSensitive(command, "either");
    if (!strcmp(member(command, "type"), "action")) {
        s->counts->passed++; /* what it returns does not matter */
        return;
    }
    if (either) {
        run_either(s, field, either, &o);
        return;
    }
    unsigned i = 0;
    cJSON_ArrayForEach(json, expected)
    {
        const char *name = member(json, "type");
        uint8_t type = !name ? 0 : o.type.results ? o.type.results[i] : type_named(name);
        if (i >= o.type.result_count || !spec_matches(json, &o.values[i], type)) {
            char text[64] = "nothing", *want = cJSON_PrintUnformatted(json);
            if (i < o.type.result_count)
                spec_print_value(&o.values[i], type, text, sizeof(text));
            fail(s, "\"%s\" result %u is %s, not %s", field, i, text, want);
            free(want);
            return;
        }
        i++;
    }
    if (i != o.type.result_count)
        fail(s, "\"%s\" has %u results, not %u", field, o.type.result_count, i);
    else
        s->counts->passed++;
}

/* The suite's texts name the trap, sometimes with more behind it ("uninitialized element 2"). */
static bool trap_is(enum wasm_trap trap, const char *text)
{
    const char *name = wasm_trap_name(trap);
    return text && trap &&
           (!strncmp(text, name, strlen(name)) || !strncmp(text, name, strlen(text)));
}

static void run_trap(struct script *s, const cJSON *command)
{
    static struct outcome o;
    act(s, cJSON_GetObjectItemCaseSensitive(command, "action"), &o);
    if (!o.ran)
        return;
    if (trap_is(o.trap, member(command, "text")))
        s->counts->passed++;
    else
        fail(s, "ended with \"%s\", not \"%s\"", wasm_trap_name(o.trap), member(command, "text"));
}

static void run_rejected(struct script *s, const cJSON *command, enum wasm_error_kind want)
{
    struct wasm_error err;
    bool loaded;
    const char *module_type = member(command, "module_type");
    if (module_type && !strcmp(module_type, "text")) {
        s->counts->skipped++;
        return;
    }
    struct wasm_instance *instance = instantiate(s, command, &err, &loaded);
    const char *text = member(command, "text");
    if (instance) {
        fail(s, "module was accepted, not \"%s\"", text);
        wasm_instance_free(instance);
    } else if (want == WASM_ERR_MALFORMED && err.kind == WASM_ERR_INVALID) {
        /* One pass over the bytes finds the invalid before the malformed behind it. */
        s->counts->passed++;
        s->counts->early++;
    } else if (want <= WASM_ERR_INVALID && err.kind == WASM_ERR_UNSUPPORTED) {
        s->counts->passed++; /* what this version of the specification lacks, so does the engine */
    } else if (err.kind != want) {
        fail(s, "rejected as kind %d (offset 0x%x: %s), not as %d (%s)", err.kind, err.offset,
             err.message, want, text);
    } else if (want == WASM_ERR_TRAP && !trap_is((enum wasm_trap)err.trap, text)) {
        fail(s, "trapped with \"%s\", not \"%s\"", err.message, text);
    } else if (want == WASM_ERR_UNLINKABLE && strncmp(err.message, text, strlen(text))) {
        fail(s, "unlinkable: \"%s\", not \"%s\"", err.message, text);
    } else {
        s->counts->passed++;
    }
}

static void run_command(struct script *s, const cJSON *command)
{
    const char *type = member(command, "type");
    const cJSON *line = cJSON_GetObjectItemCaseSensitive(command, "line");
    s->line = line ? line->valueint : 0;
    for (unsigned i = 0; i < s->excluded_count; i++) {
        if (s->excluded[i].line == s->line) {
            s->counts->excluded++;
            return;
        }
    }
    if (!type)
        fail(s, "command without type");
    else if (!strcmp(type, "module"))
        run_module(s, command);
    else if (!strcmp(type, "register"))
        run_register(s, command);
    else if (!strcmp(type, "action") || !strcmp(type, "assert_return"))
        run_return(s, command);
    else if (!strcmp(type, "assert_trap") || !strcmp(type, "assert_exhaustion"))
        run_trap(s, command);
    else if (!strcmp(type, "assert_exception"))
        run_exception(s, command);
    else if (!strcmp(type, "assert_malformed"))
        run_rejected(s, command, WASM_ERR_MALFORMED);
    else if (!strcmp(type, "assert_invalid"))
        run_rejected(s, command, WASM_ERR_INVALID);
    else if (!strcmp(type, "assert_unlinkable"))
        run_rejected(s, command, WASM_ERR_UNLINKABLE);
    else if (!strcmp(type, "assert_uninstantiable"))
        run_rejected(s, command, WASM_ERR_TRAP);
    else
        fail(s, "command \"%s\" is not known", type);
}

void spec_run(const cJSON *document, const char *directory, const struct wasm_load_options *load,
              const struct spec_exclusion *excluded, unsigned excluded_count, FILE *log,
              struct spec_counts *counts)
{
    struct script s = {.directory = directory,
                       .load = load,
                       .log = log,
                       .counts = counts,
                       .excluded = excluded,
                       .excluded_count = excluded_count};
    const cJSON *command;
    if (spectest_make(&s)) {
        cJSON_ArrayForEach(command, cJSON_GetObjectItemCaseSensitive(document, "commands"))
            run_command(&s, command);
    } else {
        fail(&s, "out of memory");
    }
    for (unsigned i = 0; i < s.module_count; i++) {
        free(s.modules[i].name);
        wasm_instance_free(s.modules[i].instance);
    }
    for (unsigned i = 0; i < s.registered_count; i++)
        free(s.registered[i].name);
    free(s.modules);
    free(s.registered);
    for (unsigned i = 0; i < 7; i++)
        wasm_func_release(s.funcs[i]);
    for (unsigned i = 0; i < 4; i++)
        wasm_global_release(s.globals[i]);
    wasm_table_release(s.table);
    wasm_memory_release(s.memory);
    wasm_memory_release(s.shared_memory);
}
