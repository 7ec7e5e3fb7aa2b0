/* The state of decoding one function body, shared by the files that know the instructions.
 * Internal to decode/.
 *
 * Validation follows the algorithm of the specification's appendix 7.3: an operand stack and a
 * control stack. Beside each operand's type stands its SSA value. What cannot be reached (the code
 * after a branch, and the rest of a block nothing leads out of) is validated all the same but
 * builds nothing: LIVE is false then and values are 0. */
#ifndef QUINCE_WASM_DECODE_BODY_H
#define QUINCE_WASM_DECODE_BODY_H

#include "decode/sections.h"
#include "decode/ssa.h"

struct body_decoder;

/* A row of the opcode table: everything there is to know of an instruction. */
struct opcode {
    const char *name;
    bool (*handler)(struct body_decoder *d); /* NULL: no such instruction */
    uint8_t ir;                              /* enum ir_op */
    uint8_t access;                          /* enum ir_access */
    uint8_t natural;                         /* log2 of the natural alignment */
    uint8_t helper;                          /* enum wasm_helper */
    uint8_t rmw;                             /* enum ir_rmw */
    bool exact;                              /* the alignment must be the natural one */
    uint8_t param_count;
    uint8_t params[3], result; /* enum wasm_type; result 0: none */
};
extern const struct opcode opcodes[256];
#define OPCODES_FC_COUNT 18
extern const struct opcode opcodes_fc[OPCODES_FC_COUNT]; /* after the prefix 0xfc */

#define TYPE_UNKNOWN 0 /* an operand popped from the empty stack of unreachable code */

struct operand {
    ir_ref value;
    uint8_t type; /* enum wasm_type, or TYPE_UNKNOWN */
};

/* TRY and TRY_TABLE protect what is in them; the catches of a TRY no longer do. */
enum control_kind {
    CONTROL_FUNC,
    CONTROL_BLOCK,
    CONTROL_LOOP,
    CONTROL_IF,
    CONTROL_ELSE,
    CONTROL_TRY,
    CONTROL_CATCH,
    CONTROL_CATCH_ALL,
    CONTROL_TRY_TABLE,
};

struct control {
    const uint8_t *params, *results; /* enum wasm_type each */
    uint32_t param_count, result_count;
    uint32_t height;       /* of the operand stack, below the parameters */
    ir_block_ref before;   /* the block it began in, if that was live … */
    uint64_t written;      /* … and what ssa_enter() gave */
    ir_block_ref label;    /* where branches to it lead; IR_NONE: no block yet */
    ir_block_ref other;    /* of a live `if`: the block of its else part, else IR_NONE; of a catch:
                              where exceptions with other tags arrive */
    ir_block_ref handler;  /* of a try: where exceptions arrive, IR_NONE: none can */
    ir_ref exception;      /* … and which it is, once the handler has begun */
    uint32_t protector;    /* the innermost try around it, IR_NONE outside of any */
    uint32_t first_clause; /* of a try_table: in the decoder's clauses */
    uint32_t table_seen;   /* the last br_table that named it ... */
    ir_block_ref table_edge; /* ... and where it leads for that one */
    uint32_t offset;         /* of the instruction, for messages */
    uint8_t kind;            /* enum control_kind */
    bool unreachable;        /* the rest of it: its operand stack is polymorphic */
};

/* A catch of a try_table. */
struct clause {
    uint32_t tag, label; /* number of the control that it branches to */
    uint8_t kind;
};

struct body_decoder {
    struct reader r;
    const struct module_info *info;
    struct ir_func *f;
    const struct opcode *op; /* the current instruction … */
    struct opcode vector;    /* … made up for those of the table of vector operations … */
    uint32_t offset;         /* … and where it stands */
    bool live;               /* BLOCK is being built */
    bool plain_memory;       /* memory 0 is there and has 32-bit addresses */
    ir_block_ref block;

