/* Machine IR: x86 instructions over virtual registers, in the order of the code to be. Selection
 * (select*.c) makes it, liveness (live.c) and register allocation (regalloc.c, resolve.c) annotate
 * it, emission (emit*.c) turns it into bytes. Also the compiler's scratch memory, which is kept
 * from function to function.
 *
 * Positions: instruction i reads its operands at 2i and writes its results at 2i + 1. Virtual
 * registers are in SSA form but for results that must share a register with an operand ("modify"):
 * those are copied first and then modified by the very next instructions, never across a block's
 * end. */
#ifndef QUINCE_X86_MIR_H
#define QUINCE_X86_MIR_H

#include "host.h"
#include "target/x86_64/encode.h"

/* Registers: 0 none, 1…16 general purpose, 17…32 xmm, from FIRST_VREG on virtual ones. r14, r15,
 * rsp have fixed roles (abi.h); xmm15 is the scratch of parallel moves and of instruction
 * sequences. */
typedef uint32_t mreg;
enum {
    R_NONE = 0,
    R_RAX = 1 + RAX,
    R_RCX,
    R_RDX,
    R_RBX,
    R_RSP,
    R_RBP,
    R_RSI,
    R_RDI,
    R_R8,
    R_R9,
    R_R10,
    R_R11,
    R_R12,
    R_R13,
    R_R14,
    R_R15,
    R_XMM0,
    R_XMM15 = R_XMM0 + 15,
    REG_COUNT,
    FIRST_VREG = 64,
};
#define SCRATCH_XMM 15u
/* Those a function must give back as they were: bit per register number. */
#define SAVED_REGS (1u << RBX | 1u << RBP | 1u << R12 | 1u << R13)
static inline unsigned hw(mreg r) /* hardware number */
{
    return (r - 1) & 15;
}
static inline bool is_xmm(mreg r)
{
    return r >= R_XMM0 && r < REG_COUNT;
}

/* How an operand is used. ANY: register, spill slot or constant, all the same (call arguments,
 * moves); MEM: a register is better but a spill slot can be addressed; REG: a register. AT_END: as
 * ANY, a phi's operand, which the edge's move reads where the block ends. */
enum use_kind { USE_AT_END, USE_ANY, USE_MEM, USE_REG };
/* What happens to dst. DEF; MODIFY: read and written; EARLY: written before operands are read. */
enum def_kind { DEF_NONE, DEF_LATE, DEF_MODIFY, DEF_EARLY };

