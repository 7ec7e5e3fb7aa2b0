/* A loaded module: its description, its machine code and the tables that explain it. */
#ifndef QUINCE_WASM_RUNTIME_MODULE_H
#define QUINCE_WASM_RUNTIME_MODULE_H

#include <string.h>

#include "decode/decode.h"
#include "host.h"
#include "target/target.h"

/* A signature's thunks in this module's code; equal signatures share them. */
struct module_signature {
    uint32_t canonical;
    bool has_references;            /* among the parameters */
    bool used;                      /* by a function: thunks exist */
    uintptr_t entry, foreign, host; /* host: 0 when no host function can have it */
};
enum thunk_kind { THUNK_ENTRY, THUNK_FOREIGN, THUNK_HOST };
struct module_thunk {
    uint32_t start, end, frame, popped; /* as in struct code_thunks */
    enum thunk_kind kind;
};

struct wasm_module {
    uint32_t references;
    struct module_info info;
    uint8_t *bytes;                      /* own copy of the module */
    struct module_signature *signatures; /* by type index */
    uint8_t *code;
    size_t code_size;
    uintptr_t exit_stub;
    struct code_func *funcs; /* own functions */
    struct code_trap *traps; /* sorted by offset */
    uint32_t trap_count;
    struct code_site *sites; /* sorted by offset */
    uint32_t site_count;
    struct code_inlined *inlined; /* what positions from CODE_INLINED on stand for */
    uint32_t inlined_count;
    struct module_thunk *thunks; /* in order of code */
    uint32_t thunk_count;
    struct code_typeref *typerefs; /* sorted by offset */
    uint32_t typeref_count;
    uint64_t features;               /* of the CPU, that the code may use: target_features_bits() */
    const char **names;              /* of all functions; NULL where there is none */
    uint32_t exit_offset;            /* of the exit stub in the code */
    struct code_position *positions; /* sorted by offset; only when asked for */
    uint32_t position_count;
    struct gdb_object *gdb;   /* what gdb was told; only when asked for */
    struct wasm_module *next; /* in the list of code ranges */
};

/* A module of a copy of BYTES: decoded but for its functions' bodies, its types interned, without
 * code. NULL and *err on failure. */
struct wasm_module *module_new(const uint8_t *bytes, size_t len,
                               const struct wasm_load_options *options, struct wasm_error *err);
/* Makes CODE the module's: takes its tables, publishes its bytes, lists it among the code ranges.
 * THUNKS by type index, for those that functions have. The module's funcs and thunks are set by the
 * caller. false: out of memory. */
bool module_publish(struct wasm_module *module, struct code_buffer *code,
                    const struct code_thunks *thunks, uint32_t exit_stub);
void module_destroy(struct wasm_module *module);
/* Has this CPU these features? If not, *err names the first that is missing. */
bool module_features_present(uint64_t features, struct wasm_error *err);

/* Canonical type numbers (types.c): equal signatures get equal numbers, process-wide. 0: out of
 * memory. Counted; release with the same signature. */
uint32_t type_intern(const struct module_type *type);
void type_release(const struct module_type *type);

/* Code ranges (ranges.c): which module a program counter is in. range_find() takes no lock and may
 * be called in a fault handler. */
void range_add(struct wasm_module *module);
void range_remove(struct wasm_module *module);
struct wasm_module *range_find(uintptr_t pc);

/* What stands at code offset OFFSET (backtrace.c, trap.c): index in the tables or ~0u. */
uint32_t module_find_func(const struct wasm_module *module, uint32_t offset);
const struct code_trap *module_find_trap(const struct wasm_module *module, uint32_t offset);
/* The last site or trap at or before OFFSET: its position in the module, or a row of inlined. */
uint32_t module_find_pos(const struct wasm_module *module, uint32_t offset);
/* The thunk that OFFSET is in; NULL: none. */
const struct module_thunk *module_find_thunk(const struct wasm_module *module, uint32_t offset);
/* Exactly a return address? */
bool module_is_site(const struct wasm_module *module, uint32_t offset);
/* … of a call that catches exceptions? */
bool module_site_catches(const struct wasm_module *module, uint32_t offset);

/* Fills names (code.c). false: out of memory. */
bool module_collect_names(struct wasm_module *module);

/* GDB's JIT interface (gdb.c): registers symbols and unwind rows, which code that was compiled
 * elsewhere does not have; an object that there is no memory for is left out. */
struct gdb_object *gdb_register(const struct wasm_module *module, const struct code_unwind *unwind,
                                uint32_t unwind_count);
void gdb_unregister(struct gdb_object *object);

/* The instruction NAME in the module's bytes [offset, end) with its immediates, as in the text
 * format (listing_text.c). NATURAL: log2 of the alignment that goes without saying. */
void listing_text(const struct wasm_module *module, uint32_t offset, uint32_t end, const char *name,
                  uint32_t natural, char *text, size_t size);

static inline struct wasm_functype module_functype(const struct wasm_module *module, uint32_t index)
{
    const struct module_type *type = &module->info.types[module->info.func_types[index]];
    return (struct wasm_functype){type->params, type->results, type->param_count,
                                  type->result_count};
}

/* Zeroed; never NULL for no elements unless memory is short. */
static inline void *array_new(size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 2 / size)
        return NULL;
    size_t bytes = count * size;
    void *p = wasm_host_alloc(bytes > 0 ? bytes : 1);
    if (p)
        memset(p, 0, bytes);
    return p;
}

/* Fills *err: kind, offset, message. */
void error_set(struct wasm_error *err, enum wasm_error_kind kind, uint32_t offset,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif
