/* Moves of loop edges. Where a loop ends with a branch, what its next round wants in other
 * registers is moved on an edge of its own, which costs a jump more every round. Moves between
 * registers leave the flags alone, so they can be made before the branch instead, if where else it
 * leads nobody needs what they overwrite: the edge is empty then, and the branch leads straight to
 * the loop's start. If they can even be made before what sets the flags, that and the branch are
 * one operation to the processor. */
#include "target/x86_64/mir.h"

#include <string.h>

/* How many exits are looked at for each interval, on average, before all is left as it is. */
#define EXITS_PER_INTERVAL 16u

/* Whether block B is nothing but the way back from a branch to a loop's start. */
static bool is_loop_edge(const struct target_compiler *c, uint32_t b)
{
    const struct mblock *block = &c->blocks.data[b];
    const uint32_t *first = c->pred_first.data;
    if (block->succ_count != 1 || c->targets.data[block->succs] > b || block->cold ||
        block->end - block->first != 1 || c->ins.data[block->first].op != M_JMP ||
        first[b + 1] - first[b] != 1)
        return false;
    const struct mblock *from = &c->blocks.data[c->preds.data[first[b]]];
    return from->succ_count == 2 && c->ins.data[from->end - 1].op == M_JCC;
}

static void add_edge(struct target_compiler *c, uint32_t b, uint32_t *edge_of, uint32_t *exit_of,
                     uint32_t *branch_of)
{
    const uint32_t *first = c->pred_first.data;
    struct loop_edge edge = {.from = c->preds.data[first[b]]};
    const uint32_t *succs = &c->targets.data[c->blocks.data[edge.from].succs];
    uint32_t exit = succs[0] == b ? succs[1] : succs[0], behind = exit;
    /* Nothing lives in blocks on edges: it does where they lead to, or is moved there. */
    if (exit >= c->blocks.count - c->split_edges.count)
        behind = c->targets.data[c->blocks.data[exit].succs];
    if (!exit_of[exit] && !exit_of[behind] && !is_loop_edge(c, exit) &&
        vec_push(c, c->loop_edges, edge)) {
        edge_of[b] = exit_of[exit] = branch_of[edge.from] = c->loop_edges.count;
        exit_of[behind] = c->loop_edges.count;
    }
}

static void find_edges(struct target_compiler *c, uint32_t *edge_of, uint32_t *exit_of,
                       uint32_t *branch_of)
{
    const uint32_t *first = c->pred_first.data, *preds = c->preds.data;
    c->loop_edges.count = 0;
    for (const struct join *join = c->joins.data; join->block != UINT32_MAX; join++) {
        if (join->from.last < join->block) /* nothing comes back */
            continue;
        for (uint32_t i = first[join->block]; i < first[join->block + 1]; i++)
            if (preds[i] >= join->block && is_loop_edge(c, preds[i]))
                add_edge(c, preds[i], edge_of, exit_of, branch_of);
    }
}

static uint32_t bit(unsigned reg)
{
    return 1u << (reg & 31);
}

/* Where R is at POS; in any order. */
static unsigned register_at(const struct target_compiler *c, mreg r, uint32_t pos)
{
    if (r < FIRST_VREG)
        return r;
    const struct vreg *v = &c->vregs.data[r - FIRST_VREG];
    if (!v->current)
        return v->last_reg;
    const struct interval *intervals = c->intervals.data, *part = &intervals[v->interval];
    while (part->next && intervals[part->next].start <= pos)
        part = &intervals[part->next];
    return part->reg;
}

/* Whether the moves of EDGE may as well be made before instruction I. */
static bool passes(const struct target_compiler *c, const struct loop_edge *edge, uint32_t i)
{
    const struct mins *m = &c->ins.data[i];
    unsigned def = register_at(c, m->dst, 2 * i + 1);
    uint32_t defs = def ? bit(def) : 0, uses = defs;
    const mreg operands[] = {m->dst, m->a, m->b, m->base, m->index};
    for (unsigned k = 0; k < sizeof operands / sizeof *operands; k++) {
        unsigned use = register_at(c, operands[k], 2 * i);
        uses |= use ? bit(use) : 0;
    }
    return edge->last_move <= 2 * i && !(edge->written & uses) && !(edge->read & defs);
}

/* The instruction before which to make them: what sets the flags of the branch at BRANCH, or that.
 */
