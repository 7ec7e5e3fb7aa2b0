/* PCI functions: finding them, their capabilities, memory windows and message-signalled interrupts.
 * Whatever a device says of itself is checked; walks are bounded. */
#ifndef QUINCE_BUS_PCI_H
#define QUINCE_BUS_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/irq.h"

enum { PCI_BARS = 6 };

struct pci_function {
    uint8_t bus, device, function;
    uint16_t vendor, id, subsystem;
    uint32_t class_code; /* class, subclass, interface: 0xccssii */
    struct {
        uint64_t address; /* 0: none, or not given an address by the firmware */
        uint64_t size;
        bool memory;
    } bar[PCI_BARS];
    /* MSI-X, after pci_msix_enable() */
    volatile uint32_t *msix_table;
    unsigned msix_count;
    struct pci_function *next;
};

/* Every function; the first call looks for them. Threads only. */
struct pci_function *pci_functions(void);

uint32_t pci_read(const struct pci_function *fn, unsigned offset, unsigned width);
void pci_write(const struct pci_function *fn, unsigned offset, unsigned width, uint32_t value);
/* Offset of the next capability ID after AFTER (0: the first); 0: none. LEN bytes of it lie within
 * configuration space. */
unsigned pci_capability(const struct pci_function *fn, unsigned id, unsigned after, unsigned len);
/* Maps [offset, offset + len) of a memory BAR; NULL: not such a window, or no memory. The MSI-X
 * table is not kept out: a caller that hands windows to others must (pci_msix_range). */
volatile void *pci_map(const struct pci_function *fn, unsigned bar, uint64_t offset, uint64_t len);
void pci_enable(struct pci_function *fn, bool bus_master);

/* Where MSI-X table and pending bits lie; false: no MSI-X. */
struct pci_msix_location {
    unsigned capability, count;
    unsigned table_bar, pending_bar;
    uint64_t table_offset, pending_offset;
};
bool pci_msix_locate(const struct pci_function *fn, struct pci_msix_location *out);
/* Switches to MSI-X with all vectors masked; number of vectors or -errno. */
int pci_msix_enable(struct pci_function *fn);
/* Routes vector INDEX to a handler and unmasks it. 0 or -errno. */
int pci_msix_attach(struct pci_function *fn, unsigned index, irq_handler_fn handler, void *context);
void pci_msix_detach(struct pci_function *fn, unsigned index);

#endif
