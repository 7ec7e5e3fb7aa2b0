/* An engine without the compiler: what compile.c and the decoder of bodies are in the other one. */
#include "decode/sections.h"
#include "runtime/module.h"

struct wasm_module *wasm_module_load(const uint8_t *bytes, size_t len,
                                     const struct wasm_load_options *options,
                                     struct wasm_error *err)
{
    (void)bytes, (void)len, (void)options;
    error_set(err, WASM_ERR_UNSUPPORTED, 0,
              "this engine has no compiler and takes signed .qwo files only: make one with "
              "'quince compile FILE.wasm --key NAME.key'");
    return NULL;
}

bool wasm_has_compiler(void)
{
    return false;
}

/* Only for messages about modules that a compiler has refused before. */
const char *opcode_name(uint8_t opcode)
{
    (void)opcode;
    return "an instruction that is not constant";
}
