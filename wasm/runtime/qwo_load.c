/* Reading .qwo files. Signed or not, no number in them is believed: every count, size and place is
 * checked before it is used, and the tables are what the rest of the runtime takes for granted:
 * sorted, without overlaps, within the code. That code and tables say what the module says is the
 * signer's word, which the embedder has checked. */
#include "host.h"
#include "runtime/qwo.h"

bool wasm_is_compiled(const uint8_t *bytes, size_t len)
{
    return len >= QWO_MAGIC_SIZE && memcmp(bytes, qwo_magic, QWO_MAGIC_SIZE) == 0;
}

static bool malformed(struct wasm_error *err, uint64_t offset, const char *what)
{
    error_set(err, WASM_ERR_MALFORMED, (uint32_t)offset, "not a compiled module: %s", what);
    return false;
}

static bool zeroes(const uint8_t *bytes, uint64_t from, uint64_t to)
{
    while (from < to && bytes[from] == 0)
        from++;
    return from == to;
}

/* The header and where everything is. */
static bool read_frame(const uint8_t *bytes, size_t len, struct qwo_header *header,
                       struct qwo_layout *layout, struct wasm_error *err)
{
    struct qwo_cursor count = {0};
    memset(header, 0, sizeof(*header));
    qwo_header(&count, header);
    if (!wasm_is_compiled(bytes, len))
        return malformed(err, 0, "its first bytes are others");
    if (len < QWO_MAGIC_SIZE + count.at)
        return malformed(err, len, "it ends within its header");
    struct qwo_cursor c = {(uint8_t *)(uintptr_t)bytes, QWO_MAGIC_SIZE, false};
    qwo_header(&c, header);
    if (header->format != QWO_FORMAT) {
        error_set(err, WASM_ERR_VERSION, QWO_MAGIC_SIZE, "format version %u, this engine reads %u",
                  header->format, QWO_FORMAT);
        return false;
    }
    qwo_layout(header, layout);
    if (layout->end != len) {
        error_set(err, WASM_ERR_MALFORMED, (uint32_t)len,
                  "not a compiled module: %zu bytes, its header tells of %llu", len,
                  (unsigned long long)layout->end);
        return false;
    }
    uint64_t rows =
        layout->tables[QWO_TABLE_COUNT - 1] +
        header->counts[QWO_TABLE_COUNT - 1] * (uint64_t)qwo_row_size(QWO_TABLE_COUNT - 1);
    if (!zeroes(bytes, layout->module + header->module_size, layout->code) ||
        !zeroes(bytes, layout->code + header->code_size, layout->tables[0]) ||
        !zeroes(bytes, rows, layout->trailer))
        return malformed(err, layout->code, "what fills its gaps is not 0");
    return true;
}

bool wasm_compiled_open(const uint8_t *bytes, size_t len, struct wasm_compiled *out,
                        struct wasm_error *err)
{
    struct wasm_error local;
    struct qwo_header header;
    struct qwo_layout layout;
    err = err ? err : &local;
    memset(err, 0, sizeof(*err));
    if (!read_frame(bytes, len, &header, &layout, err))
        return false;
    *out = (struct wasm_compiled){
        .format = header.format,
        .machine = header.machine,
        .features = header.features,
        .module = bytes + layout.module,
        .module_len = header.module_size,
        .code_len = header.code_size,
        .key_id = bytes + layout.trailer,
        .signature = bytes + layout.trailer + WASM_COMPILED_KEY_ID,
        .signed_len = layout.trailer + WASM_COMPILED_KEY_ID,
    };
    memcpy(out->compiler, header.compiler, sizeof out->compiler);
    memcpy(out->abi, header.abi, sizeof out->abi);
    memcpy(out->module_hash, header.module_hash, sizeof out->module_hash);
    return true;
}

const char *wasm_feature_name(unsigned bit)
{
    return target_feature_name(bit);
}

