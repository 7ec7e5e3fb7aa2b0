/* One-shot timers. The function runs in interrupt context: short, no sleeping, no allocation. */
#ifndef QUINCE_TIME_TIMER_H
#define QUINCE_TIME_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer {
    uint64_t deadline; /* clock_now() scale; 0: not armed */
    void (*fn)(struct timer *timer);
    void *context;
    uint32_t heap_index;
};
/* (Re)arms. The timer must live until it fired or is cancelled. 0 or -ENOMEM. */
int timer_arm(struct timer *timer, uint64_t deadline);
bool timer_cancel(struct timer *timer); /* false: was not armed */

#endif
