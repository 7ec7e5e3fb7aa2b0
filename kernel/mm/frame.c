/* The frame allocator: a buddy system over all of RAM.
 *
 * One byte per frame says what a frame heads: a free block of some order, or something allocated.
 * The lists of free blocks run through the blocks themselves (by the direct map), and orders go up
 * to a block of 4 GiB, so starting up touches a handful of frames however large the machine is. */
#include "mm/frame.h"
#include <string.h>
#include "arch/fault.h"
#include "include/boot.h"
#include "mm/internal.h"
#include "sched/list.h"
#include "sched/sync.h"

enum { ORDERS = 21 };

static struct list_node free_lists[ORDERS];
static struct spinlock lock;
static struct frame_stats stats;
uint8_t *frame_states;
static size_t frame_count;

static size_t number_of(paddr_t frame)
{
    return frame / PAGE_SIZE;
}

static bool is_free_head(size_t number, unsigned order)
{
    return number < frame_count && frame_states[number] == FRAME_FREE + order;
}

static void push(size_t number, unsigned order)
{
    frame_states[number] = (uint8_t)(FRAME_FREE + order);
    list_add_head(&free_lists[order], frame_to_virt(number * PAGE_SIZE));
}

static void pop(size_t number)
{
    frame_states[number] = FRAME_USED;
    list_remove(frame_to_virt(number * PAGE_SIZE));
}

static void free_block(size_t number, unsigned order)
{
    if (number >= frame_count || frame_states[number] >= FRAME_FREE)
        panic("frame 0x%zx freed twice", number * PAGE_SIZE);
    stats.free += 1ul << order;
    while (order + 1 < ORDERS) {
        size_t buddy = number ^ 1ul << order;
        if (!is_free_head(buddy, order))
            break;
        pop(buddy);
        number &= ~(1ul << order);
        order++;
    }
    push(number, order);
}

paddr_t frame_alloc_order(unsigned order)
{
    cpu_irq_state state = spin_lock(&lock);
    paddr_t result = FRAME_NONE;
    for (unsigned from = order; from < ORDERS; from++) {
        if (list_empty(&free_lists[from]))
            continue;
        size_t number = number_of(virt_to_frame(free_lists[from].next));
        pop(number);
        while (from > order) {
            from--;
            push(number + (1ul << from), from);
        }
        stats.free -= 1ul << order;
        result = number * PAGE_SIZE;
        break;
    }
    spin_unlock(&lock, state);
    return result;
}

void frame_free_order(paddr_t frame, unsigned order)
{
    cpu_irq_state state = spin_lock(&lock);
    free_block(number_of(frame), order);
    spin_unlock(&lock, state);
}

paddr_t frame_alloc(void)
{
    return frame_alloc_order(0);
}

void frame_free(paddr_t frame)
{
    frame_free_order(frame, 0);
}

void frame_stats(struct frame_stats *out)
{
    cpu_irq_state state = spin_lock(&lock);
    *out = stats;
    spin_unlock(&lock, state);
}

/* In the largest naturally aligned blocks. */
void frame_free_range(paddr_t start, size_t size)
{
    size_t number = number_of(start), end = number_of(start + size);
    cpu_irq_state state = spin_lock(&lock);
    while (number < end) {
        unsigned order = 0;
        while (order + 1 < ORDERS && number % (2ul << order) == 0 && number + (2ul << order) <= end)
            order++;
        free_block(number, order);
        number += 1ul << order;
    }
    spin_unlock(&lock, state);
}

void frame_add(paddr_t start, size_t size)
{
    frame_free_range(start, size);
    stats.total += size / PAGE_SIZE;
}

void frame_init(void)
{
    for (unsigned order = 0; order < ORDERS; order++)
        list_init(&free_lists[order]);

    uint64_t end = 0;
    for (unsigned i = 0; i < boot_info.ram_count; i++) {
        if (boot_info.ram[i].start + boot_info.ram[i].size > end)
            end = boot_info.ram[i].start + boot_info.ram[i].size;
    }
    frame_count = number_of(end);
    frame_states = frame_to_virt(boot_early_alloc(frame_count));
    memset(frame_states, FRAME_USED, frame_count);
    for (unsigned i = 0; i < boot_info.ram_count; i++)
        frame_add(boot_info.ram[i].start, boot_info.ram[i].size);
}
