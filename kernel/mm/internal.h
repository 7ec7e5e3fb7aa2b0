/* What the files of mm/ know of each other. */
#ifndef QUINCE_MM_INTERNAL_H
#define QUINCE_MM_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "mm/frame.h"

/* One byte per frame, by frame number: what it is or heads. The values between are the heap's. */
enum frame_state {
    FRAME_USED = 0,
    FRAME_HEAP_BLOCK, /* first frame of a heap block of whole frames */
    FRAME_HEAP_MORE,  /* a further one */
    FRAME_HEAP_SLAB,
    FRAME_FREE = 0x80, /* + order: first frame of a free block */
};
extern uint8_t *frame_states;

void frame_free_range(paddr_t start, size_t size);

#endif