static uint32_t place_of(const struct target_compiler *c, const struct loop_edge *edge,
                         uint32_t branch)
{
    uint32_t first = c->blocks.data[edge->from].first;
    const struct mins *test = &c->ins.data[branch - 1], *alu = test - 1;
    if (branch == first || test->op < M_CMP || test->op > M_CMP_MEM || !passes(c, edge, branch - 1))
        return branch;
    bool known = test->op == M_TEST && test->form == B_REG && test->a == test->b &&
                 branch - 1 > first && alu->op == M_ALU && alu->dst == test->a;
    return known && passes(c, edge, branch - 2) ? branch - 2 : branch - 1;
}

static uint32_t block_of(const struct target_compiler *c, const struct gap_move *move)
{
    return c->block_of.data[(move->key >> 2) / 2];
}

/* What the moves there are read and overwrite on the edges and read at the exits. */
static void look_at_moves(struct target_compiler *c, const uint32_t *edge_of,
                          const uint32_t *exit_of, const uint32_t *branch_of)
{
    for (uint32_t k = 0; k < c->moves.count; k++) {
        const struct gap_move *move = &c->moves.data[k];
        uint32_t b = block_of(c, move);
        if (edge_of[b]) {
            struct loop_edge *edge = &c->loop_edges.data[edge_of[b] - 1];
            edge->written |= bit(move->to);
            edge->read |= bit(move->from);
            edge->fixed |= (move->key & 3) != GAP_EDGE_OUT || !move->from || !move->to ||
                           vreg_at(c, move->vreg)->constant;
        }
        if (exit_of[b] && move->key >> 2 == c->starts.data[b] && move->from)
            c->loop_edges.data[exit_of[b] - 1].needed |= bit(move->from);
        if (branch_of[b]) {
            struct loop_edge *edge = &c->loop_edges.data[branch_of[b] - 1];
            uint32_t pos = (uint32_t)(move->key >> 2);
            edge->last_move = pos > edge->last_move ? pos : edge->last_move;
        }
    }
}

/* What lives at the exits. false: it would take too long to tell. */
static bool look_at_exits(struct target_compiler *c, const uint32_t *exit_of, uint32_t *next_exit)
{
    uint32_t n = c->blocks.count;
    uint64_t steps = 0, most = (uint64_t)EXITS_PER_INTERVAL * (c->intervals.count + n);
    next_exit[n] = n;
    for (uint32_t b = n; b-- > 0;)
        next_exit[b] = exit_of[b] ? b : next_exit[b + 1];
    for (uint32_t i = 1; i < c->intervals.count; i++) {
        const struct interval *it = &c->intervals.data[i];
        if (!it->reg || it->start / 2 >= c->ins.count)
            continue;
        uint32_t b = c->block_of.data[it->start / 2];
        if (c->starts.data[b] < it->start)
            b++;
        for (b = next_exit[b]; b < n && c->starts.data[b] < it->end; b = next_exit[b + 1]) {
            c->loop_edges.data[exit_of[b] - 1].needed |= bit(it->reg);
            if (++steps > most)
                return false;
        }
    }
    return true;
}

bool loop_edges(struct target_compiler *c)
{
    uint32_t n = c->blocks.count;
    if (!vec_reserve(c, c->work, 4 * (uint64_t)n + 1))
        return false;
    uint32_t *edge_of = c->work.data, *exit_of = edge_of + n, *branch_of = exit_of + n;
    uint32_t *next_exit = branch_of + n;
    memset(edge_of, 0, 3 * (size_t)n * sizeof *edge_of);
    find_edges(c, edge_of, exit_of, branch_of);
    if (c->failed || !c->loop_edges.count)
        return !c->failed;
    look_at_moves(c, edge_of, exit_of, branch_of);
    if (!look_at_exits(c, exit_of, next_exit))
        return true;
    for (uint32_t k = 0; k < c->moves.count; k++) {
        struct gap_move *move = &c->moves.data[k];
        uint32_t number = edge_of[block_of(c, move)];
        if (!number)
            continue;
        const struct loop_edge *edge = &c->loop_edges.data[number - 1];
        if (edge->fixed || edge->written & edge->needed)
            continue;
        uint32_t branch = c->blocks.data[edge->from].end - 1;
        move->key = 2 * (uint64_t)place_of(c, edge, branch) << 2 | GAP_EDGE_OUT;
    }
    return true;
}
