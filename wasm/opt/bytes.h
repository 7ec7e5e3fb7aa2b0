/* Where the bytes of an integer come from: the way back through shifts by whole bytes, masks of
 * whole bytes, extensions and sums of parts that do not meet. */
#ifndef QUINCE_OPT_BYTES_H
#define QUINCE_OPT_BYTES_H

#include "opt/passes.h"

/* Byte BYTE (0: the lowest) of the value SOURCE, which may be a load; SOURCE 0: the byte is 0. */
struct byte_source {
    ir_ref source;
    uint8_t byte;
};

/* Of byte BYTE of REF, an I32 or I64. False: it is not one byte of another value. For a sum this
 * holds only if it holds for all its bytes, since one may carry into the next. Looks at 64
 * instructions at most. */
bool byte_source(const struct ir_func *f, ir_ref ref, unsigned byte, struct byte_source *from);

/* Bytes of the value of an I32 or I64. */
static inline unsigned byte_width(const struct ir_ins *ins)
{
    return ins->type == IR_I64 ? 8 : 4;
}

/* The address of access INS as BASE + CONSTANT, the sum taken modulo 2^32 when BASE is an I32, and
 * the offset besides. */
struct byte_address {
    ir_ref base;
    uint32_t constant;
};
struct byte_address byte_address(const struct ir_func *f, const struct ir_ins *ins);

/* How far access X is ahead of access Y of the same memory. False: not known. WRAPS: the distance
 * holds modulo 2^32 only. */
bool byte_distance(const struct ir_func *f, const struct ir_ins *x, const struct ir_ins *y,
                   int64_t *distance, bool *wraps);

/* COUNT (2, 4, 8) bytes of VALUE from its lowest on, in the other order, put before WHERE as a
 * value of TYPE. Bytes of VALUE beyond them do not matter. */
ir_ref byte_swapped(struct ir_func *f, ir_ref where, ir_ref value, unsigned count, uint8_t type);

#endif
