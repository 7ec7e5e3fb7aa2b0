/* Decodes modules as the engine would, for tests: reads lines "PATH" from standard input and
 * answers each with one line, "ok FUNCTIONS BYTES", "KIND OFFSET MESSAGE", or "broken MESSAGE" when
 * the function built violates an invariant of the intermediate representation. With a PATH argument
 * checks that file; --print shows its functions, --time N decodes it N times, --deadline N gives it
 * N milliseconds, --max-size N takes no more than N bytes, --without N leaves out features. */
#include "decode/decode.h"
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"ok",         "malformed", "invalid", "unsupported", "limit",
                                    "unlinkable", "nomem",     "trap",    "timeout"};

static void print_line(void *context, const char *line)
{
    (void)context;
    puts(line);
}

enum { PRINT = 1, NO_VERIFY = 2 };
static uint64_t deadline_ms;
static struct wasm_load_options options;

static void answer(const uint8_t *bytes, size_t size, int flags)
{
    struct module_info info;
    struct wasm_error err;
    char why[256];
    if (!decode_module(bytes, size, &options, &info, &err)) {
        printf("%s %u %s\n", kinds[err.kind], err.offset, err.message);
        return;
    }
    struct ir_func f;
    ir_func_init(&f, &info.ir, 0);
    struct body_decoder *decoder = body_decoder_new(&info);
    bool good = decoder;
    if (good && deadline_ms)
        body_decoder_set_deadline(decoder, wasm_host_now() + deadline_ms * 1000000);
    for (uint32_t i = info.imported_funcs; good && i < info.func_count; i++) {
        if (!decode_body(decoder, i, &f, &err)) {
            printf("%s %u %s\n", kinds[err.kind], err.offset, err.message);
            good = false;
            break;
        }
        if (flags & PRINT)
            ir_print(&f, print_line, NULL);
        if (flags & NO_VERIFY)
            continue;
        good = ir_verify(&f, why, sizeof why);
        if (good)
            good = ir_split_critical_edges(&f) && ir_verify(&f, why, sizeof why);
        if (!good)
            printf("broken function %u: %s\n", i, why);
    }
    if (good)
        printf("ok %u %zu\n", info.func_count - info.imported_funcs, size);
    body_decoder_free(decoder);
    ir_func_free(&f);
    module_info_free(&info);
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    uint8_t *bytes = NULL;
    *size = 0;
    if (fseek(file, 0, SEEK_END) == 0) {
        long end = ftell(file);
        rewind(file);
        /* Exactly as large as the module, so that the sanitizer sees reads past the end. */
        bytes = end >= 0 ? malloc((size_t)end + !end) : NULL;
        if (bytes)
            *size = fread(bytes, 1, (size_t)end, file);
    }
    fclose(file);
    return bytes;
}

static int check_file(const char *path, int flags)
{
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    if (!bytes) {
        printf("missing %s\n", path);
        return 1;
    }
    answer(bytes, size, flags);
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    int flags = 0;
    long times = 1;
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0)
            flags |= PRINT;
        else if (strcmp(argv[i], "--time") == 0 && i + 1 < argc)
            times = strtol(argv[++i], NULL, 10), flags |= NO_VERIFY;
        else if (strcmp(argv[i], "--deadline") == 0 && i + 1 < argc)
            deadline_ms = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--max-size") == 0 && i + 1 < argc)
            options.max_module_size = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--without") == 0 && i + 1 < argc)
            options.without = (uint32_t)strtoul(argv[++i], NULL, 0);
        else
            path = argv[i];
    }
    if (!path) {
        static char line[4096];
        while (fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = 0;
            check_file(line, flags);
            fflush(stdout);
        }
        return 0;
    }
    uint64_t start = wasm_host_now();
    int status = 0;
    for (long i = 0; i < times && !status; i++)
        status = check_file(path, flags);
    if (flags & NO_VERIFY)
        printf("%.3f ms each\n", (double)(wasm_host_now() - start) / 1e6 / (double)times);
    return status;
}
