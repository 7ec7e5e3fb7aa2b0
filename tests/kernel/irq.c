/* Interrupt lines and messages. */
#include "test.h"
#include <errno.h>
#include "arch/cpu.h"
#include "arch/irq.h"
#include "mm/heap.h"
#include "sched/percpu.h"
#include "time/clock.h"

static unsigned calls;
static void on_irq(void *context)
{
    ++*(unsigned *)context;
    if (!in_interrupt() || cpu_irq_enabled())
        test_fail(__FILE__, __LINE__, "not in an interrupt");
}

#if defined(__x86_64__)
static void out(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static uint8_t in(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

/* The serial port interrupts when its transmitter is empty and that is asked for. */
static void provoke(void)
{
    out(0x3f9, 2);
    uint64_t until = clock_now() + 100 * NS_PER_MS;
    while (clock_now() < until && calls == 0)
        cpu_relax();
    (void)in(0x3fa); /* acknowledges */
    out(0x3f9, 0);
}

TEST(irq_line_reaches_all_its_handlers)
{
    struct heap_stats before, after;
    heap_stats(&before);
    unsigned second = 0;
    calls = 0;
    CHECK_EQ(irq_attach_gsi(4, IRQ_EDGE, on_irq, &calls), 0);
    CHECK_EQ(irq_attach_gsi(4, IRQ_EDGE, on_irq, &second), 0);
    provoke();
    CHECK(calls >= 1);
    CHECK_EQ(second, calls);
    irq_detach_gsi(4, on_irq, &calls);
    irq_detach_gsi(4, on_irq, &second);
    calls = second = 0;
    provoke();
    CHECK_EQ(calls + second, 0);
    heap_stats(&after);
    CHECK_EQ(after.blocks, before.blocks);
}
#endif

TEST(irq_lines_that_are_not_there_are_refused)
{
    CHECK_EQ(irq_attach_gsi(5000, IRQ_EDGE, on_irq, &calls), -EINVAL);
}

TEST(irq_messages_run_out_and_come_back)
{
    uint64_t address[256];
    uint32_t data[256];
    struct heap_stats before, after;
    heap_stats(&before);
    for (unsigned round = 0; round < 2; round++) {
        unsigned count = 0;
        int error = 0;
        while (count < 256 && !error) {
            error = irq_attach_msi(on_irq, &calls, &address[count], &data[count]);
            count += !error;
        }
        CHECK_EQ(error, -ENOSPC);
        CHECK(count >= 32);
        while (count-- > 0)
            irq_detach_msi(address[count], data[count]);
    }
    heap_stats(&after);
    CHECK_EQ(after.blocks, before.blocks);
}
