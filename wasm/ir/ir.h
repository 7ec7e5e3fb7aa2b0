/* The compiler's intermediate representation: one function in SSA form.
 *
 * The front end (decode/) builds it while validating, the optimiser (opt/) rewrites it, the code
 * generator (target/) consumes it. Everything lives in the function's arena and is addressed by
 * 32-bit indices, so that memory per function is small, growth is by reallocation and dropping it
 * is one call. Invariants are checked by ir_verify() in debug builds and tests.
 *
 * Instructions: ins[0] is unused, so 0 means "none". Each block chains its instructions: phis
 * first, a single terminator last. The entry has no predecessors. Operands:
 *   a, b, c   instructions, as the table below says; 0 those that an operation has not
 *   imm       64-bit payload beside them (constants, offsets)
 *   list      of calls, phis, returns: its first entry in func->pool, and its length */
#ifndef QUINCE_IR_H
#define QUINCE_IR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ir_type { IR_VOID, IR_I32, IR_I64, IR_F32, IR_F64, IR_V128, IR_REF, IR_TYPE_COUNT };
/* IR_REF is a 64-bit pointer: a struct wasm_func * or an externref. */

/* Memory access widths of IR_LOAD and IR_STORE, the integer ones extended to the result type. The
 * front end writes i32.load as IR_U32 and stores as the unsigned ones. A load of type V128 with a
 * float access (F32, F64) fills the rest of the vector with zeros. */
enum ir_access {
    IR_S8,
    IR_U8,
    IR_S16,
    IR_U16,
    IR_S32,
    IR_U32,
    IR_64,
    IR_ACCESS_F32,
    IR_ACCESS_F64,
    IR_128,
};
static inline unsigned ir_access_bytes(unsigned access)
{
    static const uint8_t bytes[] = {
        [IR_S8] = 1,  [IR_U8] = 1, [IR_S16] = 2,        [IR_U16] = 2,        [IR_S32] = 4,
        [IR_U32] = 4, [IR_64] = 8, [IR_ACCESS_F32] = 4, [IR_ACCESS_F64] = 8, [IR_128] = 16};
    return bytes[access];
}

/* Operation table: X(name, operands, flags). Operand letters: a b c as instruction operands, i imm,
 * l list, x aux. Flags: P pure (may be shared, moved, dropped), C commutative, T may trap, R reads
 * memory or state, W writes memory or state, K is a call (clobbers the caller-saved), E ends a
 * block. */
