/* Quince's side of the differential fuzzer: reads the paths of modules, a line each, and answers
 * with "accept" or "reject KIND OFFSET MESSAGE", what their exports did, and a line with a dot. */
#include <errno.h>
#include <string.h>

#include "exports.h"
#include "port.h"

static const char *const kinds[] = {"ok",      "malformed",  "invalid",  "unsupported",
                                    "limit",   "unlinkable", "nomemory", "trap",
                                    "timeout", "version",    "feature"};
enum { BUDGET_MS = 300, TOTAL_MS = 2000 };

static void answer(const char *path, const char *passes)
{
    FILE *file = fopen(path, "rb");
    static uint8_t bytes[8 << 20];
    if (!file) {
        printf("missing\n");
        return;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    struct wasm_error err;
    struct wasm_load_options load = {.passes = passes};
    struct wasm_module *module = wasm_module_load(bytes, size, &load, &err);
    if (!module) {
        printf("reject %s %u %s\n", kinds[err.kind], (unsigned)err.offset, err.message);
        return;
    }
    printf("accept\n");
    run_exports(module, BUDGET_MS * UINT64_C(1000000), TOTAL_MS * UINT64_C(1000000), stdout);
    wasm_module_release(module);
}

int main(int argc, char **argv)
{
    static char line[4096];
    if (!host_port_thread_init())
        return 2;
    for (;;) {
        errno = 0;
        if (!fgets(line, sizeof line, stdin)) {
            if (errno != EINTR) /* the timer of a deadline */
                return 0;
            clearerr(stdin);
            continue;
        }
        line[strcspn(line, "\n")] = 0;
        answer(line, argc > 1 ? argv[1] : "all,verify");
        printf(".\n");
        fflush(stdout);
    }
}
