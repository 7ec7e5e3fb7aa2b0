/* PCI functions. See pci.h. */
#include "bus/pci.h"

#include <errno.h>
#include "arch/mmu.h"
#include "arch/pci.h"
#include "log.h"
#include "mm/heap.h"
#include "mm/vm.h"
#include "sched/sync.h"

enum pci_register {
    PCI_ID = 0x00,
    PCI_COMMAND = 0x04,
    PCI_CLASS = 0x08,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BAR = 0x10,
    PCI_SECONDARY_BUS = 0x19,
    PCI_SUBSYSTEM = 0x2c,
    PCI_CAPABILITIES = 0x34,
};
enum {
    COMMAND_IO = 1,
    COMMAND_MEMORY = 2,
    COMMAND_MASTER = 4,
    COMMAND_INTX_DISABLE = 0x400,
    STATUS_CAPABILITIES = 0x10, /* bit of the upper half of the command register */
    CAPABILITY_MSIX = 0x11,
    MSIX_ENABLE = 0x8000,
    MSIX_MASK_ALL = 0x4000,
    CLASS_BRIDGE = 0x0604,
    CONFIG_SIZE = 256,
    CAPABILITIES_FIRST = 0x40,
    CAPABILITIES_MAX = (CONFIG_SIZE - CAPABILITIES_FIRST) / 4,
    FUNCTIONS_MAX = 256,
};

static struct pci_function *functions;
static unsigned function_count;
static struct spinlock config_lock; /* address and data are two accesses */

static uint32_t load(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
    cpu_irq_state state = spin_lock(&config_lock);
    uint32_t value = pci_config_read(bus, device, function, offset);
    spin_unlock(&config_lock, state);
    return value;
}

uint32_t pci_read(const struct pci_function *fn, unsigned offset, unsigned width)
{
    if (offset > CONFIG_SIZE - width)
        return ~0u;
    uint32_t value = load(fn->bus, fn->device, fn->function, offset & ~3u);
    value >>= (offset & 3) * 8;
    return width == 4 ? value : value & ((1u << (width * 8)) - 1);
}

void pci_write(const struct pci_function *fn, unsigned offset, unsigned width, uint32_t value)
{
    if (offset > CONFIG_SIZE - width)
        return;
    unsigned shift = (offset & 3) * 8;
    cpu_irq_state state = spin_lock(&config_lock);
    if (width < 4) {
        uint32_t mask = ((1u << (width * 8)) - 1) << shift;
        uint32_t old = pci_config_read(fn->bus, fn->device, fn->function, offset & ~3u);
        value = (old & ~mask) | (value << shift & mask);
    }
    pci_config_write(fn->bus, fn->device, fn->function, offset & ~3u, value);
    spin_unlock(&config_lock, state);
}

unsigned pci_capability(const struct pci_function *fn, unsigned id, unsigned after, unsigned len)
{
    if (!(pci_read(fn, PCI_COMMAND, 4) >> 16 & STATUS_CAPABILITIES))
        return 0;
    /* The list is the device's: it may be a ring, so its length is bounded by what can fit. */
    unsigned offset = pci_read(fn, PCI_CAPABILITIES, 1) & 0xfc;
    bool past = after == 0;
    for (unsigned i = 0; i < CAPABILITIES_MAX && offset >= CAPABILITIES_FIRST; i++) {
        if (past && pci_read(fn, offset, 1) == id && offset + len <= CONFIG_SIZE)
            return offset;
        if (offset == after)
            past = true;
        offset = pci_read(fn, offset + 1, 1) & 0xfc;
    }
    return 0;
}

