/* Emission: frame, blocks in order with the moves between instructions, jumps, cold code, constants
 * and jump tables behind the code. */
#include "target/x86_64/emit.h"
#include "target/x86_64/abi_regs.h"

#include <string.h>

static const uint8_t saved_regs[] = {R_RBX, R_RBP, R_R12, R_R13};

unsigned reg_use(struct target_compiler *c, mreg r, uint32_t i)
{
    if (r >= FIRST_VREG)
        r = place_at(c, r, 2 * i);
    if (!r || r >= REG_COUNT)
        mir_fail(c);
    return hw(r);
}

unsigned reg_def(struct target_compiler *c, mreg r, uint32_t i)
{
    if (r >= FIRST_VREG)
        r = place_at(c, r, 2 * i + 1);
    if (!r || r >= REG_COUNT)
        mir_fail(c);
    return hw(r);
}

bool in_memory(struct target_compiler *c, mreg r, uint32_t i, struct x86_mem *m)
{
    if (r < FIRST_VREG || place_at(c, r, 2 * i))
        return false;
    *m = (struct x86_mem){
        .base = RSP,
        .index = NO_REG,
        .disp = (int32_t)(stack_place(c, vreg_at(c, r)) - PLACE_STACK),
    };
    return true;
}

struct x86_mem mem_operand(struct target_compiler *c, const struct mins *m, uint32_t i)
{
    struct x86_mem mem = {.base = NO_REG, .index = NO_REG, .scale = m->scale, .disp = m->disp};
    if (m->base)
        mem.base = (uint8_t)reg_use(c, m->base, i);
    if (m->index)
        mem.index = (uint8_t)reg_use(c, m->index, i);
    if (mem.base == NO_REG && mem.index == NO_REG && m->op == M_LEA)
        mir_fail(c);
    return mem;
}

void pool_use(struct target_compiler *c, uint32_t entry, unsigned trail)
{
    if (entry >= c->pool.count) /* no memory for it */
        return;
    struct pool_use use = {(uint32_t)c->out->size - 4, trail, c->pool.data[entry].uses};
    if (vec_push(c, c->pool_uses, use))
        c->pool.data[entry].uses = c->pool_uses.count - 1;
}

void emit_rb(struct target_compiler *c, const struct mins *m, uint32_t i, uint32_t op, unsigned reg,
             unsigned trail)
{
    struct x86_mem mem;
    switch (m->form) {
    case B_MEM:
        mem = mem_operand(c, m, i);
        if (m->flags & MI_TRAPS)
            code_trap_add(c->out, (uint32_t)c->out->size, WASM_TRAP_MEMORY, m->pos);
        x86_rm(c->out, op, reg, &mem);
        return;
    case B_POOL:
        mem = (struct x86_mem){.rip = true};
        x86_rm(c->out, op, reg, &mem);
        pool_use(c, (uint32_t)m->imm, trail);
        return;
    default:
        if (in_memory(c, m->b, i, &mem))
            x86_rm(c->out, op, reg, &mem);
        else
            x86_rr(c->out, op, reg, reg_use(c, m->b, i));
    }
}

struct stub *stub_add(struct target_compiler *c, enum stub_kind kind, uint32_t field, uint32_t pos)
{
    static struct stub dummy;
    struct stub stub = {.kind = (uint8_t)kind, .field = field, .pos = pos};
    return vec_push(c, c->stubs, stub) ? &c->stubs.data[c->stubs.count - 1] : &dummy;
}

bool flags_live(struct target_compiler *c, uint32_t i)
{
    for (uint32_t k = i + 1; k < c->ins.count && k < i + 8; k++) {
        switch (c->ins.data[k].op) {
        case M_JCC:
        case M_SETCC:
        case M_CMOV:
        case M_FSELECT:
        case M_SWITCH:
        case M_TRAP_IF: return true;
        case M_MOV:
        case M_MOVZX32:
        case M_CONST:
        case M_FCONST:
        case M_LOAD:
        case M_STORE:
        case M_LEA: continue;
        default: return false;
        }
    }
    return true;
}

/* The moves from NEXT on are to be made. */
static void moves_from(struct target_compiler *c, uint32_t next)
{
    c->next_move = next;
    c->gap = next < c->moves.count ? c->moves.data[next].key >> 2 : UINT64_MAX;
}

