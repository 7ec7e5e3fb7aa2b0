/* `quince inspect`: what a module imports, exports and asks for. The engine validates and compiles
 * it as the kernel would, and the manifest is read by the kernel's own reader. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "compiled.h"
#include "extend/manifest.h"
#include "keys.h"
#include "list.h"
#include "module.h"
#include "options.h"
#include "table.h"
#include "wasm.h"

static bool json;
static const char *key_path;
static const struct option_spec specs[] = {
    {OPTION_FLAG, 0, "json", NULL, "as JSON", &json},
    {OPTION_STRING, 'k', "key", "NAME.pub", "check a .qwo file's signature by this key", &key_path},
    {.kind = OPTION_END},
};
static const struct usage usage = {
    "quince inspect [options] FILE.wasm | FILE.qwo",
    "What a module imports and exports, and what it asks for as an extension; of a module "
    "compiled\n"
    "ahead of time also by which compiler and for which CPU it was made, and who signed it.",
    specs, -1, false};

static const char *const kinds[] = {"function", "table", "memory", "global", "tag"};

static const char *type_name(uint8_t type)
{
    switch (type) {
    case WASM_I32: return "i32";
    case WASM_I64: return "i64";
    case WASM_F32: return "f32";
    case WASM_F64: return "f64";
    case WASM_V128: return "v128";
    case WASM_FUNCREF: return "funcref";
    case WASM_EXTERNREF: return "externref";
    default: return "?";
    }
}

static char *types_text(char *text, const uint8_t *types, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char *longer = xformat("%s%s%s", text, i ? ", " : "", type_name(types[i]));
        free(text);
        text = longer;
    }
    return text;
}

/* "(i32, i64) → i32"; the caller frees it. */
static char *signature(const struct wasm_functype *type)
{
    char *params = types_text(xstrdup(""), type->params, type->param_count);
    char *results = types_text(xstrdup(""), type->results, type->result_count);
    char *text = xformat("(%s)%s%s", params, *results ? " → " : "", results);
    free(params);
    free(results);
    return text;
}

static char *import_type(const struct wasm_import *import)
{
    switch (import->kind) {
    case WASM_FUNC: return signature(&import->func);
    case WASM_GLOBAL:
        return xformat("%s%s", import->mutable_ ? "mutable " : "", type_name(import->type));
    case WASM_TABLE:
    case WASM_MEMORY:
        return import->has_max ? xformat("%llu … %llu", (unsigned long long)import->min,
                                         (unsigned long long)import->max)
                               : xformat("%llu …", (unsigned long long)import->min);
    default: return xstrdup("");
    }
}

static cJSON *imports_json(const struct wasm_module *module)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < wasm_module_import_count(module); i++) {
        const struct wasm_import *import = wasm_module_import(module, i);
        char *type = import_type(import);
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "module", import->module);
        cJSON_AddStringToObject(object, "name", import->name);
        cJSON_AddStringToObject(object, "kind", kinds[import->kind]);
        cJSON_AddStringToObject(object, "type", type);
        cJSON_AddItemToArray(array, object);
        free(type);
    }
    return array;
}

static cJSON *exports_json(const struct wasm_module *module)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < wasm_module_export_count(module); i++) {
        const struct wasm_export *export = wasm_module_export(module, i);
        char *type = export->kind == WASM_FUNC ? signature(&export->func) : xstrdup("");
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", export->name);
        cJSON_AddStringToObject(object, "kind", kinds[export->kind]);
        cJSON_AddStringToObject(object, "type", type);
        cJSON_AddItemToArray(array, object);
        free(type);
    }
    return array;
}

static cJSON *sections_json(const struct module_file *file)
{
    cJSON *array = cJSON_CreateArray();
    struct module_section section;
    size_t size;
    const uint8_t *wasm = module_wasm(file, &size);
    for (size_t at = 0; module_next(wasm, size, &at, &section);) {
        cJSON *object = cJSON_CreateObject();
        char *name = xformat("%.*s", (int)(section.name_length < 80 ? section.name_length : 80),
                             section.name);
        cJSON_AddStringToObject(object, "name", name);
        cJSON_AddBoolToObject(object, "custom", section.id == 0);
        cJSON_AddNumberToObject(object, "bytes", (double)section.size);
        cJSON_AddItemToArray(array, object);
        free(name);
    }
    return array;
}

