/* The frame of a module: header, sections in their order, the memory of the description, and what
 * can only be checked when all sections are known (spec 5.5.16). */
#include "decode/sections.h"
#include "host.h"
#include "limits.h"

#include <string.h>

/* A chunk of the info's memory. */
struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) uint8_t bytes[];
};
#define CHUNK_SIZE 16384u

void *info_alloc(struct module_decoder *d, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        goto failed;
    bytes = (bytes + 15) & ~(size_t)15;
    struct chunk *chunk = d->info->memory;
    if (!chunk || chunk->size - chunk->used < bytes) {
        size_t room = bytes > CHUNK_SIZE ? bytes : CHUNK_SIZE;
        struct chunk *fresh = wasm_host_alloc(sizeof *fresh + room);
        if (!fresh)
            goto failed;
        *fresh = (struct chunk){.next = chunk, .size = room};
        d->info->memory = chunk = fresh;
    }
    void *p = chunk->bytes + chunk->used;
    chunk->used += bytes;
    memset(p, 0, bytes);
    return p;
failed:
    (void)reader_fail(&d->r, WASM_ERR_NOMEM, "out of memory");
    return NULL;
}

bool info_grow(struct module_decoder *d, void *array, uint32_t count, size_t size)
{
    void *old, *fresh;
    memcpy(&old, array, sizeof old);
    fresh = wasm_host_realloc(old, (size_t)count * size + !count);
    if (!fresh)
        return reader_fail(&d->r, WASM_ERR_NOMEM, "out of memory");
    memcpy(array, &fresh, sizeof fresh);
    return true;
}

char *info_string(struct module_decoder *d, const uint8_t *bytes, uint32_t len)
{
    char *copy = info_alloc(d, (size_t)len + 1, 1);
    if (copy && len)
        memcpy(copy, bytes, len);
    return copy;
}

void module_info_free(struct module_info *info)
{
    wasm_host_free(info->func_types);
    wasm_host_free(info->tables);
    wasm_host_free(info->memories);
    wasm_host_free(info->globals);
    wasm_host_free(info->tag_types);
    wasm_host_free(info->customs);
    for (struct chunk *chunk = info->memory, *next; chunk; chunk = next) {
        next = chunk->next;
        wasm_host_free(chunk);
    }
    memset(info, 0, sizeof *info);
}

bool read_count(struct module_decoder *d, uint32_t min_bytes, uint32_t have, uint32_t limit,
                const char *name, uint32_t *count)
{
    uint32_t offset = reader_offset(&d->r);
    if (!read_u32(&d->r, count))
        return false;
    if (*count > reader_left(&d->r) / min_bytes)
        *count = (uint32_t)(reader_left(&d->r) / min_bytes) + 1;
    if (*count > limit || have > limit - *count)
        return reader_fail_at(&d->r, WASM_ERR_LIMIT, offset, "more than %u %s", limit, name);
    return true;
}

bool decode_custom(struct module_decoder *d)
{
    struct module_info *info = d->info;
    const uint8_t *name;
    uint32_t len;
    if (!read_name(&d->r, &name, &len))
        return false;
    if ((info->custom_count & (info->custom_count - 1)) == 0 &&
        !info_grow(d, &info->customs, info->custom_count ? info->custom_count * 2 : 1,
                   sizeof *info->customs))
        return false;
    struct module_custom *custom = &info->customs[info->custom_count];
    custom->name = info_string(d, name, len);
    if (!custom->name)
        return false;
    custom->name_len = len;
    custom->start = reader_offset(&d->r);
    custom->size = (uint32_t)reader_left(&d->r);
    info->custom_count++;
    d->r.p = d->r.end;
    return true;
}

static bool decode_data_count(struct module_decoder *d)
{
    d->info->has_data_count = true;
    return read_u32(&d->r, &d->info->declared_data_count);
}

enum { SECTION_TAG = 13, LAYER_COMPONENT = 1 };

