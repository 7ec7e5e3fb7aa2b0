#include "target/x86_64/abi_regs.h"

static uint32_t stack_slot(struct abi_walk *walk, uint8_t type)
{
    uint32_t where = ARG_STACK + walk->stack;
    walk->stack += type == IR_V128 ? 16 : 8;
    return where;
}

uint32_t abi_param(struct abi_walk *walk, uint8_t type)
{
    static const uint8_t integers[] = {R_RSI, R_RDX, R_RCX, R_R8, R_R9};
    if (type_is_xmm(type))
        return walk->floats < 8 ? R_XMM0 + walk->floats++ : stack_slot(walk, type);
    return walk->integers < sizeof integers ? integers[walk->integers++] : stack_slot(walk, type);
}

uint32_t abi_result(struct abi_walk *walk, uint8_t type)
{
    if (type_is_xmm(type))
        return walk->floats < 2 ? R_XMM0 + walk->floats++ : stack_slot(walk, type);
    return walk->integers < 2 ? (walk->integers++ ? R_RDX : R_RAX) : stack_slot(walk, type);
}

uint32_t abi_param_bytes(const struct ir_signature *signature)
{
    struct abi_walk walk = {0, 0, 0};
    for (uint32_t i = 0; i < signature->param_count; i++)
        abi_param(&walk, signature->params[i]);
    return (walk.stack + 15) & ~15u;
}

uint32_t abi_result_bytes(const struct ir_signature *signature)
{
    struct abi_walk walk = {0, 0, 0};
    for (uint32_t i = 0; i < signature->result_count; i++)
        abi_result(&walk, signature->results[i]);
    return walk.stack;
}
