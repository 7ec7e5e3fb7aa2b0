/* The engine's POSIX port: what a host program does before it calls Wasm. */
#ifndef QUINCE_HOST_PORT_H
#define QUINCE_HOST_PORT_H

#include <stdbool.h>

/* Makes the calling thread ready to run Wasm: fault and timer signals, a signal stack, timers.
 * Once per thread; false with errno set. */
bool host_port_thread_init(void);
/* Gives the thread's signal stack and timers back. */
void host_port_thread_exit(void);

#endif