/* Reads all sections `quince`: 1; 0 when there are none; -1 with a message in ERR. */
static int read_manifest(const struct module_file *file, struct manifest *manifest,
                         struct manifest_error *err)
{
    size_t size, length;
    const uint8_t *wasm = module_wasm(file, &size), *text;
    unsigned n = 0;
    manifest_init(manifest);
    for (; (text = module_section(wasm, size, "quince", n, &length)); n++) {
        if (!manifest_parse(manifest, (const char *)text, length, err)) {
            return -1;
        }
    }
    return n == 0 ? 0 : manifest_finish(manifest, err) ? 1 : -1;
}

static cJSON *manifest_json(const struct manifest *m)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", m->name);
    cJSON *hooks = cJSON_AddArrayToObject(object, "hooks");
    for (uint32_t i = 0; i < m->hook_count; i++) {
        cJSON *hook = cJSON_CreateObject();
        cJSON_AddStringToObject(hook, "point", m->hooks[i].point);
        cJSON_AddNumberToObject(hook, "prio", m->hooks[i].prio);
        cJSON_AddNumberToObject(hook, "snap", m->hooks[i].snap);
        cJSON_AddItemToArray(hooks, hook);
    }
    cJSON *maps = cJSON_AddArrayToObject(object, "maps");
    for (uint32_t i = 0; i < m->map_count; i++) {
        cJSON *map = cJSON_CreateObject();
        cJSON_AddStringToObject(map, "name", m->maps[i].name);
        cJSON_AddStringToObject(map, "kind", map_kind_name(m->maps[i].kind));
        cJSON_AddNumberToObject(map, "key", m->maps[i].key);
        cJSON_AddNumberToObject(map, "value", m->maps[i].value);
        cJSON_AddNumberToObject(map, "max", m->maps[i].max);
        cJSON_AddItemToArray(maps, map);
    }
    cJSON *rings = cJSON_AddArrayToObject(object, "rings");
    for (uint32_t i = 0; i < m->ring_count; i++) {
        cJSON *ring = cJSON_CreateObject();
        cJSON_AddStringToObject(ring, "name", m->rings[i].name);
        cJSON_AddNumberToObject(ring, "size", m->rings[i].size);
        cJSON_AddItemToArray(rings, ring);
    }
    cJSON *grants = cJSON_AddArrayToObject(object, "grants");
    for (uint32_t i = 0; i < m->hook_count; i++) {
        cJSON_AddItemToArray(grants, cJSON_CreateString(m->hooks[i].point));
    }
    for (uint32_t i = 0; i < m->need_count; i++) {
        cJSON_AddItemToArray(grants, cJSON_CreateString(m->needs[i]));
    }
    cJSON_AddNumberToObject(object, "memory", (double)m->memory);
    cJSON_AddNumberToObject(object, "stack", m->stack);
    cJSON_AddNumberToObject(object, "budget_ns", (double)m->budget_ns);
    cJSON_AddNumberToObject(object, "init_budget_ns", (double)m->init_budget_ns);
    cJSON_AddStringToObject(object, "on_fault", m->on_fault == ON_FAULT_DROP ? "drop" : "pass");
    return object;
}

/* Printing: strings of a module may hold anything, so they go through the table, which keeps the
 * terminal safe. */

