/* Clocks, in nanoseconds. Callable anywhere. */
#ifndef QUINCE_TIME_CLOCK_H
#define QUINCE_TIME_CLOCK_H

#include <stdint.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

uint64_t clock_now(void);      /* monotonic, since boot */
uint64_t clock_realtime(void); /* since the Unix epoch */
void clock_set_realtime(uint64_t ns);

#endif
