/* The sections that describe: types, imports, functions, tables, memories, globals, exports, start,
 * and the extents of the code (spec 5.5.4 to 5.5.13). */
#include "decode/sections.h"
#include "host.h"
#include "limits.h"

#include <stdlib.h>
#include <string.h>

const char *wasm_type_name(uint8_t type)
{
    switch (type) {
    case WASM_I32: return "i32";
    case WASM_I64: return "i64";
    case WASM_F32: return "f32";
    case WASM_F64: return "f64";
    case WASM_V128: return "v128";
    case WASM_FUNCREF: return "funcref";
    case WASM_EXTERNREF: return "externref";
    case WASM_EXNREF: return "exnref";
    default: return "anything";
    }
}

const uint8_t decode_ir_types[256] = {
    [WASM_I32] = IR_I32,       [WASM_I64] = IR_I64,    [WASM_F32] = IR_F32,
    [WASM_F64] = IR_F64,       [WASM_V128] = IR_V128,  [WASM_FUNCREF] = IR_REF,
    [WASM_EXTERNREF] = IR_REF, [WASM_EXNREF] = IR_REF,
};

static bool is_left_out(const struct reader *r, uint8_t type)
{
    return type == WASM_EXNREF && r->without & WASM_FEATURE_EXCEPTIONS;
}

bool read_value_type(struct reader *r, uint8_t *type)
{
    uint32_t offset = reader_offset(r);
    if (!read_u8(r, type))
        return false;
    if (ir_type_of(*type) != IR_VOID && !is_left_out(r, *type))
        return true;
    return refuse_type(r, offset, IN_VALUE_TYPE, *type, "malformed value type");
}

static bool read_reference(struct reader *r, enum encoding_place place, uint8_t *type)
{
    uint32_t offset = reader_offset(r);
    if (!read_u8(r, type))
        return false;
    return (is_reference(*type) && !is_left_out(r, *type)) ||
           refuse_type(r, offset, place, *type, "malformed reference type");
}

bool read_reference_type(struct reader *r, uint8_t *type)
{
    return read_reference(r, IN_VALUE_TYPE, type);
}

bool read_heap_type(struct reader *r, uint8_t *type)
{
    return read_reference(r, IN_HEAP_TYPE, type);
}

/* A vector of value types, twice: as they are and as the compiler names them. */
static bool read_types(struct module_decoder *d, uint32_t limit, const char *name, uint8_t **types,
                       uint8_t **ir_types, uint32_t *count)
{
    if (!read_count(d, 1, 0, limit, name, count))
        return false;
    *types = info_alloc(d, (size_t)*count * 2, 1);
    if (!*types)
        return false;
    *ir_types = *types + *count;
    for (uint32_t i = 0; i < *count; i++) {
        if (!read_value_type(&d->r, &(*types)[i]))
            return false;
        (*ir_types)[i] = (uint8_t)ir_type_of((*types)[i]);
    }
    return true;
}

bool decode_types(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 3, 0, WASM_MAX_TYPES, "types", &count))
        return false;
    info->types = info_alloc(d, count, sizeof *info->types);
    if (!info->types)
        return false;
    for (; info->type_count < count; info->type_count++) {
        struct module_type *type = &info->types[info->type_count];
        uint32_t offset = reader_offset(&d->r);
        uint8_t form;
        if (!read_u8(&d->r, &form))
            return false;
        if (form != 0x60)
            return refuse_type(&d->r, offset, IN_TYPE_FORM, form, "malformed function type");
        if (!read_types(d, WASM_MAX_PARAMS, "parameters", &type->params, &type->ir_params,
                        &type->param_count) ||
            !read_types(d, WASM_MAX_RESULTS, "results", &type->results, &type->ir_results,
                        &type->result_count))
            return false;
    }
    return true;
}

static bool read_type_index(struct module_decoder *d, uint32_t *index)
{
    uint32_t offset = reader_offset(&d->r);
    if (!read_u32(&d->r, index))
        return false;
    if (*index >= d->info->type_count)
        return reader_fail_at(&d->r, WASM_ERR_INVALID, offset, "unknown type %u", *index);
    return true;
}