/* clang-format off */
#define IR_OPS(X)                                                                                  \
    X(NOP, "", 0)                                                                                  \
    X(CONST, "i", IR_P)           /* imm: the bits; V128: imm and imm2 */                          \
    X(PARAM, "x", IR_P)           /* aux: parameter number; only in block 0 */                     \
    X(PHI, "l", 0)                /* one entry per predecessor, in their order */                  \
    X(COPY, "a", IR_P)            /* left by rewriting; removed by ir_resolve() */                 \
    X(RESULT, "ax", IR_P)         /* aux-th result (≥ 1) of call a; result 0 is the call */        \
    /* integer; the type of the operation is the type of the instruction */                        \
    X(ADD, "ab", IR_P | IR_C) X(SUB, "ab", IR_P) X(MUL, "ab", IR_P | IR_C)                         \
    X(DIV_S, "ab", IR_T) X(DIV_U, "ab", IR_T) X(REM_S, "ab", IR_T) X(REM_U, "ab", IR_T)            \
    X(AND, "ab", IR_P | IR_C) X(OR, "ab", IR_P | IR_C) X(XOR, "ab", IR_P | IR_C)                   \
    X(SHL, "ab", IR_P) X(SHR_S, "ab", IR_P) X(SHR_U, "ab", IR_P)                                   \
    X(ROTL, "ab", IR_P) X(ROTR, "ab", IR_P)                                                        \
    X(CLZ, "a", IR_P) X(CTZ, "a", IR_P) X(POPCNT, "a", IR_P) X(BSWAP, "a", IR_P)                   \
    /* comparisons: result I32; operands' type decides width; F* for floats */                     \
    X(EQZ, "a", IR_P)                                                                              \
    X(EQ, "ab", IR_P | IR_C) X(NE, "ab", IR_P | IR_C)                                              \
    X(LT_S, "ab", IR_P) X(LT_U, "ab", IR_P) X(GT_S, "ab", IR_P) X(GT_U, "ab", IR_P)                \
    X(LE_S, "ab", IR_P) X(LE_U, "ab", IR_P) X(GE_S, "ab", IR_P) X(GE_U, "ab", IR_P)                \
    X(FEQ, "ab", IR_P | IR_C) X(FNE, "ab", IR_P | IR_C)                                            \
    X(FLT, "ab", IR_P) X(FGT, "ab", IR_P) X(FLE, "ab", IR_P) X(FGE, "ab", IR_P)                    \
    /* float */                                                                                    \
    X(FADD, "ab", IR_P | IR_C) X(FSUB, "ab", IR_P) X(FMUL, "ab", IR_P | IR_C) X(FDIV, "ab", IR_P)  \
    X(FMIN, "ab", IR_P) X(FMAX, "ab", IR_P) X(FCOPYSIGN, "ab", IR_P)                               \
    X(FABS, "a", IR_P) X(FNEG, "a", IR_P) X(FSQRT, "a", IR_P)                                      \
    X(FCEIL, "a", IR_P) X(FFLOOR, "a", IR_P) X(FTRUNC, "a", IR_P) X(FNEAREST, "a", IR_P)           \
    /* conversions: from the operand's type to the instruction's */                                \
    X(WRAP, "a", IR_P)            /* I64 → I32 */                                                  \
    X(ZEXT, "a", IR_P) X(SEXT, "a", IR_P) /* I32 → I64 */                                          \
    X(EXT8, "a", IR_P) X(EXT16, "a", IR_P) X(EXT32, "a", IR_P) /* sign-extend in place */          \
    X(TRUNC_S, "a", IR_T) X(TRUNC_U, "a", IR_T)                                                    \
    X(TRUNC_SAT_S, "a", IR_P) X(TRUNC_SAT_U, "a", IR_P)                                            \
    X(CONVERT_S, "a", IR_P) X(CONVERT_U, "a", IR_P)                                                \
    X(PROMOTE, "a", IR_P) X(DEMOTE, "a", IR_P)                                                     \
    X(BITCAST, "a", IR_P)         /* I32 ↔ F32, I64 ↔ F64 */                                       \
    X(SELECT, "abc", IR_P)        /* c ? a : b; c is I32 */                                        \
    /* memory: a address (I32, or I64 for a 64-bit memory), imm offset, access, aux memory */      \
    X(LOAD, "aix", IR_T | IR_R)                                                                    \
    X(STORE, "abix", IR_T | IR_W) /* b value */                                                    \
    X(MEMORY_SIZE, "x", IR_R)     /* pages */                                                      \
    /* atomics: sequentially consistent, alignment checked (WASM_TRAP_UNALIGNED); the access is    \
     * one of the unsigned, the result zero-extended */                                            \
    X(ATOMIC_LOAD, "aix", IR_T | IR_R | IR_W)                                                      \
    X(ATOMIC_STORE, "abix", IR_T | IR_R | IR_W)                                                    \
    X(ATOMIC_RMW, "abix", IR_T | IR_R | IR_W)      /* imm2: enum ir_rmw; result: the old value */  \
    X(ATOMIC_CMPXCHG, "abcix", IR_T | IR_R | IR_W) /* b expected, c replacement */                 \
    X(FENCE, "", IR_R | IR_W)                                                                      \
    /* vectors: aux enum simd_op, imm lane number (ir/simd.h) */                                   \
    X(SIMD1, "aix", IR_P) X(SIMD2, "abix", IR_P) X(SIMD3, "abcx", IR_P)                            \
    X(GLOBAL_GET, "x", IR_R) X(GLOBAL_SET, "ax", IR_W)                                             \
    /* references */                                                                               \
    X(REF_NULL, "", IR_P) X(REF_IS_NULL, "a", IR_P)                                                \
    /* exceptions: references to struct wasm_exception. What follows a call marked                 \
     * IR_CALL_CATCHES runs also when the callee threw: EXCEPTION then is not null. */             \
    X(EXCEPTION, "", IR_R)        /* the one on its way, or null */                                \
    X(EXCEPTION_CLEAR, "", IR_W)  /* it has arrived */                                             \
    X(EXCEPTION_TAG, "a", IR_R)   /* its tag, as a reference to compare with TAG */                \
    X(EXCEPTION_GET, "ai", IR_R)  /* imm: which value of its payload */                            \
    X(EXCEPTION_SET, "abi", IR_W) /* of a new one */                                               \
    X(TAG, "x", IR_P)             /* the module's tag of this index, as a reference */             \
    /* calls: list the arguments; type that of result 0; access: IR_CALL_CATCHES or 0 */           \
    X(CALL, "lx", IR_T | IR_R | IR_W | IR_K)          /* aux: function index (imports included) */ \
    X(CALL_INDIRECT, "alx", IR_T | IR_R | IR_W | IR_K) /* a element; aux: type; imm2: table */     \
    X(CALL_HELPER, "lx", IR_T | IR_R | IR_W | IR_K)   /* aux: enum wasm_helper */                  \
    /* terminators; targets in block->succ */                                                      \
    X(JUMP, "", IR_E)                                                                              \
    X(BRANCH, "a", IR_E)          /* a ≠ 0 → succ[0], else succ[1] */                              \
    X(SWITCH, "a", IR_E)          /* succ[a], the last one is the default */                       \
    X(RETURN, "l", IR_E)                                                                           \
    X(TAIL_CALL, "lx", IR_E | IR_T | IR_K) X(TAIL_CALL_INDIRECT, "alx", IR_E | IR_T | IR_K)        \
    X(TRAP, "x", IR_E | IR_T)     /* aux: enum wasm_trap */