/* Sections by id: their place in the order, and who reads them. */
static const struct section {
    const char *name;
    uint8_t rank;
    bool (*decode)(struct module_decoder *d);
} sections[] = {
    [0] = {"custom", 0, decode_custom},
    [1] = {"type", 1, decode_types},
    [2] = {"import", 2, decode_imports},
    [3] = {"function", 3, decode_functions},
    [4] = {"table", 4, decode_tables},
    [5] = {"memory", 5, decode_memories},
    [6] = {"global", 7, decode_globals},
    [7] = {"export", 8, decode_exports},
    [8] = {"start", 9, decode_start},
    [9] = {"element", 10, decode_elems},
    [10] = {"code", 12, decode_code},
    [11] = {"data", 13, decode_datas},
    [12] = {"data count", 11, decode_data_count},
    [SECTION_TAG] = {"tag", 6, decode_tags},
};

static bool decode_section(struct module_decoder *d, const uint8_t *module_end, uint8_t *rank)
{
    struct reader *r = &d->r;
    uint32_t start = reader_offset(r), size;
    uint8_t id;
    if (!read_u8(r, &id))
        return false;
    if (id >= sizeof sections / sizeof sections[0] ||
        (id == SECTION_TAG && !has_feature(d->info, WASM_FEATURE_EXCEPTIONS)))
        return refuse_unknown(r, start, IN_SECTION, id, "malformed section id");
    const struct section *section = &sections[id];
    if (!read_u32(r, &size))
        return false;
    if (size > reader_left(r))
        return reader_fail_at(r, WASM_ERR_MALFORMED, start,
                              "length out of bounds: %s section of %u bytes", section->name, size);
    if (id && section->rank <= *rank)
        return reader_fail_at(r, WASM_ERR_MALFORMED, start,
                              "unexpected content after last section: %s section %s", section->name,
                              section->rank == *rank ? "appears twice" : "is out of order");
    if (id)
        *rank = section->rank;
    /* From here on the number of functions is final, and they may be referred to. */
    if (section->rank > 3 && !d->info->declared) {
        d->info->declared = info_alloc(d, (size_t)d->info->func_count / 8 + 1, 1);
        if (!d->info->declared)
            return false;
    }
    r->end = r->p + size;
    r->end_message = id ? "unexpected end of section or function" : "unexpected end";
    if (!section->decode(d))
        return false;
    if (r->p != r->end)
        return reader_fail(r, WASM_ERR_MALFORMED,
                           "section size mismatch: %zu bytes left over in the %s section",
                           reader_left(r), section->name);
    r->end = module_end;
    r->end_message = "unexpected end";
    return true;
}

/* The description as the compiler wants it. */
static bool build_ir_module(struct module_decoder *d)
{
    struct module_info *info = d->info;
    struct ir_signature *signatures = info_alloc(d, info->type_count, sizeof *signatures);
    struct ir_global *globals = info_alloc(d, info->global_count, sizeof *globals);
    struct ir_memory *memories = info_alloc(d, info->memory_count, sizeof *memories);
    struct ir_table *tables = info_alloc(d, info->table_count, sizeof *tables);
    if (!signatures || !globals || !memories || !tables)
        return false;
    for (uint32_t i = 0; i < info->type_count; i++) {
        const struct module_type *type = &info->types[i];
        signatures[i] = (struct ir_signature){.params = type->ir_params,
                                              .results = type->ir_results,
                                              .param_count = type->param_count,
                                              .result_count = type->result_count};
    }
    for (uint32_t i = 0; i < info->global_count; i++) {
        const struct module_global *g = &info->globals[i];
        globals[i].type = (uint8_t)ir_type_of(g->type);
        globals[i].mutable_ = g->mutable_;
        globals[i].imported = i < info->imported_globals;
        if (!globals[i].imported && !g->mutable_ && g->init.kind == INIT_CONST) {
            globals[i].constant = true;
            memcpy(&globals[i].value, g->init.value.v128, sizeof globals[i].value);
            memcpy(&globals[i].value2, g->init.value.v128 + 8, sizeof globals[i].value2);
        }
        globals[i].constant |=
            !globals[i].imported && !g->mutable_ && g->init.kind == INIT_REF_NULL;
    }
    for (uint32_t i = 0; i < info->memory_count; i++) {
        memories[i].is64 = info->memories[i].is64;
        memories[i].shared = info->memories[i].shared;
        memories[i].min_pages = info->memories[i].min;
        memories[i].max_pages = info->memories[i].has_max ? info->memories[i].max : 65536;
    }
    for (uint32_t i = 0; i < info->table_count; i++) {
        const struct module_limits *limits = &info->tables[i].limits;
        tables[i].min = limits->min;
        tables[i].max = limits->has_max ? limits->max : UINT32_MAX;
        tables[i].fixed =
            i >= info->imported_tables && limits->has_max && limits->min == limits->max;
    }
    for (uint32_t i = 0; i < info->export_count; i++)
        if (info->exports[i].kind == WASM_TABLE)
            tables[info->exports[i].index].fixed = false;
    info->ir = (struct ir_module){.types = signatures,
                                  .func_types = info->func_types,
                                  .globals = globals,
                                  .memories = memories,
                                  .tables = tables,
                                  .type_count = info->type_count,
                                  .func_count = info->func_count,
                                  .import_count = info->imported_funcs,
                                  .global_count = info->global_count,
                                  .memory_count = info->memory_count,
                                  .table_count = info->table_count,
                                  .tag_types = info->tag_types,
                                  .tag_count = info->tag_count};
    return true;
}

