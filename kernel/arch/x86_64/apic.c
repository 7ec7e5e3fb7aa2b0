/* The local APIC (as x2APIC where there is one) and the I/O APIC. */
#include "x86.h"

/* Local APIC registers, as offsets of the memory-mapped one; x2APIC numbers are these / 16. */
enum {
    APIC_ID = 0x20,
    APIC_TASK_PRIORITY = 0x80,
    APIC_EOI = 0xb0,
    APIC_SPURIOUS = 0xf0,
    APIC_TIMER = 0x320,
    APIC_LINT0 = 0x350,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
    APIC_MASKED = 1 << 16,
};
#define APIC_BASE   0xfee00000ul
#define IOAPIC_BASE 0xfec00000ul

static volatile uint32_t *const apic = (volatile uint32_t *)(DIRECT_MAP + APIC_BASE);
static volatile uint32_t *const ioapic = (volatile uint32_t *)(DIRECT_MAP + IOAPIC_BASE);
static unsigned ioapic_lines;

static void apic_write(unsigned offset, uint32_t value)
{
    if (x86_features.x2apic)
        x86_wrmsr(MSR_X2APIC + offset / 16, value);
    else
        apic[offset / 4] = value;
}

static uint32_t apic_read(unsigned offset)
{
    return x86_features.x2apic ? (uint32_t)x86_rdmsr(MSR_X2APIC + offset / 16) : apic[offset / 4];
}

void apic_eoi(void)
{
    apic_write(APIC_EOI, 0);
}

uint32_t apic_id(void)
{
    return x86_features.x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_timer_mode(enum apic_timer_mode mode)
{
    apic_write(APIC_TIMER_DIVIDE, 0xb); /* by 1 */
    apic_write(APIC_TIMER, VECTOR_TIMER | (uint32_t)mode << 17);
}

void apic_timer_count(uint32_t count)
{
    apic_write(APIC_TIMER_INITIAL, count);
}

uint32_t apic_timer_left(void)
{
    return apic_read(APIC_TIMER_CURRENT);
}

static uint32_t ioapic_read(unsigned index)
{
    ioapic[0] = index;
    return ioapic[4];
}

static void ioapic_write(unsigned index, uint32_t value)
{
    ioapic[0] = index;
    ioapic[4] = value;
}

bool ioapic_route(unsigned gsi, unsigned vector, bool level)
{
    if (gsi >= ioapic_lines)
        return false;
    /* Level-triggered lines of a PC are active low on the bus, but the virtual I/O APIC takes what
     * it is told; PCI lines and virtio-mmio lines work active high on the machines served. */
    ioapic_write(0x11 + 2 * gsi, apic_id() << 24);
    ioapic_write(0x10 + 2 * gsi, vector | (level ? 1u << 15 : 0));
    return true;
}

void ioapic_mask(unsigned gsi)
{
    if (gsi < ioapic_lines)
        ioapic_write(0x10 + 2 * gsi, APIC_MASKED);
}

void x86_apic_init(void)
{
    /* The old controllers, where they exist, stay silent. */
    x86_outb(0x21, 0xff);
    x86_outb(0xa1, 0xff);

    uint64_t base = x86_rdmsr(MSR_APIC_BASE);
    x86_wrmsr(MSR_APIC_BASE, base | 1u << 11 | (x86_features.x2apic ? 1u << 10 : 0));
    apic_write(APIC_TASK_PRIORITY, 0);
    apic_write(APIC_LINT0, APIC_MASKED);
    apic_write(APIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);

    uint32_t version = ioapic_read(1);
    ioapic_lines = version == 0xffffffff ? 0 : (version >> 16 & 0xff) + 1;
}
