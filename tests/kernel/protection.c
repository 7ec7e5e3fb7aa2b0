/* Protection: no frame is writable and executable, text is read-only under every name, the null
 * page and the pages around stacks are unmapped. */
#include "test.h"
#include <string.h>
#include "mm/frame.h"
#include "mm/vm.h"
#include "sched/thread.h"

extern char __text_start[], __rodata_start[], __rodata_end[];

static uint64_t free_frames(void)
{
    struct frame_stats stats;
    frame_stats(&stats);
    return stats.free;
}

static void do_write(void *address)
{
    *(volatile char *)address = 1;
}

static void do_read(void *address)
{
    (void)*(volatile char *)address;
}

static void do_call(void *address)
{
    ((void (*)(void))(uintptr_t)address)();
}

static void expect_access_fault(int line, void (*fn)(void *), void *address)
{
    enum fault_kind kind = FAULT_OTHER;
    uintptr_t where = 0;
    if (!test_faults(fn, address, &kind, &where))
        test_fail(__FILE__, line, "no fault at %p", address);
    else if (kind != FAULT_ACCESS || where != (uintptr_t)address)
        test_fail(__FILE__, line, "fault of kind %d at %p", kind, (void *)where);
}
#define FAULTS(fn, address) expect_access_fault(__LINE__, fn, (void *)(address))

TEST(protection_null_page)
{
    FAULTS(do_read, 0);
    FAULTS(do_write, 8);
    FAULTS(do_call, 0);
    FAULTS(do_read, 4095);
}

TEST(protection_text_and_rodata_are_read_only)
{
    char *text = (char *)(uintptr_t)test_fail;
    FAULTS(do_write, text);
    FAULTS(do_write, __rodata_start);
    FAULTS(do_write, frame_to_virt((paddr_t)(uintptr_t)text));
    FAULTS(do_write, frame_to_virt((paddr_t)(uintptr_t)__rodata_start));
    do_read(frame_to_virt((paddr_t)(uintptr_t)text));
}

TEST(protection_data_does_not_execute)
{
    static char data[16];
    char stack[16];
    memset(data, 0xc3, sizeof data); /* ret */
    memset(stack, 0xc3, sizeof stack);
    FAULTS(do_call, data);
    FAULTS(do_call, stack);
    FAULTS(do_call, __rodata_start);
    FAULTS(do_call, frame_to_virt((paddr_t)(uintptr_t)do_read)); /* nor does the direct map */
}

TEST(protection_executable_pages_are_written_nowhere)
{
    uint64_t frames = free_frames();
    for (unsigned round = 0; round < 3; round++) {
        const size_t size = 700 * PAGE_SIZE; /* more than a page table holds */
        unsigned char *code = vm_alloc(size, MMU_READ | MMU_WRITE);
        CHECK(code != NULL);
        memset(code, 0xc3, size);
        FAULTS(do_call, code);
        CHECK_EQ(vm_make_executable(code, size), 0);
        for (size_t offset = 0; offset < size; offset += 99 * PAGE_SIZE) {
            do_call(code + offset);
            FAULTS(do_write, code + offset);
            paddr_t frame;
            CHECK(mmu_translate((uintptr_t)code + offset, &frame, NULL));
            FAULTS(do_write, frame_to_virt(frame));
        }
        paddr_t frame;
        CHECK(mmu_translate((uintptr_t)code, &frame, NULL));
        vm_release(code, size);
        do_write(frame_to_virt(frame + 64)); /* the direct map has its permission back; a free frame
                                              * holds its links in front */
        FAULTS(do_call, code);
        CHECK_EQ(free_frames(), frames);
    }
}

TEST(protection_of_pages_can_be_changed)
{
    uint64_t frames = free_frames();
    char *area = vm_alloc(4 * PAGE_SIZE, MMU_READ | MMU_WRITE);
    CHECK(area != NULL);
    area[PAGE_SIZE] = 'k';
    CHECK_EQ(vm_protect(area + PAGE_SIZE, PAGE_SIZE, MMU_READ), 0);
    FAULTS(do_write, area + PAGE_SIZE);
    do_write(area + 2 * PAGE_SIZE);
    CHECK_EQ(vm_protect(area + PAGE_SIZE, PAGE_SIZE, MMU_NONE), 0);
    FAULTS(do_read, area + PAGE_SIZE);
    CHECK_EQ(vm_protect(area + PAGE_SIZE, PAGE_SIZE, MMU_READ | MMU_WRITE), 0);
    CHECK(area[PAGE_SIZE] == 'k');
    CHECK(vm_protect(area, PAGE_SIZE, MMU_READ | MMU_EXEC) != 0);
    vm_decommit(area + PAGE_SIZE, PAGE_SIZE);
    FAULTS(do_read, area + PAGE_SIZE);
    vm_release(area, 4 * PAGE_SIZE);
    CHECK_EQ(free_frames(), frames);
}

TEST(protection_pages_around_reservations)
{
    char *first = vm_alloc(PAGE_SIZE, MMU_READ | MMU_WRITE);
    char *second = vm_alloc(PAGE_SIZE, MMU_READ | MMU_WRITE);
    CHECK(first && second);
    FAULTS(do_write, first - 1);
    FAULTS(do_write, first + PAGE_SIZE);
    FAULTS(do_write, second - 1);
    FAULTS(do_write, second + PAGE_SIZE);
    vm_release(first, PAGE_SIZE);
    vm_release(second, PAGE_SIZE);
}

static volatile unsigned depth_limit = ~0u;

static int recurse(volatile char *up, unsigned depth)
{
    volatile char here[512];
    here[0] = up[0];
    return depth == depth_limit ? 0 : recurse(here, depth + 1) + here[1];
}

static void overflow(void *argument)
{
    volatile char start[1] = {0};
    (void)argument;
    (void)recurse(start, 0);
}

TEST(protection_stack_overflow_hits_the_guard_page)
{
    enum fault_kind kind = FAULT_OTHER;
    uintptr_t where = 0;
    const struct thread *self = thread_current();
    CHECK(test_faults(overflow, NULL, &kind, &where));
    CHECK_EQ(kind, FAULT_ACCESS);
    CHECK(where < self->stack_base && where >= self->stack_base - PAGE_SIZE);
}

static void divide(void *argument)
{
    volatile int zero = 0, one = 1;
    (void)argument;
    zero = one / zero;
}

static void illegal(void *argument)
{
    (void)argument;
    __builtin_trap();
}

static void non_canonical(void *argument)
{
    (void)argument;
    do_read((void *)0x8000000000000000ul);
}

TEST(protection_other_faults_have_their_kind)
{
    enum fault_kind kind = FAULT_OTHER;
    uintptr_t where;
    CHECK(test_faults(divide, NULL, &kind, &where));
    CHECK_EQ(kind, FAULT_DIVIDE);
    CHECK(test_faults(illegal, NULL, &kind, &where));
    CHECK_EQ(kind, FAULT_ILLEGAL);
    CHECK(test_faults(non_canonical, NULL, &kind, &where));
    CHECK_EQ(kind, FAULT_ACCESS);
}
