/* The kernel's heap: 16-byte aligned blocks; NULL when memory is short. From threads only. The
 * application's malloc is musl's, over mmap. */
#ifndef QUINCE_MM_HEAP_H
#define QUINCE_MM_HEAP_H

#include <stddef.h>
#include <stdint.h>

void *kmalloc(size_t size);
void *kcalloc(size_t count, size_t size); /* zeroed; overflow gives NULL */
void *krealloc(void *p, size_t size);
void kfree(void *p);
struct heap_stats {
    uint64_t used, reserved; /* bytes handed out, bytes taken from the frame allocator */
    uint64_t blocks;
};
void heap_stats(struct heap_stats *out);

#endif