/* X(name, dst, a, b). Memory operands (base, index) are USE_REG always. t is a temporary. */
/* clang-format off */
#define MOPS(X)                                                                                    \
    X(NOP, NONE, NONE, NONE)                                                                       \
    X(MOV, LATE, ANY, NONE)     /* dst = a; either may be a physical register */                   \
    X(MOVZX32, LATE, MEM, NONE) /* dst = zero-extended low half of a */                            \
    X(CONST, LATE, NONE, NONE)  /* dst = imm */                                                    \
    X(FCONST, LATE, NONE, NONE) /* dst = imm as float bits */                                      \
    X(LOAD, LATE, NONE, NONE)   /* dst = [mem], sub: enum ir_access, size: of the result */        \
    X(STORE, NONE, NONE, REG)   /* [mem] = b or imm, sub: enum ir_access */                        \
    X(LEA, LATE, NONE, NONE)                                                                       \
    X(ALU, MODIFY, NONE, MEM)     /* sub: enum x86_alu; dst op= b, imm or [mem] */                 \
    X(ALU_STORE, NONE, NONE, REG) /* [mem] op= b or imm */                                         \
    X(CMP, NONE, REG, MEM)                                                                         \
    X(TEST, NONE, REG, MEM)                                                                        \
    X(CMP_MEM, NONE, NONE, REG) /* [mem] with b or imm; size 1, 2, 4, 8 */                         \
        X(IMUL, MODIFY, NONE, MEM) X(IMUL3, LATE, NONE, MEM) /* dst = b * imm */                   \
        X(SHIFT, MODIFY, NONE, NONE)                         /* sub: digit; dst by imm */          \
        X(SHIFT_CL, MODIFY, NONE, NONE)                      /* dst by cl */                       \
        X(SHIFTX, LATE, REG, MEM)                            /* BMI2: dst = b by a */              \
        X(RORX, LATE, NONE, MEM) /* BMI2: dst = b rotated right by imm */                          \
        X(ANDN, LATE, REG, MEM)  /* BMI1: dst = ~a & b */                                          \
        X(NEG, MODIFY, NONE, NONE) X(NOT, MODIFY, NONE, NONE) X(BSWAP, MODIFY, NONE, NONE) X(      \
            BITS, LATE, NONE, MEM) /* dst = popcnt, lzcnt, tzcnt, bsr, bsf b; sub: enum bits_op */ \
        X(SEXT, LATE, NONE, MEM)   /* dst = sign-extended b, sub: 1, 2, 4 bytes */                 \
        X(DIV, NONE, NONE, MEM)    /* rdx:rax by b; sub: enum div_op */                            \
        X(SETCC, LATE, NONE, NONE) /* sub: condition */                                            \
        X(CMOV, MODIFY, NONE, MEM) /* dst = b if sub */                                            \
        X(FSELECT, MODIFY, NONE, REG) /* the same for xmm, by a jump */                            \
        X(SSE, MODIFY, NONE, MEM)     /* list: X86() opcode; dst op= b; MI_IMM: as below */         \
        X(SSE_UNARY, LATE, NONE, MEM) /* dst = op b; MI_IMM: sub is an immediate */              \
        X(UCOMIS, NONE, REG, MEM) X(GPR_TO_XMM, LATE, MEM, NONE) X(XMM_TO_GPR, LATE, REG, NONE)    \
            X(FMINMAX, MODIFY, NONE, REG) /* sub: 1 max */                                         \
        X(VEX, LATE, REG, MEM)            /* the same without a move before: dst = a op b */       \
        X(SSE_SHIFT, MODIFY, NONE, NONE)  /* dst shifted by imm; list: opcode, sub: digit */       \
        X(VEX_SHIFT, LATE, REG, NONE)     /* dst = a shifted by imm */                             \
        X(VBLEND, LATE, REG, REG)         /* dst = lanes of b where index is negative, else of a */\
        X(PTEST, NONE, REG, MEM)          /* zero: a & b is; carry: ~a & b is */                   \
        X(PEXTR, LATE, REG, NONE)         /* dst gpr = lane sub of a, of size bytes */             \
        X(PEXTR_STORE, NONE, NONE, REG)   /* [mem] = lane sub of b */                              \
        X(MOVMSK, LATE, REG, NONE)        /* list: opcode; dst gpr = sign bits of a */             \
        X(VCONST, LATE, NONE, NONE)       /* dst = pool entry imm */                               \
        X(TRUNC, EARLY, REG, TEMP)        /* dst = integer of a; sub: enum trunc_op */             \
        X(CONVERT_U64, LATE, REG, TEMP)   /* dst xmm = unsigned a */                               \
        X(JMP, NONE, NONE, NONE) X(JCC, NONE, NONE, NONE) /* sub: condition; succ 0 if it holds */ \
        X(SWITCH, NONE, REG, TEMP) /* sub: enum switch_kind */                                     \
        X(RET, NONE, NONE, NONE)                          /* list: values and where they go */     \
        X(TRAP, NONE, NONE, NONE)                         /* imm: enum wasm_trap */                \
        X(TRAP_IF, NONE, NONE, NONE) /* sub: condition, imm: enum wasm_trap */                     \
        X(FUNC, NONE, REG, TEMP)  /* call_indirect's checks: rax, rdi = function, code; imm: type, \
                                     list: table */                                                \
        X(CALL, NONE, NONE, NONE) /* list: arguments, disp: bytes of them on the stack; imm: function */ \
        X(CALL_IMPORT, NONE, NONE, NONE) X(CALL_HELPER, NONE, NONE, NONE)                          \
            X(CALL_RDI, NONE, NONE, NONE) /* after FUNC */                                         \
        X(SWAP, MODIFY, NONE, NONE)  /* lock xadd (sub: 1) or xchg [mem], dst */                   \
        X(CMPXCHG, NONE, NONE, REG)  /* lock cmpxchg [mem], b; rax */                              \
        X(UPDATE, NONE, REG, TEMP)   /* rax = [mem], [mem] op= a at once; sub: enum x86_alu */     \
        X(FENCE, NONE, NONE, NONE)
/* clang-format on */

#define USE_TEMP 4
enum mop {
#define X(name, dst, a, b) M_##name,
    MOPS(X)
#undef X
        MOP_COUNT
};
struct mop_info {
    uint8_t dst, a, b;
    bool special; /* writes early, has temporaries or arguments, or takes real registers */
};
extern const struct mop_info mop_info[MOP_COUNT];

