/* Signed files and spoiled ones: see aot.h. */
#include "aot.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

void test_key_make(struct test_key *key, uint8_t seed)
{
    uint8_t seeds[crypto_sign_SEEDBYTES];
    memset(seeds, seed, sizeof seeds);
    crypto_sign_seed_keypair(key->public, key->secret, seeds);
}

void test_key_sign(const struct test_key *key, uint8_t *file, size_t size)
{
    size_t signed_len = size - WASM_COMPILED_SIGNATURE;
    signature_key_id(key->public, file + signed_len - SIGNATURE_KEY_ID);
    crypto_sign_detached(file + signed_len, NULL, file, signed_len, key->secret);
}

uint8_t *read_test_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = malloc(1 << 20);
    *size = f && bytes ? fread(bytes, 1, 1 << 20, f) : 0;
    if (!*size) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(f);
    return bytes;
}

uint8_t *compile_signed(const struct test_key *key, const uint8_t *wasm, size_t wasm_size,
                        size_t *size)
{
    struct wasm_error err;
    struct wasm_load_options options = {.cpu = "baseline"};
    struct wasm_module *module = wasm_module_load(wasm, wasm_size, &options, &err);
    uint8_t hash[32], *file = NULL;
    signature_module_hash(wasm, wasm_size, hash);
    if (module)
        file = wasm_module_save(module, hash, size);
    if (!file) {
        fprintf(stderr, "cannot compile: %s\n", err.message);
        exit(2);
    }
    wasm_module_release(module);
    test_key_sign(key, file, *size);
    return file;
}

static void spoil_format(struct qwo_header *h)
{
    h->format++;
}
static void spoil_machine(struct qwo_header *h)
{
    h->machine = 183;
}
static void spoil_compiler(struct qwo_header *h)
{
    h->compiler[15] ^= 1;
}
static void spoil_abi(struct qwo_header *h)
{
    h->abi[0] ^= 0x80;
}
static void spoil_features(struct qwo_header *h)
{
    h->features |= 1ull << 63;
}
static void spoil_hash(struct qwo_header *h)
{
    h->module_hash[31] ^= 1;
}

const struct misfit misfits[] = {
    {"wrong-format", SIGNATURE_BAD_FORMAT, WASM_ERR_VERSION, "format version 3", spoil_format},
    {"wrong-machine", SIGNATURE_GOOD, WASM_ERR_VERSION, "wrong machine: 183", spoil_machine},
    {"wrong-compiler", SIGNATURE_GOOD, WASM_ERR_VERSION, "wrong compiler version", spoil_compiler},
    {"wrong-abi", SIGNATURE_GOOD, WASM_ERR_VERSION, "wrong ABI version", spoil_abi},
    {"missing-feature", SIGNATURE_GOOD, WASM_ERR_FEATURE, "missing CPU feature", spoil_features},
    {"wrong-hash", SIGNATURE_WRONG_MODULE, WASM_OK, "wrong module hash", spoil_hash},
};
const unsigned misfit_count = sizeof misfits / sizeof *misfits;

void misfit_make(const struct misfit *misfit, const struct test_key *key, uint8_t *file,
                 size_t size)
{
    struct qwo_header header = {0};
    struct qwo_cursor c = {file, QWO_MAGIC_SIZE, false};
    qwo_header(&c, &header);
    misfit->spoil(&header);
    c = (struct qwo_cursor){file, QWO_MAGIC_SIZE, true};
    qwo_header(&c, &header);
    test_key_sign(key, file, size);
}
