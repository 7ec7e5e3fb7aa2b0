/* What the files of arch/x86_64 share: instructions, registers of the machine, their internal
 * interfaces. Nothing outside this folder includes it. */
#ifndef QUINCE_X86_H
#define QUINCE_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/cpu.h"
#include "arch/fault.h"
#include "arch/mmu.h"
#include "sched/percpu.h"

/* Pushed by exceptions.S, from low to high addresses. */
struct trap_frame {
    uint8_t xmm[16][16];
    uint64_t mxcsr, pad;
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

enum {
    X86_CODE = 0x08,
    X86_DATA = 0x10,
    X86_TSS = 0x18,
};

/* Entries of the interrupt stack table, as numbered in gates. */
enum { IST_DOUBLE_FAULT = 1, IST_NMI, IST_MACHINE_CHECK, IST_EXCEPTION, IST_INTERRUPT };

/* Vectors. Everything the kernel does not hand out stays without a gate. */
enum {
    VECTOR_TIMER = 32,
    VECTOR_IRQ_FIRST = 33,
    VECTOR_IRQ_LAST = 94,
    VECTOR_SPURIOUS = 95,
    VECTOR_COUNT = 96,
};

struct x86_tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* [IST_… - 1] */
    uint64_t reserved2;
    uint16_t reserved3, io_map;
} __attribute__((packed));

/* One CPU: struct percpu first, since GS points at it. */
struct x86_cpu {
    struct percpu common;
    uint64_t gdt[5];
    struct x86_tss tss;
};
static inline struct x86_cpu *x86_cpu(void)
{
    return (struct x86_cpu *)cpu_percpu();
}

/* What CPUID said, asked once. */
struct x86_features {
    bool xsave, gib_pages, x2apic, tsc_deadline, rdrand, fsgsbase;
    bool hypervisor, kvm, tcg;
    uint32_t fpu_size; /* bytes of a saved FPU state */
};
extern struct x86_features x86_features;

void x86_cpu_detect(void); /* fills x86_features, enables FPU and protections */
void x86_cpu_init(void);   /* GDT, TSS, IDT, GS, syscall entry of the boot CPU */
void x86_mmu_init(void);   /* kernel page tables from boot_info; direct map */
void x86_apic_init(void);
void x86_timer_init(void);
void x86_timer_interrupt(void); /* before timer_fired() */
void x86_console_init(void);
void x86_interrupt(struct trap_frame *frame); /* irq.c, from exceptions.S */
void x86_exception(struct trap_frame *frame); /* exceptions.c, from exceptions.S */

/* apic.c for irq.c and timer.c */
void apic_eoi(void);
uint32_t apic_id(void);
enum apic_timer_mode { APIC_TIMER_ONE_SHOT, APIC_TIMER_PERIODIC, APIC_TIMER_DEADLINE };
void apic_timer_mode(enum apic_timer_mode mode);
void apic_timer_count(uint32_t count); /* one-shot: 1 GHz / bus clock, undivided */
uint32_t apic_timer_left(void);
/* Redirection of a platform line; false: there is no such line. */
bool ioapic_route(unsigned gsi, unsigned vector, bool level);
void ioapic_mask(unsigned gsi);

/* The direct map and what the boot tables map instead of it before it stands. */
#define DIRECT_MAP 0xffff800000000000ul
extern uintptr_t x86_direct_base;

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
static inline struct cpuid x86_cpuid(uint32_t leaf, uint32_t sub)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(sub));
    return r;
}

enum {
    MSR_APIC_BASE = 0x1b,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC = 0x800,
    MSR_STAR = 0xc0000081,
    MSR_LSTAR = 0xc0000082,
    MSR_SFMASK = 0xc0000084,
    MSR_FS_BASE = 0xc0000100,
    MSR_GS_BASE = 0xc0000101,
};
static inline uint64_t x86_rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}
static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline void x86_outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline void x86_outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}
static inline void x86_outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}
static inline uint8_t x86_inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint32_t x86_inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline uint64_t x86_cr2(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}
static inline uint64_t x86_cr3(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr3, %0" : "=r"(value));
    return value;
}
static inline void x86_set_cr3(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}
static inline uint64_t x86_cr4(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}
static inline void x86_set_cr4(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

#endif