/* clang-format on */

enum { IR_P = 1, IR_C = 2, IR_T = 4, IR_R = 8, IR_W = 16, IR_K = 32, IR_E = 64 };

enum ir_rmw { IR_RMW_ADD, IR_RMW_SUB, IR_RMW_AND, IR_RMW_OR, IR_RMW_XOR, IR_RMW_XCHG };

/* In access of a call: an exception ends here. Such a call keeps no value in registers, since the
 * unwinder restores only rsp, the instance and memory 0 before it goes on at the return address.
 * The front end puts EXCEPTION and a branch on it right behind. */
enum { IR_CALL_CATCHES = 1 };

enum ir_op {
#define X(name, operands, flags) IR_##name,
    IR_OPS(X)
#undef X
        IR_OP_COUNT
};
struct ir_op_info {
    const char *name, *operands;
};
extern const struct ir_op_info ir_op_info[IR_OP_COUNT];
extern const uint8_t ir_flags[IR_OP_COUNT]; /* in an array of their own: every pass asks */
/* What the letters say: the number of fixed operands, and whether a list follows. */
struct ir_shape {
    uint8_t fixed, list;
};
extern const struct ir_shape ir_shapes[IR_OP_COUNT];
/* Of EQ … GE_U: what holds where one does not; what says the same with its operands exchanged. */
extern const uint16_t ir_negated[IR_GE_U + 1], ir_swapped[IR_GE_U + 1];

/* Whether the result is 0 or 1: the comparisons stand together in the table. */
static inline bool ir_is_comparison(unsigned op)
{
    return op >= IR_EQZ && op <= IR_FGE;
}

typedef uint32_t ir_ref;       /* index of an instruction */
typedef uint32_t ir_block_ref; /* index of a block; 0 is the entry */

