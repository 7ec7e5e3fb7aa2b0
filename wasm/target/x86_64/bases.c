/* The bases of memories other than 0, which no register is reserved for. A base never moves, so it
 * is loaded once in a function: in the block nearest to its uses that dominates them all and is in
 * no loop. The register allocator keeps it in a register or on the stack from there. */
#include "target/x86_64/select.h"

#include "runtime/abi.h"

#define OFFSET(type, field) ((uint32_t)offsetof(struct type, field))

static struct memory_base *base_at(struct target_compiler *c, uint32_t memory)
{
    for (uint32_t i = 0; i < c->bases.count; i++)
        if (c->bases.data[i].memory == memory)
            return &c->bases.data[i];
    return NULL;
}

/* The nearest block that dominates A and B. */
static ir_block_ref common(const struct ir_func *f, ir_block_ref a, ir_block_ref b)
{
    while (!ir_dominates(f, a, b))
        a = f->blocks[a].idom;
    return a;
}

bool bases_note(struct target_compiler *c, uint32_t memory, ir_block_ref b)
{
    struct memory_base *known = base_at(c, memory);
    if (known) {
        known->block = common(c->f, known->block, b);
        return true;
    }
    struct memory_base fresh = {.memory = memory, .block = b};
    return vec_push(c, c->bases, fresh);
}

void bases_place(struct target_compiler *c)
{
    const struct ir_func *f = c->f;
    for (uint32_t i = 0; i < c->bases.count; i++) {
        struct memory_base *base = &c->bases.data[i];
        while (f->blocks[base->block].loop != IR_NONE)
            base->block = f->blocks[f->blocks[base->block].loop].idom;
        base->reg = vreg_new(c, false, 8);
    }
}

mreg memory_base(struct target_compiler *c, uint32_t memory)
{
    const struct memory_base *base = base_at(c, memory);
    if (base)
        return base->reg;
    mir_fail(c); /* an operation that bases_note() has not seen */
    return FIRST_VREG;
}

void bases_load(struct target_compiler *c, ir_block_ref b)
{
    mreg memories = R_NONE;
    for (uint32_t i = 0; i < c->bases.count; i++) {
        const struct memory_base base = c->bases.data[i];
        if (base.block != b)
            continue;
        if (!memories)
            memories = put_pointer(c, R_R15, OFFSET(wasm_instance, memories));
        mreg memory = put_pointer(c, memories, base.memory * 8);
        put_load(c, IR_REF, base.reg, memory, (int32_t)OFFSET(wasm_memory, base));
    }
}
