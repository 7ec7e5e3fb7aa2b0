/* The host functions: import module `quince1`. */
#ifndef QUINCE_EXTEND_API_H
#define QUINCE_EXTEND_API_H

#include "extend/extension.h"

/* Every import of EXT's module exists, has the right type, and EXT has the right to it: 0, -ENOENT,
 * -EINVAL or -EPERM and a reason that names the import (and the grant). */
int api_check(const struct extension *ext, char *reason, size_t size);
/* A wasm_resolve_fn; CONTEXT is the extension. */
bool api_resolve(void *context, const struct wasm_import *import, struct wasm_extern *out);

#endif
