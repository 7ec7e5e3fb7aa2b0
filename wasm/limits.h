/* What a module may ask of the engine. Each is answered with WASM_ERR_LIMIT and its name; those of
 * the first group follow the limits the web's engines agreed on (WebAssembly JS API,
 * "Implementation Limitations"), so that what runs there is accepted here. */
#ifndef QUINCE_WASM_LIMITS_H
#define QUINCE_WASM_LIMITS_H

#define WASM_MAX_MODULE_SIZE   (1024u * 1024 * 1024) /* bytes; default of wasm_load_options */
#define WASM_MAX_TYPES         1000000u
#define WASM_MAX_FUNCTIONS     1000000u /* imported and own */
#define WASM_MAX_IMPORTS       1000000u
#define WASM_MAX_EXPORTS       1000000u
#define WASM_MAX_GLOBALS       1000000u
#define WASM_MAX_DATA_SEGMENTS 100000u
#define WASM_MAX_ELEM_SEGMENTS 10000000u
#define WASM_MAX_TABLES        100000u
#define WASM_MAX_MEMORIES      100u
#define WASM_MAX_TAGS          1000000u
#define WASM_MAX_PARAMS        1000u
#define WASM_MAX_RESULTS       1000u
#define WASM_MAX_LOCALS        50000u /* of a function, parameters included */
#define WASM_MAX_BODY_SIZE     7654321u
#define WASM_MAX_BR_TABLE      65520u
#define WASM_MAX_ELEM_ITEMS    10000000u /* of one segment */

/* Ours. */
#define WASM_MAX_CONST_DEPTH 64u      /* operands of a constant expression open at a time */
#define WASM_MAX_NESTING     100000u  /* control instructions open at a time */
#define WASM_MAX_OPERANDS    1000000u /* height of the operand stack */

/* Work of building SSA for one function: each step is a variable looked at in a block or a phi
 * operand. Ordinary code needs about three per byte; only control flow made to explode reaches
 * this ("control flow complexity"). */
#define WASM_SSA_STEPS_PER_BYTE 64u
#define WASM_SSA_STEPS_FREE     65536u

#endif
