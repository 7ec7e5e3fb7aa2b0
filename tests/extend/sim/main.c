/* extend-sim SOCKET [-v]: a simulated machine until its standard input ends or it is shut down. */
#include "sim.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/port.h"

bool sim_verbose;

int main(int argc, char **argv)
{
    if (argc < 2 || !sim_port_open(argv[1]) || !host_port_thread_init()) {
        fprintf(stderr, "usage: %s SOCKET [-v]\n", argv[0]);
        return 2;
    }
    sim_verbose = argc > 2 && strcmp(argv[2], "-v") == 0;
    sim_start();
    sim_packets_start(1000);
    char byte;
    while (read(0, &byte, 1) > 0) {
    }
    return 0;
}
