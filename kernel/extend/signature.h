/* Is a .qwo file what the owner of a known key made? Ed25519 and SHA-256 by libsodium; the same
 * source in the kernel and in the quince command, so both accept the same files. The signature
 * comes first: nothing else of a file is looked at before it holds. */
#ifndef QUINCE_EXTEND_SIGNATURE_H
#define QUINCE_EXTEND_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SIGNATURE_KEY = 32,                          /* bytes of a public key */
    SIGNATURE_KEY_ID = 8,                        /* the first ones of its SHA-256 */
    SIGNATURE_ID_TEXT = 17,                      /* the id in hex, with a NUL */
    SIGNATURE_KEY_TEXT = 19 + 2 * SIGNATURE_KEY, /* of a key file: prefix and hex */
};

enum signature_state {
    SIGNATURE_GOOD,
    SIGNATURE_NOT_COMPILED, /* no .qwo file, or less than one */
    SIGNATURE_NONE,
    SIGNATURE_UNKNOWN_KEY,
    SIGNATURE_BAD,         /* somebody changed the file, or another key made it */
    SIGNATURE_BAD_FORMAT,  /* signed, but of another format */
    SIGNATURE_WRONG_MODULE /* the hash in it is not that of the module in it */
};
const char *signature_state_name(enum signature_state state); /* "bad signature", … */

/* REASON gets one line that begins with the state's name; ID, unless NULL, the id of the key that
 * the file names, as text. */
enum signature_state signature_check(const uint8_t *bytes, size_t len,
                                     const uint8_t (*keys)[SIGNATURE_KEY], uint32_t key_count,
                                     char id[SIGNATURE_ID_TEXT], char *reason, size_t reason_size);

void signature_key_id(const uint8_t key[SIGNATURE_KEY], uint8_t id[SIGNATURE_KEY_ID]);
void signature_id_text(const uint8_t id[SIGNATURE_KEY_ID], char text[SIGNATURE_ID_TEXT]);
void signature_module_hash(const uint8_t *module, size_t len, uint8_t hash[32]);

/* A public key as its file has it, "quince-public-key " and 64 hex digits. */
#define SIGNATURE_KEY_PREFIX "quince-public-key "
bool signature_key_parse(const char *text, size_t len, uint8_t key[SIGNATURE_KEY]);
/* SIZE bytes of 2 × SIZE hex digits. */
bool signature_hex(const char *digits, uint8_t *bytes, size_t size);

#endif
