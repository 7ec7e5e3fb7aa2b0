#include "perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

/* A file that this process did not make is one of an earlier process with the same number, or a
 * trap: it goes, and what cannot go is not written to. */
static FILE *open_map(const char *path)
{
    static bool made;
    int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (made ? 0 : O_CREAT | O_EXCL);
    if (!made) {
        unlink(path);
    }
    int fd = open(path, flags, 0644);
    FILE *file = fd >= 0 ? fdopen(fd, "a") : NULL;
    if (!file && fd >= 0) {
        close(fd);
    }
    made |= file != NULL;
    return file;
}

bool perf_map_write(const struct wasm_module *module)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    FILE *file = open_map(path);
    if (!file) {
        warn("exec: %s: %s", path, strerror(errno));
        return false;
    }
    uint32_t count = wasm_module_code_count(module);
    for (uint32_t i = 0; i < count; i++) {
        struct wasm_code code = wasm_module_code(module, i);
        char name[256];
        wasm_code_name(module, &code, name, sizeof name);
        fprintf(file, "%" PRIxPTR " %zx %s\n", code.address, code.size, name);
    }
    if (fclose(file)) {
        warn("exec: %s: %s", path, strerror(errno));
        return false;
    }
    return true;
}