/* For messages: the first bytes are enough to tell two versions apart. */
static void short_hex(char text[9], const uint8_t *bytes)
{
    for (unsigned i = 0; i < 8; i++)
        text[i] = "0123456789abcdef"[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
    text[8] = 0;
}

static bool same_version(const char *what, const uint8_t *theirs, const uint8_t *ours,
                         struct wasm_error *err)
{
    if (memcmp(theirs, ours, QWO_VERSION_SIZE) == 0)
        return true;
    char their_text[9], our_text[9];
    short_hex(their_text, theirs);
    short_hex(our_text, ours);
    error_set(err, WASM_ERR_VERSION, 0, "wrong %s version: %s, this engine's is %s", what,
              their_text, our_text);
    return false;
}

bool wasm_compiled_fits(const struct wasm_compiled *file, struct wasm_error *err)
{
    struct wasm_error local;
    err = err ? err : &local;
    memset(err, 0, sizeof(*err));
    if (file->machine != QWO_MACHINE) {
        error_set(err, WASM_ERR_VERSION, 0, "wrong machine: %u, this one is %u", file->machine,
                  QWO_MACHINE);
        return false;
    }
    if (!same_version("compiler", file->compiler, qwo_compiler, err) ||
        !same_version("ABI", file->abi, qwo_abi, err))
        return false;
    return module_features_present(file->features, err);
}

/* What the rows of a table are checked against. */
struct check {
    const struct wasm_module *module;
    uint32_t code_size, inlined_count, index;
    const void *row, *previous; /* previous: NULL for the first row */
};

#define FRAME_MAX (1u << 30) /* no frame comes near it; sums with it do not overflow */

static bool func_good(const struct check *c)
{
    const struct code_func *f = c->row, *p = c->previous;
    return f->start < f->end && f->end <= c->code_size && (!p || f->start >= p->end) &&
           f->frame_size < FRAME_MAX && f->popped < FRAME_MAX;
}

/* A place in the module, or one of INLINED rows. */
static bool pos_good(const struct check *c, uint32_t pos, uint32_t inlined)
{
    return pos <= c->module->info.size || (pos >= CODE_INLINED && pos - CODE_INLINED < inlined);
}

static bool trap_good(const struct check *c)
{
    const struct code_trap *t = c->row, *p = c->previous;
    return t->offset < c->code_size && (!p || t->offset >= p->offset) &&
           t->trap != WASM_TRAP_NONE && t->trap < WASM_TRAP_COUNT &&
           pos_good(c, t->pos, c->inlined_count);
}

static bool site_good(const struct check *c)
{
    const struct code_site *s = c->row, *p = c->previous;
    return s->offset <= c->code_size && (!p || s->offset >= p->offset) &&
           pos_good(c, s->pos, c->inlined_count);
}

static bool typeref_good(const struct check *c)
{
    const struct code_typeref *t = c->row, *p = c->previous;
    return c->code_size >= sizeof(uint32_t) && t->offset <= c->code_size - sizeof(uint32_t) &&
           (!p || t->offset - p->offset >= sizeof(uint32_t)) && (!p || t->offset > p->offset) &&
           t->type < c->module->info.type_count;
}

static bool signature_good(const struct check *c)
{
    const struct code_thunks *t = c->row;
    if (!c->module->signatures[c->index].used)
        return t->entry == UINT32_MAX && t->foreign == UINT32_MAX && t->host == UINT32_MAX;
    return t->entry < c->code_size && t->foreign < c->code_size &&
           (t->host < c->code_size || t->host == UINT32_MAX);
}

static bool thunk_good(const struct check *c)
{
    const struct module_thunk *t = c->row, *p = c->previous;
    return t->start < t->end && t->end <= c->code_size && (!p || t->start >= p->end) &&
           t->frame < FRAME_MAX && t->popped < FRAME_MAX && (uint32_t)t->kind <= THUNK_HOST;
}

static bool inlined_good(const struct check *c)
{
    const struct code_inlined *i = c->row;
    return i->pos <= c->module->info.size && pos_good(c, i->call, c->index);
}

static bool (*const checks[QWO_TABLE_COUNT])(const struct check *c) = {
    [QWO_FUNCS] = func_good,       [QWO_TRAPS] = trap_good,           [QWO_SITES] = site_good,
    [QWO_TYPEREFS] = typeref_good, [QWO_SIGNATURES] = signature_good, [QWO_THUNKS] = thunk_good,
    [QWO_INLINED] = inlined_good,
};

/* Reads COUNT rows at offset AT; NULL and *err on failure. */
static void *read_table(const struct wasm_module *m, enum qwo_table table, const uint8_t *bytes,
                        uint64_t at, const struct qwo_header *header, struct wasm_error *err)
{
    const struct qwo_table_kind *kind = &qwo_tables[table];
    uint32_t count = header->counts[table];
    char *rows = array_new(count, kind->size);
    if (!rows) {
        error_set(err, WASM_ERR_NOMEM, 0, "out of memory for a compiled module's tables");
        return NULL;
    }
    struct qwo_cursor c = {(uint8_t *)(uintptr_t)bytes, (size_t)at, false};
    struct check check = {
        .module = m, .code_size = header->code_size, .inlined_count = header->counts[QWO_INLINED]};
    for (uint32_t i = 0; i < count; i++) {
        size_t start = c.at;
        check.row = rows + (size_t)i * kind->size;
        check.index = i;
        kind->visit(&c, rows + (size_t)i * kind->size);
        if (!checks[table](&check)) {
            error_set(err, WASM_ERR_MALFORMED, (uint32_t)start,
                      "not a compiled module: row %u of its %s table is not possible", i,
                      kind->name);
            wasm_host_free(rows);
            return NULL;
        }
        check.previous = check.row;
    }
    return rows;
}

static bool read_tables(struct wasm_module *m, const uint8_t *bytes,
                        const struct qwo_header *header, const struct qwo_layout *layout,
                        void *tables[QWO_TABLE_COUNT], struct wasm_error *err)
{
    if (header->counts[QWO_FUNCS] != m->info.func_count - m->info.imported_funcs)
        return malformed(err, layout->tables[QWO_FUNCS], "it has not the module's functions");
    if (header->counts[QWO_SIGNATURES] != m->info.type_count)
        return malformed(err, layout->tables[QWO_SIGNATURES], "it has not the module's types");
    if (header->exit_stub >= header->code_size ||
        header->code_size - header->exit_stub <= TARGET_DIRECT)
        return malformed(err, 0, "its exit stub is outside of its code");
    for (unsigned t = 0; t < QWO_TABLE_COUNT; t++) {
        tables[t] = read_table(m, t, bytes, layout->tables[t], header, err);
        if (!tables[t])
            return false;
    }
    return true;
}

static bool load_code(struct wasm_module *m, const uint8_t *bytes, const struct qwo_header *header,
                      const struct qwo_layout *layout, const struct wasm_load_options *options,
                      struct wasm_error *err)
{
    void *tables[QWO_TABLE_COUNT] = {NULL};
    bool ok = read_tables(m, bytes, header, layout, tables, err);
    if (ok) {
        struct code_buffer code = {
            .bytes = (uint8_t *)(uintptr_t)bytes + layout->code,
            .size = header->code_size,
            .traps = tables[QWO_TRAPS],
            .trap_count = header->counts[QWO_TRAPS],
            .sites = tables[QWO_SITES],
            .site_count = header->counts[QWO_SITES],
            .typerefs = tables[QWO_TYPEREFS],
            .typeref_count = header->counts[QWO_TYPEREFS],
            .inlined = tables[QWO_INLINED],
            .inlined_count = header->counts[QWO_INLINED],
            .want_unwind = options && options->debugger, /* names, though no rows */
        };
        m->funcs = tables[QWO_FUNCS];
        m->thunks = tables[QWO_THUNKS];
        m->thunk_count = header->counts[QWO_THUNKS];
        m->features = header->features;
        ok = module_publish(m, &code, tables[QWO_SIGNATURES], header->exit_stub);
        if (!ok)
            error_set(err, WASM_ERR_NOMEM, 0, "out of memory for a compiled module's code");
        for (unsigned t = 0; t < QWO_TABLE_COUNT; t++)
            if (t != QWO_SIGNATURES)
                tables[t] = NULL; /* the module's now */
    }
    for (unsigned t = 0; t < QWO_TABLE_COUNT; t++)
        wasm_host_free(tables[t]);
    return ok;
}

struct wasm_module *wasm_module_load_compiled(const uint8_t *bytes, size_t len,
                                              const struct wasm_load_options *options,
                                              struct wasm_error *err)
{
    struct wasm_error local;
    struct wasm_compiled file;
    struct qwo_header header;
    struct qwo_layout layout;
    err = err ? err : &local;
    if (!wasm_compiled_open(bytes, len, &file, err) || !wasm_compiled_fits(&file, err) ||
        !read_frame(bytes, len, &header, &layout, err))
        return NULL;
    struct wasm_module *m = module_new(file.module, file.module_len, options, err);
    if (m && !load_code(m, bytes, &header, &layout, options, err)) {
        module_destroy(m);
        return NULL;
    }
    return m;
}
