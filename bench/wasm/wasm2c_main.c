/* Runs a module that wasm2c translated: the header and the module's name come from the command
 * line. */
#include <stdint.h>
#include HEADER

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c)  JOIN_(a, b, c)

uint32_t run(uint32_t rounds);

static JOIN(Z_, MODULE, _instance_t) instance;

__attribute__((constructor)) static void start(void)
{
    wasm_rt_init();
    JOIN(Z_, MODULE, _init_module)();
    JOIN(Z_, MODULE, _instantiate)(&instance);
}

uint32_t run(uint32_t rounds)
{
    return JOIN(Z_, MODULE, Z_run)(&instance, rounds);
}
