/* Parallel moves: what has to happen at once is put into an order, cycles are broken by exchanging
 * registers or through the scratch register. */
#include "target/x86_64/emit.h"

#include <string.h>

uint32_t stack_place(struct target_compiler *c, const struct vreg *v)
{
    uint32_t base = v->incoming ? c->frame + 8 + c->shift : c->spill_base;
    return PLACE_STACK + base + (uint32_t)v->slot;
}

static struct x86_mem stack_mem(uint32_t place)
{
    return (struct x86_mem){.base = RSP, .index = NO_REG, .disp = (int32_t)(place - PLACE_STACK)};
}

static void load_xmm(struct target_compiler *c, unsigned reg, const struct x86_mem *m,
                     unsigned size)
{
    xmm_rm(c, size == 16 ? X86(0, 1, 10) : size == 8 ? X86(f2, 1, 10) : X86(f3, 1, 10), reg, 0, m);
}

static void store_xmm(struct target_compiler *c, unsigned reg, const struct x86_mem *m,
                      unsigned size)
{
    xmm_rm(c, size == 16 ? X86(0, 1, 11) : size == 8 ? X86(f2, 1, 11) : X86(f3, 1, 11), reg, 0, m);
}

/* General registers are spilled whole, so that a zero-extended i32 may be read as an i64. */
void emit_copy(struct target_compiler *c, uint32_t to, uint32_t from, bool xmm, unsigned size)
{
    if (to == from)
        return;
    if (to < PLACE_STACK && from < PLACE_STACK) {
        if (is_xmm(to) && is_xmm(from))
            xmm_copy(c, hw(to), hw(from));
        else if (is_xmm(to))
            xmm_rr(c, X86(66, 1, 6e) | X86_W, hw(to), 0, hw(from));
        else if (is_xmm(from))
            xmm_rr(c, X86(66, 1, 7e) | X86_W, hw(from), 0, hw(to));
        else
            x86_mov(c->out, size, hw(to), hw(from));
    } else if (to < PLACE_STACK) {
        struct x86_mem m = stack_mem(from);
        if (is_xmm(to))
            load_xmm(c, hw(to), &m, xmm ? size : 8);
        else
            x86_rm(c->out, X86(0, 0, 8b) | X86_W, hw(to), &m);
    } else if (from < PLACE_STACK) {
        struct x86_mem m = stack_mem(to);
        if (is_xmm(from))
            store_xmm(c, hw(from), &m, xmm ? size : 8);
        else
            x86_rm(c->out, X86(0, 0, 89) | X86_W, hw(from), &m);
    } else {
        /* push and pop count rsp as it is before and after themselves. */
        for (uint32_t k = 0; k < (size == 16 ? 16u : 8u); k += 8) {
            struct x86_mem m = stack_mem(from + k);
            x86_rm(c->out, X86(0, 0, ff), 6, &m);
            m = stack_mem(to + k);
            x86_rm(c->out, X86(0, 0, 8f), 0, &m);
        }
    }
}

static void vector_constant(struct target_compiler *c, uint32_t to, uint32_t entry)
{
    if (entry >= c->pool.count) /* no memory for it */
        return;
    const struct pool_entry *e = &c->pool.data[entry];
    unsigned reg = to >= PLACE_STACK ? SCRATCH_XMM : hw(to);
    if (!(e->low | e->high)) {
        xmm_rr(c, X86(0, 1, 57), reg, reg, reg);
    } else if ((e->low & e->high) == UINT64_MAX) {
        xmm_rr(c, X86(66, 1, 76), reg, reg, reg);
    } else {
        struct x86_mem m = {.rip = true};
        xmm_rm(c, X86(0, 1, 28), reg, 0, &m);
        pool_use(c, entry, 0);
    }
    emit_copy(c, to, R_XMM0 + reg, true, 16);
}