/* A jump table, where flags say below for in range, or with a index in range; or one comparison
 * after the other, with a the index itself. */
enum switch_kind { SWITCH_CHECKED, SWITCH_IN_RANGE, SWITCH_COMPARE };
enum bits_op { BITS_POPCNT, BITS_LZCNT, BITS_TZCNT, BITS_BSR, BITS_BSF };
enum div_op { DIV_SIGNED = 1, DIV_REM = 2, DIV_CHECK = 4 }; /* CHECK: b may be -1 */
/* source is f64, result is 64 bits, unsigned, saturating */
enum trunc_op { TRUNC_F64 = 1, TRUNC_64 = 2, TRUNC_UNSIGNED = 4, TRUNC_SAT = 8 };
/* Float equality needs two flags: pseudo conditions after UCOMIS. */
enum { CC_FEQ = 16, CC_FNE = 17 };

/* Entries of the jump table of a switch with COUNT successors. */
static inline uint32_t switch_entries(uint32_t count)
{
    return count > 1 ? 1u << (32 - __builtin_clz(count - 1)) : 1;
}

/* What operand b is, or the memory operand that takes its place. */
enum mform { B_REG, B_IMM, B_MEM, B_POOL };
enum {
    MI_TRAPS = 1,    /* the memory access may fault: out of bounds */
    MI_TAIL = 4,     /* a call that replaces the frame */
    MI_IMM = 64,     /* xmm instructions: the byte sub follows */
    MI_STAGED = 8,   /* … whose stack arguments are gathered elsewhere before they go there */
    MI_CATCHES = 16, /* a call behind which exceptions arrive: it keeps no register */
    MI_LOCK = 32,    /* with a lock prefix */
};

/* Kept small: a function of a megabyte has several hundred thousand. */
struct mins {
    uint8_t op;
    uint8_t size; /* of the operation in bytes */
    uint8_t sub;
    uint8_t form, flags, scale;
    uint16_t count; /* of margs */
    mreg dst, a, b;
    mreg base, index;
    int32_t disp;
    uint64_t imm;  /* B_POOL: number of the pool entry */
    uint32_t list; /* first of margs; SSE: the opcode; FUNC: the table */
    uint32_t pos;
};
_Static_assert(sizeof(struct mins) == 48 && MOP_COUNT < 256, "see above");

/* An argument, a result or a phi operand on its way: VALUE goes to WHERE. */
struct marg {
    mreg value;     /* may be a constant */
    uint32_t where; /* register, ARG_STACK + byte offset from rsp at the call, ARG_INCOMING + byte
                       offset from above our own return address, or the phi */
};
#define ARG_STACK    0x40000000u
#define ARG_INCOMING 0x80000000u

/* Blocks in layout order. */
struct mblock {
    uint32_t first, end;        /* instructions */
    uint32_t succs, succ_count; /* range of c->targets: numbers in layout order */
    uint32_t own, own_count;    /* range of c->targets: the block's own phis */
    uint32_t phis, phi_count;   /* margs: operands of the only successor's phis (WHERE: the phi) */
    uint32_t ir;
    uint32_t free;        /* of loop headers: registers that hold nothing where they start */
    uint32_t next_header; /* … the one behind, while allocating */
    uint16_t depth;
    bool cold, header;
    bool apart;        /* stands behind all others but the cold ones */
    uint32_t table;    /* where its jump table is, 0: none yet */
    uint32_t edge;     /* of loop headers: block that is emitted right before, 0: none */
    bool nests;        /* of loop headers: there are loops inside */
    bool early;        /* is such a block */
    bool placed;       /* of blocks on edges: before the one they lead to */
    uint32_t split[2]; /* number in c->split_edges, from 1, of its successors' edges; 0: none */
};

