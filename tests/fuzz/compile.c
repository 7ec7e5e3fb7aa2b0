/* libFuzzer target: whatever the bytes are, they are refused with a message or become code, with
 * the verifier looking at the function after every pass. */
#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "wasm.h"

#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct wasm_error err;
    memset(&err, 0, sizeof err);
    struct wasm_load_options options = {.passes = "all,verify"};
    struct wasm_module *module = wasm_module_load(bytes, size, &options, &err);
    if (module) {
        wasm_module_release(module);
        return 0;
    }
    /* Out of memory is what compiling ends with when the verifier or the code generator finds a
     * function it does not know what to do with. */
    if (err.kind == WASM_OK || err.kind == WASM_ERR_NOMEM || !err.message[0] || err.offset > size) {
        fprintf(stderr, "refused with %d at %u: %s\n", err.kind, (unsigned)err.offset, err.message);
        abort();
    }
    return 0;
}
