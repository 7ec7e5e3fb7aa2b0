/* Tests of the code generator alone: a module built instruction by instruction, compiled, put into
 * memory and run in instances that have nothing of the runtime but the layouts of abi.h. */
#ifndef QUINCE_TEST_IMAGE_H
#define QUINCE_TEST_IMAGE_H

#include "target/target.h"

enum {
    IMAGE_FUNCS = 64,   /* imports and own functions of a module */
    IMAGE_TYPES = 64,   /* signatures */
    IMAGE_VALUES = 64,  /* parameters or results of one */
    IMAGE_MEMORIES = 3, /* of an instance, each of one page at first */
    IMAGE_PAGE = 65536,
    IMAGE_CANONICAL = 1000, /* number of type 0 in this process, as it were */
};

struct image {
    struct ir_module module;
    struct ir_signature types[IMAGE_TYPES];
    uint8_t values[IMAGE_TYPES][2][IMAGE_VALUES];
    uint32_t func_types[IMAGE_FUNCS];
    struct ir_global globals[1]; /* an i64 */
    struct ir_memory memories[IMAGE_MEMORIES];
    struct ir_table tables[1];
    uint32_t tag_types[2];
    struct code_buffer code;
    struct code_func funcs[IMAGE_FUNCS]; /* own ones, without imports */
    struct code_thunks thunks[IMAGE_TYPES];
    uint32_t exit_stub;
    struct target_compiler *compiler;
    uint8_t *base; /* where the code runs */
};

struct image_instance {
    struct wasm_instance abi;
    struct wasm_exec *exec;
    struct wasm_func funcs[IMAGE_FUNCS];
    struct wasm_func *imports[IMAGE_FUNCS];
    struct wasm_memory memory[IMAGE_MEMORIES];
    struct wasm_memory *memories[IMAGE_MEMORIES];
    struct wasm_table *tables[1];
    struct wasm_global global;
    struct wasm_global *globals[1];
    struct wasm_tag tag[2];
    struct wasm_tag *tags[2];
};

/* FEATURES may be NULL: those of this processor. */
void image_start(struct image *image, const struct target_features *features);
/* A signature from letters: i I f F v r, as "iIv:F". Equal ones are one. */
uint32_t image_type(struct image *image, const char *text);
uint32_t image_import(struct image *image, uint32_t type); /* before any function */
uint32_t image_func(struct image *image, uint32_t type);   /* declares one */
/* Compiles F, whose index is that of a declared function; false after printing why. */
bool image_compile(struct image *image, struct ir_func *f);
bool image_finish(struct image *image); /* thunks, patching, executable memory */
void image_free(struct image *image);

/* Building a function: a block is named first, then what is appended to it. build_start() makes the
 * entry and the parameters, build_finish() compiles and frees. */
void build_start(struct ir_func *f, struct image *image, uint32_t index, ir_ref *params);
ir_ref build_constant(struct ir_func *f, ir_block_ref b, enum ir_type type, uint64_t value);
ir_ref build(struct ir_func *f, ir_block_ref b, enum ir_op kind, enum ir_type type, ir_ref x,
             ir_ref y);
ir_ref build_indexed(struct ir_func *f, ir_block_ref b, enum ir_op kind, enum ir_type type,
                     uint32_t aux);
ir_ref build_list(struct ir_func *f, ir_block_ref b, enum ir_op kind, enum ir_type type,
                  uint32_t aux, const ir_ref *list, uint32_t count);
/* A branch on CONDITION to two new blocks. */
void build_fork(struct ir_func *f, ir_block_ref b, ir_ref condition, ir_block_ref *yes,
                ir_block_ref *no);
bool build_finish(struct ir_func *f, struct image *image);

/* Random numbers, the same ones after the same seed. */
extern uint32_t random_state;
uint32_t random_below(uint32_t n); /* n ≤ 2^24 */
uint64_t random64(void);

/* Instances of one image share a table of COUNT functions and the execution context. */
void image_instantiate(struct image *image, struct image_instance *instance);
void image_table(struct image_instance *instance, struct wasm_func **elements, uint32_t count);
void image_discard(struct image_instance *instance);
/* Calls own function FUNC; answers enum wasm_trap. The stack used is 64 KiB. */
uint32_t image_call(struct image_instance *instance, uint32_t func, const union wasm_value *args,
                    union wasm_value *results);
/* Bytes of the stack that the last call has touched at most. */
size_t image_stack_used(void);
/* What exception_throw does in the tests: an unwinder by the letter of abi.h. */
void image_throw(struct wasm_instance *instance, struct wasm_exception *exception);

#endif