struct vreg {
    bool xmm : 1;        /* its class */
    bool constant : 1;   /* no register: IMM is materialised wherever a move needs it */
    bool leads : 1;      /* a phi group of more than itself */
    bool incoming : 1;   /* lives in an incoming stack slot from the start: at SLOT */
    bool in_memory : 1;  /* some of the time */
    bool store_each : 1; /* stored where it goes to memory, not at its definition */
    bool hinted : 1;     /* some use would like a certain register */
    uint8_t size;        /* bytes to move and to spill: 4, 8, 16 */
    uint8_t last_reg;    /* that its latest part in a register had */
    uint8_t group_reg;   /* of a phi group leader: register its members should share */
    uint32_t phi_group;  /* towards the leader; itself if it is one */
    mreg hint, hint2;    /* registers, real or virtual, it would like to share */
    uint32_t interval;   /* first one, 0: never defined */
    uint32_t current;    /* while walking in order: the part; 0: all its life in last_reg */
    int32_t slot;        /* offset of the spill slot, -1 none */
    uint32_t def;        /* position of the last write of the definition */
    uint32_t group_slot; /* of a phi group leader: slot its members should share, plus 1 */
    union {
        uint32_t range;   /* first in c->ranges, until moves are found */
        float store_cost; /* of stores wherever it goes to memory */
    };
    union {
        struct {
            uint32_t start, end;
        };
        uint64_t imm; /* of a constant; if that has 16 bytes, its number in the pool */
    };
};
_Static_assert(sizeof(struct vreg) == 48, "as few as can be");

struct range {
    uint32_t from, to;
};
struct use {
    uint32_t pos;
    uint8_t kind; /* enum use_kind */
    uint8_t hint; /* physical register */
    uint16_t depth;
};
struct range_node {
    struct range range;
    uint32_t next;
};
/* Of up to 64 registers, which live at a block's start and at its end, which are defined in it, and
 * of which those before it have not been told yet. */
struct live_block {
    uint64_t in, out, defs, pending;
};
/* 64 blocks: in which any of those registers lives, and of which those before have not been told.
 */
struct block_word {
    uint64_t touched, pending;
};
/* A part of a virtual register's life in one place. */
struct interval {
    uint32_t vreg;
    uint32_t start, end;
    uint32_t range, range_end; /* in c->ranges, those that reach beyond the current position */
    uint32_t use, use_end;     /* in c->uses */
    uint32_t next;             /* the following part */
    uint8_t reg;               /* 0: memory */
    bool split;                /* not the first part */
};

/* A move to be done before an instruction. */
struct gap_move {
    uint64_t key; /* position << 8 | phase << 6…: sorting brings them into order */
    mreg vreg;
    mreg from, to; /* registers; 0: the slot of vreg, which may be a constant */
    uint32_t phi;  /* destination's vreg, if different */
};
enum { GAP_EDGE_IN, GAP_STORE, GAP_SPLIT, GAP_EDGE_OUT };

/* Blocks: the first and the last one. */
struct span {
    uint32_t first, last;
};
/* A block that control flow reaches otherwise than from the one before it, and between which blocks
 * those stand that lead there. Groups of so many are looked at together. */
struct join {
    uint32_t block;
    struct span from;
};
enum { JOIN_GROUP = 8 };
/* A piece of a virtual register's life in one place. */
struct stay {
    uint32_t from, to;
    uint8_t reg; /* 0: memory */
};

/* The way back to a loop's start, in a block of its own (loop_edges.c). */
struct loop_edge {
    uint32_t from;          /* the block that branches there */
    uint32_t last_move;     /* position of the last move in that */
    uint32_t needed;        /* registers, by bit: where else it leads, */
    uint32_t read, written; /* … by the edge's moves */
    bool fixed;             /* some of its moves must stay */
};

/* An edge that gets a block of its own (edges.c): from the end of a branch to what leads on, and
 * where either stands in the other's list, in c->targets and c->preds. */
struct split_edge {
    uint32_t from, target, pred;
};

#define VEC(type)                                                                                  \
    struct {                                                                                       \
        type *data;                                                                                \
        uint32_t count, capacity;                                                                  \
    }

/* A memory other than 0: its base, loaded once at the start of BLOCK. */
struct memory_base {
    uint32_t memory;
    ir_block_ref block;
    mreg reg;
};

struct stub; /* cold code at the end, emit.h */

struct target_compiler {
    struct target_features cpu;
    struct ir_func *f;
    struct code_buffer *out;
    bool failed;

