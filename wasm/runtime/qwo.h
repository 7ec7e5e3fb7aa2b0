/* The format of modules compiled ahead of time, as docs/aot.md describes it: numbers little endian;
 * a header, the module's bytes, its machine code, tables of rows, and 72 bytes for who signs it.
 * Each structure has one function that visits its fields in their order in the file; it writes
 * them, reads them or counts their bytes, as the cursor says. */
#ifndef QUINCE_WASM_RUNTIME_QWO_H
#define QUINCE_WASM_RUNTIME_QWO_H

#include "runtime/module.h"

enum {
    QWO_MAGIC_SIZE = 8,
    QWO_FORMAT = 2,
    QWO_MACHINE = 62, /* x86-64, as in ELF */
    QWO_VERSION_SIZE = 16,
    QWO_HASH_SIZE = 32,
    QWO_ALIGN = 8, /* of the parts of a file; what is in between is zero */
};
extern const uint8_t qwo_magic[QWO_MAGIC_SIZE];

/* Where the next field is. BYTES NULL: only counts. */
struct qwo_cursor {
    uint8_t *bytes;
    size_t at;
    bool writes;
};

enum qwo_table {
    QWO_FUNCS,      /* struct code_func, by function */
    QWO_TRAPS,      /* struct code_trap, by place in the code, as all that follow but the types */
    QWO_SITES,      /* struct code_site */
    QWO_TYPEREFS,   /* struct code_typeref */
    QWO_SIGNATURES, /* struct code_thunks, by type index */
    QWO_THUNKS,     /* struct module_thunk */
    QWO_INLINED,    /* struct code_inlined, by number */
    QWO_TABLE_COUNT
};
struct qwo_table_kind {
    const char *name;
    size_t size; /* of a row in memory */
    void (*visit)(struct qwo_cursor *c, void *row);
};
extern const struct qwo_table_kind qwo_tables[QWO_TABLE_COUNT];
size_t qwo_row_size(enum qwo_table table); /* in the file */

struct qwo_header {
    uint32_t format, machine;
    uint64_t features;
    uint8_t compiler[QWO_VERSION_SIZE], abi[QWO_VERSION_SIZE];
    uint8_t module_hash[QWO_HASH_SIZE];
    uint32_t module_size, code_size, exit_stub;
    uint32_t counts[QWO_TABLE_COUNT];
};
void qwo_header(struct qwo_cursor *c, struct qwo_header *header); /* behind the magic */

/* Where the parts of a file begin. */
struct qwo_layout {
    uint64_t module, code, tables[QWO_TABLE_COUNT], trailer, end;
};
void qwo_layout(const struct qwo_header *header, struct qwo_layout *layout);

/* The compiler and the contract of abi.h that this engine was built with. */
extern const uint8_t qwo_compiler[QWO_VERSION_SIZE], qwo_abi[QWO_VERSION_SIZE];

#endif