/* The flags of limits, and what each asks for. */
enum { HAS_MAX = 1, SHARED = 2, IS_64 = 4, PAGE_SIZE = 8 };

static bool read_limits_flags(struct module_decoder *d, bool memory, uint8_t *flags)
{
    struct reader *r = &d->r;
    uint32_t offset = reader_offset(r), known = HAS_MAX;
    if (!read_u8(r, flags))
        return false;
    if (memory && has_feature(d->info, WASM_FEATURE_THREADS))
        known |= SHARED;
    if (memory && has_feature(d->info, WASM_FEATURE_MEMORY64))
        known |= IS_64;
    if (!(*flags & ~known))
        return true;
    if (!memory && (*flags == IS_64 || *flags == (IS_64 | HAS_MAX)) &&
        has_feature(d->info, WASM_FEATURE_MEMORY64))
        return reader_fail_at(r, WASM_ERR_UNSUPPORTED, offset, "64-bit tables: not supported");
    if (!memory && *flags == (SHARED | HAS_MAX))
        return reader_fail_at(r, WASM_ERR_UNSUPPORTED, offset,
                              "shared-everything threads: not supported (integer too large: "
                              "shared table, limits flags 0x%02x)",
                              *flags);
    if (memory && *flags & PAGE_SIZE && *flags < 2 * PAGE_SIZE)
        return reader_fail_at(r, WASM_ERR_UNSUPPORTED, offset, "custom page sizes: not supported");
    return reader_fail_at(r, WASM_ERR_MALFORMED, offset,
                          *flags & 0x80 ? "integer representation too long"
                                        : "integer too large: malformed limits flags 0x%02x",
                          *flags);
}

static bool read_limit(struct reader *r, bool wide, uint64_t *value)
{
    uint32_t narrow = 0;
    bool read = wide ? read_u64(r, value) : read_u32(r, &narrow);
    if (!wide)
        *value = narrow;
    return read;
}

/* Limits of a table or memory. */
static bool read_limits(struct module_decoder *d, bool memory, struct module_limits *limits)
{
    struct reader *r = &d->r;
    uint32_t offset = reader_offset(r);
    uint8_t flags;
    if (!read_limits_flags(d, memory, &flags))
        return false;
    limits->has_max = flags & HAS_MAX;
    limits->shared = flags & SHARED;
    limits->is64 = flags & IS_64;
    if (!read_limit(r, limits->is64, &limits->min) ||
        (limits->has_max && !read_limit(r, limits->is64, &limits->max)))
        return false;
    uint64_t most = limits->is64 ? 1ull << 48 : 65536;
    if (memory && (limits->min > most || (limits->has_max && limits->max > most)))
        return reader_fail_at(r, WASM_ERR_INVALID, offset,
                              limits->is64 ? "memory size must be at most 2^48 pages"
                                           : "memory size must be at most 65536 pages (4GiB)");
    if (limits->has_max && limits->min > limits->max)
        return reader_fail_at(r, WASM_ERR_INVALID, offset,
                              "size minimum must not be greater than maximum: %llu and %llu",
                              (unsigned long long)limits->min, (unsigned long long)limits->max);
    if (limits->shared && !limits->has_max)
        return reader_fail_at(r, WASM_ERR_INVALID, offset, "shared memory must have maximum");
    return true;
}

static bool read_table_type(struct module_decoder *d, struct module_table *table)
{
    return read_reference(&d->r, IN_TABLE, &table->type) && read_limits(d, false, &table->limits);
}

static bool read_memory_type(struct module_decoder *d, struct module_limits *limits)
{
    uint32_t offset = reader_offset(&d->r);
    if (!read_limits(d, true, limits))
        return false;
    if (d->info->memory_count && !has_feature(d->info, WASM_FEATURE_MULTI_MEMORY))
        return reader_fail_at(&d->r, WASM_ERR_INVALID, offset, "multiple memories");
    if (d->info->memory_count >= WASM_MAX_MEMORIES)
        return reader_fail_at(&d->r, WASM_ERR_LIMIT, offset, "more than %u memories",
                              WASM_MAX_MEMORIES);
    return true;
}

