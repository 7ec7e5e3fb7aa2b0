/* A loaded module as a .qwo file. */
#include "host.h"
#include "runtime/qwo.h"

/* Thunks by type index, as the compiler had them. */
static struct code_thunks *signature_rows(const struct wasm_module *m)
{
    struct code_thunks *rows = array_new(m->info.type_count, sizeof(*rows));
    uintptr_t base = (uintptr_t)m->code;
    for (uint32_t i = 0; rows && i < m->info.type_count; i++) {
        const struct module_signature *s = &m->signatures[i];
        rows[i].entry = s->used ? (uint32_t)(s->entry - base) : UINT32_MAX;
        rows[i].foreign = s->used ? (uint32_t)(s->foreign - base) : UINT32_MAX;
        rows[i].host = s->host ? (uint32_t)(s->host - base) : UINT32_MAX;
    }
    return rows;
}

uint8_t *wasm_module_save(const struct wasm_module *m, const uint8_t *module_hash, size_t *len)
{
    struct code_thunks *signatures = signature_rows(m);
    struct {
        const void *rows;
        uint32_t count;
    } tables[QWO_TABLE_COUNT] = {
        [QWO_FUNCS] = {m->funcs, m->info.func_count - m->info.imported_funcs},
        [QWO_TRAPS] = {m->traps, m->trap_count},
        [QWO_SITES] = {m->sites, m->site_count},
        [QWO_TYPEREFS] = {m->typerefs, m->typeref_count},
        [QWO_SIGNATURES] = {signatures, m->info.type_count},
        [QWO_THUNKS] = {m->thunks, m->thunk_count},
        [QWO_INLINED] = {m->inlined, m->inlined_count},
    };
    struct qwo_header header = {
        .format = QWO_FORMAT,
        .machine = QWO_MACHINE,
        .features = m->features,
        .module_size = (uint32_t)m->info.size,
        .code_size = (uint32_t)m->code_size,
        .exit_stub = (uint32_t)(m->exit_stub - (uintptr_t)m->code),
    };
    memcpy(header.compiler, qwo_compiler, sizeof header.compiler);
    memcpy(header.abi, qwo_abi, sizeof header.abi);
    memcpy(header.module_hash, module_hash, sizeof header.module_hash);
    for (unsigned t = 0; t < QWO_TABLE_COUNT; t++)
        header.counts[t] = tables[t].count;
    struct qwo_layout layout;
    qwo_layout(&header, &layout);
    uint8_t *file = signatures ? array_new(layout.end, 1) : NULL;
    if (file) {
        struct qwo_cursor c = {file, QWO_MAGIC_SIZE, true};
        memcpy(file, qwo_magic, QWO_MAGIC_SIZE);
        qwo_header(&c, &header);
        memcpy(file + layout.module, m->bytes, m->info.size);
        memcpy(file + layout.code, m->code, m->code_size);
        for (uint32_t i = 0; i < m->typeref_count; i++)
            memset(file + layout.code + m->typerefs[i].offset, 0, sizeof(uint32_t));
        for (unsigned t = 0; t < QWO_TABLE_COUNT; t++) {
            c.at = layout.tables[t];
            for (uint32_t i = 0; i < tables[t].count; i++)
                qwo_tables[t].visit(&c, (char *)(uintptr_t)tables[t].rows +
                                            (size_t)i * qwo_tables[t].size);
        }
        *len = layout.end;
    }
    wasm_host_free(signatures);
    return file;
}