/* Moves before instruction I. */
static void emit_gap(struct target_compiler *c, uint32_t i)
{
    while (c->gap <= 2 * (uint64_t)i) {
        uint32_t k = c->next_move;
        uint64_t key = c->moves.data[k].key;
        bool constants = false;
        for (; k < c->moves.count && c->moves.data[k].key == key; k++) {
            const struct gap_move *m = &c->moves.data[k];
            const struct vreg *v = vreg_at(c, m->vreg);
            const struct vreg *to = m->phi ? vreg_at(c, m->phi) : v;
            uint32_t from = v->constant ? 0 : m->from ? m->from : stack_place(c, v);
            pmove_add(c, m->to ? m->to : stack_place(c, to), from, v->xmm, v->size, v->imm);
            constants |= v->constant;
        }
        c->edge_out = (key & 3) == GAP_EDGE_OUT ? i : 0;
        pmove_run(c, constants && flags_live(c, i - 1));
        moves_from(c, k);
    }
    c->edge_out = 0;
}

/* Whether block B, which jumps back to a loop's start, stands better right before that: several
 * ways lead to it, so that all but one come by a jump, and would go on by a second one. */
enum { EARLY_MAX = 16 };
static bool goes_early(const struct target_compiler *c, uint32_t b)
{
    const struct mblock *block = &c->blocks.data[b];
    const uint32_t *first = c->pred_first.data;
    uint32_t to = c->targets.data[block->succs], last = block->end - 1;
    const struct mblock *start = &c->blocks.data[to];
    if (!first || !c->loop_of.data || first[b + 1] - first[b] < 2 || c->loop_of.data[b] != to ||
        !start->header || start->cold || block->cold || start->edge || block->header ||
        last - block->first > EARLY_MAX || c->ins.data[start->end - 1].op == M_SWITCH)
        return false;
    for (uint32_t i = block->first; i < last; i++)
        if (c->ins.data[i].op < M_MOV || c->ins.data[i].op > M_SEXT)
            return false;
    return true;
}

/* Puts block B, unless it stands elsewhere, and what goes right before it, behind LAST; answers
 * what is last then. */
static inline uint32_t put_behind(struct target_compiler *c, uint32_t last, uint32_t b)
{
    const struct mblock *block = &c->blocks.data[b];
    if (c->forward.data[b] != b || block->early || block->placed)
        return last;
    if (block->edge)
        last = c->behind.data[last] = block->edge;
    /* What is moved on the edge from LAST to it. */
    for (unsigned way = 0, split; way < 2; way++) {
        split = c->blocks.data[last].split[way];
        uint32_t edge = c->blocks.count - c->split_edges.count + split - 1;
        if (split && c->forward.data[edge] == edge &&
            c->forward.data[c->targets.data[c->blocks.data[edge].succs]] == b) {
            c->blocks.data[edge].placed = true;
            last = c->behind.data[last] = edge;
        }
    }
    return c->behind.data[last] = b;
}

/* Which blocks only jump on, so that jumps to them may skip them, and the order of all others. */
static bool order_blocks(struct target_compiler *c)
{
    uint32_t n = c->blocks.count, last = 0;
    if (!vec_reserve(c, c->forward, n) || !vec_reserve(c, c->behind, n) ||
        !vec_reserve(c, c->labels, n))
        return false;
    uint32_t *forward = c->forward.data;
    c->ways_back.count = 0;
    for (uint32_t b = 0; b < n; b++) {
        const struct mblock *block = &c->blocks.data[b];
        bool jumps = c->ins.data[block->end - 1].op == M_JMP;
        uint32_t to = jumps ? c->targets.data[block->succs] : b;
        forward[b] = block->end - block->first == 1 ? to : b;
        if (to < b)
            vec_push(c, c->ways_back, b);
    }
    for (uint32_t k = 0; k < c->moves.count; k++) {
        uint32_t b = c->block_of.data[(c->moves.data[k].key >> 2) / 2];
        forward[b] = b;
    }
    for (uint32_t k = c->ways_back.count; k-- > 0;) {
        uint32_t b = c->ways_back.data[k], to = c->targets.data[c->blocks.data[b].succs];
        if (forward[b] == b && to && forward[to] == to && goes_early(c, b)) {
            c->blocks.data[to].edge = b;
            c->blocks.data[b].early = true;
        }
    }
    for (uint32_t b = 0; b < n; b++) {
        uint32_t to = b;
        for (uint32_t steps = 0; forward[to] != to && steps < 16; steps++)
            to = forward[to];
        /* Blocks that jump in a circle stay, and the one that the prologue falls through to. */
        forward[b] = b && forward[to] == to ? to : b;
    }
    uint32_t apart = 0, b = 1, edges = n - c->split_edges.count;
    for (; b < edges && !c->blocks.data[b].cold; b++) {
        apart += c->blocks.data[b].apart;
        if (!c->blocks.data[b].apart)
            last = put_behind(c, last, b);
    }
    for (uint32_t k = 1; apart; k++) {
        apart -= c->blocks.data[k].apart;
        if (c->blocks.data[k].apart)
            last = put_behind(c, last, k);
    }
    for (uint32_t k = edges; k < n; k++)
        if (!c->blocks.data[k].cold)
            last = put_behind(c, last, k);
    for (; b < n; b++)
        if (b < edges || c->blocks.data[b].cold)
            last = put_behind(c, last, b);
    c->behind.data[last] = n;
    return true;
}

