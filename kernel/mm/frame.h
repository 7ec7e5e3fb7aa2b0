/* Physical memory in frames of 4 KiB. Callable from any thread, not from interrupts. */
#ifndef QUINCE_MM_FRAME_H
#define QUINCE_MM_FRAME_H

#include "arch/mmu.h"

#define FRAME_NONE (~(paddr_t)0)
/* One frame, contents undefined; FRAME_NONE when memory is short. */
paddr_t frame_alloc(void);
void frame_free(paddr_t frame);
/* 2^ORDER contiguous, naturally aligned frames (for DMA and tables). */
paddr_t frame_alloc_order(unsigned order);
void frame_free_order(paddr_t frame, unsigned order);

struct frame_stats {
    uint64_t total, free; /* frames */
};
void frame_stats(struct frame_stats *out);

/* The direct map: every frame of RAM is readable there, and writable unless it is mapped executable
 * or read-only text. */
void *frame_to_virt(paddr_t pa);
paddr_t virt_to_frame(const void *direct);

/* For arch/<name>/boot.c: makes the allocator of boot_info's RAM; gives it more frames. */
void frame_init(void);
void frame_add(paddr_t start, size_t size);

#endif
