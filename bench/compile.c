/* What compiling a module costs: loads FILE as often as told and prints a line each: seconds of
 * wall clock, seconds of this thread's time, and by how many bytes the process grew at most beyond
 * what it had before, the module's bytes included, the compiled code too. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wasm.h"

static double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Kilobytes, from the line NAME of /proc/self/status. */
static long status(const char *name)
{
    char line[256];
    long value = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            value = strtol(line + strlen(name), NULL, 10);
    if (f)
        fclose(f);
    return value;
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) {
        perror(path);
        exit(1);
    }
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*size + 1);
    if (!bytes || fread(bytes, 1, *size, f) != *size) {
        perror(path);
        exit(1);
    }
    fclose(f);
    return bytes;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FILE.wasm [TIMES]\n", argv[0]);
        return 2;
    }
    long before = status("VmRSS:");
    size_t size;
    uint8_t *bytes = read_file(argv[1], &size);
    for (int times = argc > 2 ? atoi(argv[2]) : 1; times > 0; times--) {
        struct wasm_error err;
        double wall = seconds(CLOCK_MONOTONIC), own = seconds(CLOCK_THREAD_CPUTIME_ID);
        struct wasm_module *m = wasm_module_load(bytes, size, NULL, &err);
        own = seconds(CLOCK_THREAD_CPUTIME_ID) - own;
        wall = seconds(CLOCK_MONOTONIC) - wall;
        if (!m) {
            fprintf(stderr, "%s: %s\n", argv[1], err.message);
            return 1;
        }
        printf("%.6f %.6f %ld\n", wall, own, (status("VmHWM:") - before) * 1024);
        wasm_module_release(m);
    }
    free(bytes);
    return 0;
}
