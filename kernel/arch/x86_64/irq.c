/* Device interrupts: vectors handed out to lines and messages, and the way in and out of a handler.
 */
#include "x86.h"
#include <errno.h>
#include "arch/irq.h"
#include "arch/timer.h"
#include "mm/heap.h"
#include "sched/schedule.h"
#include "sched/sync.h"
#include "sched/thread.h"

enum { VECTORS = VECTOR_IRQ_LAST - VECTOR_IRQ_FIRST + 1, NO_GSI = ~0u };

struct handler {
    irq_handler_fn fn;
    void *context;
    struct handler *next; /* a shared line */
};
struct line {
    struct handler *handlers;
    unsigned gsi;
    bool used;
};
static struct line lines[VECTORS];
static struct spinlock lock;

static struct line *find_line(unsigned gsi)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        if (lines[i].used && lines[i].gsi == gsi)
            return &lines[i];
    }
    return NULL;
}

static struct line *new_line(unsigned gsi)
{
    for (unsigned i = 0; i < VECTORS; i++) {
        if (!lines[i].used) {
            lines[i] = (struct line){NULL, gsi, true};
            return &lines[i];
        }
    }
    return NULL;
}

static unsigned vector_of(const struct line *line)
{
    return VECTOR_IRQ_FIRST + (unsigned)(line - lines);
}

int irq_attach_gsi(unsigned gsi, enum irq_trigger trigger, irq_handler_fn fn, void *context)
{
    struct handler *handler = kmalloc(sizeof *handler);
    if (!handler)
        return -ENOMEM;
    *handler = (struct handler){fn, context, NULL};

    int error = 0;
    cpu_irq_state state = spin_lock(&lock);
    struct line *line = find_line(gsi);
    if (line) {
        handler->next = line->handlers;
        line->handlers = handler;
    } else {
        line = new_line(gsi);
        if (!line) {
            error = -ENOSPC;
        } else {
            line->handlers = handler;
            if (!ioapic_route(gsi, vector_of(line), trigger == IRQ_LEVEL)) {
                line->used = false;
                error = -EINVAL;
            }
        }
    }
    spin_unlock(&lock, state);
    if (error)
        kfree(handler);
    return error;
}

static void detach(struct line *line, irq_handler_fn fn, void *context)
{
    struct handler *found = NULL;
    cpu_irq_state state = spin_lock(&lock);
    for (struct handler **p = &line->handlers; *p; p = &(*p)->next) {
        if (!fn || ((*p)->fn == fn && (*p)->context == context)) {
            found = *p;
            *p = found->next;
            break;
        }
    }
    if (!line->handlers) {
        if (line->gsi != NO_GSI)
            ioapic_mask(line->gsi);
        line->used = false;
    }
    spin_unlock(&lock, state);
    kfree(found);
}

void irq_detach_gsi(unsigned gsi, irq_handler_fn fn, void *context)
{
    struct line *line = find_line(gsi);
    if (line)
        detach(line, fn, context);
}

int irq_attach_msi(irq_handler_fn fn, void *context, uint64_t *address, uint32_t *data)
{
    struct handler *handler = kmalloc(sizeof *handler);
    if (!handler)
        return -ENOMEM;
    *handler = (struct handler){fn, context, NULL};
    cpu_irq_state state = spin_lock(&lock);
    struct line *line = new_line(NO_GSI);
    if (line) {
        line->handlers = handler;
        *address = 0xfee00000u | (uint64_t)apic_id() << 12;
        *data = vector_of(line);
    }
    spin_unlock(&lock, state);
    if (!line)
        kfree(handler);
    return line ? 0 : -ENOSPC;
}

void irq_detach_msi(uint64_t address, uint32_t data)
{
    (void)address;
    if (data >= VECTOR_IRQ_FIRST && data <= VECTOR_IRQ_LAST)
        detach(&lines[data - VECTOR_IRQ_FIRST], NULL, NULL);
}

void x86_interrupt(struct trap_frame *frame)
{
    struct percpu *cpu = cpu_percpu();
    cpu->irq_depth++;
    cpu->interrupts++;
    if (frame->vector == VECTOR_TIMER) {
        x86_timer_interrupt();
        timer_fired();
        apic_eoi();
    } else if (frame->vector != VECTOR_SPURIOUS) {
        for (struct handler *h = lines[frame->vector - VECTOR_IRQ_FIRST].handlers; h; h = h->next)
            h->fn(h->context);
        apic_eoi();
    }
    cpu->irq_depth--;
    schedule_from_interrupt(frame);
}