static void jump_to(struct target_compiler *c, int cc, uint32_t block)
{
    struct code_buffer *out = c->out;
    uint32_t target = c->labels.data[block];
    if (target < c->line_reach)
        c->line_reach = target;
    if (target != UINT32_MAX && (uint32_t)out->size + 2 - target <= 128) {
        x86_byte(out, cc < 0 ? 0xeb : 0x70 | (unsigned)cc);
        x86_byte(out, (target - ((uint32_t)out->size + 1)) & 0xff);
        return;
    }
    uint32_t field = cc < 0 ? x86_jmp_near(out) : x86_jcc_near(out, (unsigned)cc);
    if (target != UINT32_MAX) {
        x86_patch_near(out, field, target);
        return;
    }
    struct fixup fixup = {field, block};
    vec_push(c, c->fixups, fixup);
}

void emit_branch(struct target_compiler *c, const struct mins *m, uint32_t block, uint32_t next)
{
    const uint32_t *succs = &c->targets.data[c->blocks.data[block].succs];
    uint32_t yes = c->forward.data[succs[0]];
    if (m->op == M_JMP) {
        if (yes != next)
            jump_to(c, -1, yes);
        return;
    }
    uint32_t no = c->forward.data[succs[1]];
    unsigned cc = m->sub;
    if (yes == no) {
        if (yes != next)
            jump_to(c, -1, yes);
        return;
    }
    if (cc >= CC_FEQ) {
        if (cc == CC_FEQ) { /* not equal: the other way */
            uint32_t t = yes;
            yes = no;
            no = t;
        }
        jump_to(c, CC_P, yes);
        jump_to(c, CC_NE, yes);
    } else if (yes == next) {
        jump_to(c, (int)cc ^ 1, no);
        return;
    } else {
        jump_to(c, (int)cc, yes);
    }
    if (no != next)
        jump_to(c, -1, no);
}

/* A switch of few cases. */
static void emit_cases(struct target_compiler *c, uint32_t i, uint32_t block, uint32_t next)
{
    const struct mblock *b = &c->blocks.data[block];
    const uint32_t *succs = &c->targets.data[b->succs];
    uint32_t last = b->succ_count - 1, otherwise = c->forward.data[succs[last]];
    unsigned index = reg_use(c, c->ins.data[i].a, i);
    for (uint32_t k = 0; k < last && x86_reserve(c->out, X86_MAX_STEP); k++) {
        uint32_t to = c->forward.data[succs[k]];
        if (to == otherwise)
            continue;
        if (k)
            x86_alu_imm(c->out, 4, ALU_CMP, index, (int32_t)k);
        else
            x86_rr(c->out, X86(0, 0, 85), index, index);
        jump_to(c, CC_E, to);
    }
    if (otherwise != next)
        jump_to(c, -1, otherwise);
}

