/* Short loops in one line of the instruction cache. How long a loop is shows only when it is there:
 * one that fits into a line but lies in two is moved behind the line's end, and with it all that
 * was noted of its code. Nothing in it may know yet where something before it is. */
#include "target/x86_64/emit.h"

#include <string.h>

enum { LINE = 64 };

/* Adds PAD to the offsets from FROM on; FIELD of the entries of ARRAY, which ascend. */
#define SHIFT(array, entries, field, from, pad)                                                    \
    for (uint32_t k = (entries); k-- > 0 && (array)[k].field >= (from);)                           \
        (array)[k].field += (pad);

static void shift_notes(struct code_buffer *out, uint32_t from, uint32_t pad)
{
    SHIFT(out->traps, out->trap_count, offset, from, pad)
    SHIFT(out->sites, out->site_count, offset, from + 1, pad) /* a return address may be here */
    SHIFT(out->relocs, out->reloc_count, offset, from, pad)
    SHIFT(out->typerefs, out->typeref_count, offset, from, pad)
    SHIFT(out->positions, out->position_count, offset, from, pad)
    SHIFT(out->unwind, out->unwind_count, offset, from, pad)
}

static void shift_fields(struct target_compiler *c, uint32_t from, uint32_t pad)
{
    SHIFT(c->fixups.data, c->fixups.count, field, from, pad)
    SHIFT(c->tables.data, c->tables.count, field, from, pad)
    for (uint32_t k = c->stubs.count; k-- > 0 && c->stubs.data[k].field >= from;) {
        c->stubs.data[k].field += pad;
        c->stubs.data[k].back += c->stubs.data[k].back ? pad : 0;
    }
    /* The first entry is none. */
    for (uint32_t k = c->pool_uses.count; k-- > 1 && c->pool_uses.data[k].field >= from;)
        c->pool_uses.data[k].field += pad;
}

void line_begin(struct target_compiler *c, uint32_t block, uint32_t loop)
{
    c->line_loop = loop;
    c->line_block = block;
    c->line_start = (uint32_t)c->out->size;
    c->line_reach = UINT32_MAX;
}

void line_end(struct target_compiler *c)
{
    struct code_buffer *out = c->out;
    uint32_t start = c->line_start, size = (uint32_t)out->size - start;
    uint32_t pad = -start & (LINE - 1);
    c->line_loop = NO_LOOP;
    if (size > LINE || size <= pad || !pad || c->line_reach < start || out->failed ||
        !x86_reserve(out, pad))
        return;
    memmove(out->bytes + start + pad, out->bytes + start, size);
    out->size = start;
    x86_nops(out, pad);
    out->size += size;
    shift_notes(out, start, pad);
    shift_fields(c, start, pad);
    for (uint32_t b = c->line_block; c->labels.data[b] != UINT32_MAX; b = c->behind.data[b]) {
        c->labels.data[b] += pad;
        if (c->behind.data[b] == c->blocks.count)
            break;
    }
}