void emit_constant(struct target_compiler *c, uint32_t to, bool xmm, unsigned size, uint64_t imm,
                   bool keep_flags)
{
    if (xmm && size == 16) {
        vector_constant(c, to, (uint32_t)imm);
    } else if (to >= PLACE_STACK) {
        struct x86_mem m = stack_mem(to);
        if ((int64_t)imm == (int32_t)imm) {
            x86_rm(c->out, X86(0, 0, c7) | X86_W, 0, &m);
            x86_u32(c->out, (uint32_t)imm);
            return;
        }
        x86_rm(c->out, X86(0, 0, c7), 0, &m);
        x86_u32(c->out, (uint32_t)imm);
        m.disp += 4;
        x86_rm(c->out, X86(0, 0, c7), 0, &m);
        x86_u32(c->out, (uint32_t)(imm >> 32));
    } else if (xmm) {
        if (!imm) {
            xmm_rr(c, X86(0, 1, 57), hw(to), hw(to), hw(to));
            return;
        }
        struct x86_mem m = {.rip = true};
        load_xmm(c, hw(to), &m, size);
        pool_use(c, pool_add(c, size, imm, 0), 0);
    } else if (!imm && !keep_flags) {
        x86_rr(c->out, X86(0, 0, 31), hw(to), hw(to));
    } else {
        x86_mov_imm(c->out, hw(to), imm);
    }
}

void pmove_add(struct target_compiler *c, uint32_t to, uint32_t from, bool xmm, unsigned size,
               uint64_t imm)
{
    struct pmove move = {.to = to, .from = from, .xmm = xmm, .size = (uint8_t)size, .imm = imm};
    if (to != from)
        vec_push(c, c->pmoves, move);
}

/* Index of a place in c->readers and c->writers: registers, then 8-byte words of the stack. */
static uint32_t word(uint32_t place)
{
    return place < PLACE_STACK ? place : PLACE_STACK + (place - PLACE_STACK) / 8;
}

static void count_reader(struct target_compiler *c, const struct pmove *move, uint32_t by)
{
    c->readers.data[word(move->from)] += by;
    if (move->size == 16 && move->from >= PLACE_STACK)
        c->readers.data[word(move->from) + 1] += by;
}

static bool is_read(struct target_compiler *c, const struct pmove *move)
{
    return c->readers.data[word(move->to)] ||
           (move->size == 16 && move->to >= PLACE_STACK && c->readers.data[word(move->to) + 1]);
}

static void set_writer(struct target_compiler *c, const struct pmove *move, uint32_t value)
{
    c->writers.data[word(move->to)] = value;
    if (move->size == 16 && move->to >= PLACE_STACK)
        c->writers.data[word(move->to) + 1] = value;
}

static void do_move(struct target_compiler *c, const struct pmove *move, bool scratch_free)
{
    if (move->to >= PLACE_STACK && move->from >= PLACE_STACK && scratch_free) {
        emit_copy(c, R_XMM15, move->from, true, move->size == 16 ? 16 : 8);
        emit_copy(c, move->to, R_XMM15, true, move->size == 16 ? 16 : 8);
    } else {
        emit_copy(c, move->to, move->from, move->xmm, move->size);
    }
}

static void do_and_count(struct target_compiler *c, struct pmove *move, bool scratch_free)
{
    do_move(c, move, scratch_free);
    move->done = true;
    count_reader(c, move, (uint32_t)-1);
    set_writer(c, move, 0);
}

/* A register's value from the stack that nothing waits for comes last: until then the register is
 * spare. */
static bool comes_last(const struct target_compiler *c, const struct pmove *move)
{
    return move->from >= PLACE_STACK && move->to < R_XMM0 && !c->writers.data[word(move->from)];
}

/* Does move K and all that become possible thereby; answers how many. */
static uint32_t run_chain(struct target_compiler *c, uint32_t k, bool scratch_free)
{
    for (uint32_t count = 0;; count++) {
        struct pmove *move = &c->pmoves.data[k];
        if (move->done || is_read(c, move) || comes_last(c, move) ||
            !x86_reserve(c->out, X86_MAX_STEP))
            return count;
        do_and_count(c, move, scratch_free);
        uint32_t writer = c->writers.data[word(move->from)];
        if (!writer && move->size == 16 && move->from >= PLACE_STACK)
            writer = c->writers.data[word(move->from) + 1];
        if (!writer)
            return count + 1;
        k = writer - 1;
    }
}

