/* The boot processor: what it can do, its descriptor tables and per-CPU base, its end. */
#include "x86.h"
#include <string.h>

struct x86_features x86_features;

static struct x86_cpu boot_cpu;
/* One page for each stack that an exception switches to. Double fault, NMI and machine check share
 * nothing with the ordinary exceptions, since they may hit those. */
static char exception_stacks[3][4096] __attribute__((aligned(16)));
static char exception_stack[8192] __attribute__((aligned(16)));

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};
static struct gate gates[VECTOR_COUNT];

/* exceptions.S: one stub per vector, VECTOR_STUB_SIZE bytes apart. */
extern char x86_vector_stubs[];
enum { VECTOR_STUB_SIZE = 16 };
extern char x86_syscall_entry[];

struct table_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static void set_gate(unsigned vector, unsigned ist)
{
    uintptr_t entry = (uintptr_t)x86_vector_stubs + vector * VECTOR_STUB_SIZE;
    gates[vector] = (struct gate){
        .offset_low = (uint16_t)entry,
        .selector = X86_CODE,
        .ist = (uint8_t)ist,
        .type = 0x8e, /* present, interrupt gate: interrupts off */
        .offset_middle = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
    };
}

static uint64_t stack_top(char *base, size_t size)
{
    return (uintptr_t)base + size;
}

void x86_cpu_init(void)
{
    struct x86_cpu *cpu = &boot_cpu;
    cpu->common.self = &cpu->common;
    cpu->gdt[1] = 0x00af9b000000ffff; /* code */
    /* Data. Entering an interrupt makes %ss null, whose B is 0, and threads may go on with that;
     * the processor does not care for B here, but QEMU translates code anew where it differs. */
    cpu->gdt[2] = 0x008f93000000ffff;
    uint64_t tss = (uintptr_t)&cpu->tss;
    cpu->gdt[3] =
        (sizeof cpu->tss - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[4] = tss >> 32;
    cpu->tss.io_map = sizeof cpu->tss;
    for (unsigned i = 0; i < 3; i++)
        cpu->tss.ist[i] = stack_top(exception_stacks[i], sizeof exception_stacks[i]);
    cpu->tss.ist[IST_EXCEPTION - 1] = stack_top(exception_stack, sizeof exception_stack);

    struct table_pointer gdt = {sizeof cpu->gdt - 1, (uintptr_t)cpu->gdt};
    __asm__ volatile("lgdt %0" : : "m"(gdt));
    __asm__ volatile("ltr %w0" : : "r"(X86_TSS));

    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++)
        set_gate(vector, vector < 32 ? IST_EXCEPTION : IST_INTERRUPT);
    set_gate(2, IST_NMI);
    set_gate(8, IST_DOUBLE_FAULT);
    set_gate(18, IST_MACHINE_CHECK);
    struct table_pointer idt = {sizeof gates - 1, (uintptr_t)gates};
    __asm__ volatile("lidt %0" : : "m"(idt));

    x86_wrmsr(MSR_GS_BASE, (uintptr_t)cpu);
    /* A stray `syscall` stays in ring 0 on the caller's stack; only the direction flag is cleared.
     */
    x86_wrmsr(MSR_STAR, (uint64_t)X86_CODE << 32);
    x86_wrmsr(MSR_LSTAR, (uintptr_t)x86_syscall_entry);
    x86_wrmsr(MSR_SFMASK, 0x400);
}

static bool signature(const struct cpuid *leaf, const char *name)
{
    return memcmp(&leaf->ebx, name, 4) == 0 && memcmp(&leaf->ecx, name + 4, 4) == 0 &&
           memcmp(&leaf->edx, name + 8, 4) == 0;
}

void x86_cpu_detect(void)
{
    struct x86_features *f = &x86_features;
    uint32_t highest = x86_cpuid(0, 0).eax;
    struct cpuid basic = x86_cpuid(1, 0);
    struct cpuid extended = highest >= 7 ? x86_cpuid(7, 0) : (struct cpuid){0};
    struct cpuid amd = x86_cpuid(0x80000001, 0);
    f->xsave = basic.ecx >> 26 & 1;
    f->x2apic = basic.ecx >> 21 & 1;
    f->tsc_deadline = basic.ecx >> 24 & 1;
    f->rdrand = basic.ecx >> 30 & 1;
    f->hypervisor = basic.ecx >> 31 & 1;
    f->fsgsbase = extended.ebx & 1;
    f->gib_pages = amd.edx >> 26 & 1;
    if (f->hypervisor) {
        struct cpuid leaf = x86_cpuid(0x40000000, 0);
        f->kvm = signature(&leaf, "KVMKVMKVM\0\0");
        f->tcg = signature(&leaf, "TCGTCGTCGTCG");
    }

    uint64_t cr4 = x86_cr4();
    cr4 |= (uint64_t)(extended.ebx >> 7 & 1) << 20;  /* SMEP */
    cr4 |= (uint64_t)(extended.ebx >> 20 & 1) << 21; /* SMAP */
    cr4 |= (uint64_t)(extended.ecx >> 2 & 1) << 11;  /* UMIP */
    if (f->fsgsbase)
        cr4 |= 1ull << 16;
    if (f->xsave)
        cr4 |= 1ull << 18;
    x86_set_cr4(cr4);

    f->fpu_size = 512;
    if (f->xsave) {
        /* x87, SSE, AVX and the three parts of AVX-512, which go together. */
        struct cpuid state = x86_cpuid(13, 0);
        uint32_t mask = state.eax & 0xe7;
        if ((mask & 0xe4) != 0xe4)
            mask &= 0x7;
        __asm__ volatile("xsetbv" : : "c"(0), "a"(mask), "d"(0));
        f->fpu_size = x86_cpuid(13, 0).ebx;
    }
}

/* QEMU before 8.1 (its commit c914d46d0a64) translates the barriers of a machine with one processor
 * to nothing, and its locked instructions to plain ones, though the devices run on another thread:
 * once in a great many packets an interrupt was lost, and with it the device for good. An access to
 * a port takes the lock that devices run under. Port 0x80 is the PC's for delays: nobody minds. */
void cpu_device_fence(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (x86_features.tcg)
        x86_outb(0x80, 0);
}

bool cpu_random(uint64_t *value)
{
    if (!x86_features.rdrand)
        return false;
    for (unsigned tries = 0; tries < 10; tries++) {
        bool ok;
        __asm__ volatile("rdrand %0" : "=r"(*value), "=@ccc"(ok));
        if (ok)
            return true;
    }
    return false;
}

static _Noreturn void triple_fault(void)
{
    struct table_pointer none = {0, 0};
    __asm__ volatile("lidt %0\n\tint3" : : "m"(none));
    for (;;)
        __asm__ volatile("cli\n\thlt");
}

void cpu_exit(int code)
{
    cpu_irq_disable();
    x86_outl(0xf4, (uint32_t)code); /* isa-debug-exit */
    x86_outw(0x604, 0x2000);        /* q35: ACPI soft off */
    triple_fault();
}

void cpu_reboot(void)
{
    cpu_irq_disable();
    x86_outb(0xcf9, 0x06);
    triple_fault();
}