    struct operand *operands;
    struct control *controls, *top; /* the innermost one */
    struct clause *clauses;         /* of the open try_tables */
    uint32_t clause_count, clause_capacity;
    uint32_t protector; /* the innermost try around the current instruction, or IR_NONE */
    uint8_t *locals;    /* enum wasm_type */
    uint32_t operand_count, operand_capacity;
    uint32_t control_count, control_capacity;
    uint32_t local_count, local_capacity;
    uint32_t tables_seen;   /* br_tables so far */
    body_observer observer; /* NULL: none */
    void *observer_context;
    struct ssa ssa;
};

/* body.c */
bool body_fail(struct body_decoder *d, enum wasm_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4), cold));
bool body_mismatch(struct body_decoder *d, uint8_t wanted, uint8_t found); /* found 0: nothing */
bool body_nomem(struct body_decoder *d);
bool body_grow_operands(struct body_decoder *d, uint32_t more);
/* The top COUNT operands have these types, as far as they are there in unreachable code. */
bool body_match_top(struct body_decoder *d, const uint8_t *types, uint32_t count);
/* The same, and what is missing or unknown in unreachable code becomes of these types. They stay on
 * the stack. */
bool body_check_types(struct body_decoder *d, const uint8_t *types, uint32_t count);
static inline bool body_check_top(struct body_decoder *d, const uint8_t *types, uint32_t count)
{
    return !count || body_check_types(d, types, count);
}

/* Whether the feature that the current instruction belongs to is on. */
bool body_need_feature(struct body_decoder *d, enum wasm_feature feature);
bool body_clause_push(struct body_decoder *d, const struct clause *clause);

/* control.c */
/* The type of a block: nothing, one result, or the index of a function type. */
bool body_read_block_type(struct body_decoder *d, const uint8_t **params, uint32_t *param_count,
                          const uint8_t **results, uint32_t *result_count);
bool body_read_label(struct body_decoder *d, struct control **label);
/* What a branch to C takes along. */
static inline uint32_t body_label_count(const struct control *c)
{
    return c->kind == CONTROL_LOOP ? c->param_count : c->result_count;
}
const uint8_t *body_label_types(const struct control *c);
/* Ends BLOCK with a jump to the label of C, which takes the top operands along. */
void body_jump_to_label(struct body_decoder *d, struct control *c, ir_block_ref block);
void body_set_unreachable(struct body_decoder *d); /* the rest of the innermost block */
/* Ends the part of a block that was just read: its results are on the stack, nothing else. */
bool body_finish_part(struct body_decoder *d);
/* Closes the innermost block; the code goes on at its label. */
bool body_end_block(struct body_decoder *d);

/* exceptions.c */
/* After a call, results included: where a handler is near, looks whether it threw. */
bool body_may_throw(struct body_decoder *d, ir_ref call);
/* The end of the innermost block, if it is a try: completes its handler. */
bool exceptions_end(struct body_decoder *d);

bool body_push_control(struct body_decoder *d, enum control_kind kind, const uint8_t *params,
                       uint32_t param_count, const uint8_t *results, uint32_t result_count);

static inline struct control *body_top(struct body_decoder *d)
{
    return d->top;
}

static inline bool body_push(struct body_decoder *d, uint8_t type, ir_ref value)
{
    if (d->operand_count == d->operand_capacity && !body_grow_operands(d, 1))
        return false;
    d->operands[d->operand_count++] = (struct operand){value, type};
    return true;
}

static inline bool body_pop_any(struct body_decoder *d, struct operand *operand)
{
    const struct control *top = body_top(d);
    if (d->operand_count == top->height) {
        *operand = (struct operand){0, TYPE_UNKNOWN};
        return top->unreachable || body_mismatch(d, TYPE_UNKNOWN, 0);
    }
    *operand = d->operands[--d->operand_count];
    return true;
}

static inline bool body_pop(struct body_decoder *d, uint8_t type, ir_ref *value)
{
    const struct control *top = body_top(d);
    *value = 0;
    if (d->operand_count == top->height)
        return top->unreachable || body_mismatch(d, type, 0);
    struct operand operand = d->operands[--d->operand_count];
    *value = operand.value;
    return operand.type == type || operand.type == TYPE_UNKNOWN ||
           body_mismatch(d, type, operand.type);
}