struct ir_ins {
    uint16_t op;    /* enum ir_op */
    uint8_t type;   /* enum ir_type of the result */
    uint8_t access; /* enum ir_access of loads and stores */
    ir_block_ref block;
    ir_ref prev, next; /* in the block */
    union {
        struct {
            ir_ref a, b, c; /* without a list: instructions or 0, whether operands or not */
        };
        ir_ref abc[3]; /* the same */
        struct {
            uint32_t list_a;      /* operand a of CALL_INDIRECT */
            uint32_t list, count; /* first entry in pool, number of entries */
        };
    };
    uint32_t aux;
    union {
        uint64_t imm;
        double f64;
        float f32;
    };
    union {
        uint64_t imm2;
        uint32_t table;
    };
    uint32_t pos;  /* byte offset in the module, for traps and backtraces */
    uint32_t mark; /* scratch of the running pass */
};

struct ir_block {
    ir_ref first, last;
    uint32_t preds, pred_count, pred_capacity; /* pool range of block numbers, growable; a
                                                  predecessor stands there once, however many of its
                                                  successor entries lead here */
    uint32_t succs, succ_count;                /* pool range of block numbers */
    ir_block_ref idom;                         /* filled by ir_analyse() */
    uint32_t rpo;                              /* position in reverse post-order */
    uint32_t place, below; /* in a walk of the dominator tree; end of those it dominates */
    uint16_t loop_depth;
    uint16_t flags; /* IR_BLOCK_* */
    ir_block_ref
        loop; /* header of the innermost loop (a header: itself); IR_NONE outside of loops */
    ir_block_ref outer_loop; /* of a header: the header of the enclosing loop, or IR_NONE */
};
#define IR_NONE UINT32_MAX
/* COMES_BACK: an edge from the same or a later place of the order leads here; ir_analyse() tells.
 * APART: its code stands behind the rest of the function's, before what is cold. GIVEN: stay. */
enum {
    IR_BLOCK_LOOP_HEADER = 1,
    IR_BLOCK_COLD = 2,
    IR_BLOCK_UNREACHABLE = 4,
    IR_BLOCK_COMES_BACK = 8,
    IR_BLOCK_APART = 16,
    IR_BLOCK_GIVEN = IR_BLOCK_COLD | IR_BLOCK_APART,
};

/* Module facts the compiler needs about things outside the function. */
struct ir_signature {
    const uint8_t *params, *results; /* enum ir_type each */
    uint32_t param_count, result_count;
};
struct ir_global {
    uint8_t type;
    bool mutable_, imported, constant; /* constant: value known at compile time */
    uint64_t value, value2;
};
struct ir_memory {
    bool is64, shared;
    uint64_t min_pages, max_pages;
};
struct ir_table {
    uint64_t min, max;
    bool fixed; /* own, never grown or exported: size and base are constant */
};
struct ir_module {
    const struct ir_signature *types;
    const uint32_t *func_types; /* type index of every function, imports first */
    const struct ir_global *globals;
    const struct ir_memory *memories;
    const struct ir_table *tables;
    uint32_t type_count, func_count, import_count, global_count, memory_count, table_count;
    const uint32_t *tag_types; /* type index of every tag, imports first */
    uint32_t tag_count;
};

struct ir_func {
    const struct ir_module *module;
    uint32_t index; /* in the module's function index space */
    const struct ir_signature *signature;
    struct ir_ins *ins;
    uint32_t ins_count, ins_capacity;
    struct ir_block *blocks;
    uint32_t block_count, block_capacity;
    uint32_t *pool;
    uint32_t pool_count, pool_capacity;
    ir_block_ref *order; /* reachable blocks in reverse post-order; ir_analyse() */
    uint32_t order_count, order_capacity;
    uint32_t *scratch; /* of ir_analyse() and its like; contents last as long as one call */
    uint32_t scratch_capacity;
    ir_ref last_call; /* the last CALL appended; its mark is the one before, until a pass needs
                         marks */
    bool shifts; /* there have been shifts or rotations: passes for bytes look no further without */
    bool failed; /* an allocation failed: everything is a no-op until the caller looks */
    bool late;   /* ir_late() has said so */
    uint64_t
        deadline; /* of the compiler, wasm_host_now() scale; 0: none. Kept by ir_func_reset() */
    /* Stand in for ins and blocks until the first allocation, so that number 0 always exists. */
    struct ir_ins spare_ins;
    struct ir_block spare_block;
    uint32_t spare_word; /* of the pool, which is never NULL */
};

