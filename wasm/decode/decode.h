/* The front end: bytes in, a described and validated module plus one SSA function after another
 * out. One pass over the bytes; nothing later ever sees an invalid byte. */
#ifndef QUINCE_WASM_DECODE_H
#define QUINCE_WASM_DECODE_H

#include "ir/ir.h"
#include "wasm.h"

struct module_func_body {
    uint32_t start, end; /* byte range of locals and code in the module */
};
/* What a constant expression is made of: opcodes, and one number after the vector prefix. */
enum {
    OP_END = 0x0b,
    OP_GLOBAL_GET = 0x23,
    OP_I32_CONST = 0x41,
    OP_I64_CONST,
    OP_F32_CONST,
    OP_F64_CONST,
    OP_I32_ADD = 0x6a,
    OP_I32_SUB,
    OP_I32_MUL,
    OP_I64_ADD = 0x7c,
    OP_I64_SUB,
    OP_I64_MUL,
    OP_REF_NULL = 0xd0,
    OP_REF_FUNC = 0xd2,
    OP_SIMD = 0xfd,
    SIMD_V128_CONST = 12
};

/* A constant expression after validation. */
enum init_kind { INIT_CONST, INIT_GLOBAL, INIT_REF_FUNC, INIT_REF_NULL, INIT_EXPR };
struct module_init {
    enum init_kind kind;
    uint8_t type;   /* enum wasm_type */
    uint32_t index; /* global or function; INIT_EXPR: byte offset of the expression */
    uint32_t end;   /* INIT_EXPR: end offset (extended constants) */
    union wasm_value value;
};
struct module_type {
    uint8_t *params, *results;       /* enum wasm_type each */
    uint8_t *ir_params, *ir_results; /* enum ir_type each */
    uint32_t param_count, result_count;
};
struct module_limits {
    uint64_t min, max;
    bool has_max, shared, is64;
};
struct module_table {
    uint8_t type;
    struct module_limits limits;
};
struct module_global {
    uint8_t type;
    bool mutable_;
    struct module_init init; /* own ones */
};
enum segment_mode { SEGMENT_PASSIVE, SEGMENT_ACTIVE, SEGMENT_DECLARATIVE };
struct module_elem {
    enum segment_mode mode;
    uint8_t type;
    uint32_t table;
    struct module_init offset;
    struct module_init *items;
    uint32_t count;
};
struct module_data {
    enum segment_mode mode;
    uint32_t memory;
    struct module_init offset;
    uint32_t start, size; /* byte range in the module */
};
struct module_custom {
    const char *name;
    uint32_t name_len, start, size;
};

/* The decoded module. Index spaces hold imports first. Arrays are owned by the info. */
struct module_info {
    const uint8_t *bytes;
    size_t size;
    struct module_type *types;
    struct wasm_import *imports;
    uint32_t *func_types;
    struct module_table *tables;
    struct module_limits *memories;
    struct module_global *globals;
    struct wasm_export *exports;
    struct module_elem *elems;
    struct module_data *datas;
    struct module_custom *customs;
    struct module_func_body *bodies; /* own functions */
    uint32_t type_count, import_count, func_count, table_count, memory_count, global_count;
    uint32_t export_count, elem_count, data_count, custom_count;
    uint32_t imported_funcs, imported_tables, imported_memories, imported_globals;
    uint32_t *tag_types; /* type index of every tag, imports first */
    uint32_t tag_count, imported_tags;
    uint32_t start;          /* ~0u: none */
    const char **func_names; /* from the name section; NULL, or entries may be NULL */
    const char *module_name; /* from the name section, or NULL */
    uint32_t without;        /* enum wasm_feature that are off */
    bool has_data_count;
    uint32_t declared_data_count;
    uint8_t *declared;   /* bit per function: may be named by ref.func */
    void *memory;        /* what the arrays and strings are cut from */
    struct ir_module ir; /* the same as the compiler wants it */
};

/* Decodes and validates everything but function bodies. INFO refers to BYTES while it lives. */
bool decode_module(const uint8_t *bytes, size_t size, const struct wasm_load_options *options,
                   struct module_info *info, struct wasm_error *err);
void module_info_free(struct module_info *info);

/* Validates function INDEX (of the function index space: not below imported_funcs) and builds its
 * SSA into F, which the caller has initialised once with ir_func_init(f, &info->ir, 0) and which is
 * reset by every call. On success F is analysed (ir_analyse) and free of COPY; on failure its
 * content is undefined. INFO must outlive the decoder and F. */
struct body_decoder; /* scratch memory kept from function to function */
struct body_decoder *body_decoder_new(const struct module_info *info);
void body_decoder_free(struct body_decoder *d);
/* After wasm_host_now() has passed NS, decode_body() ends with WASM_ERR_TIMEOUT; 0: never. */
void body_decoder_set_deadline(struct body_decoder *d, uint64_t ns);
bool decode_body(struct body_decoder *d, uint32_t index, struct ir_func *f, struct wasm_error *err);
/* Told of every instruction once it is decoded, reachable or not: its bytes [offset, end), what it
 * is called in the text format, log2 of the natural alignment of its access, and how many control
 * instructions are open behind it. */
typedef void (*body_observer)(void *context, uint32_t offset, uint32_t end, const char *name,
                              uint32_t natural, uint32_t depth);
void body_decoder_observe(struct body_decoder *d, body_observer observer, void *context);

#endif
