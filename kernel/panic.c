/* The last words: what happened, registers, who ran, backtrace with names. Uses no lock and
 * allocates nothing; a fault while it prints ends the machine at once. */
#include <string.h>
#include "arch/cpu.h"
#include "arch/fault.h"
#include "include/log.h"
#include "include/symbols.h"
#include "sched/thread.h"

static bool panicking;

static void print(const char *text, ...) __attribute__((format(printf, 1, 2)));
static void print(const char *text, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, text);
    int length = format_text(line, sizeof line, text, arguments);
    va_end(arguments);
    console_write(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

static _Noreturn void finish(const struct trap_frame *frame, uintptr_t pc, uintptr_t fp,
                             const char *text, va_list arguments)
{
    cpu_irq_disable();
    if (panicking) {
        print("\npanic within a panic\n");
        cpu_exit(101);
    }
    panicking = true;

    char line[200];
    format_text(line, sizeof line, text, arguments);
    print("\npanic: %s\n", line);
    const struct thread *self = thread_current();
    if (self)
        print("  thread %u %s%s, extension %s\n", self->id, self->name,
              in_interrupt() ? " (in an interrupt)" : "",
              self->extension ? (const char *)self->extension : "none");
    if (frame)
        frame_print(frame);

    uintptr_t pcs[32];
    size_t count = backtrace(pc, fp, pcs, sizeof pcs / sizeof pcs[0]);
    print("backtrace:\n");
    for (size_t i = 0; i < count; i++)
        symbol_print((unsigned)i, pcs[i]);
    cpu_exit(101);
}

void panic(const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    finish(NULL, (uintptr_t)__builtin_return_address(0),
           *(const uintptr_t *)__builtin_frame_address(0), text, arguments);
}

void panic_frame(const struct trap_frame *frame, const char *text, ...)
{
    struct fault_registers registers;
    frame_get(frame, &registers);
    va_list arguments;
    va_start(arguments, text);
    finish(frame, registers.pc, registers.fp, text, arguments);
}
