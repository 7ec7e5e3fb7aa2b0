/* Where arguments and results live by abi.h's calling convention. */
#ifndef QUINCE_X86_ABI_REGS_H
#define QUINCE_X86_ABI_REGS_H

#include "target/x86_64/mir.h"

/* Walks the parameters or results of a signature. */
struct abi_walk {
    uint32_t integers, floats;
    uint32_t stack; /* bytes used so far */
};
/* The place of the next parameter or result of TYPE: a register, or ARG_STACK + offset. */
uint32_t abi_param(struct abi_walk *walk, uint8_t type);
uint32_t abi_result(struct abi_walk *walk, uint8_t type);
/* Bytes of stack arguments, rounded up to a multiple of 16: what the callee takes off the stack
 * when it returns. And bytes of results in memory. */
uint32_t abi_param_bytes(const struct ir_signature *signature);
uint32_t abi_result_bytes(const struct ir_signature *signature);

/* Bytes in front of a foreign or host thunk at which a tail call enters it (thunks.c). */
enum { FOREIGN_TAIL = 32 };

static inline bool type_is_xmm(uint8_t type)
{
    return type == IR_F32 || type == IR_F64 || type == IR_V128;
}
static inline unsigned type_size(uint8_t type)
{
    return type == IR_V128 ? 16 : type == IR_I32 || type == IR_F32 ? 4 : 8;
}

#endif
