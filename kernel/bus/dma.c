/* Addresses as devices see them: physical ones, while there is no IOMMU. */
#include "bus/dma.h"

#include "arch/fault.h"
#include "arch/mmu.h"

uint64_t dma_address(const void *p)
{
    paddr_t pa;
    unsigned prot;
    if (!mmu_translate((uintptr_t)p, &pa, &prot))
        panic("dma: %p is not mapped", p);
    return pa;
}