/* Whether a load may not move across it. */
static inline bool ir_has_effect(unsigned op)
{
    unsigned flags = ir_flags[op];
    return flags & (IR_W | IR_K) || (flags & IR_T && op != IR_LOAD);
}
static inline bool ir_is_shift(unsigned op)
{
    return op >= IR_SHL && op <= IR_ROTR;
}

/* Construction (ir/build.c). All return 0 and set failed when memory is short: ins[0] and blocks[0]
 * can be written then without harm, a list of 0 cannot, so look at failed before filling it. A
 * struct ir_func must not be copied or moved. */
void ir_func_init(struct ir_func *f, const struct ir_module *module, uint32_t index);
void ir_func_reset(struct ir_func *f); /* empty, memory kept for the next function */
void ir_func_drop(struct ir_func *f);  /* the same, a lot of memory given back */
void ir_func_free(struct ir_func *f);
ir_block_ref ir_block_new(struct ir_func *f); /* the first one is 0, the entry */
/* Adds PRED to BLOCK's predecessors; the caller sees to it that it stands there only once and
 * extends the phis. */
void ir_pred_add(struct ir_func *f, ir_block_ref block, ir_block_ref pred);
uint32_t ir_list_new(struct ir_func *f, uint32_t count); /* pool range, zeroed */
/* Appends to BLOCK; the caller fills the remaining fields through ir_at(). */
ir_ref ir_append(struct ir_func *f, ir_block_ref block, enum ir_op op, enum ir_type type);
ir_ref ir_insert_before(struct ir_func *f, ir_ref where, enum ir_op op, enum ir_type type);
/* A phi at the start of BLOCK with one (zero) entry per predecessor known now. */
ir_ref ir_phi_new(struct ir_func *f, ir_block_ref block, enum ir_type type);
/* Takes INS out of its block; what it says, its neighbours too, stays. */
void ir_unlink(struct ir_func *f, ir_ref ins);
/* The same, and makes it a NOP. */
void ir_remove(struct ir_func *f, ir_ref ins);
/* Terminators. They set the successors; predecessors of the targets are the caller's concern. */
ir_ref ir_jump(struct ir_func *f, ir_block_ref from, ir_block_ref to);
ir_ref ir_branch(struct ir_func *f, ir_block_ref from, ir_ref condition, ir_block_ref if_true,
                 ir_block_ref if_false);
ir_ref ir_switch(struct ir_func *f, ir_block_ref from, ir_ref index, uint32_t succ_count);

static inline struct ir_ins *ir_at(struct ir_func *f, ir_ref ref)
{
    return &f->ins[ref];
}
static inline const ir_block_ref *ir_preds(const struct ir_func *f, ir_block_ref block)
{
    return f->pool + f->blocks[block].preds;
}
static inline const ir_block_ref *ir_succs(const struct ir_func *f, ir_block_ref block)
{
    return f->pool + f->blocks[block].succs;
}

/* The instruction operands of INS, whatever its shape: a, b, c first, then the list. */
static inline uint32_t ir_operand_count(const struct ir_ins *ins)
{
    struct ir_shape shape = ir_shapes[ins->op];
    return shape.list ? shape.fixed + ins->count : shape.fixed;
}
static inline uint32_t *ir_operand(struct ir_func *f, struct ir_ins *ins, uint32_t i)
{
    uint32_t fixed = ir_shapes[ins->op].fixed;
    if (i >= fixed)
        return &f->pool[ins->list + i - fixed];
    return &ins->abc[i];
}

/* Analyses and tools (ir/). All work without recursion in time linear, or nearly so, in the size of
 * the function; all return false when memory is short. */
/* order, idom, loops; drops unreachable blocks: empties them, marks them IR_BLOCK_UNREACHABLE and
 * takes them out of predecessors and phis. idom of the entry is the entry. Numbers of blocks stay.
 */
