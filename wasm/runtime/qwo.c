/* The fields of a .qwo file in their order: see qwo.h. A new field of a row is a line here, and one
 * in docs/aot.md. */
#include "runtime/qwo.h"

#include "compiler_version.h"

const uint8_t qwo_magic[QWO_MAGIC_SIZE] = {0x7f, 'Q', 'W', 'O', '\r', '\n', 0x1a, '\n'};
const uint8_t qwo_compiler[QWO_VERSION_SIZE] = {COMPILER_VERSION};
const uint8_t qwo_abi[QWO_VERSION_SIZE] = {ABI_VERSION};

static void u32(struct qwo_cursor *c, uint32_t *value)
{
    if (c->bytes) {
        uint8_t *p = c->bytes + c->at;
        if (c->writes)
            for (unsigned i = 0; i < 4; i++)
                p[i] = (uint8_t)(*value >> 8 * i);
        else
            *value =
                (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    c->at += 4;
}

static void u64(struct qwo_cursor *c, uint64_t *value)
{
    uint32_t low = (uint32_t)*value, high = (uint32_t)(*value >> 32);
    u32(c, &low);
    u32(c, &high);
    *value = (uint64_t)high << 32 | low;
}

static void bytes(struct qwo_cursor *c, uint8_t *at, size_t size)
{
    if (c->bytes && c->writes)
        memcpy(c->bytes + c->at, at, size);
    else if (c->bytes)
        memcpy(at, c->bytes + c->at, size);
    c->at += size;
}

static void func_row(struct qwo_cursor *c, void *row)
{
    struct code_func *f = row;
    u32(c, &f->start);
    u32(c, &f->end);
    u32(c, &f->frame_size);
    u32(c, &f->popped);
}

static void trap_row(struct qwo_cursor *c, void *row)
{
    struct code_trap *t = row;
    u32(c, &t->offset);
    u32(c, &t->trap);
    u32(c, &t->pos);
}

static void site_row(struct qwo_cursor *c, void *row)
{
    struct code_site *s = row;
    uint32_t pos = s->pos, catches = s->catches;
    u32(c, &s->offset);
    u32(c, &pos);
    u32(c, &catches);
    s->pos = pos & INT32_MAX;
    s->catches = catches & 1;
}

static void typeref_row(struct qwo_cursor *c, void *row)
{
    struct code_typeref *t = row;
    u32(c, &t->offset);
    u32(c, &t->type);
}

static void signature_row(struct qwo_cursor *c, void *row)
{
    struct code_thunks *t = row;
    u32(c, &t->entry);
    u32(c, &t->foreign);
    u32(c, &t->host);
}

static void thunk_row(struct qwo_cursor *c, void *row)
{
    struct module_thunk *t = row;
    uint32_t kind = t->kind;
    u32(c, &t->start);
    u32(c, &t->end);
    u32(c, &t->frame);
    u32(c, &t->popped);
    u32(c, &kind);
    t->kind = (enum thunk_kind)kind;
}

static void inlined_row(struct qwo_cursor *c, void *row)
{
    struct code_inlined *i = row;
    u32(c, &i->pos);
    u32(c, &i->call);
}

const struct qwo_table_kind qwo_tables[QWO_TABLE_COUNT] = {
    [QWO_FUNCS] = {"function", sizeof(struct code_func), func_row},
    [QWO_TRAPS] = {"trap", sizeof(struct code_trap), trap_row},
    [QWO_SITES] = {"call site", sizeof(struct code_site), site_row},
    [QWO_TYPEREFS] = {"type reference", sizeof(struct code_typeref), typeref_row},
    [QWO_SIGNATURES] = {"signature", sizeof(struct code_thunks), signature_row},
    [QWO_THUNKS] = {"thunk", sizeof(struct module_thunk), thunk_row},
    [QWO_INLINED] = {"inlining", sizeof(struct code_inlined), inlined_row},
};

size_t qwo_row_size(enum qwo_table table)
{
    union {
        struct code_func func;
        struct code_trap trap;
        struct code_site site;
        struct code_typeref typeref;
        struct code_thunks thunks;
        struct module_thunk thunk;
        struct code_inlined inlined;
    } row = {0};
    struct qwo_cursor c = {0};
    qwo_tables[table].visit(&c, &row);
    return c.at;
}

void qwo_header(struct qwo_cursor *c, struct qwo_header *h)
{
    u32(c, &h->format);
    u32(c, &h->machine);
    u64(c, &h->features);
    bytes(c, h->compiler, sizeof h->compiler);
    bytes(c, h->abi, sizeof h->abi);
    bytes(c, h->module_hash, sizeof h->module_hash);
    u32(c, &h->module_size);
    u32(c, &h->code_size);
    u32(c, &h->exit_stub);
    for (unsigned t = 0; t < QWO_TABLE_COUNT; t++)
        u32(c, &h->counts[t]);
}

static uint64_t aligned(uint64_t at)
{
    return (at + QWO_ALIGN - 1) & ~(uint64_t)(QWO_ALIGN - 1);
}

/* No sum overflows: every part is below 2^32 rows of less than 2^5 bytes. */
void qwo_layout(const struct qwo_header *header, struct qwo_layout *l)
{
    struct qwo_cursor c = {0};
    struct qwo_header ignored = *header;
    qwo_header(&c, &ignored);
    l->module = aligned(QWO_MAGIC_SIZE + c.at);
    l->code = aligned(l->module + header->module_size);
    uint64_t at = aligned(l->code + header->code_size);
    for (unsigned t = 0; t < QWO_TABLE_COUNT; t++) {
        l->tables[t] = at;
        at += header->counts[t] * (uint64_t)qwo_row_size(t);
    }
    l->trailer = aligned(at);
    l->end = l->trailer + WASM_COMPILED_KEY_ID + WASM_COMPILED_SIGNATURE;
}
