/* Listings: the front end and the optimiser run again over one function, with somebody looking. */
#include "listing.h"

#include <stdio.h>

#include "host.h"
#include "runtime/inlining.h"

struct lister {
    const struct wasm_module *module;
    struct wasm_listing *listing;
    uint32_t ins_capacity, ssa_capacity;
    uint32_t depth;
    bool failed; /* out of memory */
};

static char *copy(struct lister *l, const char *text)
{
    char *p = wasm_host_alloc(strlen(text) + 1);
    l->failed |= !p;
    return p ? strcpy(p, text) : NULL;
}

/* Room for one entry more at the end of *ARRAY. */
static bool grow(struct lister *l, void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return true;
    uint32_t fresh = *capacity * 2 + 64;
    void *old, *bigger;
    memcpy(&old, array, sizeof(old));
    bigger = wasm_host_realloc(old, (size_t)fresh * size);
    if (!bigger) {
        l->failed = true;
        return false;
    }
    memcpy(array, &bigger, sizeof(bigger));
    *capacity = fresh;
    return true;
}

static void observe(void *context, uint32_t offset, uint32_t end, const char *name,
                    uint32_t natural, uint32_t depth)
{
    struct lister *l = context;
    struct wasm_listing *list = l->listing;
    if (!grow(l, &list->ins, list->ins_count, &l->ins_capacity, sizeof(*list->ins)))
        return;
    char text[256];
    listing_text(l->module, offset, end, name, natural, text, sizeof(text));
    /* What opens a block stands outside of it, and so does what ends or divides one. */
    bool divides = !strcmp(name, "else") || !strncmp(name, "catch", 5);
    uint32_t outer = depth < l->depth ? depth : l->depth - divides;
    l->depth = depth;
    char *kept = copy(l, text);
    if (kept)
        list->ins[list->ins_count++] =
            (struct wasm_listing_ins){offset, end, outer ? outer - 1 : 0, kept};
}

static void add_ssa(struct lister *l, struct wasm_listing_ssa **lines, uint32_t *count,
                    uint32_t offset, bool block, const char *text)
{
    if (!grow(l, lines, *count, &l->ssa_capacity, sizeof(**lines)))
        return;
    char *kept = copy(l, text);
    if (kept)
        (*lines)[(*count)++] = (struct wasm_listing_ssa){offset, block, kept};
}

/* Blocks in the order of execution, a head and the instructions of each. */
static void print_ssa(struct lister *l, const struct ir_func *f, struct wasm_listing_ssa **lines,
                      uint32_t *count)
{
    l->ssa_capacity = 0;
    for (uint32_t i = 0; i < f->order_count; i++) {
        ir_block_ref b = f->order[i];
        const struct ir_block *block = &f->blocks[b];
        uint32_t pos = block->first ? f->ins[block->first].pos : 0;
        char text[240];
        int n = snprintf(text, sizeof(text), "b%u:", b);
        for (uint32_t k = 0; k < block->pred_count && n < 200; k++)
            n += snprintf(text + n, sizeof(text) - (size_t)n, "%s b%u", k ? "" : " from",
                          ir_preds(f, b)[k]);
        if (block->loop_depth)
            snprintf(text + n, sizeof(text) - (size_t)n, " loop depth %u", block->loop_depth);
        add_ssa(l, lines, count, pos, true, text);
        for (ir_ref r = block->first; r; r = f->ins[r].next) {
            ir_print_ins(f, r, text, sizeof(text));
            add_ssa(l, lines, count, f->ins[r].pos, false, text);
        }
    }
}

/* The part of the module's position table that lies in the function. */
static void copy_positions(struct lister *l)
{
    const struct wasm_module *m = l->module;
    struct wasm_listing *list = l->listing;
    uint32_t start = (uint32_t)(list->code.address - (uintptr_t)m->code);
    uint32_t end = start + (uint32_t)list->code.size, first = 0, last;
    while (first < m->position_count && m->positions[first].offset < start)
        first++;
    for (last = first; last < m->position_count && m->positions[last].offset < end; last++)
        ;
    list->positions = array_new((size_t)last - first + 1, sizeof(*list->positions));
    if (!list->positions) {
        l->failed = true;
        return;
    }
    for (uint32_t i = first; i < last; i++)
        list->positions[i - first] =
            (struct wasm_listing_position){m->positions[i].offset - start, m->positions[i].pos};
    list->position_count = last - first;
}

/* As the code generator will. */
static bool drop_unused(struct ir_func *f)
{
    struct ir_use *uses = array_new(f->ins_count, sizeof *uses);
    bool ok = uses && ir_count_uses(f, uses);
    wasm_host_free(uses);
    return ok;
}

static bool list_function(struct lister *l, uint32_t func, const char *passes,
                          struct wasm_error *err)
{
    struct body_decoder *decoder = body_decoder_new(&l->module->info);
    struct wasm_listing *list = l->listing;
    struct ir_func f;
    ir_func_init(&f, &l->module->info.ir, 0);
    bool ok = decoder != NULL;
    l->failed |= !decoder;
    if (ok) {
        l->depth = 1;
        body_decoder_observe(decoder, observe, l);
        ok = decode_body(decoder, func, &f, err);
    }
    if (ok) {
        print_ssa(l, &f, &list->decoded, &list->decoded_count);
        struct inlining inlining;
        inlining_init(&inlining, &l->module->info, NULL);
        l->failed |= !opt_run(&f, passes, &inlining.asked) || !drop_unused(&f);
        inlining_free(&inlining);
    }
    if (ok && !l->failed) {
        print_ssa(l, &f, &list->optimised, &list->optimised_count);
        copy_positions(l);
    }
    ir_func_free(&f);
    body_decoder_free(decoder);
    return ok && !l->failed;
}

struct wasm_listing *wasm_listing_new(struct wasm_module *module, uint32_t func, const char *passes,
                                      struct wasm_error *err)
{
    memset(err, 0, sizeof(*err));
    uint32_t imported = module->info.imported_funcs;
    if (func < imported || func >= module->info.func_count) {
        error_set(err, WASM_ERR_INVALID, 0, "function %u is %s", func,
                  func < imported ? "imported: it has no code" : "none of the module's");
        return NULL;
    }
    struct lister l = {.module = module, .listing = array_new(1, sizeof(*l.listing))};
    if (l.listing) {
        l.listing->code = wasm_module_code(module, func - imported);
        if (list_function(&l, func, passes, err))
            return l.listing;
    }
    if (!err->kind)
        error_set(err, WASM_ERR_NOMEM, 0, "out of memory for a listing");
    wasm_listing_free(l.listing);
    return NULL;
}

static void free_ssa(struct wasm_listing_ssa *lines, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        wasm_host_free(lines[i].text);
    wasm_host_free(lines);
}

void wasm_listing_free(struct wasm_listing *listing)
{
    if (!listing)
        return;
    for (uint32_t i = 0; i < listing->ins_count; i++)
        wasm_host_free(listing->ins[i].text);
    wasm_host_free(listing->ins);
    free_ssa(listing->decoded, listing->decoded_count);
    free_ssa(listing->optimised, listing->optimised_count);
    wasm_host_free(listing->positions);
    wasm_host_free(listing);
}
