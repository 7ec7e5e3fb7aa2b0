/* One-shot timers. The function runs in interrupt context: short, no sleeping, no allocation. */
#ifndef QUINCE_TIME_TIMER_H
#define QUINCE_TIME_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    uint64_t deadline; /* clock_now() scale; 0: not armed */
    void (*fn)(struct timer *timer);
    void *context;
    struct timer *child, *next, *previous; /* timer.c's */
};
/* (Re)arms and returns 0; needs no memory. Zero the structure before the first use. It must live
 * until it fired or is cancelled. */
int timer_arm(struct timer *timer, uint64_t deadline);
bool timer_cancel(struct timer *timer); /* false: was not armed */

#endif