volatile void *pci_map(const struct pci_function *fn, unsigned bar, uint64_t offset, uint64_t len)
{
    if (bar >= PCI_BARS || !fn->bar[bar].memory || fn->bar[bar].address == 0 || len == 0 ||
        offset > fn->bar[bar].size || len > fn->bar[bar].size - offset)
        return NULL;
    uint64_t start = fn->bar[bar].address + offset, page = start & ~(uint64_t)(PAGE_SIZE - 1);
    char *mapping = vm_map_device(page, (size_t)(start - page + len + PAGE_SIZE - 1) &
                                            ~(size_t)(PAGE_SIZE - 1));
    return mapping ? mapping + (start - page) : NULL;
}

void pci_enable(struct pci_function *fn, bool bus_master)
{
    uint32_t command = pci_read(fn, PCI_COMMAND, 2);
    command |= COMMAND_MEMORY | COMMAND_IO | COMMAND_INTX_DISABLE;
    command = bus_master ? command | COMMAND_MASTER : command & ~(uint32_t)COMMAND_MASTER;
    pci_write(fn, PCI_COMMAND, 2, command);
}

/* ---- MSI-X ---- */

bool pci_msix_locate(const struct pci_function *fn, struct pci_msix_location *out)
{
    unsigned capability = pci_capability(fn, CAPABILITY_MSIX, 0, 12);
    if (!capability)
        return false;
    uint32_t table = pci_read(fn, capability + 4, 4), pending = pci_read(fn, capability + 8, 4);
    *out = (struct pci_msix_location){
        .capability = capability,
        .count = (pci_read(fn, capability + 2, 2) & 0x7ff) + 1,
        .table_bar = table & 7,
        .pending_bar = pending & 7,
        .table_offset = table & ~7u,
        .pending_offset = pending & ~7u,
    };
    return true;
}

int pci_msix_enable(struct pci_function *fn)
{
    struct pci_msix_location msix;
    if (!pci_msix_locate(fn, &msix))
        return -ENODEV;
    fn->msix_table = pci_map(fn, msix.table_bar, msix.table_offset, msix.count * 16ull);
    if (!fn->msix_table)
        return -EINVAL;
    fn->msix_count = msix.count;
    pci_write(fn, msix.capability + 2, 2, MSIX_ENABLE | MSIX_MASK_ALL);
    for (unsigned i = 0; i < msix.count; i++)
        fn->msix_table[i * 4 + 3] = 1; /* masked */
    pci_write(fn, msix.capability + 2, 2, MSIX_ENABLE);
    return (int)msix.count;
}

int pci_msix_attach(struct pci_function *fn, unsigned index, irq_handler_fn handler, void *context)
{
    uint64_t address;
    uint32_t data;
    if (index >= fn->msix_count)
        return -EINVAL;
    int error = irq_attach_msi(handler, context, &address, &data);
    if (error < 0)
        return error;
    volatile uint32_t *entry = fn->msix_table + index * 4;
    entry[0] = (uint32_t)address;
    entry[1] = (uint32_t)(address >> 32);
    entry[2] = data;
    entry[3] = 0;
    return 0;
}

void pci_msix_detach(struct pci_function *fn, unsigned index)
{
    if (index >= fn->msix_count)
        return;
    volatile uint32_t *entry = fn->msix_table + index * 4;
    entry[3] = 1;
    irq_detach_msi(entry[0] | (uint64_t)entry[1] << 32, entry[2]);
}

/* ---- finding functions ---- */

