/* Addresses as devices see them. */
#ifndef QUINCE_BUS_DMA_H
#define QUINCE_BUS_DMA_H

#include <stdint.h>

/* Bus address of kernel memory (direct map, heap, image). The caller answers for the memory being
 * physically contiguous as far as the device will go. */
uint64_t dma_address(const void *p);

#endif