bool ir_analyse(struct ir_func *f);
/* After ir_analyse(): whether A dominates B. */
static inline bool ir_dominates(const struct ir_func *f, ir_block_ref a, ir_block_ref b)
{
    return f->blocks[a].place <= f->blocks[b].place && f->blocks[b].place < f->blocks[a].below;
}
/* The front end does not split critical edges. This puts a block with a JUMP on every edge from a
 * block with several successors to a block with a phi (which has several predecessors, unless a
 * pass has taken all but one away); edges of one SWITCH to one target share theirs. After
 * ir_analyse(), whose results it keeps up to date, but that the new blocks dominate nothing. */
bool ir_split_critical_edges(struct ir_func *f);
/* The same for every critical edge, for moves of registers as well, but those of branches to blocks
 * without phis. */
bool ir_split_edges(struct ir_func *f);
/* The largest value that REF, an I32 or I64, can have, as far as its operation tells. */
uint64_t ir_limit(const struct ir_func *f, ir_ref ref);
/* How many low bits of REF are 0 for certain; more than it has: it is 0. */
unsigned ir_low_zeros(const struct ir_func *f, ir_ref ref);
/* Whether the deadline has passed: asked before every pass and stage, and within those that may be
 * long. Who gives up for it answers as if memory were short. */
bool ir_late(struct ir_func *f);
/* Replaces uses of COPY by what they copy and unlinks the copies. A pass that walks in reverse
 * post-order may do so as it goes, with ir_unlink() and, for each instruction,
 * ir_resolve_operands(): definitions come before uses then, and only what comes back from later
 * blocks to phis is left for the end. */
bool ir_resolve(struct ir_func *f);
bool ir_resolve_phis(struct ir_func *f);      /* all of them */
bool ir_resolve_back_phis(struct ir_func *f); /* those of blocks that something comes back to */
static inline bool ir_is_copy(const struct ir_func *f, ir_ref ref)
{
    return f->ins[ref].op == IR_COPY;
}
/* What REF, a COPY, stands for once copies are followed; shortens the path for the next one. */
ir_ref ir_follow_copy(struct ir_func *f, ir_ref ref);
static inline ir_ref ir_follow(struct ir_func *f, ir_ref ref)
{
    return ir_is_copy(f, ref) ? ir_follow_copy(f, ref) : ref;
}
/* Parts of ir_resolve_operands(): those in the list of INS; its a, b, c, where it has no list. */
void ir_resolve_list(struct ir_func *f, const struct ir_ins *ins);
void ir_resolve_abc(struct ir_func *f, struct ir_ins *ins);
static inline void ir_resolve_operands(struct ir_func *f, struct ir_ins *ins)
{
    if (ir_shapes[ins->op].list) {
        ins->a = ir_follow(f, ins->a);
        ir_resolve_list(f, ins);
    } else if (ir_is_copy(f, ins->a) | ir_is_copy(f, ins->b) | ir_is_copy(f, ins->c)) {
        /* All three at once: how many are there nobody can predict. */
        ir_resolve_abc(f, ins);
    }
}
/* Counts by what is needed for an effect or a result; what is not is taken out. USES has ins_count
 * entries. Leaves the marks 0. After ir_analyse(). */
struct ir_use {
    uint32_t count;  /* operands that this value is */
    uint32_t behind; /* instructions with effects, from this one to the end of its block */
};
bool ir_count_uses(struct ir_func *f, struct ir_use *uses);
/* Bounds of i32 values as unsigned numbers: never empty. RANGES has ins_count entries, of which
 * those of instructions in reachable blocks are filled (with everything where the type is another).
 * After ir_analyse(). */
struct ir_range {
    uint32_t lo, hi;
};
void ir_ranges(const struct ir_func *f, struct ir_range *ranges);
/* Every invariant above. Computes what it needs itself, so the analyses may be out of date; a
 * function with unreachable blocks is accepted. WHY names the first violation. */
bool ir_verify(struct ir_func *f, char *why, size_t size);
void ir_print(const struct ir_func *f, void (*put)(void *context, const char *line), void *context);
/* One instruction as ir_print() has it, cut to SIZE. Its whole length. */
size_t ir_print_ins(const struct ir_func *f, ir_ref ins, char *text, size_t size);

#endif
