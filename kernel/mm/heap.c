/* The kernel's heap. Small blocks come from slabs: one frame each, cut into blocks of one size, its
 * header in front. Larger ones are whole frames, contiguous if there are such, else a mapping of
 * their own. What a pointer is, is told by its frame's state, so blocks carry no header.
 *
 * A slab with nothing in it goes back at once: the memory in use is exactly what is held. */
#include "mm/heap.h"
#include <string.h>
#include "arch/fault.h"
#include "mm/internal.h"
#include "mm/vm.h"
#include "sched/list.h"
#include "sched/sync.h"

struct slab {
    struct list_node node; /* in its class's list while it has room */
    void *free;            /* blocks given back, linked through their first word */
    uint16_t used;
    uint16_t fresh; /* blocks from this one on were never handed out */
    uint16_t class;
    uint16_t unused;
};
_Static_assert(sizeof(struct slab) % 16 == 0, "blocks are 16-byte aligned");

/* Small steps below, then as many blocks as fit a frame beside the header. */
static const uint16_t class_sizes[] = {16,  32,  48,  64,  80,  96,  112, 128,  160,  192, 224,
                                       256, 320, 384, 448, 576, 672, 800, 1008, 1344, 2016};
enum {
    CLASSES = sizeof class_sizes / sizeof class_sizes[0],
    LARGEST_SMALL = 2016,
};

static struct list_node partial[CLASSES];
static struct spinlock lock;
static struct heap_stats stats;

