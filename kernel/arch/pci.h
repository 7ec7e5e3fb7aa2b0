/* How configuration space of PCI functions is reached. Contract of every architecture;
 * arch/<name>/pci.c supplies it. */
#ifndef QUINCE_ARCH_PCI_H
#define QUINCE_ARCH_PCI_H

#include <stdbool.h>
#include <stdint.h>

bool pci_config_present(void); /* the machine has a PCI host bridge */
/* One aligned 32-bit register; OFFSET < 256. Absent functions read as all ones. Threads only; the
 * caller serialises. */
uint32_t pci_config_read(unsigned bus, unsigned device, unsigned function, unsigned offset);
void pci_config_write(unsigned bus, unsigned device, unsigned function, unsigned offset,
                      uint32_t value);

#endif
