/* libFuzzer target: modules that are accepted also run, each call with a budget, on an engine with
 * the sanitizers on. */
#include <string.h>

#include "exports.h"
#include "port.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { BUDGET_MS = 20, TOTAL_MS = 200 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    return host_port_thread_init() ? 0 : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct wasm_error err;
    struct wasm_load_options options = {0};
    struct wasm_module *module = wasm_module_load(bytes, size, &options, &err);
    if (!module)
        return 0;
    run_exports(module, BUDGET_MS * UINT64_C(1000000), TOTAL_MS * UINT64_C(1000000), NULL);
    wasm_module_release(module);
    return 0;
}
