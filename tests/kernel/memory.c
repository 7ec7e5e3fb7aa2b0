/* Frames, heap, virtual memory: what is given back is back, and running out is an answer. */
#include "test.h"
#include <errno.h>
#include <string.h>
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/vm.h"
#include "sched/thread.h"

#define MIB (1ul << 20)

static uint64_t free_frames(void)
{
    struct frame_stats stats;
    frame_stats(&stats);
    return stats.free;
}

TEST(frame_blocks_are_aligned_and_come_back)
{
    uint64_t before = free_frames();
    paddr_t blocks[8];
    for (unsigned order = 0; order < 8; order++) {
        blocks[order] = frame_alloc_order(order);
        CHECK(blocks[order] != FRAME_NONE);
        CHECK_EQ(blocks[order] % (PAGE_SIZE << order), 0);
        memset(frame_to_virt(blocks[order]), 0xa5, PAGE_SIZE << order);
    }
    CHECK_EQ(before - free_frames(), 255);
    for (unsigned order = 0; order < 8; order++)
        frame_free_order(blocks[order], order);
    CHECK_EQ(free_frames(), before);
}

TEST(frame_exhaustion_recovers)
{
    uint64_t before = free_frames();
    test_hog(0);
    CHECK_EQ(free_frames(), 0);
    CHECK(frame_alloc() == FRAME_NONE);
    CHECK(kmalloc(100000) == NULL);
    CHECK(vm_alloc(PAGE_SIZE, MMU_READ | MMU_WRITE) == NULL);
    CHECK(thread_create("none", NULL, NULL, 8192, THREAD_PRIORITY_DEFAULT) == NULL);
    test_unhog();
    CHECK_EQ(free_frames(), before);
    paddr_t frame = frame_alloc();
    CHECK(frame != FRAME_NONE);
    frame_free(frame);
}

TEST(heap_blocks_are_aligned_distinct_and_come_back)
{
    enum { COUNT = 400 };
    static unsigned char *blocks[COUNT];
    struct heap_stats before, after;
    uint64_t frames = free_frames();
    heap_stats(&before);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            size_t size = (i * 37) % 3000 + (i % 50 == 0 ? 20000 : 1);
            blocks[i] = kmalloc(size);
            CHECK(blocks[i] != NULL);
            CHECK_EQ((uintptr_t)blocks[i] % 16, 0);
            memset(blocks[i], (int)i, size);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            size_t size = (i * 37) % 3000 + (i % 50 == 0 ? 20000 : 1);
            if (blocks[i][0] != (unsigned char)i || blocks[i][size - 1] != (unsigned char)i)
                test_fail(__FILE__, __LINE__, "block %u was overwritten", i);
        }
        for (unsigned i = 0; i < COUNT; i++)
            kfree(blocks[(i * 7) % COUNT]);
    }
    heap_stats(&after);
    CHECK_EQ(after.used, before.used);
    CHECK_EQ(after.blocks, before.blocks);
    CHECK_EQ(after.reserved, before.reserved);
    CHECK_EQ(free_frames(), frames);
}

TEST(heap_realloc_keeps_contents)
{
    uint64_t frames = free_frames();
    char *block = NULL;
    size_t size = 1;
    for (; size < 300000; size = size * 3 + 1) {
        block = krealloc(block, size);
        CHECK(block != NULL);
        block[size - 1] = (char)size;
        if (size > 1)
            CHECK(block[(size - 1) / 3 - 1] == (char)((size - 1) / 3));
    }
    block = krealloc(block, 1);
    CHECK(block && block[0] == 1);
    kfree(block);
    kfree(NULL);
    CHECK_EQ(free_frames(), frames);
}

TEST(heap_refuses_what_cannot_be)
{
    CHECK(kmalloc(SIZE_MAX) == NULL);
    CHECK(kmalloc(SIZE_MAX - 4096) == NULL);
    CHECK(kmalloc(1ul << 46) == NULL);
    CHECK(kcalloc(SIZE_MAX / 2, 3) == NULL);
    void *zero = kmalloc(0);
    CHECK(zero != NULL);
    kfree(zero);
}

TEST(heap_exhaustion_recovers)
{
    uint64_t before = free_frames();
    test_hog(500);
    static const size_t sizes[] = {16, 200, 1008, 2016, 4096, 40000};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        uint64_t start = free_frames();
        void *chain = NULL;
        size_t count = 0;
        for (;;) {
            void **block = kmalloc(sizes[s]);
            if (!block)
                break;
            *block = chain;
            chain = block;
            count++;
        }
        CHECK(count * sizes[s] <= (start + 1) * PAGE_SIZE);
        CHECK(count * sizes[s] >= start * PAGE_SIZE / 2);
        while (chain) {
            void *next = *(void **)chain;
            kfree(chain);
            chain = next;
        }
        CHECK_EQ(free_frames(), start);
    }
    test_unhog();
    CHECK_EQ(free_frames(), before);
}