/* A new instruction at the end of the block; only while live. */
static inline ir_ref body_emit(struct body_decoder *d, enum ir_op op, enum ir_type type)
{
    ir_ref ins = ir_append(d->f, d->block, op, type);
    d->f->ins[ins].pos = d->offset;
    return ins;
}

/* memory.c */
/* The immediates of a memory access, checked against the current instruction's alignment. */
bool body_read_memarg(struct body_decoder *d, uint32_t *memory, uint64_t *offset);
static inline uint8_t body_address_type(const struct body_decoder *d, uint32_t memory)
{
    return d->info->memories[memory].is64 ? WASM_I64 : WASM_I32;
}
/* A load or store with the current instruction's access; TYPE is that of its result. */
ir_ref body_emit_access(struct body_decoder *d, enum ir_op op, enum ir_type type, uint32_t memory,
                        uint64_t offset, ir_ref address);
/* Pops COUNT operands of TYPES, calls the helper of the current instruction with them and the
 * IMMEDIATES, pushes a RESULT unless that is 0. At most 5 arguments in all. */
bool body_call_helper(struct body_decoder *d, const uint8_t *types, uint32_t count,
                      const uint32_t *immediates, uint32_t immediate_count, uint8_t result);

/* Handlers of the opcode table. */
bool op_numeric(struct body_decoder *d);
bool op_i32_const(struct body_decoder *d);
bool op_i64_const(struct body_decoder *d);
bool op_f32_const(struct body_decoder *d);
bool op_f64_const(struct body_decoder *d);
bool op_drop(struct body_decoder *d);
bool op_select(struct body_decoder *d);
bool op_select_typed(struct body_decoder *d);
bool op_local_get(struct body_decoder *d);
bool op_local_set(struct body_decoder *d);
bool op_local_tee(struct body_decoder *d);
bool op_global_get(struct body_decoder *d);
bool op_global_set(struct body_decoder *d);
bool op_prefix_fc(struct body_decoder *d);
bool op_prefix_fd(struct body_decoder *d); /* simd.c */
bool op_prefix_fe(struct body_decoder *d); /* atomic.c */
/* control.c */
bool op_unreachable(struct body_decoder *d);
bool op_nop(struct body_decoder *d);
bool op_block(struct body_decoder *d);
bool op_loop(struct body_decoder *d);
bool op_if(struct body_decoder *d);
bool op_else(struct body_decoder *d);
bool op_end(struct body_decoder *d);
bool op_br(struct body_decoder *d);
bool op_br_if(struct body_decoder *d);
bool op_br_table(struct body_decoder *d);
bool op_return(struct body_decoder *d);
bool op_call(struct body_decoder *d);
bool op_call_indirect(struct body_decoder *d);
bool op_return_call(struct body_decoder *d);
bool op_return_call_indirect(struct body_decoder *d);
/* exceptions.c */
bool op_try(struct body_decoder *d);
bool op_catch(struct body_decoder *d);
bool op_catch_all(struct body_decoder *d);
bool op_delegate(struct body_decoder *d);
bool op_throw(struct body_decoder *d);
bool op_rethrow(struct body_decoder *d);
bool op_throw_ref(struct body_decoder *d);
bool op_try_table(struct body_decoder *d);
/* memory.c */
bool op_load(struct body_decoder *d);
bool op_store(struct body_decoder *d);
bool op_memory_size(struct body_decoder *d);
bool op_memory_grow(struct body_decoder *d);
bool op_memory_init(struct body_decoder *d);
bool op_memory_copy(struct body_decoder *d);
bool op_memory_fill(struct body_decoder *d);
bool op_data_drop(struct body_decoder *d);
bool op_table_get(struct body_decoder *d);
bool op_table_set(struct body_decoder *d);
bool op_table_size(struct body_decoder *d);
bool op_table_grow(struct body_decoder *d);
bool op_table_fill(struct body_decoder *d);
bool op_table_copy(struct body_decoder *d);
bool op_table_init(struct body_decoder *d);
bool op_elem_drop(struct body_decoder *d);
bool op_ref_null(struct body_decoder *d);
bool op_ref_is_null(struct body_decoder *d);
bool op_ref_func(struct body_decoder *d);

#endif