static bool read_global_type(struct module_decoder *d, struct module_global *global)
{
    uint8_t mutability;
    if (!read_value_type(&d->r, &global->type))
        return false;
    uint32_t offset = reader_offset(&d->r);
    if (!read_u8(&d->r, &mutability))
        return false;
    if (mutability > 1)
        return reader_fail_at(&d->r, WASM_ERR_MALFORMED, offset, "malformed mutability 0x%02x",
                              mutability);
    global->mutable_ = mutability;
    return true;
}

/* A tag: the attribute, which can only be that of an exception, and the type of its payload. */
static bool read_tag_type(struct module_decoder *d, uint32_t *type)
{
    struct reader *r = &d->r;
    uint32_t offset = reader_offset(r);
    uint8_t attribute;
    if (!read_u8(r, &attribute))
        return false;
    if (attribute)
        return reader_fail_at(r, WASM_ERR_MALFORMED, offset, "malformed tag attribute 0x%02x",
                              attribute);
    if (!read_type_index(d, type))
        return false;
    if (d->info->types[*type].result_count)
        return reader_fail_at(r, WASM_ERR_INVALID, offset,
                              "non-empty tag result type: type %u has results", *type);
    return true;
}

/* Appends to the index spaces while imports come one by one: growth by doubling. */
static bool grow_by_one(struct module_decoder *d, void *array, uint32_t count, size_t size)
{
    return count & (count - 1) ? true : info_grow(d, array, count ? count * 2 : 1, size);
}

static struct wasm_functype functype_of(const struct module_type *type)
{
    return (struct wasm_functype){type->params, type->results, type->param_count,
                                  type->result_count};
}

static bool decode_import(struct module_decoder *d, struct wasm_import *import)
{
    struct module_info *info = d->info;
    struct reader *r = &d->r;
    const uint8_t *module, *name;
    if (!read_name(r, &module, &import->module_len) || !read_name(r, &name, &import->name_len))
        return false;
    import->module = info_string(d, module, import->module_len);
    import->name = info_string(d, name, import->name_len);
    if (!import->module || !import->name)
        return false;
    uint32_t offset = reader_offset(r), type;
    uint8_t kind;
    if (!read_u8(r, &kind))
        return false;
    if (kind == WASM_TAG && !has_feature(info, WASM_FEATURE_EXCEPTIONS))
        return reader_fail_at(r, WASM_ERR_MALFORMED, offset, "malformed import kind %u", kind);
    switch (kind) {
    case WASM_FUNC:
        if (!read_type_index(d, &type))
            return false;
        if (info->func_count >= WASM_MAX_FUNCTIONS)
            return reader_fail(r, WASM_ERR_LIMIT, "more than %u functions", WASM_MAX_FUNCTIONS);
        if (!grow_by_one(d, &info->func_types, info->func_count, sizeof *info->func_types))
            return false;
        info->func_types[info->func_count++] = type;
        info->imported_funcs++;
        import->func = functype_of(&info->types[type]);
        break;
    case WASM_TABLE: {
        struct module_table table = {0};
        if (!read_table_type(d, &table))
            return false;
        if (info->table_count >= WASM_MAX_TABLES)
            return reader_fail(r, WASM_ERR_LIMIT, "more than %u tables", WASM_MAX_TABLES);
        if (!grow_by_one(d, &info->tables, info->table_count, sizeof *info->tables))
            return false;
        info->tables[info->table_count++] = table;
        info->imported_tables++;
        import->type = table.type;
        import->has_max = table.limits.has_max;
        import->min = table.limits.min;
        import->max = table.limits.max;
        break;
    }
    case WASM_MEMORY: {
        struct module_limits limits = {0};
        if (!read_memory_type(d, &limits) ||
            !grow_by_one(d, &info->memories, info->memory_count, sizeof *info->memories))
            return false;
        info->memories[info->memory_count++] = limits;
        info->imported_memories++;
        import->has_max = limits.has_max;
        import->min = limits.min;
        import->max = limits.max;
        import->shared = limits.shared;
        import->is64 = limits.is64;
        break;
    }
    case WASM_GLOBAL: {
        struct module_global global = {0};
        if (!read_global_type(d, &global))
            return false;
        if (info->global_count >= WASM_MAX_GLOBALS)
            return reader_fail(r, WASM_ERR_LIMIT, "more than %u globals", WASM_MAX_GLOBALS);
        if (!grow_by_one(d, &info->globals, info->global_count, sizeof *info->globals))
            return false;
        info->globals[info->global_count++] = global;
        info->imported_globals++;
        import->type = global.type;
        import->mutable_ = global.mutable_;
        break;
    }
    case WASM_TAG:
        if (!read_tag_type(d, &type))
            return false;
        if (info->tag_count >= WASM_MAX_TAGS)
            return reader_fail(r, WASM_ERR_LIMIT, "more than %u tags", WASM_MAX_TAGS);
        if (!grow_by_one(d, &info->tag_types, info->tag_count, sizeof *info->tag_types))
            return false;
        info->tag_types[info->tag_count++] = type;
        info->imported_tags++;
        import->func = functype_of(&info->types[type]);
        break;
    default: return reader_fail_at(r, WASM_ERR_MALFORMED, offset, "malformed import kind %u", kind);
    }
    import->kind = (enum wasm_kind)kind;
    return true;
}

