/* The serial console: a 16550 at the first PC port. Output is polled, so that it works in a panic.
 */
#include "x86.h"
#include "include/log.h"
#include "arch/irq.h"

enum {
    COM1 = 0x3f8,
    COM1_GSI = 4,
    DATA = COM1,
    INTERRUPTS = COM1 + 1,
    FIFO = COM1 + 2,
    LINE = COM1 + 3,
    MODEM = COM1 + 4,
    STATUS = COM1 + 5,
    STATUS_DATA = 0x01,
    STATUS_EMPTY = 0x20,
    FIFO_SIZE = 16,
};

static bool present;

void x86_console_init(void)
{
    x86_outb(LINE,
             0x03); /* 8n1; whoever ran before us set the speed, and a virtual UART has none */
    x86_outb(FIFO, 0x07);
    x86_outb(INTERRUPTS, 0);
    x86_outb(MODEM, 0x0b);
    present = x86_inb(STATUS) != 0xff;
}

void console_write(const char *text, size_t len)
{
    if (!present)
        return;
    while (len > 0) {
        while (!(x86_inb(STATUS) & STATUS_EMPTY))
            cpu_relax();
        size_t burst = len < FIFO_SIZE ? len : FIFO_SIZE;
        len -= burst;
        /* One instruction for a FIFO's worth: one exit to the hypervisor instead of sixteen. */
        __asm__ volatile("rep outsb" : "+S"(text), "+c"(burst) : "d"(DATA) : "memory");
    }
}

size_t console_read(char *buffer, size_t size)
{
    size_t count = 0;
    while (present && count < size && (x86_inb(STATUS) & STATUS_DATA))
        buffer[count++] = (char)x86_inb(DATA);
    return count;
}

static void (*input_ready)(void);

static void on_interrupt(void *context)
{
    (void)context;
    input_ready();
}

int console_on_input(void (*fn)(void))
{
    input_ready = fn;
    int error = irq_attach_gsi(COM1_GSI, IRQ_EDGE, on_interrupt, NULL);
    if (!error)
        x86_outb(INTERRUPTS, 0x01);
    return error;
}