static unsigned class_of(size_t size)
{
    unsigned low = 0, high = CLASSES - 1;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (class_sizes[middle] < size)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static unsigned capacity(unsigned class)
{
    return (unsigned)((PAGE_SIZE - sizeof(struct slab)) / class_sizes[class]);
}

static struct slab *new_slab(unsigned class)
{
    paddr_t frame = frame_alloc();
    if (frame == FRAME_NONE)
        return NULL;
    frame_states[frame / PAGE_SIZE] = FRAME_HEAP_SLAB;
    struct slab *slab = frame_to_virt(frame);
    *slab = (struct slab){.class = (uint16_t) class};
    list_add_head(&partial[class], &slab->node);
    stats.reserved += PAGE_SIZE;
    return slab;
}

static void *alloc_small(size_t size)
{
    unsigned class = class_of(size);
    cpu_irq_state state = spin_lock(&lock);
    if (!partial[class].next)
        list_init(&partial[class]);
    void *block = NULL;
    struct slab *slab = list_empty(&partial[class])
                            ? new_slab(class)
                            : list_entry(partial[class].next, struct slab, node);
    if (slab) {
        block = slab->free;
        if (block)
            slab->free = *(void **)block;
        else
            block = (char *)(slab + 1) + (size_t)slab->fresh++ * class_sizes[class];
        if (++slab->used == capacity(class))
            list_remove(&slab->node);
        stats.used += class_sizes[class];
        stats.blocks++;
    }
    spin_unlock(&lock, state);
    return block;
}

static void free_small(struct slab *slab, void *block)
{
    unsigned class = slab->class;
    cpu_irq_state state = spin_lock(&lock);
    if (slab->used == capacity(class))
        list_add_head(&partial[class], &slab->node);
    *(void **)block = slab->free;
    slab->free = block;
    stats.used -= class_sizes[class];
    stats.blocks--;
    bool empty = --slab->used == 0;
    if (empty) {
        list_remove(&slab->node);
        stats.reserved -= PAGE_SIZE;
    }
    spin_unlock(&lock, state);
    if (empty) {
        paddr_t frame = virt_to_frame(slab);
        frame_states[frame / PAGE_SIZE] = FRAME_USED;
        frame_free(frame);
    }
}

static void count_large(size_t bytes, bool freed)
{
    cpu_irq_state state = spin_lock(&lock);
    stats.used += freed ? 0 - bytes : bytes;
    stats.reserved += freed ? 0 - bytes : bytes;
    stats.blocks += freed ? 0 - 1ull : 1;
    spin_unlock(&lock, state);
}

static void *alloc_large(size_t size)
{
    if (size > PTRDIFF_MAX)
        return NULL;
    size_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
    unsigned order = 0;
    while (1ul << order < pages)
        order++;
    paddr_t first = frame_alloc_order(order);
    void *block;
    if (first == FRAME_NONE) {
        block = vm_alloc(pages * PAGE_SIZE, MMU_READ | MMU_WRITE);
    } else {
        /* What the rounding took too much. */
        if (pages < 1ul << order)
            frame_free_range(first + pages * PAGE_SIZE, ((1ul << order) - pages) * PAGE_SIZE);
        uint8_t *states = &frame_states[first / PAGE_SIZE];
        states[0] = FRAME_HEAP_BLOCK;
        memset(states + 1, FRAME_HEAP_MORE, pages - 1);
        block = frame_to_virt(first);
    }
    if (block)
        count_large(pages * PAGE_SIZE, false);
    return block;
}

static bool is_mapping(const void *p)
{
    return (uintptr_t)p >> 63 == 0;
}

static size_t large_size(const void *p)
{
    uintptr_t start;
    size_t size;
    if (is_mapping(p)) {
        if (!vm_find((uintptr_t)p, &start, &size) || start != (uintptr_t)p)
            panic("%p is no heap block", p);
        return size;
    }
    const uint8_t *states = &frame_states[virt_to_frame(p) / PAGE_SIZE];
    if (states[0] != FRAME_HEAP_BLOCK)
        panic("%p is no heap block", p);
    size_t pages = 1;
    while (states[pages] == FRAME_HEAP_MORE)
        pages++;
    return pages * PAGE_SIZE;
}

static void free_large(void *p)
{
    size_t size = large_size(p);
    count_large(size, true);
    if (is_mapping(p)) {
        vm_release(p, size);
        return;
    }
    paddr_t first = virt_to_frame(p);
    memset(&frame_states[first / PAGE_SIZE], FRAME_USED, size / PAGE_SIZE);
    frame_free_range(first, size);
}

/* Blocks in a slab never start at a page's edge, since the header does. */
static struct slab *slab_of(const void *p)
{
    uintptr_t page = (uintptr_t)p & ~(PAGE_SIZE - 1);
    if (page == (uintptr_t)p)
        return NULL;
    if (is_mapping(p) ||
        frame_states[virt_to_frame((const void *)page) / PAGE_SIZE] != FRAME_HEAP_SLAB)
        panic("%p is no heap block", p);
    return (struct slab *)page;
}

static size_t block_size(const void *p)
{
    const struct slab *slab = slab_of(p);
    return slab ? class_sizes[slab->class] : large_size(p);
}

void *kmalloc(size_t size)
{
    return size <= LARGEST_SMALL ? alloc_small(size) : alloc_large(size);
}

void *kcalloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *block = kmalloc(bytes);
    if (block)
        memset(block, 0, bytes);
    return block;
}

void kfree(void *p)
{
    if (!p)
        return;
    struct slab *slab = slab_of(p);
    if (slab)
        free_small(slab, p);
    else
        free_large(p);
}

void *krealloc(void *p, size_t size)
{
    if (!p)
        return kmalloc(size);
    size_t old = block_size(p);
    /* In place while it fits and half of it or more stays in use. */
    if (size <= old && (size > old / 2 || old == class_sizes[0]))
        return p;
    void *block = kmalloc(size);
    if (!block)
        return size <= old ? p : NULL;
    memcpy(block, p, size < old ? size : old);
    kfree(p);
    return block;
}

void heap_stats(struct heap_stats *out)
{
    cpu_irq_state state = spin_lock(&lock);
    *out = stats;
    spin_unlock(&lock, state);
}