static void print_manifest(const struct manifest *m, const char *path)
{
    printf("\nas an extension: %s\n", m->name);
    char grants[MANIFEST_NAME * (MANIFEST_HOOKS + MANIFEST_NEEDS)] = "";
    for (uint32_t i = 0; i < m->hook_count; i++) {
        printf("  hook     %s, priority %d, shown %u bytes\n", m->hooks[i].point, m->hooks[i].prio,
               m->hooks[i].snap);
        strcat(strcat(grants, *grants ? "," : ""), m->hooks[i].point);
    }
    for (uint32_t i = 0; i < m->map_count; i++) {
        printf("  map      %s: %s, %u + %u bytes, at most %u entries\n", m->maps[i].name,
               map_kind_name(m->maps[i].kind), m->maps[i].key, m->maps[i].value, m->maps[i].max);
    }
    for (uint32_t i = 0; i < m->ring_count; i++) {
        printf("  ring     %s: %s\n", m->rings[i].name, human_bytes(m->rings[i].size));
    }
    for (uint32_t i = 0; i < m->need_count; i++) {
        printf("  need     %s\n", m->needs[i]);
        strcat(strcat(grants, *grants ? "," : ""), m->needs[i]);
    }
    printf("  limits   memory %s, stack %s, %s a call, %s to start; on a fault packets %s\n",
           human_bytes((double)m->memory), human_bytes(m->stack), human_time((double)m->budget_ns),
           human_time((double)m->init_budget_ns),
           m->on_fault == ON_FAULT_DROP ? "are dropped" : "pass");
    printf("  load it  quince load %s%s%s\n", path, *grants ? " --grant " : "", grants);
}

static void print_rows(const cJSON *array, const char *title, bool with_module)
{
    const char *titles[] = {title, "KIND", "TYPE", NULL};
    if (cJSON_GetArraySize(array) == 0) {
        return;
    }
    struct table *table = table_new(titles);
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(item, "name"));
        const char *module = cJSON_GetStringValue(cJSON_GetObjectItem(item, "module"));
        table_cell(table, "%s%s%s", with_module ? module : "", with_module ? "." : "", name);
        table_cell(table, "%s", cJSON_GetStringValue(cJSON_GetObjectItem(item, "kind")));
        table_cell(table, "%s", cJSON_GetStringValue(cJSON_GetObjectItem(item, "type")));
    }
    putchar('\n');
    table_print(table, stdout);
}

static void print_sections(const cJSON *array)
{
    static const char *const titles[] = {"SECTION", ">BYTES", NULL};
    struct table *table = table_new(titles);
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        table_cell(table, "%s%s",
                   cJSON_IsTrue(cJSON_GetObjectItem(item, "custom")) ? "custom: " : "",
                   cJSON_GetStringValue(cJSON_GetObjectItem(item, "name")));
        table_cell(table, "%.0f", cJSON_GetObjectItem(item, "bytes")->valuedouble);
    }
    putchar('\n');
    table_print(table, stdout);
}

static char *hex_text(const uint8_t *bytes, size_t count)
{
    char *text = xcalloc(2 * count + 1, 1);
    for (size_t i = 0; i < count; i++) {
        sprintf(text + 2 * i, "%02x", bytes[i]);
    }
    return text;
}

/* The header of a .qwo file and the state of its signature. */
static cJSON *compiled_json(const struct module_file *file)
{
    const uint8_t *bytes = (const uint8_t *)file->bytes;
    struct wasm_compiled compiled;
    struct wasm_error error;
    if (!wasm_is_compiled(bytes, file->size)) {
        return NULL;
    }
    if (!wasm_compiled_open(bytes, file->size, &compiled, &error)) {
        die("%s is refused: %s", file->path, error.message);
    }
    uint8_t key[1][SIGNATURE_KEY];
    char reason[256], id[SIGNATURE_ID_TEXT];
    if (key_path) {
        key_read_public(key_path, key[0]);
    }
    enum signature_state state =
        signature_check(bytes, file->size, (const uint8_t(*)[SIGNATURE_KEY])key, key_path ? 1 : 0,
                        id, reason, sizeof reason);
    bool not_checked = state == SIGNATURE_UNKNOWN_KEY && !key_path;
    bool fits = wasm_compiled_fits(&compiled, &error);
    char *features = compiled_features(compiled.features);
    char *compiler = hex_text(compiled.compiler, sizeof compiled.compiler);
    char *abi = hex_text(compiled.abi, sizeof compiled.abi);
    char *hash = hex_text(compiled.module_hash, sizeof compiled.module_hash);
    cJSON *object = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "format", compiled.format);
    cJSON_AddStringToObject(object, "compiler", compiler);
    cJSON_AddStringToObject(object, "abi", abi);
    cJSON_AddStringToObject(object, "fits", fits ? "yes" : error.message);
    cJSON_AddStringToObject(object, "features", features);
    cJSON_AddStringToObject(object, "module_sha256", hash);
    cJSON_AddNumberToObject(object, "module_bytes", (double)compiled.module_len);
    cJSON_AddStringToObject(object, "key", state == SIGNATURE_NONE ? "none" : id);
    cJSON_AddStringToObject(object, "signature",
                            not_checked ? "not checked: give --key NAME.pub" : reason);
    free(features);
    free(compiler);
    free(abi);
    free(hash);
    return object;
}

