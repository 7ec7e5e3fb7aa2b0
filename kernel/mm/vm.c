/* Virtual memory: the lower half of the address space, handed out in reservations.
 *
 * Reservations stand in one array sorted by address; what is mapped in them, only the page tables
 * know. Small ones lie close together from 4 GiB on, sharing page tables; those of a GiB and more
 * (the memories of extensions) lie above 512 GiB.
 *
 * One lock guards the array and every change of mappings; pages are zeroed outside of it. */
#include "mm/vm.h"
#include <errno.h>
#include <string.h>
#include "arch/fault.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "sched/sync.h"

#define SMALL_START 0x100000000ul
#define SMALL_END   0x8000000000ul
#define LARGE_START SMALL_END
#define LARGE_END   0x7ffffffff000ul
#define LARGE       0x40000000ul

struct reservation {
    uintptr_t start;
    size_t size;
    bool device; /* what is mapped in it is not RAM */
};

static struct spinlock lock;
enum { BUILT_IN = 24 };

static struct reservation first_table[BUILT_IN];
static struct reservation *table = first_table;
static size_t count, capacity = BUILT_IN;
static uint64_t mapped_bytes;

static size_t page_up(size_t size)
{
    return (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

/* Index of the first reservation that starts above ADDRESS. */
static size_t upper_bound(uintptr_t address)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (table[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct reservation *find(uintptr_t address)
{
    size_t i = upper_bound(address);
    if (i == 0)
        return NULL;
    struct reservation *r = &table[i - 1];
    return address - r->start < r->size ? r : NULL;
}

static unsigned table_order(size_t entries)
{
    unsigned order = 0;
    while ((PAGE_SIZE << order) / sizeof *table < entries)
        order++;
    return order;
}

/* The table is frames of its own: the heap may call us. */
static bool resize_table(size_t entries)
{
    struct reservation *fresh = first_table;
    size_t fresh_capacity = BUILT_IN;
    if (entries > BUILT_IN) {
        unsigned order = table_order(entries);
        paddr_t frames = frame_alloc_order(order);
        if (frames == FRAME_NONE)
            return false;
        fresh = frame_to_virt(frames);
        fresh_capacity = (PAGE_SIZE << order) / sizeof *table;
    }
    memcpy(fresh, table, count * sizeof *table);
    if (table != first_table)
        frame_free_order(virt_to_frame(table), table_order(capacity));
    table = fresh;
    capacity = fresh_capacity;
    return true;
}

static void *insert(size_t at, uintptr_t start, size_t size, bool device)
{
    if (count == capacity && !resize_table(capacity * 2))
        return NULL;
    memmove(&table[at + 1], &table[at], (count - at) * sizeof *table);
    table[at] = (struct reservation){start, size, device};
    count++;
    return (void *)start;
}

static void *reserve(size_t size, size_t align, bool device)
{
    size = page_up(size);
    if (size == 0 || size > LARGE_END || align < PAGE_SIZE || (align & (align - 1)) ||
        align > LARGE_END)
        return NULL;
    bool large = size >= LARGE;
    uintptr_t from = large ? LARGE_START : SMALL_START;
    uintptr_t end = large ? LARGE_END : SMALL_END;

    void *result = NULL;
    cpu_irq_state state = spin_lock(&lock);
    /* The lowest gap that fits, with a page to spare on either side. */
    for (size_t i = upper_bound(from - 1);; i++) {
        uintptr_t start = (from + PAGE_SIZE + align - 1) & ~(align - 1);
        uintptr_t limit = i < count && table[i].start < end ? table[i].start : end;
        if (start < limit && size < limit - start) {
            result = insert(i, start, size, device);
            break;
        }
        if (limit == end)
            break;
        from = table[i].start + table[i].size;
    }
    spin_unlock(&lock, state);
    return result;
}

void *vm_reserve(size_t size, size_t align)
{
    return reserve(size, align, false);
}

/* A run of pages that were mapped side by side and are no longer. */
struct run {
    paddr_t frame;
    size_t size;
    unsigned prot;
};

/* Takes the first one out of [addr, end); false: there is none. */
static bool take_run(uintptr_t *addr, uintptr_t end, bool device, struct run *run)
{
    if (!mmu_next(addr, end, &run->frame, &run->size, &run->prot))
        return false;
    if (mmu_unmap(*addr, run->size))
        panic("cannot split a page at %p", (void *)*addr);
    /* The direct map of executable pages was made read-only; its table is split there. */
    if (run->prot & MMU_EXEC)
        (void)mmu_protect((uintptr_t)frame_to_virt(run->frame), run->size, MMU_READ | MMU_WRITE);
    if (!device)
        mapped_bytes -= run->size;
    *addr += run->size;
    return true;
}

static void unmap(uintptr_t addr, size_t size, bool device)
{
    uintptr_t end = addr + size;
    for (;;) {
        struct run run;
        cpu_irq_state state = spin_lock(&lock);
        bool more = addr < end && take_run(&addr, end, device, &run);
        spin_unlock(&lock, state);
        if (!more)
            return;
        /* No code is left behind in what will be data; an emulator that keeps translations of code
         * would also look at every later write to such a page. */
        if (run.prot & MMU_EXEC)
            memset(frame_to_virt(run.frame), 0, run.size);
        if (!device)
            frame_free_range(run.frame, run.size);
    }
}

void vm_release(void *addr, size_t size)
{
    size = page_up(size);
    cpu_irq_state state = spin_lock(&lock);
    struct reservation *r = find((uintptr_t)addr);
    if (!r || r->start != (uintptr_t)addr || r->size != size)
        panic("vm_release(%p, 0x%zx) of no reservation", addr, size);
    bool device = r->device;
    spin_unlock(&lock, state);

    unmap((uintptr_t)addr, size, device);

    state = spin_lock(&lock);
    size_t at = upper_bound((uintptr_t)addr) - 1;
    memmove(&table[at], &table[at + 1], (count - at - 1) * sizeof *table);
    count--;
    /* Smaller once it would be half full; one page holds some 170, so the step below that is far.
     */
    if (table != first_table && count < capacity / 4 && capacity * sizeof *table > PAGE_SIZE)
        (void)resize_table(capacity / 2);
    else if (table != first_table && count <= BUILT_IN / 2)
        (void)resize_table(BUILT_IN);
    spin_unlock(&lock, state);
}

void vm_decommit(void *addr, size_t size)
{
    unmap((uintptr_t)addr, page_up(size), false);
}

static bool within_reservation(uintptr_t addr, size_t size)
{
    uintptr_t start;
    size_t whole;
    return addr % PAGE_SIZE == 0 && vm_find(addr, &start, &whole) && size <= whole &&
           addr - start <= whole - size;
}

/* Until a commit is sure to succeed its frames are linked through their first bytes. */
struct fresh_page {
    struct fresh_page *next;
    uintptr_t addr;
};

/* Maps one page if none is there and links it in. */
static int commit_page(uintptr_t addr, unsigned prot, bool zero, struct fresh_page **pages)
{
    paddr_t frame;
    if (mmu_frame_at(addr, &frame))
        return 0;
    frame = frame_alloc();
    if (frame == FRAME_NONE)
        return -ENOMEM;
    struct fresh_page *page = frame_to_virt(frame);
    if (zero)
        memset(page, 0, PAGE_SIZE);
    cpu_irq_state state = spin_lock(&lock);
    int error = mmu_map(addr, frame, PAGE_SIZE, prot);
    if (!error)
        mapped_bytes += PAGE_SIZE;
    spin_unlock(&lock, state);
    if (error) {
        frame_free(frame);
        return error;
    }
    *page = (struct fresh_page){*pages, addr};
    *pages = page;
    return 0;
}

static int commit(uintptr_t addr, size_t size, unsigned prot, bool zero)
{
    size = page_up(size);
    if ((prot & MMU_EXEC) || !within_reservation(addr, size))
        return -EINVAL;
    struct fresh_page *pages = NULL;
    int error = 0;
    for (uintptr_t page = addr; page < addr + size && !error; page += PAGE_SIZE)
        error = commit_page(page, prot, zero, &pages);
    while (pages) {
        struct fresh_page page = *pages;
        *pages = (struct fresh_page){NULL, 0};
        pages = page.next;
        if (error)
            unmap(page.addr, PAGE_SIZE, false);
    }
    return error;
}

int vm_commit(void *addr, size_t size, unsigned prot)
{
    return commit((uintptr_t)addr, size, prot, true);
}

int vm_protect(void *addr, size_t size, unsigned prot)
{
    size = page_up(size);
    if ((prot & MMU_EXEC) || !within_reservation((uintptr_t)addr, size))
        return -EINVAL;
    cpu_irq_state state = spin_lock(&lock);
    int error = mmu_protect((uintptr_t)addr, size, prot);
    spin_unlock(&lock, state);
    return error;
}

static void *alloc(size_t size, unsigned prot, bool zero)
{
    void *addr = vm_reserve(size, PAGE_SIZE);
    if (addr && commit((uintptr_t)addr, size, prot, zero)) {
        vm_release(addr, size);
        return NULL;
    }
    return addr;
}

void *vm_alloc(size_t size, unsigned prot)
{
    return alloc(size, prot, true);
}

void *vm_alloc_stack(size_t size)
{
    return alloc(size, MMU_READ | MMU_WRITE, false);
}

void *vm_map_device(paddr_t pa, size_t size)
{
    size = page_up(size);
    if (pa % PAGE_SIZE)
        return NULL;
    void *addr = reserve(size, PAGE_SIZE, true);
    if (addr && mmu_map((uintptr_t)addr, pa, size, MMU_READ | MMU_WRITE | MMU_DEVICE)) {
        vm_release(addr, size);
        return NULL;
    }
    return addr;
}

/* The direct map's permission of the frames behind [addr, addr + size), page by page. */
static int protect_frames(uintptr_t addr, size_t size, unsigned prot)
{
    for (size_t offset = 0; offset < size; offset += PAGE_SIZE) {
        paddr_t frame;
        int error = mmu_frame_at(addr + offset, &frame)
                        ? mmu_protect((uintptr_t)frame_to_virt(frame), PAGE_SIZE, prot)
                        : -EINVAL;
        if (error) {
            (void)protect_frames(addr, offset, MMU_READ | MMU_WRITE);
            return error;
        }
    }
    return 0;
}

int vm_make_executable(void *addr, size_t size)
{
    uintptr_t start = (uintptr_t)addr;
    size = page_up(size);
    if (!within_reservation(start, size))
        return -EINVAL;
    cpu_irq_state state = spin_lock(&lock);
    int error = protect_frames(start, size, MMU_READ);
    if (!error) {
        error = mmu_protect(start, size, MMU_READ | MMU_EXEC);
        if (error)
            (void)protect_frames(start, size, MMU_READ | MMU_WRITE);
    }
    spin_unlock(&lock, state);
    return error;
}

bool vm_find(uintptr_t addr, uintptr_t *start, size_t *size)
{
    cpu_irq_state state = spin_lock(&lock);
    const struct reservation *r = find(addr);
    if (r) {
        *start = r->start;
        *size = r->size;
    }
    spin_unlock(&lock, state);
    return r != NULL;
}

uint64_t vm_mapped_bytes(void)
{
    return __atomic_load_n(&mapped_bytes, __ATOMIC_RELAXED);
}
