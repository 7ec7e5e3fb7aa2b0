/* x86-64 machine code, one instruction per call: legacy and VEX encodings, and the growing buffer
 * they go to. Knows nothing of the compiler: operands are hardware register numbers. */
#ifndef QUINCE_X86_ENCODE_H
#define QUINCE_X86_ENCODE_H

#include <string.h>

#include "target/target.h"

enum {
    RAX,
    RCX,
    RDX,
    RBX,
    RSP,
    RBP,
    RSI,
    RDI,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    NO_REG = 0x14, /* as an index 4 means none, without a fourth bit in the prefix */
};

/* Condition codes as encoded in jcc, setcc and cmovcc. */
enum x86_cc {
    CC_O,
    CC_NO,
    CC_B,
    CC_AE,
    CC_E,
    CC_NE,
    CC_BE,
    CC_A,
    CC_S,
    CC_NS,
    CC_P,
    CC_NP,
    CC_L,
    CC_GE,
    CC_LE,
    CC_G,
};

/* Opcodes: prefix (0, 66, f2, f3) << 16 | map (0: none, 1: 0f, 2: 0f38, 3: 0f3a) << 8 | byte. */
#define X86(prefix, map, byte) ((uint32_t)(0x##prefix) << 16 | (map) << 8 | 0x##byte)
/* Set beside an opcode: what the encoder has to know besides. */
#define X86_W     0x8000000u /* REX.W, where it has that bit above bit 24, or VEX.W */
#define X86_BYTE  0x1000000u /* reg is a byte register: spl…dil need a REX prefix */
#define X86_RBYTE 0x2000000u /* rm, if a register, is a byte register */

/* A memory operand. RIP: relative to the end of the instruction. */
struct x86_mem {
    uint8_t base, index; /* NO_REG: none */
    uint8_t scale;       /* log2 */
    bool rip;
    int32_t disp;
};

/* Makes room for BYTES more. On failure code->failed is set and size restarts in what there is. */
bool x86_grow(struct code_buffer *code, size_t bytes);
static inline bool x86_reserve(struct code_buffer *code, size_t bytes)
{
    return (!code->failed && code->capacity - code->size >= bytes) || x86_grow(code, bytes);
}
#define X86_MAX_STEP 512u /* room that a step of the code generator may take without asking */

static inline void x86_byte(struct code_buffer *code, unsigned byte)
{
    code->bytes[code->size++] = (uint8_t)byte;
}
static inline void x86_u32(struct code_buffer *code, uint32_t value)
{
    memcpy(code->bytes + code->size, &value, 4);
    code->size += 4;
}
static inline void x86_u64(struct code_buffer *code, uint64_t value)
{
    memcpy(code->bytes + code->size, &value, 8);
    code->size += 8;
}

/* reg, rm forms. A rip-relative operand leaves its displacement as the last four bytes. */
void x86_rr(struct code_buffer *code, uint32_t op, unsigned reg, unsigned rm);
void x86_rm(struct code_buffer *code, uint32_t op, unsigned reg, const struct x86_mem *m);
/* VEX.128 with vvvv. */
void x86_vrr(struct code_buffer *code, uint32_t op, unsigned reg, unsigned vvvv, unsigned rm);
void x86_vrm(struct code_buffer *code, uint32_t op, unsigned reg, unsigned vvvv,
             const struct x86_mem *m);

/* Common ones. SIZE is 4 or 8. */
void x86_mov(struct code_buffer *code, unsigned size, unsigned to, unsigned from);
void x86_mov_imm(struct code_buffer *code, unsigned to, uint64_t value);
void x86_load(struct code_buffer *code, unsigned size, unsigned to, unsigned base, int32_t disp);
void x86_store(struct code_buffer *code, unsigned size, unsigned base, int32_t disp, unsigned from);
/* DIGIT: add 0, or 1, adc 2, sbb 3, and 4, sub 5, xor 6, cmp 7. */
enum x86_alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
void x86_alu(struct code_buffer *code, unsigned size, unsigned digit, unsigned to, unsigned from);
void x86_alu_imm(struct code_buffer *code, unsigned size, unsigned digit, unsigned to, int32_t imm);
void x86_alu_mem(struct code_buffer *code, unsigned size, unsigned digit, unsigned to,
                 const struct x86_mem *m);
void x86_push(struct code_buffer *code, unsigned reg);
void x86_pop(struct code_buffer *code, unsigned reg);
void x86_bswap(struct code_buffer *code, unsigned size, unsigned reg);
/* Takes BYTES off the stack as well. */
void x86_ret(struct code_buffer *code, uint32_t bytes);
void x86_call_mem(struct code_buffer *code, unsigned base, int32_t disp);
void x86_nops(struct code_buffer *code, unsigned bytes);

/* Jumps whose target is not known yet: the offset of the field to patch. */
uint32_t x86_jcc_short(struct code_buffer *code, unsigned cc);
uint32_t x86_jmp_short(struct code_buffer *code);
uint32_t x86_jcc_near(struct code_buffer *code, unsigned cc);
uint32_t x86_jmp_near(struct code_buffer *code);
void x86_patch_short(struct code_buffer *code, uint32_t field); /* to here */
static inline void x86_patch_near(struct code_buffer *code, uint32_t field, uint32_t target)
{
    uint32_t distance = target - (field + 4);
    memcpy(code->bytes + field, &distance, 4);
}

/* Tables beside the code. */
void code_trap_add(struct code_buffer *code, uint32_t offset, unsigned trap, uint32_t pos);
void code_site_add(struct code_buffer *code, uint32_t pos, bool catches); /* return address: here */
void code_reloc_add(struct code_buffer *code, uint32_t offset, uint32_t func);
void code_typeref_add(struct code_buffer *code, uint32_t offset, uint32_t type);
/* What is emitted from here on belongs to the instruction at POS. */
void code_position_add(struct code_buffer *code, uint32_t pos);
static inline void code_position(struct code_buffer *code, uint32_t pos)
{
    if (code->want_positions)
        code_position_add(code, pos);
}
/* struct code_unwind, with a hardware number for BASE and bits of code_saved() in SAVED. OFFSET
 * does not go down. */
void code_unwind_add(struct code_buffer *code, uint32_t offset, unsigned base, uint32_t frame,
                     uint32_t popped, unsigned saved);
/* DWARF's numbers of the registers (System V ABI, AMD64 supplement, figure 3.36). */
static inline unsigned code_dwarf_number(unsigned reg)
{
    static const uint8_t numbers[] = {0, 2, 1, 3, 7, 6, 4, 5};
    return reg < 8 ? numbers[reg] : reg;
}
/* The bit of a register that calls preserve. */
static inline unsigned code_saved(unsigned reg)
{
    return 1u << code_dwarf_number(reg);
}

/* Where an entry thunk saves rbp, below its own return address. */
enum { X86_ENTRY_FP = 16, X86_DEFAULT_MXCSR = 0x1f80 };

#endif
