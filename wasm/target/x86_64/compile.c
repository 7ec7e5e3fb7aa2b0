/* The code generator's outside: one function after another through selection, liveness, allocation
 * and emission, with scratch memory kept in between. */
#include "target/x86_64/emit.h"
#include "host.h"

#include <string.h>

void mir_fail(struct target_compiler *c)
{
    c->failed = true;
}

/* Enough for most functions at once; whole pages, which cost nothing before they are written. */
enum { FIRST_BYTES = 8192 };

bool mir_grow(struct target_compiler *c, void *vec, uint64_t need, size_t entry)
{
    VEC(void) v; /* as any of them is laid out */
    memcpy(&v, vec, sizeof v);
    /* What is large grows slowly: for the time of the growth there may be two of it. */
    uint64_t step = v.capacity * (uint64_t)entry > LARGE ? v.capacity / 2 : v.capacity;
    uint64_t fresh = v.capacity ? v.capacity + step : FIRST_BYTES / entry;
    if (fresh < need)
        fresh = need;
    if (!v.count) {
        wasm_host_free(v.data);
        v.data = NULL;
        v.capacity = 0;
    }
    void *bigger = NULL;
    if (!c->failed && fresh <= UINT32_MAX / 2)
        bigger = wasm_host_realloc(v.data, (size_t)fresh * entry);
    if (bigger) {
        v.data = bigger;
        v.capacity = (uint32_t)fresh;
    } else {
        mir_fail(c);
    }
    memcpy(vec, &v, sizeof v);
    return bigger != NULL;
}

struct target_compiler *target_compiler_new(const struct target_features *features)
{
    struct target_compiler *c = wasm_host_alloc(sizeof *c);
    if (!c)
        return NULL;
    memset(c, 0, sizeof *c);
    c->cpu = *features;
    return c;
}

void target_compiler_free(struct target_compiler *c)
{
    if (!c)
        return;
#define FREE(v) wasm_host_free(c->v.data)
    FREE(values);
    FREE(counts);
    FREE(folded);
    FREE(bounds);
    FREE(cold_blocks);
    FREE(place);
    FREE(ins);
    FREE(blocks);
    FREE(targets);
    FREE(args);
    FREE(vregs);
    FREE(bases);
    FREE(uses);
    FREE(use_first);
    FREE(ranges);
    FREE(intervals);
    FREE(clobbers);
    FREE(heap);
    FREE(due);
    FREE(weights);
    FREE(work);
    FREE(defs);
    FREE(phi_blocks);
    FREE(starts);
    FREE(preds);
    FREE(pred_first);
    FREE(reach);
    FREE(live);
    FREE(sets);
    FREE(range_nodes);
    FREE(loop_of);
    FREE(loop_end);
    FREE(moves);
    FREE(loop_edges);
    FREE(split_edges);
    FREE(merged);
    FREE(joins);
    FREE(join_from);
    FREE(join_groups);
    FREE(stays);
    FREE(parted);
    FREE(block_of);
    FREE(labels);
    FREE(fixups);
    FREE(stubs);
    FREE(pool);
    FREE(pool_uses);
    FREE(tables);
    FREE(forward);
    FREE(behind);
    FREE(ways_back);
    FREE(pmoves);
    FREE(readers);
    FREE(writers);
#undef FREE
    for (unsigned r = 0; r < REG_COUNT; r++) {
        wasm_host_free(c->fixed[r].data);
        wasm_host_free(c->holes[r].data);
    }
    wasm_host_free(c);
}

/* Memory of a huge function goes back when the stage that needed it is over. */
static void after_selection(struct target_compiler *c)
{
    vec_drop(c->values);
    vec_drop(c->counts);
    vec_drop(c->folded);
    vec_drop(c->cold_blocks);
    vec_drop(c->place);
    ir_func_drop(c->f);
}

static void after_liveness(struct target_compiler *c)
{
    vec_drop(c->use_first);
    vec_drop(c->range_nodes);
    vec_drop(c->live);
    vec_drop(c->sets);
}

static void after_allocation(struct target_compiler *c)
{
    vec_drop(c->uses);
    vec_drop(c->clobbers);
    vec_drop(c->heap);
    vec_drop(c->due);
    vec_drop(c->weights);
    vec_drop(c->loop_of);
    vec_drop(c->loop_end);
}

static void after_resolution(struct target_compiler *c)
{
    vec_drop(c->ranges);
    vec_drop(c->merged);
    vec_drop(c->work);
    vec_drop(c->reach);
    vec_drop(c->starts);
    vec_drop(c->preds);
    vec_drop(c->defs);
    vec_drop(c->phi_blocks);
    vec_drop(c->joins);
    vec_drop(c->join_from);
    vec_drop(c->join_groups);
    vec_drop(c->stays);
}

static void after_emission(struct target_compiler *c)
{
    vec_drop(c->ins);
    vec_drop(c->blocks);
    vec_drop(c->targets);
    vec_drop(c->args);
    vec_drop(c->vregs);
    vec_drop(c->intervals);
    vec_drop(c->moves);
    vec_drop(c->pred_first);
    vec_drop(c->loop_edges);
    vec_drop(c->split_edges);
    vec_drop(c->block_of);
    vec_drop(c->parted);
    vec_drop(c->labels);
    vec_drop(c->forward);
    vec_drop(c->behind);
    vec_drop(c->ways_back);
    vec_drop(c->readers);
    vec_drop(c->writers);
    vec_drop(c->pool);
    vec_drop(c->pool_uses);
    vec_drop(c->stubs);
    vec_drop(c->fixups);
    for (unsigned r = 0; r < REG_COUNT; r++) {
        vec_drop(c->fixed[r]);
        vec_drop(c->holes[r]);
    }
}

bool target_compile(struct target_compiler *c, struct ir_func *f, struct code_buffer *out,
                    struct code_func *where)
{
    static bool (*const stages[])(struct target_compiler *) = {select_function, live_build,
                                                               regalloc_run, resolve_run};
    static void (*const after[])(struct target_compiler *) = {after_selection, after_liveness,
                                                              after_allocation, after_resolution};
    c->f = f;
    c->out = out;
    c->failed = false;
    bool good = ir_split_edges(f);
    for (unsigned k = 0; k < sizeof stages / sizeof *stages && good; k++) {
        good = !ir_late(f) && stages[k](c);
        after[k](c);
    }
    good = good && !ir_late(f) && emit_function(c, where);
    after_emission(c);
    return good;
}

void target_patch(struct code_buffer *code, const struct code_func *funcs, uint32_t import_count)
{
    for (uint32_t i = 0; i < code->reloc_count; i++) {
        uint32_t offset = code->relocs[i].offset;
        x86_patch_near(code, offset, funcs[code->relocs[i].func - import_count].start);
    }
}

const char *target_lacks(const struct target_features *features, const struct ir_func *f)
{
    if (features->sse41)
        return NULL;
    for (uint32_t i = 0; i < f->signature->param_count; i++)
        if (f->signature->params[i] == IR_V128)
            return "SIMD needs SSE4.1";
    for (uint32_t i = 1; i < f->ins_count; i++) {
        const struct ir_ins *ins = &f->ins[i];
        if (ins->op != IR_NOP &&
            (ins->type == IR_V128 || (ins->op >= IR_SIMD1 && ins->op <= IR_SIMD3)))
            return "SIMD needs SSE4.1";
    }
    return NULL;
}
