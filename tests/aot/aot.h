/* What the tests of ahead-of-time compilation share: signed files and ways to spoil them. */
#ifndef QUINCE_TESTS_AOT_H
#define QUINCE_TESTS_AOT_H

#include "extend/signature.h"
#include "runtime/qwo.h"

struct test_key {
    uint8_t public[SIGNATURE_KEY], secret[64];
};
void test_key_make(struct test_key *key, uint8_t seed);
void test_key_sign(const struct test_key *key, uint8_t *file, size_t size);

/* Compiles and signs; dies when it cannot. Freed by the caller. */
uint8_t *compile_signed(const struct test_key *key, const uint8_t *wasm, size_t wasm_size,
                        size_t *size);
uint8_t *read_test_file(const char *path, size_t *size);

/* Files that are signed but do not fit, and what they are called. */
struct misfit {
    const char *name;
    enum signature_state state;
    enum wasm_error_kind kind; /* of loading it, when its signature is good */
    const char *message;       /* in what is said about it */
    void (*spoil)(struct qwo_header *header);
};
extern const struct misfit misfits[];
extern const unsigned misfit_count;
/* Spoils the header and signs again. */
void misfit_make(const struct misfit *misfit, const struct test_key *key, uint8_t *file,
                 size_t size);

/* fuzz.c: mutated files loaded as if their signature held; the number of those that were taken. */
unsigned fuzz_parser(const uint8_t *file, size_t size, unsigned rounds);

#endif