    /* selection */
    VEC(uint32_t) values;        /* of IR instructions: virtual register, 0 none yet */
    VEC(struct ir_use) counts;   /* of IR instructions */
    VEC(struct ir_range) bounds; /* of IR instructions of type I32 */
    VEC(uint32_t) folded;        /* of IR instructions: bit set of loads that another one took in */
    ir_block_ref block;          /* under selection, and its number in layout order */
    uint32_t current, level, pos;
    VEC(uint32_t) cold_blocks; /* IR blocks, while the layout is found */
    VEC(uint32_t) place;       /* of IR blocks: number in layout order */
    VEC(struct mins) ins;      /* at first backwards */
    VEC(struct mblock) blocks;
    VEC(uint32_t) targets;        /* successors, the blocks' own phis */
    VEC(uint32_t) preds;          /* predecessors of all blocks, in order */
    VEC(uint32_t) pred_first;     /* of blocks, and one more: the first of them */
    VEC(struct join) joins;       /* in order, and a group of those that never come */
    VEC(struct span) join_groups; /* of all in the group */
    VEC(uint32_t) join_from;      /* of blocks, and two more: the first join there or behind */
    VEC(struct marg) args;
    VEC(struct vreg) vregs; /* [0] is number FIRST_VREG */
    VEC(struct memory_base) bases;
    uint32_t outgoing; /* bytes of stack results of calls */
    uint32_t pushed;   /* most bytes of stack arguments of a call */
    uint32_t incoming; /* bytes above the return address that are ours: those of our stack
                          arguments or of a tail call's, if it has more */
    uint32_t shift;    /* by how much the return address moves to make room for those */
    bool calls, catches;

    /* liveness and allocation */
    VEC(struct use) uses; /* those of each register side by side */
    VEC(uint32_t)
    use_first; /* of registers, by number, and one more: number of uses, then the first */
    VEC(uint32_t) starts; /* of blocks, and one more: first position */
    VEC(struct live_block) live;
    VEC(struct block_word) sets;        /* of blocks, 0 between uses */
    VEC(struct range_node) range_nodes; /* as they are found; [0] is none */
    VEC(struct range) ranges;
    VEC(struct interval) intervals;
    VEC(struct range) fixed[REG_COUNT];
    VEC(uint32_t) holes[REG_COUNT]; /* while allocating: intervals in a hole of their life */
    VEC(uint32_t) clobbers;         /* positions of calls */
    VEC(uint32_t) heap;             /* split parts to be allocated, by start */
    VEC(uint32_t) due;              /* of instructions: registers, by bit, something happens to */
    VEC(uint32_t) weights;          /* of blocks: loops around it and 1; 0: cold */
    VEC(uint32_t) work;
    VEC(uint32_t) defs;              /* virtual registers by start */
    VEC(uint32_t) phi_blocks;        /* blocks with operands of phis, the last one first */
    VEC(uint32_t) reach;             /* of spill slots: kept for a group of phis */
    VEC(uint32_t) loop_of, loop_end; /* of blocks: innermost loop's header; of headers: position */
    VEC(struct gap_move) moves, merged;
    VEC(struct loop_edge) loop_edges;
    VEC(struct split_edge) split_edges;
    uint32_t split_most;    /* so many at most */
    VEC(struct stay) stays; /* of the register that is looked at, by position */
    VEC(uint32_t) parted;   /* virtual registers that are not all their life in one register */
    VEC(uint32_t) block_of; /* of instructions (position / 2): block, for split positions */
    uint32_t used_regs;     /* bit per register number */
    uint32_t spill_bytes;

    /* emission */
    uint32_t start;      /* offset in out */
    uint32_t frame;      /* bytes from rsp to the return address */
    uint32_t spill_base; /* first spill slot from rsp */
    unsigned saved;      /* registers that the prologue pushed, as code_saved() says */
    uint32_t next_move;  /* in moves, while walking */
    uint64_t gap;        /* its position */
    uint32_t copied;     /* instructions of blocks emitted once more */
    uint32_t line_loop;  /* that emission is in, with none inside, by its header, or NO_LOOP */
    uint32_t line_block, line_start; /* its first block and where that is */
    uint32_t line_reach;             /* the lowest place it jumps back to */
    uint32_t edge_out;  /* instruction at a block's end that moves are being made before, 0 none */
    uint32_t flags_end; /* where the last ALU instruction ended: its flags tell of flags_reg */
    uint8_t flags_reg, flags_size;
    bool flags_logic;     /* carry and overflow are clear */
    uint32_t compare;     /* the last comparison … */
    uint32_t compare_end; /* … whose flags last up to this offset */
    bool zeroed;          /* the register of the setcc to come */
    VEC(uint32_t) labels; /* of blocks: offset */
    VEC(struct fixup) fixups;
    VEC(struct stub) stubs;
    VEC(struct pool_entry) pool;
    VEC(struct pool_use) pool_uses;
    VEC(struct jump_table) tables;
    VEC(uint32_t) forward;   /* of blocks: the one that a jump to it may go to at once */
    VEC(uint32_t) behind;    /* of blocks that are emitted: the one emitted next */
    VEC(uint32_t) ways_back; /* blocks that jump back */
    VEC(struct pmove) pmoves;
    VEC(uint32_t) readers, writers; /* of places, for parallel moves; zero in between */
};