static void emit_prologue(struct target_compiler *c)
{
    struct code_buffer *out = c->out;
    uint32_t pushed = 0;
    c->saved = 0;
    code_unwind_add(out, (uint32_t)out->size, RSP, 0, c->incoming - c->shift, 0);
    if (c->shift) {
        x86_load(out, 8, R11, RSP, 0);
        x86_alu_imm(out, 8, ALU_SUB, RSP, (int32_t)c->shift);
        x86_store(out, 8, RSP, 0, R11);
        emit_unwind(c, (uint32_t)out->size, 0);
    }
    for (unsigned k = 0; k < sizeof saved_regs; k++) {
        if (c->used_regs >> (saved_regs[k] - 1) & 1) {
            x86_push(out, hw(saved_regs[k]));
            pushed += 8;
            c->saved |= code_saved(hw(saved_regs[k]));
            emit_unwind(c, (uint32_t)out->size, pushed);
        }
    }
    c->spill_base = (c->outgoing + 15) & ~15u;
    uint32_t size = c->spill_base + c->spill_bytes;
    if (c->calls || size)
        size += -(size + pushed + 8) & 15;
    c->frame = size + pushed;
    for (uint32_t off = 4096; off <= size; off += 4096) {
        if (!x86_reserve(out, 16))
            return;
        struct x86_mem m = {.base = RSP, .index = NO_REG, .disp = -(int32_t)off};
        x86_rm(out, X86(0, 0, 85), RAX, &m); /* test [rsp - off], eax */
    }
    if (size && x86_reserve(out, X86_MAX_STEP))
        x86_alu_imm(out, 8, ALU_SUB, RSP, (int32_t)size);
}

void emit_unwind(struct target_compiler *c, uint32_t offset, uint32_t frame)
{
    const struct code_buffer *out = c->out;
    const struct code_unwind *last = out->unwind_count ? &out->unwind[out->unwind_count - 1] : NULL;
    bool same = last && last->offset >= c->start && last->frame == frame &&
                last->saved == c->saved && last->popped == c->incoming;
    if (!same)
        code_unwind_add(c->out, offset, RSP, frame, c->incoming, c->saved);
}

void emit_epilogue(struct target_compiler *c)
{
    struct code_buffer *out = c->out;
    uint32_t pushed = 0;
    for (unsigned k = 0; k < sizeof saved_regs; k++)
        if (c->used_regs >> (saved_regs[k] - 1) & 1)
            pushed += 8;
    unsigned saved = c->saved;
    if (c->frame - pushed)
        x86_alu_imm(out, 8, ALU_ADD, RSP, (int32_t)(c->frame - pushed));
    code_unwind_add(out, (uint32_t)out->size, RSP, pushed, c->incoming, saved);
    for (unsigned k = sizeof saved_regs; k-- > 0;) {
        if (c->used_regs >> (saved_regs[k] - 1) & 1) {
            x86_pop(out, hw(saved_regs[k]));
            pushed -= 8;
            saved &= ~code_saved(hw(saved_regs[k]));
            code_unwind_add(out, (uint32_t)out->size, RSP, pushed, c->incoming, saved);
        }
    }
}

/* Loops without others inside start where a window does in which processors keep decoded
 * instructions: how one that starts in the middle runs depends on where that happens to be. */
#define LOOP_ALIGNMENT       16u
#define INNER_LOOP_ALIGNMENT 32u

static void align(struct code_buffer *out, uint32_t to, bool nops)
{
    unsigned pad = -(uint32_t)out->size & (to - 1);
    if (nops)
        x86_nops(out, pad);
    else
        while (pad--)
            x86_byte(out, 0xcc);
}

/* Constants, then jump tables, behind the code. */
static void emit_data(struct target_compiler *c)
{
    struct code_buffer *out = c->out;
    for (unsigned size = 16; size >= 4; size /= 2) {
        bool aligned = false;
        for (uint32_t k = 0; k < c->pool.count; k++) {
            struct pool_entry *e = &c->pool.data[k];
            if (e->size != size || !e->uses || !x86_reserve(out, X86_MAX_STEP))
                continue;
            if (!aligned)
                align(out, size, false);
            aligned = true;
            uint32_t at = (uint32_t)out->size;
            if (size == 4)
                x86_u32(out, (uint32_t)e->low);
            else
                x86_u64(out, e->low);
            if (size == 16)
                x86_u64(out, e->high);
            for (uint32_t u = e->uses; u; u = c->pool_uses.data[u].next)
                x86_patch_near(out, c->pool_uses.data[u].field, at - c->pool_uses.data[u].trail);
        }
    }
    for (uint32_t k = 0; k < c->tables.count; k++) {
        struct mblock *b = &c->blocks.data[c->tables.data[k].block];
        if (b->table) { /* a copy's */
            x86_patch_near(out, c->tables.data[k].field, b->table);
            continue;
        }
        uint32_t entries = switch_entries(b->succ_count);
        if (!x86_reserve(out, (size_t)entries * 4 + X86_MAX_STEP))
            return;
        align(out, 4, false);
        uint32_t at = b->table = (uint32_t)out->size;
        x86_patch_near(out, c->tables.data[k].field, at);
        for (uint32_t i = 0; i < entries; i++) {
            uint32_t which = i < b->succ_count ? i : b->succ_count - 1;
            uint32_t to = c->forward.data[c->targets.data[b->succs + which]];
            x86_u32(out, c->labels.data[to] - at);
        }
    }
}

