/* Ed25519 keys as files of one line of text: NAME.pub for everyone, NAME.key for its owner alone.
 */
#ifndef QUINCE_HOST_KEYS_H
#define QUINCE_HOST_KEYS_H

#include <stdint.h>

#include "extend/signature.h"

/* Reads a public key; dies with what is wrong with the file. */
void key_read_public(const char *path, uint8_t key[SIGNATURE_KEY]);

/* Of a secret key, what signing takes. */
struct signing_key {
    uint8_t secret[64], public[SIGNATURE_KEY];
};
/* Dies also when others than its owner may read the file. */
void key_read_secret(const char *path, struct signing_key *key);
void key_forget(struct signing_key *key);
/* Writes id and signature to the end of a .qwo file. */
void key_sign(const struct signing_key *key, uint8_t *bytes, size_t len);

/* Makes NAME.key (mode 0600) and NAME.pub; neither may exist. Dies when it cannot. */
void key_generate(const char *name, uint8_t public[SIGNATURE_KEY]);

#endif