/* Sets c->failed: no memory, or what must not happen. A place for a breakpoint. */
void mir_fail(struct target_compiler *c);
/* Memory. Growth of a VEC sets c->failed and answers false when there is none. What stands in the
 * first COUNT entries is kept, nothing else. */
bool mir_grow(struct target_compiler *c, void *vec, uint64_t need, size_t entry);
#define vec_reserve(c, v, n)                                                                       \
    ((uint64_t)(n) <= (v).capacity || mir_grow(c, &(v), (uint64_t)(n), sizeof *(v).data))
/* What only a huge function needs is given back as soon as it has had its use. */
#define vec_drop(v)                                                                                \
    ((size_t)(v).capacity * sizeof *(v).data > LARGE                                               \
         ? (void)(wasm_host_free((v).data), (v).data = NULL, (v).count = (v).capacity = 0)         \
         : (void)0)
#define LARGE ((size_t)1 << 20)
/* One more entry at the end: false when out of memory. */
#define vec_push(c, v, ...)                                                                        \
    (vec_reserve(c, v, (uint64_t)(v).count + 1) ? ((v).data[(v).count++] = (__VA_ARGS__), true)    \
                                                : false)

static inline struct vreg *vreg_at(struct target_compiler *c, mreg r)
{
    return &c->vregs.data[r - FIRST_VREG];
}
mreg vreg_new(struct target_compiler *c, bool xmm, unsigned size);
mreg vreg_const(struct target_compiler *c, bool xmm, unsigned size, uint64_t imm);

mreg phi_root(struct target_compiler *c, mreg r);
/* Of the group of phis and their operands that R belongs to, or R. */
static inline mreg phi_leader(struct target_compiler *c, mreg r)
{
    mreg up = vreg_at(c, r)->phi_group;
    up = up ? up : r; /* mostly it is that already */
    return vreg_at(c, up)->phi_group ? phi_root(c, r) : up;
}
uint32_t pool_add(struct target_compiler *c, unsigned size, uint64_t low, uint64_t high);
bool select_function(struct target_compiler *c);
bool live_build(struct target_compiler *c);
bool live_ranges(struct target_compiler *c); /* its second part */
/* Loops, as register allocation asks for them: fills c->loop_of, loop_end, weights and the
 * headers' next_header and nests; answers the first header, NO_LOOP: none. */
#define NO_LOOP UINT32_MAX
uint32_t find_loops(struct target_compiler *c);
/* How long before the end of a round of the loop that starts at POS the value is there that R has
 * in the next one, in positions: all of it if the loop does not change R. */
uint32_t loop_slack(struct target_compiler *c, mreg r, uint32_t pos);
/* Where in (LOW, HIGH], positions, to split a register: the latest place where the control flow is
 * coldest; even. */
uint32_t split_place(struct target_compiler *c, uint32_t low, uint32_t high);
/* The register that most ways into a join bring IT in, where that is a phi of it, or want it in
 * behind, while allocating; 0: it is none, or nothing is known. */
unsigned join_hint(const struct target_compiler *c, const struct interval *it);
bool regalloc_run(struct target_compiler *c);
bool resolve_run(struct target_compiler *c);
/* Where to move on the edge to TO, which others lead to as well, from the branch at PRED in
 * c->preds: a position behind all instructions. Then the blocks there, behind all others. */
uint32_t edge_position(struct target_compiler *c, uint32_t pred, uint32_t to);
bool edges_make(struct target_compiler *c);
bool loop_edges(struct target_compiler *c); /* its last part: false, out of memory */
/* The register of R at POS, 0 memory. Positions must not go down after a reset. */
void walk_reset(struct target_compiler *c);
unsigned place_in_parts(struct target_compiler *c, struct vreg *v, uint32_t pos);
static inline unsigned place_at(struct target_compiler *c, mreg r, uint32_t pos)
{
    struct vreg *v = vreg_at(c, r);
    return v->current ? place_in_parts(c, v, pos) : v->last_reg;
}
bool emit_function(struct target_compiler *c, struct code_func *where);

#endif