static bool decode_all(struct module_decoder *d, size_t max_size)
{
    struct module_info *info = d->info;
    struct reader *r = &d->r;
    if (info->size > max_size)
        return reader_fail(r, WASM_ERR_LIMIT, "module of %zu bytes, the limit is %zu", info->size,
                           max_size);
    static const uint8_t magic[4] = {0, 'a', 's', 'm'}, version[4] = {1, 0, 0, 0};
    if (info->size < 4)
        return reader_fail_at(r, WASM_ERR_MALFORMED, info->size, "unexpected end");
    if (memcmp(r->p, magic, 4) != 0)
        return reader_fail(r, WASM_ERR_MALFORMED, "magic header not detected");
    r->p += 4;
    if (info->size < 8)
        return reader_fail_at(r, WASM_ERR_MALFORMED, info->size, "unexpected end");
    if (r->p[2] == LAYER_COMPONENT && r->p[3] == 0 && (r->p[0] || r->p[1])) /* any draft */
        return reader_fail(r, WASM_ERR_UNSUPPORTED,
                           "component model: not supported; load the core module inside");
    if (memcmp(r->p, version, 4) != 0)
        return reader_fail(r, WASM_ERR_MALFORMED, "unknown binary version");
    r->p += 4;

    const uint8_t *end = r->end;
    uint8_t rank = 0;
    while (r->p != r->end)
        if (!decode_section(d, end, &rank))
            return false;
    if (info->func_count > info->imported_funcs && !info->bodies)
        return reader_fail(r, WASM_ERR_MALFORMED,
                           "function and code section have inconsistent lengths: "
                           "%u functions, no code section",
                           info->func_count - info->imported_funcs);
    if (info->has_data_count && info->data_count != info->declared_data_count)
        return reader_fail(r, WASM_ERR_MALFORMED,
                           "data count and data section have inconsistent lengths: %u and %u",
                           info->declared_data_count, info->data_count);
    for (uint32_t i = 0; i < info->custom_count; i++) {
        const struct module_custom *custom = &info->customs[i];
        if (custom->name_len == 4 && memcmp(custom->name, "name", 4) == 0)
            decode_names(d, info->bytes + custom->start, custom->size);
    }
    return r->err->kind == WASM_OK && build_ir_module(d);
}

bool decode_module(const uint8_t *bytes, size_t size, const struct wasm_load_options *options,
                   struct module_info *info, struct wasm_error *err)
{
    static const uint8_t nothing[1];
    memset(err, 0, sizeof *err);
    memset(info, 0, sizeof *info);
    info->bytes = bytes ? bytes : nothing;
    info->size = bytes ? size : 0;
    info->start = UINT32_MAX;
    info->without = options ? options->without : 0;
    struct module_decoder d = {
        .r = {.base = info->bytes,
              .p = info->bytes,
              .end = info->bytes + info->size,
              .end_message = "unexpected end",
              .err = err,
              .without = info->without},
        .info = info,
    };
    size_t max_size =
        options && options->max_module_size ? options->max_module_size : WASM_MAX_MODULE_SIZE;
    if (max_size > WASM_MAX_MODULE_SIZE)
        max_size = WASM_MAX_MODULE_SIZE;
    if (decode_all(&d, max_size))
        return true;
    module_info_free(info);
    return false;
}
