/* Fuzzing the front end: whatever the bytes are, they are refused with a message or become SSA that
 * the verifier accepts. The entry point is libFuzzer's (clang -fsanitize=fuzzer,address
 * -DLIBFUZZER); without it a small mutator of our own runs: decode-fuzz SECONDS SEED <
 * LIST-OF-MODULES An input that breaks something is left in decode-fuzz.wasm. */
#include "decode/decode.h"
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static _Noreturn void complain(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct module_info info;
    struct wasm_error err;
    if (!decode_module(bytes, size, NULL, &info, &err)) {
        if (err.kind == WASM_OK || !err.message[0] || err.offset > size)
            complain("refused without a reason", err.message);
        return 0;
    }
    struct ir_func f;
    ir_func_init(&f, &info.ir, 0);
    struct body_decoder *decoder = body_decoder_new(&info);
    if (!decoder)
        complain("decoder", "out of memory");
    for (uint32_t i = info.imported_funcs; i < info.func_count; i++) {
        if (!decode_body(decoder, i, &f, &err)) {
            if (err.kind == WASM_OK || !err.message[0] || err.offset > size)
                complain("refused without a reason", err.message);
            continue;
        }
        char why[256];
        if (!ir_verify(&f, why, sizeof why))
            complain("not well-formed", why);
        if (!ir_split_critical_edges(&f) || !ir_verify(&f, why, sizeof why))
            complain("not well-formed after splitting edges", why);
    }
    body_decoder_free(decoder);
    ir_func_free(&f);
    module_info_free(&info);
    return 0;
}

#ifndef LIBFUZZER

static uint64_t state;

static uint32_t random_below(uint32_t n)
{
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)((state >> 33) * n >> 31);
}

struct seed {
    uint8_t *bytes;
    size_t size;
};

#define MAX_SIZE 65536u

/* Values that tend to sit at borders, as single bytes. */
static const uint8_t borders[] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
                                  0x10, 0x11, 0x1b, 0x20, 0x21, 0x3f, 0x40, 0x41, 0x60, 0x6f, 0x70,
                                  0x7b, 0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0xd0, 0xd2, 0xfc, 0xfd, 0xff};

static size_t mutate(uint8_t *bytes, size_t size, const struct seed *other)
{
    for (uint32_t n = 1 + random_below(6); n && size; n--) {
        uint32_t at = random_below((uint32_t)size), len;
        switch (random_below(7)) {
        case 0: bytes[at] ^= (uint8_t)(1u << random_below(8)); break;
        case 1: bytes[at] = borders[random_below(sizeof borders)]; break;
        case 2: bytes[at] = (uint8_t)random_below(256); break;
        case 3: /* drop some */
            len = 1 + random_below(8);
            len = len < size - at ? len : (uint32_t)(size - at);
            memmove(bytes + at, bytes + at + len, size - at - len);
            size -= len;
            break;
        case 4: /* repeat some */
            len = 1 + random_below(16);
            len = len < size - at ? len : (uint32_t)(size - at);
            if (size + len > MAX_SIZE)
                break;
            memmove(bytes + at + len, bytes + at, size - at);
            size += len;
            break;
        case 5: /* swap two places */
            len = random_below((uint32_t)size);
            bytes[at] ^= bytes[len];
            bytes[len] = (uint8_t)(bytes[at] ^ bytes[len]);
            bytes[at] ^= bytes[len];
            break;
        default: /* a piece of another module */
            if (!other->size)
                break;
            len = 1 + random_below(32);
            len = len < size - at ? len : (uint32_t)(size - at);
            if (len < other->size)
                memcpy(bytes + at, other->bytes + random_below((uint32_t)(other->size - len)), len);
            break;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 2;
    state = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    static struct seed seeds[8192];
    uint32_t count = 0;
    static char line[4096];
    while (count < sizeof seeds / sizeof seeds[0] && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        FILE *file = fopen(line, "rb");
        if (!file)
            continue;
        seeds[count].bytes = malloc(MAX_SIZE);
        if (seeds[count].bytes)
            seeds[count].size = fread(seeds[count].bytes, 1, MAX_SIZE / 2, file);
        fclose(file);
        if (seeds[count].size)
            count++;
        else
            free(seeds[count].bytes);
    }
    if (!count) {
        puts("1..0 # SKIP no modules to start from");
        return 0;
    }
    uint64_t end = wasm_host_now() + seconds * 1000000000, runs = 0;
    while (wasm_host_now() < end) {
        for (uint32_t i = 0; i < 100; i++, runs++) {
            const struct seed *seed = &seeds[random_below(count)];
            uint8_t *bytes = malloc(MAX_SIZE);
            if (!bytes)
                return 1;
            memcpy(bytes, seed->bytes, seed->size);
            size_t size = mutate(bytes, seed->size, &seeds[random_below(count)]);
            /* Exactly as large as the module, so that the sanitizer sees reads past the end. */
            uint8_t *exact = malloc(size + !size);
            if (!exact)
                return 1;
            memcpy(exact, bytes, size);
            FILE *file = getenv("DECODE_FUZZ_KEEP") ? fopen("decode-fuzz.wasm", "wb") : NULL;
            if (file) {
                fwrite(exact, 1, size, file);
                fclose(file);
            }
            LLVMFuzzerTestOneInput(exact, size);
            free(exact);
            free(bytes);
        }
    }
    for (uint32_t i = 0; i < count; i++)
        free(seeds[i].bytes);
    printf("1..1\nok 1 - %llu mutated modules\n", (unsigned long long)runs);
    return 0;
}
#endif
