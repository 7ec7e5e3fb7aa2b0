/* Time as the hardware gives it: a counter and one-shot interrupt per CPU. time/ builds on it. */
#ifndef QUINCE_ARCH_TIMER_H
#define QUINCE_ARCH_TIMER_H

#include <stdint.h>

uint64_t timer_now_ns(void);              /* since boot, monotonic */
uint64_t timer_realtime_at_boot_ns(void); /* Unix time at timer_now_ns() == 0 */
/* Interrupt at DEADLINE (timer_now_ns() scale), at once if past; ~0: none. Calls timer_fired(). */
void timer_program(uint64_t deadline);
void timer_fired(void); /* supplied by time/timer.c */

#endif
