/* PCI configuration through the ports 0xcf8 (address) and 0xcfc (data): every PC has them, and 256
 * bytes per function are all that is asked for. */
#include "x86.h"
#include "arch/pci.h"

enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc };
#define CONFIG_ENABLE 0x80000000u

bool pci_config_present(void)
{
    /* A host bridge remembers the address; where there is none the port reads as all ones. */
    x86_outl(CONFIG_ADDRESS, CONFIG_ENABLE);
    return x86_inl(CONFIG_ADDRESS) == CONFIG_ENABLE;
}

static void select_register(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
    x86_outl(CONFIG_ADDRESS, CONFIG_ENABLE | (bus & 255) << 16 | (device & 31) << 11 |
                                 (function & 7) << 8 | (offset & 0xfc));
}

uint32_t pci_config_read(unsigned bus, unsigned device, unsigned function, unsigned offset)
{
    select_register(bus, device, function, offset);
    return x86_inl(CONFIG_DATA);
}

void pci_config_write(unsigned bus, unsigned device, unsigned function, unsigned offset,
                      uint32_t value)
{
    select_register(bus, device, function, offset);
    x86_outl(CONFIG_DATA, value);
}
