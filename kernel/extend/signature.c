/* Checking signatures: see signature.h. */
#include "extend/signature.h"

#include <sodium/crypto_hash_sha256.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stdio.h>
#include <string.h>

#include "wasm.h"

_Static_assert(crypto_sign_ed25519_PUBLICKEYBYTES == SIGNATURE_KEY, "as the format has it");
_Static_assert(crypto_sign_ed25519_BYTES == WASM_COMPILED_SIGNATURE, "as the format has it");
_Static_assert(WASM_COMPILED_KEY_ID == SIGNATURE_KEY_ID, "as the format has it");

const char *signature_state_name(enum signature_state state)
{
    static const char *const names[] = {
        [SIGNATURE_GOOD] = "good signature",
        [SIGNATURE_NOT_COMPILED] = "not a compiled module",
        [SIGNATURE_NONE] = "not signed",
        [SIGNATURE_UNKNOWN_KEY] = "unknown key",
        [SIGNATURE_BAD] = "bad signature",
        [SIGNATURE_BAD_FORMAT] = "wrong format",
        [SIGNATURE_WRONG_MODULE] = "wrong module hash",
    };
    return names[state];
}

void signature_key_id(const uint8_t key[SIGNATURE_KEY], uint8_t id[SIGNATURE_KEY_ID])
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, key, SIGNATURE_KEY);
    memcpy(id, hash, SIGNATURE_KEY_ID);
}

void signature_id_text(const uint8_t id[SIGNATURE_KEY_ID], char text[SIGNATURE_ID_TEXT])
{
    for (unsigned i = 0; i < SIGNATURE_KEY_ID; i++) {
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    }
}

void signature_module_hash(const uint8_t *module, size_t len, uint8_t hash[32])
{
    crypto_hash_sha256(hash, module, len);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool signature_hex(const char *digits, uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(digits[2 * i]), low = high < 0 ? -1 : hex_digit(digits[2 * i + 1]);
        if (low < 0) {
            return false;
        }
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

bool signature_key_parse(const char *text, size_t len, uint8_t key[SIGNATURE_KEY])
{
    const size_t prefix = sizeof SIGNATURE_KEY_PREFIX - 1, digits = 2 * SIGNATURE_KEY;
    if (len && text[len - 1] == '\n') {
        len--;
    }
    return len == prefix + digits && memcmp(text, SIGNATURE_KEY_PREFIX, prefix) == 0 &&
           signature_hex(text + prefix, key, SIGNATURE_KEY);
}

/* The state of a signature that may have been made by any of the keys with the id the file names:
 * ids are short, so two keys can have the same. */
static enum signature_state verify(const uint8_t *bytes, size_t signed_len, const uint8_t *id,
                                   const uint8_t (*keys)[SIGNATURE_KEY], uint32_t key_count)
{
    enum signature_state state = SIGNATURE_UNKNOWN_KEY;
    for (uint32_t i = 0; i < key_count; i++) {
        uint8_t own_id[SIGNATURE_KEY_ID];
        signature_key_id(keys[i], own_id);
        if (memcmp(own_id, id, sizeof own_id) != 0) {
            continue;
        }
        if (crypto_sign_ed25519_verify_detached(bytes + signed_len, bytes, signed_len, keys[i]) ==
            0) {
            return SIGNATURE_GOOD;
        }
        state = SIGNATURE_BAD;
    }
    return state;
}

enum signature_state signature_check(const uint8_t *bytes, size_t len,
                                     const uint8_t (*keys)[SIGNATURE_KEY], uint32_t key_count,
                                     char id[SIGNATURE_ID_TEXT], char *reason, size_t reason_size)
{
    static const uint8_t no_key[SIGNATURE_KEY_ID];
    char id_text[SIGNATURE_ID_TEXT] = "";
    enum signature_state state = SIGNATURE_NOT_COMPILED;
    const char *detail = "its first bytes are others, or it is cut short";
    struct wasm_error err;
    if (wasm_is_compiled(bytes, len) && len > SIGNATURE_KEY_ID + WASM_COMPILED_SIGNATURE) {
        size_t signed_len = len - WASM_COMPILED_SIGNATURE;
        const uint8_t *named = bytes + signed_len - SIGNATURE_KEY_ID;
        signature_id_text(named, id_text);
        state = memcmp(named, no_key, sizeof no_key) == 0
                    ? SIGNATURE_NONE
                    : verify(bytes, signed_len, named, keys, key_count);
        detail = state == SIGNATURE_NONE ? "sign it with 'quince sign FILE.qwo --key NAME.key'"
                 : state == SIGNATURE_UNKNOWN_KEY
                     ? "none of the keys known here has the id"
                     : "it was changed after it was signed, by the key";
    }
    if (state == SIGNATURE_GOOD) {
        struct wasm_compiled file;
        uint8_t hash[32];
        if (!wasm_compiled_open(bytes, len, &file, &err)) {
            state = SIGNATURE_BAD_FORMAT;
            detail = err.message;
        } else {
            signature_module_hash(file.module, file.module_len, hash);
            if (memcmp(hash, file.module_hash, sizeof hash) != 0) {
                state = SIGNATURE_WRONG_MODULE;
                detail = "the module in it is not the one it was compiled from";
            }
        }
    }
    bool about_key = state == SIGNATURE_UNKNOWN_KEY || state == SIGNATURE_BAD;
    if (state == SIGNATURE_GOOD) {
        snprintf(reason, reason_size, "%s by key %s", signature_state_name(state), id_text);
    } else {
        snprintf(reason, reason_size, "%s: %s%s%s", signature_state_name(state), detail,
                 about_key ? " " : "", about_key ? id_text : "");
    }
    if (id) {
        memcpy(id, id_text, sizeof id_text);
    }
    return state;
}