/* Sizes are read by writing ones with decoding off. */
static void read_bars(struct pci_function *fn)
{
    uint32_t command = pci_read(fn, PCI_COMMAND, 2);
    pci_write(fn, PCI_COMMAND, 2, command & ~(uint32_t)(COMMAND_IO | COMMAND_MEMORY));
    for (unsigned i = 0; i < PCI_BARS; i++) {
        unsigned offset = PCI_BAR + i * 4, bar = i;
        uint64_t address = pci_read(fn, offset, 4);
        pci_write(fn, offset, 4, ~0u);
        uint64_t mask = pci_read(fn, offset, 4);
        pci_write(fn, offset, 4, (uint32_t)address);
        if (address & 1) {
            fn->bar[bar].address = address & ~3ull;
            fn->bar[bar].size = (uint16_t)(~(mask & ~3ull) + 1);
            continue;
        }
        bool wide = (address & 6) == 4;
        if (wide && i + 1 < PCI_BARS) {
            i++;
            uint32_t high = pci_read(fn, offset + 4, 4);
            pci_write(fn, offset + 4, 4, ~0u);
            mask |= (uint64_t)pci_read(fn, offset + 4, 4) << 32;
            pci_write(fn, offset + 4, 4, high);
            address |= (uint64_t)high << 32;
        } else {
            mask |= mask ? 0xffffffff00000000ull : 0;
        }
        mask &= ~15ull;
        fn->bar[bar].memory = true;
        fn->bar[bar].address = address & ~15ull;
        fn->bar[bar].size = mask ? ~mask + 1 : 0;
        if (fn->bar[bar].size == 0)
            fn->bar[bar].address = 0;
    }
    pci_write(fn, PCI_COMMAND, 2, command);
}

static int add_function(unsigned bus, unsigned device, unsigned function, uint32_t id)
{
    if (function_count == FUNCTIONS_MAX)
        return -ENOSPC;
    struct pci_function *fn = kcalloc(1, sizeof *fn);
    if (!fn)
        return -ENOMEM;
    fn->bus = (uint8_t)bus;
    fn->device = (uint8_t)device;
    fn->function = (uint8_t)function;
    fn->vendor = (uint16_t)id;
    fn->id = (uint16_t)(id >> 16);
    fn->class_code = pci_read(fn, PCI_CLASS, 4) >> 8;
    if ((pci_read(fn, PCI_HEADER_TYPE, 1) & 0x7f) == 0) {
        fn->subsystem = (uint16_t)pci_read(fn, PCI_SUBSYSTEM + 2, 2);
        read_bars(fn);
    }
    struct pci_function **link = &functions;
    while (*link)
        link = &(*link)->next;
    *link = fn;
    function_count++;
    return 0;
}

/* Buses behind bridges are scanned as they are found; a bus number seen before is not scanned
 * again, so that bridges pointing at each other end. */
static int scan_buses(void)
{
    uint64_t wanted[4] = {1}, seen[4] = {0};
    for (unsigned bus = 0; bus < 256;) {
        uint64_t bit = 1ull << (bus % 64);
        if (!(wanted[bus / 64] & bit) || (seen[bus / 64] & bit)) {
            bus++;
            continue;
        }
        seen[bus / 64] |= bit;
        unsigned lowest = bus + 1;
        for (unsigned device = 0; device < 32; device++) {
            unsigned count = 1;
            for (unsigned function = 0; function < count; function++) {
                uint32_t id = load(bus, device, function, PCI_ID);
                if ((id & 0xffff) == 0xffff || (id & 0xffff) == 0)
                    continue;
                uint32_t type = load(bus, device, function, PCI_HEADER_TYPE & ~3u) >> 16 & 0xff;
                if (function == 0 && (type & 0x80))
                    count = 8;
                int error = add_function(bus, device, function, id);
                if (error < 0)
                    return error;
                if (load(bus, device, function, PCI_CLASS) >> 16 == CLASS_BRIDGE) {
                    unsigned next =
                        load(bus, device, function, PCI_SECONDARY_BUS & ~3u) >> 8 & 0xff;
                    wanted[next / 64] |= 1ull << (next % 64);
                    if (next < lowest)
                        lowest = next;
                }
            }
        }
        bus = lowest;
    }
    return 0;
}

struct pci_function *pci_functions(void)
{
    static bool scanned;
    if (!scanned && pci_config_present()) {
        int error = scan_buses();
        if (error < 0)
            klog(LOG_ERROR, "pci: scan ended early (%d)", error);
        klog(LOG_INFO, "pci: %u functions", function_count);
    }
    scanned = true;
    return functions;
}