/* A jump to a loop's start that ends in a jump table is replaced by a copy of that block: what is
 * predicted for its jump then hangs on the case it stands behind. So many instructions a block and
 * in all, and in proportion to the function. */
enum { COPIED_MAX = 12, COPIED_FREE = 128, COPIED_PART = 8, COPIED_ALL = 2048 };

static bool copies_switch(struct target_compiler *c, uint32_t b)
{
    uint32_t to = c->forward.data[c->targets.data[c->blocks.data[b].succs]];
    const struct mblock *block = &c->blocks.data[to];
    uint32_t count = block->end - block->first, last = block->end - 1;
    if (to == c->behind.data[b] || !block->header || block->cold || c->blocks.data[b].cold ||
        count > COPIED_MAX || c->ins.data[last].op != M_SWITCH ||
        c->ins.data[last].sub == SWITCH_COMPARE ||
        c->copied + count > c->ins.count / COPIED_PART + COPIED_FREE ||
        c->copied + count > COPIED_ALL)
        return false;
    for (uint32_t i = block->first; i < last; i++) {
        unsigned op = c->ins.data[i].op;
        if (op < M_MOV || op > M_SEXT)
            return false;
    }
    c->copied += count;
    return true;
}

/* Walks along the parts of the registers in block B start afresh. */
static void walk_again(struct target_compiler *c, const struct mblock *block)
{
    for (uint32_t i = block->first; i < block->end; i++) {
        const struct mins *m = &c->ins.data[i];
        const mreg regs[] = {m->dst, m->a, m->b, m->base, m->index};
        for (unsigned k = 0; k < sizeof regs / sizeof *regs; k++)
            if (regs[k] >= FIRST_VREG)
                vreg_at(c, regs[k])->current = vreg_at(c, regs[k])->interval;
    }
}

static void emit_body(struct target_compiler *c, uint32_t b);

/* The moves in BLOCK are the next ones. */
static void moves_of(struct target_compiler *c, const struct mblock *block)
{
    uint32_t low = 0, high = c->moves.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (c->moves.data[middle].key >> 2 < 2 * (uint64_t)block->first)
            low = middle + 1;
        else
            high = middle;
    }
    moves_from(c, low);
}

static void copy_block(struct target_compiler *c, uint32_t b)
{
    const struct mblock *block = &c->blocks.data[b];
    uint32_t after = c->next_move;
    moves_of(c, block);
    walk_again(c, block);
    emit_body(c, b);
    walk_again(c, block);
    moves_from(c, after);
}

/* The jump I at the end of block B. */
static void emit_end(struct target_compiler *c, uint32_t i, uint32_t b)
{
    const struct mins *m = &c->ins.data[i];
    const struct mblock *block = &c->blocks.data[b];
    if (m->op == M_JMP && copies_switch(c, b)) {
        copy_block(c, c->forward.data[c->targets.data[block->succs]]);
    } else if (m->op != M_SWITCH) {
        emit_branch(c, m, b, c->behind.data[b]);
    } else if (m->sub == SWITCH_COMPARE) {
        emit_cases(c, i, b, c->behind.data[b]);
    } else {
        struct jump_table table = {0, b};
        vec_push(c, c->tables, table);
        if (m->sub == SWITCH_CHECKED) {
            struct fixup fixup = {x86_jcc_near(c->out, CC_AE),
                                  c->targets.data[block->succs + block->succ_count - 1]};
            fixup.block = c->forward.data[fixup.block];
            vec_push(c, c->fixups, fixup);
        }
        emit_switch(c, i);
    }
}