/* A register that nothing lives in, since it gets its value last or, as is known where a loop's
 * start comes next, none: copies by way of it cost less than exchanges. 0: none. */
static unsigned spare_register(const struct target_compiler *c)
{
    for (uint32_t k = 0; k < c->pmoves.count; k++) {
        const struct pmove *move = &c->pmoves.data[k];
        if (!move->done && move->to < R_XMM0 && !c->readers.data[move->to] &&
            (!move->from || comes_last(c, move)))
            return move->to;
    }
    if (!c->edge_out || c->ins.data[c->edge_out].op != M_JMP)
        return 0;
    const struct mblock *from = &c->blocks.data[c->block_of.data[c->edge_out]];
    uint32_t free = c->blocks.data[c->targets.data[from->succs]].free;
    for (free &= ~SAVED_REGS | c->used_regs; free; free &= free - 1) {
        unsigned reg = 1 + (unsigned)__builtin_ctz(free);
        if (!c->readers.data[reg] && !c->writers.data[reg])
            return reg;
    }
    return 0;
}

/* K is part of a cycle. */
static void break_cycle(struct target_compiler *c, uint32_t k)
{
    struct pmove *move = &c->pmoves.data[k];
    uint32_t reader = k;
    while (c->pmoves.data[reader].done || c->pmoves.data[reader].from != move->to) {
        uint32_t writer = c->writers.data[word(c->pmoves.data[reader].from)];
        if (!writer || writer - 1 == k) {
            mir_fail(c); /* not a cycle */
            return;
        }
        reader = writer - 1;
    }
    struct pmove *other = &c->pmoves.data[reader];
    bool registers = move->to < R_XMM0 && move->from < R_XMM0;
    unsigned spare = registers ? spare_register(c) : 0;
    if (spare) {
        emit_copy(c, spare, move->to, false, other->size);
        count_reader(c, other, (uint32_t)-1);
        other->from = spare;
        count_reader(c, other, 1);
        run_chain(c, k, false);
        return;
    }
    if (registers) {
        x86_rr(c->out, X86(0, 0, 87) | X86_W, hw(move->to), hw(move->from));
        /* What MOVE's place held is now where MOVE took its value from. */
        move->done = true;
        set_writer(c, move, 0);
        count_reader(c, move, (uint32_t)-1);
        count_reader(c, other, (uint32_t)-1);
        other->from = move->from;
        if (other->from == other->to) {
            other->done = true;
            set_writer(c, other, 0);
        } else {
            count_reader(c, other, 1);
        }
        return;
    }
    emit_copy(c, R_XMM15, move->to, true, other->size == 16 ? 16 : 8);
    count_reader(c, other, (uint32_t)-1);
    other->from = R_XMM15;
    count_reader(c, other, 1);
    run_chain(c, k, false);
}

/* Whether moves of 16 and of 8 bytes of the stack wait for each other: they may overlap in part,
 * and no cycle of those can be broken by one register. */
static bool mixed_sizes(const struct target_compiler *c)
{
    bool wide = false, narrow = false;
    for (uint32_t k = 0; k < c->pmoves.count; k++) {
        const struct pmove *move = &c->pmoves.data[k];
        if (move->done || !move->from || (move->to < PLACE_STACK && move->from < PLACE_STACK))
            continue;
        wide |= move->size == 16;
        narrow |= move->size != 16;
    }
    return wide && narrow;
}

static unsigned bytes_of(const struct pmove *move)
{
    return move->size == 16 ? 16 : 8;
}

