/* The page tables: four levels, pages of 4 KiB, 2 MiB and 1 GiB.
 *
 * Tables are frames reached through the direct map. A table that becomes empty is freed, and one of
 * the direct map whose entries have become uniform again is merged back into a large page, so that
 * memory is exactly what it was once a change is undone. One lock guards all: changes are rare. */
#include "x86.h"
#include <errno.h>
#include <string.h>
#include "include/boot.h"
#include "mm/frame.h"
#include "sched/sync.h"

#define PTE_PRESENT  (1ul << 0)
#define PTE_WRITE    (1ul << 1)
#define PTE_UNCACHED (3ul << 3) /* PWT, PCD */
#define PTE_ACCESSED (1ul << 5)
#define PTE_DIRTY    (1ul << 6)
#define PTE_LARGE    (1ul << 7)
#define PTE_NX       (1ul << 63)
#define PTE_ADDRESS  0x000ffffffffff000ul

enum { ENTRIES = 512, FLUSH_ALL_ABOVE = 64 };

extern char __image_start[], __image_end[], __rodata_start[], __rodata_end[];
extern char __boot_tables_start[];
extern uint64_t boot_pml4[];

/* Until the direct map stands, tables are reached one to one. */
uintptr_t x86_direct_base;
static bool early = true;
static uint64_t *root = boot_pml4;
static struct spinlock lock;

static uint64_t *table_at(paddr_t pa)
{
    return (uint64_t *)(x86_direct_base + pa);
}

static paddr_t table_new(void)
{
    paddr_t pa = early ? boot_early_alloc(PAGE_SIZE) : frame_alloc();
    if (pa != FRAME_NONE)
        memset(table_at(pa), 0, PAGE_SIZE);
    return pa;
}

static unsigned level_shift(unsigned level)
{
    return 12 + 9 * (level - 1);
}

static size_t level_size(unsigned level)
{
    return 1ul << level_shift(level);
}

static unsigned entry_index(uintptr_t va, unsigned level)
{
    return (unsigned)(va >> level_shift(level)) & (ENTRIES - 1);
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || (entry & PTE_LARGE);
}

static uint64_t leaf_flags(unsigned prot)
{
    if ((prot & (MMU_WRITE | MMU_EXEC)) == (MMU_WRITE | MMU_EXEC))
        panic("a page may not be writable and executable");
    uint64_t flags = PTE_ACCESSED;
    if (prot & (MMU_READ | MMU_WRITE | MMU_EXEC))
        flags |= PTE_PRESENT;
    if (prot & MMU_WRITE)
        flags |= PTE_WRITE | PTE_DIRTY;
    if (!(prot & MMU_EXEC))
        flags |= PTE_NX;
    if (prot & MMU_DEVICE)
        flags |= PTE_UNCACHED;
    return flags;
}

static void flush(uintptr_t va, size_t size, size_t step)
{
    if (size / step > FLUSH_ALL_ABOVE) {
        x86_set_cr3(x86_cr3());
        return;
    }
    for (size_t offset = 0; offset < size; offset += step)
        __asm__ volatile("invlpg (%0)" : : "r"(va + offset) : "memory");
}

/* Replaces a large page by a table of smaller ones that maps the same. */
static bool split(uint64_t *entry, unsigned level)
{
    paddr_t table = table_new();
    if (table == FRAME_NONE)
        return false;
    uint64_t flags = *entry & ~PTE_ADDRESS, pa = *entry & PTE_ADDRESS;
    if (level == 2)
        flags &= ~PTE_LARGE;
    for (unsigned i = 0; i < ENTRIES; i++)
        table_at(table)[i] = (pa + i * level_size(level - 1)) | flags;
    *entry = table | PTE_PRESENT | PTE_WRITE;
    return true;
}

static bool level_allowed(unsigned level)
{
    return level == 1 || level == 2 || (level == 3 && x86_features.gib_pages);
}

static int map_level(uint64_t *table, unsigned level, uintptr_t va, paddr_t pa, size_t size,
                     uint64_t flags)
{
    while (size > 0) {
        uint64_t *entry = &table[entry_index(va, level)];
        size_t span = level_size(level);
        size_t part = span - (va & (span - 1));
        if (part > size)
            part = size;
        if (part == span && level_allowed(level) && !*entry && (pa & (span - 1)) == 0) {
            *entry = pa | flags | (level > 1 ? PTE_LARGE : 0);
        } else {
            if (!*entry) {
                paddr_t next = table_new();
                if (next == FRAME_NONE)
                    return -ENOMEM;
                *entry = next | PTE_PRESENT | PTE_WRITE;
            } else if (is_leaf(*entry, level)) {
                panic("mapping over a mapped page at %p", (void *)va);
            }
            int error = map_level(table_at(*entry & PTE_ADDRESS), level - 1, va, pa, part, flags);
            if (error)
                return error;
        }
        va += part;
        pa += part;
        size -= part;
    }
    return 0;
}