/* The instructions of block B. */
static void emit_body(struct target_compiler *c, uint32_t b)
{
    const struct mblock *block = &c->blocks.data[b];
    struct code_buffer *out = c->out;
    c->flags_end = c->compare_end = 0; /* others may come in here */
    for (uint32_t i = block->first; i < block->end && !c->failed;) {
        if (!x86_reserve(out, X86_MAX_STEP))
            return;
        const struct mins *m = &c->ins.data[i];
        code_position(out, m->pos);
        if (c->gap <= 2 * (uint64_t)i) {
            emit_gap(c, i);
            if (!x86_reserve(out, X86_MAX_STEP))
                return;
        }
        if (m->op >= M_JMP && m->op <= M_SWITCH) {
            emit_end(c, i, b);
            return;
        }
        i += emit_ins(c, i, i + 1 < block->end && c->gap > 2 * ((uint64_t)i + 1));
    }
}

static void emit_block(struct target_compiler *c, uint32_t b)
{
    const struct mblock *block = &c->blocks.data[b];
    struct code_buffer *out = c->out;
    if (!x86_reserve(out, X86_MAX_STEP))
        return;
    if (c->line_loop != NO_LOOP && c->loop_of.data[b] != c->line_loop)
        line_end(c);
    uint32_t first = block->early ? c->behind.data[b] : b; /* of a loop? */
    const struct mblock *loop = &c->blocks.data[first];
    if (loop->header && !loop->cold && (block->early || !block->edge)) {
        align(out, loop->nests ? LOOP_ALIGNMENT : INNER_LOOP_ALIGNMENT, true);
        if (!loop->nests && c->loop_of.capacity)
            line_begin(c, b, first);
    }
    c->labels.data[b] = (uint32_t)out->size;
    emit_unwind(c, (uint32_t)out->size, c->frame);
    if (block->early || block->apart)
        walk_again(c, block);
    emit_body(c, b);
    if (block->early)
        walk_again(c, block);
}

bool emit_function(struct target_compiler *c, struct code_func *where)
{
    struct code_buffer *out = c->out;
    c->fixups.count = c->stubs.count = c->tables.count = c->pmoves.count = 0;
    c->pool_uses.count = 0;
    struct pool_use none = {0};
    vec_push(c, c->pool_uses, none);
    for (uint32_t k = 0; k < c->pool.count; k++)
        c->pool.data[k].uses = 0;
    if (!order_blocks(c) || !x86_reserve(out, X86_MAX_STEP))
        return false;
    walk_reset(c);
    moves_from(c, 0);
    c->copied = 0;
    c->line_loop = NO_LOOP;
    for (uint32_t b = 0; b < c->blocks.count; b++)
        c->labels.data[b] = UINT32_MAX;
    align(out, 16, false);
    c->start = (uint32_t)out->size;
    code_position(out, 0);
    emit_prologue(c);
    uint32_t around = c->incoming + abi_result_bytes(c->f->signature) + c->pushed;
    uint32_t words = PLACE_STACK + (c->frame + around) / 8 + 8;
    if (!vec_reserve(c, c->readers, words) || !vec_reserve(c, c->writers, words))
        return false;
    memset(c->readers.data, 0, words * sizeof *c->readers.data);
    memset(c->writers.data, 0, words * sizeof *c->writers.data);
    for (uint32_t b = 0, next = 0; b < c->blocks.count && !c->failed && !out->failed;
         b = c->behind.data[b]) {
        if (b != next) /* not what comes next in the layout */
            moves_of(c, &c->blocks.data[b]);
        next = b + 1;
        emit_block(c, b);
    }
    if (c->line_loop != NO_LOOP)
        line_end(c);
    emit_unwind(c, (uint32_t)out->size, c->frame);
    emit_stubs(c);
    for (uint32_t k = 0; k < c->fixups.count; k++)
        x86_patch_near(out, c->fixups.data[k].field, c->labels.data[c->fixups.data[k].block]);
    where->end = (uint32_t)out->size;
    emit_data(c);
    where->start = c->start;
    where->frame_size = c->frame;
    where->popped = c->incoming;
    return !c->failed && !out->failed;
}