TEST(vm_commit_gives_zeroed_pages_and_keeps_present_ones)
{
    uint64_t frames = free_frames(), mapped = vm_mapped_bytes();
    unsigned char *area = vm_reserve(64 * PAGE_SIZE, PAGE_SIZE);
    CHECK(area != NULL);
    CHECK_EQ(vm_commit(area + 8 * PAGE_SIZE, 4 * PAGE_SIZE, MMU_READ | MMU_WRITE), 0);
    memset(area + 8 * PAGE_SIZE, 0x5a, 4 * PAGE_SIZE);
    CHECK_EQ(vm_commit(area, 64 * PAGE_SIZE, MMU_READ | MMU_WRITE), 0);
    CHECK_EQ(vm_mapped_bytes() - mapped, 64 * PAGE_SIZE);
    for (size_t i = 0; i < 64 * PAGE_SIZE; i += 512) {
        bool old = i >= 8 * PAGE_SIZE && i < 12 * PAGE_SIZE;
        if (area[i] != (old ? 0x5a : 0))
            test_fail(__FILE__, __LINE__, "byte %zu is %d", i, area[i]);
    }
    vm_decommit(area + PAGE_SIZE, PAGE_SIZE);
    CHECK_EQ(vm_mapped_bytes() - mapped, 63 * PAGE_SIZE);
    vm_release(area, 64 * PAGE_SIZE);
    CHECK_EQ(vm_mapped_bytes(), mapped);
    CHECK_EQ(free_frames(), frames);
}

TEST(vm_failed_commit_adds_nothing)
{
    uint64_t before = free_frames();
    test_hog(200);
    char *area = vm_reserve(1000 * PAGE_SIZE, PAGE_SIZE);
    CHECK(area != NULL);
    CHECK_EQ(vm_commit(area + 100 * PAGE_SIZE, PAGE_SIZE, MMU_READ | MMU_WRITE), 0);
    area[100 * PAGE_SIZE] = 'x';
    uint64_t frames = free_frames(), mapped = vm_mapped_bytes();
    CHECK_EQ(vm_commit(area, 1000 * PAGE_SIZE, MMU_READ | MMU_WRITE), -ENOMEM);
    CHECK_EQ(free_frames(), frames);
    CHECK_EQ(vm_mapped_bytes(), mapped);
    CHECK(area[100 * PAGE_SIZE] == 'x');
    CHECK(!mmu_translate((uintptr_t)area, NULL, NULL));
    CHECK(vm_alloc(1000 * PAGE_SIZE, MMU_READ | MMU_WRITE) == NULL);
    vm_release(area, 1000 * PAGE_SIZE);
    test_unhog();
    CHECK_EQ(free_frames(), before);
}

TEST(vm_reservations_are_apart_found_and_aligned)
{
    enum { COUNT = 300 };
    static char *areas[COUNT];
    uint64_t frames = free_frames();
    for (unsigned i = 0; i < COUNT; i++) {
        areas[i] = vm_reserve((i + 1) * PAGE_SIZE, i % 3 ? PAGE_SIZE : 16 * PAGE_SIZE);
        CHECK(areas[i] != NULL);
        CHECK_EQ((uintptr_t)areas[i] % (i % 3 ? PAGE_SIZE : 16 * PAGE_SIZE), 0);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        uintptr_t start;
        size_t size;
        CHECK(vm_find((uintptr_t)areas[i] + i * PAGE_SIZE + 17, &start, &size));
        CHECK(start == (uintptr_t)areas[i] && size == (i + 1) * PAGE_SIZE);
        CHECK(!vm_find((uintptr_t)areas[i] - 1, &start, &size));
        CHECK(!vm_find((uintptr_t)areas[i] + (i + 1) * PAGE_SIZE, &start, &size));
    }
    for (unsigned i = 0; i < COUNT; i++)
        vm_release(areas[(i * 7) % COUNT], ((i * 7) % COUNT + 1) * PAGE_SIZE);
    CHECK_EQ(free_frames(), frames);
}

TEST(vm_reserves_terabytes)
{
    enum { COUNT = 1000 };
    static void *areas[COUNT];
    uint64_t frames = free_frames();
    const size_t size = 12ul << 30;
    for (unsigned i = 0; i < COUNT; i++) {
        areas[i] = vm_reserve(size, 65536);
        CHECK(areas[i] != NULL);
    }
    CHECK_EQ(
        vm_commit((char *)areas[COUNT - 1] + size - PAGE_SIZE, PAGE_SIZE, MMU_READ | MMU_WRITE), 0);
    memset((char *)areas[COUNT - 1] + size - PAGE_SIZE, 1, PAGE_SIZE);
    for (unsigned i = 0; i < COUNT; i++)
        vm_release(areas[i], size);
    CHECK(vm_reserve(1ul << 47, PAGE_SIZE) == NULL);
    CHECK(vm_reserve(SIZE_MAX - 100, PAGE_SIZE) == NULL);
    CHECK(vm_reserve(0, PAGE_SIZE) == NULL);
    CHECK_EQ(free_frames(), frames);
}

TEST(boot_direct_map_reaches_all_memory)
{
    /* The ends of every region of RAM, and a frame in the middle of each. */
    paddr_t taken[64];
    unsigned count = 0;
    for (unsigned order = 20; order-- > 0 && count < 64;) {
        paddr_t block = frame_alloc_order(order);
        if (block == FRAME_NONE)
            continue;
        volatile uint64_t *first = frame_to_virt(block);
        volatile uint64_t *last = frame_to_virt(block + (PAGE_SIZE << order) - 8);
        *first = block;
        *last = ~block;
        CHECK(*first == block && *last == ~block);
        frame_free_order(block, order);
        taken[count++] = block;
    }
    CHECK(count > 0 && taken[0] != 0);
}