static void print_compiled(const cJSON *compiled)
{
    static const struct {
        const char *title, *member;
    } lines[] = {
        {"format", "format"},  {"compiler", "compiler"},   {"ABI", "abi"},
        {"fits here", "fits"}, {"CPU needs", "features"},  {"module", "module_sha256"},
        {"signed by", "key"},  {"signature", "signature"},
    };
    puts("\ncompiled ahead of time");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const cJSON *value = cJSON_GetObjectItem(compiled, lines[i].member);
        if (cJSON_IsNumber(value)) {
            printf("  %-10s %.0f\n", lines[i].title, value->valuedouble);
        } else {
            printf("  %-10s %s\n", lines[i].title, cJSON_GetStringValue(value));
        }
    }
}

int cmd_inspect(int argc, char **argv)
{
    if (parse_options(&usage, argc, argv) != 1) {
        usage_error(&usage, "which module? one FILE.wasm or FILE.qwo");
    }
    struct module_file file = module_find(argv[0]);
    struct wasm_error error;
    size_t wasm_size;
    const uint8_t *wasm = module_wasm(&file, &wasm_size);
    cJSON *compiled = compiled_json(&file);
    struct wasm_module *module = wasm_module_load(wasm, wasm_size, NULL, &error);
    if (!module) {
        warn("%s is refused: at byte %u: %s", file.path, error.offset, error.message);
        return 1;
    }
    struct manifest manifest;
    struct manifest_error manifest_error;
    int has_manifest = read_manifest(&file, &manifest, &manifest_error);
    cJSON *imports = imports_json(module), *exports = exports_json(module);
    cJSON *sections = sections_json(&file);
    if (json) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "file", file.path);
        cJSON_AddNumberToObject(object, "bytes", (double)file.size);
        cJSON_AddNumberToObject(object, "code_bytes", (double)wasm_module_code_size(module));
        if (compiled) {
            cJSON_AddItemToObject(object, "compiled", compiled);
        }
        if (has_manifest == 1) {
            cJSON_AddItemToObject(object, "manifest", manifest_json(&manifest));
        }
        cJSON_AddItemToObject(object, "imports", imports);
        cJSON_AddItemToObject(object, "exports", exports);
        cJSON_AddItemToObject(object, "sections", sections);
        print_json(object, NULL);
        cJSON_Delete(object);
    } else {
        printf("%s: a valid module of %s, compiles to %s of code\n", file.path,
               human_bytes((double)wasm_size), human_bytes((double)wasm_module_code_size(module)));
        if (compiled) {
            print_compiled(compiled);
            cJSON_Delete(compiled);
        }
        if (has_manifest == 1) {
            print_manifest(&manifest, argv[0]);
        }
        print_rows(imports, "IMPORT", true);
        print_rows(exports, "EXPORT", false);
        print_sections(sections);
        cJSON_Delete(imports);
        cJSON_Delete(exports);
        cJSON_Delete(sections);
    }
    wasm_module_release(module);
    module_free(&file);
    if (has_manifest < 0) {
        warn("its manifest would be refused: %s", manifest_error.message);
        return 1;
    }
    return 0;
}
