/* A machine made of host threads in which the whole of kernel/extend runs with the host's engine,
 * under sanitizers: extension system, control channel, packets. */
#ifndef QUINCE_TESTS_EXTEND_SIM_H
#define QUINCE_TESTS_EXTEND_SIM_H

#include <stdbool.h>

extern bool sim_verbose;

void sim_start(void);                  /* kernel.c: what INIT() registered */
bool sim_port_open(const char *path);  /* devices.c: the control port's socket */
void sim_packets_start(unsigned rate); /* devices.c: per second and direction */

#endif