bool decode_imports(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 4, 0, WASM_MAX_IMPORTS, "imports", &count))
        return false;
    info->imports = info_alloc(d, count, sizeof *info->imports);
    if (!info->imports)
        return false;
    for (; info->import_count < count; info->import_count++)
        if (!decode_import(d, &info->imports[info->import_count]))
            return false;
    return true;
}

bool decode_functions(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 1, info->func_count, WASM_MAX_FUNCTIONS, "functions", &count) ||
        !info_grow(d, &info->func_types, info->func_count + count, sizeof *info->func_types))
        return false;
    for (uint32_t i = 0; i < count; i++, info->func_count++)
        if (!read_type_index(d, &info->func_types[info->func_count]))
            return false;
    return true;
}

bool decode_tables(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 3, info->table_count, WASM_MAX_TABLES, "tables", &count) ||
        !info_grow(d, &info->tables, info->table_count + count, sizeof *info->tables))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct module_table table = {0};
        if (!read_table_type(d, &table))
            return false;
        info->tables[info->table_count++] = table;
    }
    return true;
}

bool decode_memories(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 2, 0, UINT32_MAX, "memories", &count) ||
        !info_grow(d, &info->memories, WASM_MAX_MEMORIES, sizeof *info->memories))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct module_limits limits = {0};
        if (!read_memory_type(d, &limits))
            return false;
        info->memories[info->memory_count++] = limits;
    }
    return true;
}

bool decode_tags(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 2, info->tag_count, WASM_MAX_TAGS, "tags", &count) ||
        !info_grow(d, &info->tag_types, info->tag_count + count, sizeof *info->tag_types))
        return false;
    for (uint32_t i = 0; i < count; i++, info->tag_count++)
        if (!read_tag_type(d, &info->tag_types[info->tag_count]))
            return false;
    return true;
}

bool decode_globals(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 4, info->global_count, WASM_MAX_GLOBALS, "globals", &count) ||
        !info_grow(d, &info->globals, info->global_count + count, sizeof *info->globals))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct module_global global = {0};
        if (!read_global_type(d, &global) || !read_init(d, global.type, &global.init))
            return false;
        info->globals[info->global_count++] = global;
    }
    return true;
}

static int compare_names(const void *a, const void *b)
{
    const struct wasm_export *x = *(const struct wasm_export *const *)a;
    const struct wasm_export *y = *(const struct wasm_export *const *)b;
    if (x->name_len != y->name_len)
        return x->name_len < y->name_len ? -1 : 1;
    return memcmp(x->name, y->name, x->name_len);
}

/* Sorting keeps this near linear whatever the names are. */
static bool check_duplicates(struct module_decoder *d, uint32_t offset)
{
    struct module_info *info = d->info;
    if (info->export_count < 2)
        return true;
    const struct wasm_export **sorted = wasm_host_alloc(info->export_count * sizeof *sorted);
    if (!sorted)
        return reader_fail(&d->r, WASM_ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < info->export_count; i++)
        sorted[i] = &info->exports[i];
    qsort(sorted, info->export_count, sizeof *sorted, compare_names);
    bool unique = true;
    for (uint32_t i = 1; i < info->export_count && unique; i++)
        if (compare_names(&sorted[i - 1], &sorted[i]) == 0)
            unique = reader_fail_at(&d->r, WASM_ERR_INVALID, offset,
                                    "duplicate export name \"%.64s\"", sorted[i]->name);
    wasm_host_free(sorted);
    return unique;
}