static bool table_empty(const uint64_t *table)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (table[i])
            return false;
    }
    return true;
}

static int unmap_level(uint64_t *table, unsigned level, uintptr_t va, size_t size)
{
    while (size > 0) {
        uint64_t *entry = &table[entry_index(va, level)];
        size_t span = level_size(level);
        size_t part = span - (va & (span - 1));
        if (part > size)
            part = size;
        if (*entry) {
            if (is_leaf(*entry, level) && part < span && !split(entry, level))
                return -ENOMEM;
            if (is_leaf(*entry, level)) {
                *entry = 0;
                flush(va, PAGE_SIZE, PAGE_SIZE);
            } else {
                paddr_t next = *entry & PTE_ADDRESS;
                int error = unmap_level(table_at(next), level - 1, va, part);
                if (error)
                    return error;
                if (table_empty(table_at(next))) {
                    *entry = 0;
                    flush(va, PAGE_SIZE, PAGE_SIZE);
                    frame_free(next);
                }
            }
        }
        va += part;
        size -= part;
    }
    return 0;
}

int mmu_map(uintptr_t va, paddr_t pa, size_t size, unsigned prot)
{
    cpu_irq_state state = spin_lock(&lock);
    int error = map_level(root, 4, va, pa, size, leaf_flags(prot));
    if (error)
        (void)unmap_level(root, 4, va, size); /* splits nothing: it takes away what was added */
    spin_unlock(&lock, state);
    return error;
}

int mmu_unmap(uintptr_t va, size_t size)
{
    cpu_irq_state state = spin_lock(&lock);
    int error = unmap_level(root, 4, va, size);
    spin_unlock(&lock, state);
    return error;
}

/* Merges the table behind ENTRY into one large page when its entries are contiguous and alike. */
static void merge(uint64_t *entry, unsigned level, uintptr_t va)
{
    uint64_t *table = table_at(*entry & PTE_ADDRESS);
    uint64_t first = table[0], span = level_size(level - 1);
    /* Never read-only ones: giving them back their permission must not need memory for a split. */
    if (!level_allowed(level) || !(first & PTE_WRITE) || !is_leaf(first, level - 1) ||
        ((first & PTE_ADDRESS) & (level_size(level) - 1)))
        return;
    const uint64_t ignored = PTE_ACCESSED | PTE_DIRTY;
    for (unsigned i = 1; i < ENTRIES; i++) {
        if ((table[i] & ~ignored) != ((first + i * span) & ~ignored))
            return;
    }
    paddr_t old = *entry & PTE_ADDRESS;
    *entry = first | PTE_LARGE | PTE_DIRTY | PTE_ACCESSED;
    flush(va, PAGE_SIZE, PAGE_SIZE);
    frame_free(old);
}

static int protect_level(uint64_t *table, unsigned level, uintptr_t va, size_t size, uint64_t flags)
{
    while (size > 0) {
        uint64_t *entry = &table[entry_index(va, level)];
        size_t span = level_size(level);
        size_t part = span - (va & (span - 1));
        if (part > size)
            part = size;
        if (*entry) {
            if (is_leaf(*entry, level) && part < span && !split(entry, level))
                return -ENOMEM;
            if (is_leaf(*entry, level)) {
                *entry = (*entry & (PTE_ADDRESS | (level > 1 ? PTE_LARGE : 0))) | flags;
                flush(va, PAGE_SIZE, PAGE_SIZE);
            } else {
                int error =
                    protect_level(table_at(*entry & PTE_ADDRESS), level - 1, va, part, flags);
                if (error)
                    return error;
                if (va >= DIRECT_MAP && level <= 3)
                    merge(entry, level, va);
            }
        }
        va += part;
        size -= part;
    }
    return 0;
}

int mmu_protect(uintptr_t va, size_t size, unsigned prot)
{
    cpu_irq_state state = spin_lock(&lock);
    int error = protect_level(root, 4, va, size, leaf_flags(prot));
    spin_unlock(&lock, state);
    return error;
}

/* The entry that decides about VA and its level; zero or a leaf. */
static uint64_t lookup(uintptr_t va, unsigned *level)
{
    const uint64_t *table = root;
    for (*level = 4;; (*level)--) {
        uint64_t entry = table[entry_index(va, *level)];
        if (!entry || is_leaf(entry, *level))
            return entry;
        table = table_at(entry & PTE_ADDRESS);
    }
}

