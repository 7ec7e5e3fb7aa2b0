/* Synchronous exceptions: offered to the fault handler (extensions' traps), else a panic. */
#include "x86.h"
#include "include/log.h"
#include "sched/thread.h"

static const char *const names[32] = {
    "divide error",
    "debug",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid opcode",
    "no FPU",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack segment",
    "general protection",
    "page fault",
    "reserved",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
    "virtualisation",
    "control protection",
    [28] = "hypervisor injection",
    "VMM communication",
    "security",
    "reserved",
};

static fault_handler_fn fault_handler;

void fault_set_handler(fault_handler_fn handler)
{
    fault_handler = handler;
}

void frame_get(const struct trap_frame *frame, struct fault_registers *out)
{
    *out = (struct fault_registers){frame->rip, frame->rsp, frame->rbp, frame->r15, frame->rdi};
}

void frame_set(struct trap_frame *frame, const struct fault_registers *in)
{
    frame->rip = in->pc;
    frame->rsp = in->sp;
    frame->rbp = in->fp;
    frame->r15 = in->instance;
    frame->rdi = in->arg0;
}

void frame_print(const struct trap_frame *frame)
{
    static const struct {
        char name[4];
        uint16_t offset;
    } registers[] = {
#define R(name) {#name, offsetof(struct trap_frame, name)}
        R(rip), R(rsp), R(rbp), R(rax), R(rbx), R(rcx), R(rdx), R(rsi), R(rdi),
        R(r8),  R(r9),  R(r10), R(r11), R(r12), R(r13), R(r14), R(r15),
#undef R
    };
    char line[128];
    int used = 0;
    for (unsigned i = 0; i < sizeof registers / sizeof registers[0]; i++) {
        uint64_t value = *(const uint64_t *)((const char *)frame + registers[i].offset);
        used += format(line + used, sizeof line - (size_t)used, "  %-3.4s %016llx",
                       registers[i].name, (unsigned long long)value);
        if (i % 3 == 2 || i + 1 == sizeof registers / sizeof registers[0]) {
            line[used++] = '\n';
            console_write(line, (size_t)used);
            used = 0;
        }
    }
    used = format(line, sizeof line, "  flags %llx  error %llx  cr2 %016llx  cr3 %llx\n",
                  (unsigned long long)frame->rflags, (unsigned long long)frame->error,
                  (unsigned long long)x86_cr2(), (unsigned long long)x86_cr3());
    console_write(line, (size_t)used);
}

/* A word of the interrupted program, if its page is mapped. */
static bool read_word(uintptr_t address, uintptr_t *value)
{
    if (address % sizeof *value || !mmu_translate(address, NULL, NULL))
        return false;
    *value = *(const uintptr_t *)address;
    return true;
}

size_t backtrace(uintptr_t pc, uintptr_t fp, uintptr_t *pcs, size_t max)
{
    size_t count = 0;
    if (pc && count < max)
        pcs[count++] = pc;
    while (count < max) {
        uintptr_t next, address;
        if (!read_word(fp, &next) || !read_word(fp + sizeof(uintptr_t), &address) || !address)
            break;
        pcs[count++] = address;
        if (next <= fp) /* stacks grow down: callers lie higher, or the chain is broken */
            break;
        fp = next;
    }
    return count;
}

static enum fault_kind kind_of(uint64_t vector)
{
    switch (vector) {
    case 0: return FAULT_DIVIDE;
    case 6: return FAULT_ILLEGAL;
    case 12: /* non-canonical addresses: through rsp and rbp, */
    case 13: /* through the others */
    case 14: return FAULT_ACCESS;
    default: return FAULT_OTHER;
    }
}

static _Noreturn void die(const struct trap_frame *frame)
{
    if (frame->vector != 14)
        panic_frame(frame, "%s at %p", names[frame->vector] ? names[frame->vector] : "exception",
                    (void *)frame->rip);

    uintptr_t address = x86_cr2();
    const char *what = frame->error & 16 ? "execute" : frame->error & 2 ? "write" : "read";
    const struct thread *self = thread_current();
    if (self && self->stack_base && address >= self->stack_base - PAGE_SIZE &&
        address < self->stack_base)
        panic_frame(frame, "stack overflow of thread %s at %p", self->name, (void *)frame->rip);
    panic_frame(frame, "page fault: %s of %s page %p at %p", what,
                frame->error & 1      ? "a protected"
                : address < PAGE_SIZE ? "the null"
                                      : "an unmapped",
                (void *)address, (void *)frame->rip);
}

void x86_exception(struct trap_frame *frame)
{
    uintptr_t address = frame->vector == 14 ? x86_cr2() : 0;
    /* Not for NMI, double fault and machine check: they say nothing of the interrupted code. */
    bool offered = frame->vector != 2 && frame->vector != 8 && frame->vector != 18;
    if (offered && fault_handler && fault_handler(frame, kind_of(frame->vector), address))
        return;
    die(frame);
}
