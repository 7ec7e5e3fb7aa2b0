/* What can touch what: places in memory, and what loops write. */
#ifndef QUINCE_OPT_ALIAS_H
#define QUINCE_OPT_ALIAS_H

#include "opt/passes.h"

/* SIZE bytes at BASE + OFFSET of memory AUX. BASE IR_NONE: OFFSET is the address. */
struct place {
    ir_ref base;
    uint64_t offset;
    uint32_t aux;
    uint8_t size;
};
/* Of a LOAD or STORE. */
struct place place_of(const struct ir_func *f, const struct ir_ins *ins);
/* Whether two places, of values that hold at the same time, may share a byte. */
bool place_overlaps(const struct ir_func *f, const struct place *x, const struct place *y);

/* What the blocks of a loop write, those of loops inside of it too. */
enum { LOOP_STORES_KEPT = 6, LOOP_GLOBALS_KEPT = 4 };
struct loop_writes {
    bool all_memory, all_globals; /* or more than is kept */
    uint8_t store_count, global_count;
    ir_ref stores[LOOP_STORES_KEPT];
    uint32_t globals[LOOP_GLOBALS_KEPT];
};
/* By block number, filled for headers; NULL: no memory. *ANY false, and NULL: there are no loops.
 */
struct loop_writes *loop_writes_new(struct ir_func *f, bool *any);
/* Whether the loop may change the place, or global GLOBAL. */
bool loop_changes_place(const struct ir_func *f, const struct loop_writes *loop,
                        const struct place *place);
bool loop_changes_global(const struct ir_func *f, const struct loop_writes *loop, uint32_t global);

/* Whether BLOCK belongs to the loop of HEADER. */
static inline bool loop_has(const struct ir_func *f, ir_block_ref header, ir_block_ref block)
{
    for (ir_block_ref h = f->blocks[block].loop; h != IR_NONE; h = f->blocks[h].outer_loop)
        if (h == header)
            return true;
    return false;
}

#endif