static bool decode_export(struct module_decoder *d, struct wasm_export *export)
{
    struct module_info *info = d->info;
    struct reader *r = &d->r;
    const uint8_t *name;
    uint8_t kind;
    if (!read_name(r, &name, &export->name_len))
        return false;
    export->name = info_string(d, name, export->name_len);
    if (!export->name)
        return false;
    uint32_t offset = reader_offset(r);
    if (!read_u8(r, &kind) || !read_u32(r, &export->index))
        return false;
    const struct {
        const char *name;
        uint32_t count;
    } spaces[] = {
        [WASM_FUNC] = {"function", info->func_count},
        [WASM_TABLE] = {"table", info->table_count},
        [WASM_MEMORY] = {"memory", info->memory_count},
        [WASM_GLOBAL] = {"global", info->global_count},
        [WASM_TAG] = {"tag", info->tag_count},
    };
    if (kind >= sizeof spaces / sizeof spaces[0] ||
        (kind == WASM_TAG && !has_feature(info, WASM_FEATURE_EXCEPTIONS)))
        return reader_fail_at(r, WASM_ERR_MALFORMED, offset, "malformed export kind %u", kind);
    if (export->index >= spaces[kind].count)
        return reader_fail_at(r, WASM_ERR_INVALID, offset, "unknown %s %u", spaces[kind].name,
                              export->index);
    export->kind = (enum wasm_kind)kind;
    if (kind == WASM_FUNC) {
        export->func = functype_of(&info->types[info->func_types[export->index]]);
        info_declare(info, export->index);
    } else if (kind == WASM_TAG) {
        export->func = functype_of(&info->types[info->tag_types[export->index]]);
    }
    return true;
}

bool decode_exports(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count, offset = reader_offset(&d->r);
    if (!read_count(d, 3, 0, WASM_MAX_EXPORTS, "exports", &count))
        return false;
    info->exports = info_alloc(d, count, sizeof *info->exports);
    if (!info->exports)
        return false;
    for (uint32_t i = 0; i < count; i++, info->export_count++)
        if (!decode_export(d, &info->exports[i]))
            return false;
    return check_duplicates(d, offset);
}

bool decode_start(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t offset = reader_offset(&d->r);
    if (!read_u32(&d->r, &info->start))
        return false;
    if (info->start >= info->func_count)
        return reader_fail_at(&d->r, WASM_ERR_INVALID, offset, "unknown function %u", info->start);
    const struct module_type *type = &info->types[info->func_types[info->start]];
    if (type->param_count || type->result_count)
        return reader_fail_at(&d->r, WASM_ERR_INVALID, offset,
                              "start function must have no parameters and no results");
    return true;
}

bool decode_code(struct module_decoder *d)
{
    struct module_info *info = d->info;
    struct reader *r = &d->r;
    uint32_t own = info->func_count - info->imported_funcs, count, offset = reader_offset(r);
    if (!read_u32(r, &count))
        return false;
    if (count != own)
        return reader_fail_at(r, WASM_ERR_MALFORMED, offset,
                              "function and code section have inconsistent lengths: %u and %u", own,
                              count);
    info->bodies = info_alloc(d, count, sizeof *info->bodies);
    if (!info->bodies)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size;
        offset = reader_offset(r);
        if (!read_u32(r, &size))
            return false;
        if (size > reader_left(r))
            return reader_fail_at(r, WASM_ERR_MALFORMED, offset,
                                  "unexpected end of section or function: body of %u bytes", size);
        if (size > WASM_MAX_BODY_SIZE)
            return reader_fail_at(r, WASM_ERR_LIMIT, offset, "function body over %u bytes",
                                  WASM_MAX_BODY_SIZE);
        info->bodies[i].start = reader_offset(r);
        r->p += size;
        info->bodies[i].end = reader_offset(r);
    }
    return true;
}
