/* x86-64 machine code as text. */
#ifndef QUINCE_HOST_DISASM_X86_H
#define QUINCE_HOST_DISASM_X86_H

#include "wasm.h"

struct machine_ins {
    uint32_t offset; /* from the start of the function */
    uint8_t length;
    char text[120];
};
/* The instruction OFFSET bytes into CODE of MODULE, addresses by name where they lie in the
 * module's code. What is no instruction is one byte, "(bad)". */
void disasm_x86(const struct wasm_module *module, const struct wasm_code *code, uint32_t offset,
                struct machine_ins *out);

#endif
