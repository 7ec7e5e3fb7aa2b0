/* Which modules this kernel takes: a .wasm, if it has the compiler and was not told to take only
 * what is signed; a .qwo, if one of the keys built into the image signed it. */
#ifndef QUINCE_EXTEND_ADMIT_H
#define QUINCE_EXTEND_ADMIT_H

#include "extend/signature.h"
#include "wasm.h"

/* Life cycle: received → verified (a .qwo) → validated and compiled, or taken as it was compiled.
 * The module, or NULL with *error = -errno and a reason. SIGNED_BY gets the id of the key; "": it
 * was compiled here. */
struct wasm_module *admit_module(const uint8_t *bytes, size_t len,
                                 const struct wasm_load_options *options,
                                 char signed_by[SIGNATURE_ID_TEXT], int *error, char *reason,
                                 size_t reason_size);

/* Public keys built into the image (quince build --key). */
const uint8_t (*admit_keys(uint32_t *count))[SIGNATURE_KEY];
bool admit_signed_only(void); /* the command line says signed-only=yes */

#endif
