/* Interrupt lines. A handler runs with interrupts off on the interrupt stack; it must not sleep.
 * Vectors are allocated by the architecture; GSI numbers are the platform's. */
#ifndef QUINCE_ARCH_IRQ_H
#define QUINCE_ARCH_IRQ_H

#include <stdbool.h>
#include <stdint.h>

typedef void (*irq_handler_fn)(void *context);

enum irq_trigger { IRQ_EDGE, IRQ_LEVEL };
/* Routes platform line GSI to this CPU and unmasks it. Lines may be shared; 0 or -errno. */
int irq_attach_gsi(unsigned gsi, enum irq_trigger trigger, irq_handler_fn fn, void *context);
void irq_detach_gsi(unsigned gsi, irq_handler_fn fn, void *context);
/* Allocates a message-signalled interrupt: the address and data to write to the device. */
int irq_attach_msi(irq_handler_fn fn, void *context, uint64_t *address, uint32_t *data);
void irq_detach_msi(uint64_t address, uint32_t data);

#endif