/* Does what is left by way of the top of the stack; the flags stay. */
static void move_by_stack(struct target_compiler *c)
{
    struct code_buffer *out = c->out;
    uint32_t depth = 0, n = c->pmoves.count;
    for (uint32_t k = 0; k < n; k++) {
        struct pmove *move = &c->pmoves.data[k];
        if (move->done || !move->from || !x86_reserve(out, X86_MAX_STEP))
            continue;
        unsigned bytes = bytes_of(move);
        depth += bytes;
        struct x86_mem m = {.base = RSP, .index = NO_REG, .disp = -(int32_t)bytes};
        x86_rm(out, X86(0, 0, 8d) | X86_W, RSP, &m);
        uint32_t from = move->from < PLACE_STACK ? move->from : move->from + depth;
        emit_copy(c, PLACE_STACK, from, move->xmm, bytes);
    }
    for (uint32_t k = n; k-- > 0;) {
        struct pmove *move = &c->pmoves.data[k];
        if (move->done || !move->from || !x86_reserve(out, X86_MAX_STEP))
            continue;
        unsigned bytes = bytes_of(move);
        emit_copy(c, move->to < PLACE_STACK ? move->to : move->to + depth, PLACE_STACK, move->xmm,
                  bytes);
        depth -= bytes;
        struct x86_mem m = {.base = RSP, .index = NO_REG, .disp = (int32_t)bytes};
        x86_rm(out, X86(0, 0, 8d) | X86_W, RSP, &m);
        move->done = true;
        count_reader(c, move, (uint32_t)-1);
        set_writer(c, move, 0);
    }
}

/* What waits for itself. */
static void run_cycles(struct target_compiler *c)
{
    if (mixed_sizes(c))
        move_by_stack(c);
    for (uint32_t k = 0; k < c->pmoves.count && !c->failed; k++) {
        while (c->pmoves.data[k].from && !c->pmoves.data[k].done && !c->failed &&
               !comes_last(c, &c->pmoves.data[k]) && x86_reserve(c->out, X86_MAX_STEP)) {
            run_chain(c, k, true);
            if (!c->pmoves.data[k].done)
                break_cycle(c, k);
        }
        if (c->out->failed)
            break;
    }
}

/* Those between places. */
static void run_copies(struct target_compiler *c)
{
    uint32_t n = c->pmoves.count, left = 0, last = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (!c->pmoves.data[k].from)
            continue;
        count_reader(c, &c->pmoves.data[k], 1);
        set_writer(c, &c->pmoves.data[k], k + 1);
        left++;
    }
    for (uint32_t k = 0; k < n; k++)
        last += c->pmoves.data[k].from && comes_last(c, &c->pmoves.data[k]);
    left -= last;
    for (uint32_t k = 0; k < n && left; k++)
        if (c->pmoves.data[k].from)
            left -= run_chain(c, k, true);
    if (left)
        run_cycles(c);
    for (uint32_t k = 0; k < n && last && x86_reserve(c->out, X86_MAX_STEP); k++)
        if (c->pmoves.data[k].from && !c->pmoves.data[k].done)
            do_and_count(c, &c->pmoves.data[k], true);
}

void pmove_run(struct target_compiler *c, bool keep_flags)
{
    uint32_t n = c->pmoves.count;
    if (!n || !x86_reserve(c->out, X86_MAX_STEP))
        return;
    if (n > 1)
        run_copies(c);
    else if (c->pmoves.data[0].from)
        do_move(c, &c->pmoves.data[0], true);
    for (uint32_t k = 0; k < n; k++) {
        const struct pmove *move = &c->pmoves.data[k];
        if (!move->from && x86_reserve(c->out, X86_MAX_STEP))
            emit_constant(c, move->to, move->xmm, move->size, move->imm, keep_flags);
    }
    c->pmoves.count = 0;
}

void pmove_args(struct target_compiler *c, const struct mins *m, uint32_t pos)
{
    for (uint32_t k = 0; k < m->count; k++) {
        const struct marg *arg = &c->args.data[m->list + k];
        const struct vreg *v = vreg_at(c, arg->value);
        uint32_t from = 0, to = arg->where;
        if (!v->constant) {
            from = place_at(c, arg->value, pos);
            if (!from)
                from = stack_place(c, v);
        }
        if (to >= ARG_INCOMING)
            to = PLACE_STACK + c->frame + 8 + (to - ARG_INCOMING);
        else if (to >= ARG_STACK)
            to = PLACE_STACK + (to - ARG_STACK);
        pmove_add(c, to, from, v->xmm, v->size, v->imm);
    }
}
