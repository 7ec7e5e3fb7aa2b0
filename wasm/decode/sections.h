/* What the files that decode a module's sections share. Internal to decode/. */
#ifndef QUINCE_WASM_DECODE_SECTIONS_H
#define QUINCE_WASM_DECODE_SECTIONS_H

#include "decode/decode.h"
#include "decode/reader.h"

struct module_decoder {
    struct reader r; /* bounded by the current section */
    struct module_info *info;
};

/* Memory that lives as long as the info, zeroed; records WASM_ERR_NOMEM. */
void *info_alloc(struct module_decoder *d, size_t count, size_t size);
/* Makes room for COUNT entries in an array of the info that grows over sections. */
bool info_grow(struct module_decoder *d, void *array, uint32_t count, size_t size);
/* A NUL-terminated copy. */
char *info_string(struct module_decoder *d, const uint8_t *bytes, uint32_t len);

/* The number of entries of a vector, each at least MIN_BYTES long. When they cannot all fit what is
 * left, it is the first number that does not: reading them will fail where the bytes end, and what
 * is allocated for them stays in proportion to the module's size. HAVE are there already. */
bool read_count(struct module_decoder *d, uint32_t min_bytes, uint32_t have, uint32_t limit,
                const char *name, uint32_t *count);

bool decode_types(struct module_decoder *d);
bool decode_imports(struct module_decoder *d);
bool decode_functions(struct module_decoder *d);
bool decode_tables(struct module_decoder *d);
bool decode_memories(struct module_decoder *d);
bool decode_tags(struct module_decoder *d);
bool decode_globals(struct module_decoder *d);
bool decode_exports(struct module_decoder *d);
bool decode_start(struct module_decoder *d);
bool decode_elems(struct module_decoder *d);
bool decode_datas(struct module_decoder *d);
bool decode_code(struct module_decoder *d);
bool decode_custom(struct module_decoder *d);

bool read_value_type(struct reader *r, uint8_t *type);
bool read_reference_type(struct reader *r, uint8_t *type);
bool read_heap_type(struct reader *r, uint8_t *type); /* of ref.null */

/* unsupported.c: where an unknown number was found, which tells what it might have been. */
enum encoding_place {
    IN_VALUE_TYPE, /* and reference types */
    IN_HEAP_TYPE,
    IN_TABLE,
    IN_TYPE_FORM, /* the first byte of a type's definition */
    IN_SECTION,
    IN_CODE,
    IN_CODE_FB, /* after the prefix */
    IN_CODE_FC,
    IN_CODE_FD,
    IN_CODE_FE,
};
/* Refuses NUMBER, naming the feature that it belongs to if one is known; WHAT says what it looks
 * like: "illegal opcode". Always false. */
bool refuse_unknown(struct reader *r, uint32_t offset, enum encoding_place place, uint32_t number,
                    const char *what) __attribute__((cold));
/* The same of an instruction, whose number may go on after a prefix. */
bool refuse_opcode(struct reader *r, uint32_t offset, uint8_t opcode) __attribute__((cold));
/* … and of a type. */
bool refuse_type(struct reader *r, uint32_t offset, enum encoding_place place, uint8_t byte,
                 const char *what) __attribute__((cold));

static inline bool has_feature(const struct module_info *info, enum wasm_feature feature)
{
    return !(info->without & feature);
}
/* A constant expression (spec 3.3.10) of type TYPE, up to and including its end. */
bool read_init(struct module_decoder *d, uint8_t type, struct module_init *init);
/* Marks a function that ref.func may name in bodies. */
void info_declare(struct module_info *info, uint32_t func);

/* The name section; errors in it are ignored, as the specification asks. */
void decode_names(struct module_decoder *d, const uint8_t *bytes, size_t size);

/* NULL: no such instruction. */
const char *opcode_name(uint8_t opcode);
const char *wasm_type_name(uint8_t type);
/* enum ir_type by enum wasm_type; IR_VOID: no such type. */
extern const uint8_t decode_ir_types[256];
static inline enum ir_type ir_type_of(uint8_t wasm_type)
{
    return (enum ir_type)decode_ir_types[wasm_type];
}

static inline bool is_reference(uint8_t type)
{
    return type == WASM_FUNCREF || type == WASM_EXTERNREF || type == WASM_EXNREF;
}

#endif