static paddr_t leaf_address(uint64_t entry, unsigned level, uintptr_t va)
{
    size_t span = level_size(level);
    return (entry & PTE_ADDRESS & ~(span - 1)) | (va & (span - 1));
}

static unsigned leaf_prot(uint64_t entry)
{
    if (!(entry & PTE_PRESENT))
        return MMU_NONE;
    return MMU_READ | (entry & PTE_WRITE ? MMU_WRITE : 0u) | (entry & PTE_NX ? 0u : MMU_EXEC) |
           (entry & PTE_UNCACHED ? MMU_DEVICE : 0u);
}

static bool canonical(uintptr_t va)
{
    return va + (1ul << 47) < 1ul << 48;
}

bool mmu_translate(uintptr_t va, paddr_t *pa, unsigned *prot)
{
    unsigned level;
    uint64_t entry = canonical(va) ? lookup(va, &level) : 0;
    if (!(entry & PTE_PRESENT))
        return false;
    if (pa)
        *pa = leaf_address(entry, level, va);
    if (prot)
        *prot = leaf_prot(entry);
    return true;
}

bool mmu_frame_at(uintptr_t va, paddr_t *pa)
{
    unsigned level;
    uint64_t entry = canonical(va) ? lookup(va, &level) : 0;
    if (entry)
        *pa = leaf_address(entry, level, va & ~(PAGE_SIZE - 1));
    return entry != 0;
}

bool mmu_next(uintptr_t *va, uintptr_t end, paddr_t *pa, size_t *size, unsigned *prot)
{
    uintptr_t at = *va;
    while (at < end) {
        unsigned level;
        uint64_t entry = lookup(at, &level);
        uintptr_t next = (at & ~(level_size(level) - 1)) + level_size(level);
        if (entry) {
            *va = at;
            *pa = leaf_address(entry, level, at);
            *size = (next < end ? next : end) - at;
            *prot = leaf_prot(entry);
            return true;
        }
        at = next;
    }
    return false;
}

static void map_early(uintptr_t va, paddr_t pa, size_t size, unsigned prot)
{
    if (size && mmu_map(va, pa, size, prot))
        panic("not enough memory to map memory");
}

/* The image, section by section, one to one. The boot tables, which become free frames, are left
 * out: no frame has a second name. */
static void map_image(void)
{
    uintptr_t start = (uintptr_t)__image_start, rodata = (uintptr_t)__rodata_start;
    uintptr_t data = (uintptr_t)__rodata_end, end = (uintptr_t)__boot_tables_start;
    map_early(start, start, rodata - start, MMU_READ | MMU_EXEC);
    map_early(rodata, rodata, data - rodata, MMU_READ);
    map_early(data, data, end - data, MMU_READ | MMU_WRITE);
}

void x86_mmu_init(void)
{
    root = table_at(table_new());

    map_image();
    /* The regions of RAM have holes where the image, modules and tables lie: those are mapped too.
     */
    uint64_t low_end = 0;
    for (unsigned i = 0; i < boot_info.ram_count; i++) {
        uint64_t end = boot_info.ram[i].start + boot_info.ram[i].size;
        if (end <= 1ul << 32 && end > low_end)
            low_end = end;
        if (end > 1ul << 32)
            map_early(DIRECT_MAP + boot_info.ram[i].start, boot_info.ram[i].start,
                      boot_info.ram[i].size, MMU_READ | MMU_WRITE);
    }
    for (unsigned i = 0; i < boot_info.module_count; i++) {
        uint64_t end = boot_info.module[i].start + boot_info.module[i].size;
        if (end <= 1ul << 32 && end > low_end)
            low_end = end;
    }
    if (low_end < (uintptr_t)__image_end)
        low_end = (uintptr_t)__image_end;
    low_end = (low_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    map_early(DIRECT_MAP, 0, low_end, MMU_READ | MMU_WRITE);

    uintptr_t text = (uintptr_t)__image_start;
    if (mmu_protect(DIRECT_MAP + text, (uintptr_t)__rodata_end - text, MMU_READ))
        panic("not enough memory to protect the kernel");
    /* Interrupt controllers of every PC: I/O APIC and HPET, local APIC. */
    map_early(DIRECT_MAP + 0xfec00000, 0xfec00000, 0x400000, MMU_READ | MMU_WRITE | MMU_DEVICE);

    x86_set_cr3((uintptr_t)root);
    root = (uint64_t *)(DIRECT_MAP + (uintptr_t)root);
    x86_direct_base = DIRECT_MAP;
    early = false;
}

void *frame_to_virt(paddr_t pa)
{
    return (void *)(DIRECT_MAP + pa);
}

paddr_t virt_to_frame(const void *direct)
{
    return (uintptr_t)direct - DIRECT_MAP;
}
