/* Page tables of the one address space. Callers are mm/vm.c and boot; everyone else uses mm/vm.h.
 */
#ifndef QUINCE_ARCH_MMU_H
#define QUINCE_ARCH_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;
#undef PAGE_SIZE /* POSIX has it in limits.h as well */
#define PAGE_SIZE 4096ul

enum mmu_prot {
    MMU_NONE = 0,
    MMU_READ = 1,
    MMU_WRITE = 2,
    MMU_EXEC = 4, /* never together with MMU_WRITE: asserted */
    MMU_DEVICE = 8,
};
/* Maps [va, va+size) to [pa, …); page aligned; uses large pages where it can. 0 or -ENOMEM (nothing
 * stays mapped). */
int mmu_map(uintptr_t va, paddr_t pa, size_t size, unsigned prot);
/* 0, or -ENOMEM when a large page had to be split; then a part may be unmapped already. Frees page
 * tables that become empty, not the frames that were mapped. */
int mmu_unmap(uintptr_t va, size_t size);
/* Changes what is mapped in the range; splits large pages. 0 or -ENOMEM. */
int mmu_protect(uintptr_t va, size_t size, unsigned prot);
/* false: not mapped. */
bool mmu_translate(uintptr_t va, paddr_t *pa, unsigned *prot);
/* The frame behind a page even when it was protected with MMU_NONE. */
bool mmu_frame_at(uintptr_t va, paddr_t *pa);
/* The first mapped run of pages at or above *VA below END: moves *VA there, gives its frames, their
 * number of bytes (cut to END) and permissions. false: nothing is mapped. */
bool mmu_next(uintptr_t *va, uintptr_t end, paddr_t *pa, size_t *size, unsigned *prot);

#endif
