/* Virtual memory: reservations of address space and what is mapped in them. From threads only. */
#ifndef QUINCE_MM_VM_H
#define QUINCE_MM_VM_H

#include <stdbool.h>
#include "arch/mmu.h"

/* Address space without memory; page granular; ALIGN a power of two ≥ PAGE_SIZE. NULL: exhausted.
 * One unmapped guard page precedes and follows every reservation. */
void *vm_reserve(size_t size, size_t align);
/* Ends a reservation made with this address and size, freeing what is mapped in it. */
void vm_release(void *addr, size_t size);
/* Zeroed frames for a page range within a reservation; already mapped pages are kept. 0 or -ENOMEM
 * (then nothing was added). Two commits of the same pages at once are the caller's to keep apart.
 */
int vm_commit(void *addr, size_t size, unsigned prot);
void vm_decommit(void *addr, size_t size);
int vm_protect(void *addr, size_t size, unsigned prot); /* of committed pages */
/* reserve + commit */
void *vm_alloc(size_t size, unsigned prot);
/* The same, readable and writable, contents undefined: for stacks, which nobody reads before
 * writing. */
void *vm_alloc_stack(size_t size);
/* Device registers at a physical address; release with vm_release. */
void *vm_map_device(paddr_t pa, size_t size);
/* Turns committed writable pages into executable ones: takes write permission from the direct map
 * first, then makes ADDR executable. -ENOMEM leaves them writable. vm_release/vm_decommit of such
 * pages gives the direct map its permission back. */
int vm_make_executable(void *addr, size_t size);
/* The reservation that ADDR lies in; false: none. */
bool vm_find(uintptr_t addr, uintptr_t *start, size_t *size);
uint64_t vm_mapped_bytes(void);

#endif
