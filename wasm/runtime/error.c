/* Errors and the names of traps. */
#include "runtime/module.h"

#include <stdarg.h>
#include <stdio.h>

void error_set(struct wasm_error *err, enum wasm_error_kind kind, uint32_t offset,
               const char *format, ...)
{
    if (!err)
        return;
    err->kind = kind;
    err->offset = offset;
    err->trap = WASM_TRAP_NONE;
    va_list args;
    va_start(args, format);
    vsnprintf(err->message, sizeof(err->message), format, args);
    va_end(args);
    /* Names come from outside; the message stays one line. */
    for (char *c = err->message; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

const char *wasm_trap_name(enum wasm_trap trap)
{
    static const char *const names[WASM_TRAP_COUNT] = {
        [WASM_TRAP_NONE] = "no trap",
        [WASM_TRAP_UNREACHABLE] = "unreachable",
        [WASM_TRAP_MEMORY] = "out of bounds memory access",
        [WASM_TRAP_TABLE] = "out of bounds table access",
        [WASM_TRAP_UNDEFINED] = "undefined element",
        [WASM_TRAP_NULL] = "uninitialized element",
        [WASM_TRAP_SIGNATURE] = "indirect call type mismatch",
        [WASM_TRAP_DIV_ZERO] = "integer divide by zero",
        [WASM_TRAP_INT_OVERFLOW] = "integer overflow",
        [WASM_TRAP_CONVERSION] = "invalid conversion to integer",
        [WASM_TRAP_STACK] = "call stack exhausted",
        [WASM_TRAP_TIMEOUT] = "time budget exceeded",
        [WASM_TRAP_EXIT] = "exit",
        [WASM_TRAP_HOST] = "refused by the host",
        [WASM_TRAP_EXCEPTION] = "uncaught exception",
        [WASM_TRAP_NULL_REF] = "null exception reference",
        [WASM_TRAP_UNALIGNED] = "unaligned atomic",
        [WASM_TRAP_EXCEPTION_MEMORY] = "out of memory for exceptions",
        [WASM_TRAP_SHARED] = "expected shared memory",
    };
    return (unsigned)trap < WASM_TRAP_COUNT ? names[trap] : "unknown trap";
}
