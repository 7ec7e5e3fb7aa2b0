/* Runs one of the compute benchmark's programs as a WASI command and prints what it gave, which the
 * test compares with the value every engine must give. usage: load ROUNDS */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

uint32_t run(uint32_t rounds);

int main(int argc, char **argv)
{
    printf("%u\n", (unsigned)run(argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1));
    return 0;
}
