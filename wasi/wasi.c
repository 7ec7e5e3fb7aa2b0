/* A program's view: creation, what it was given, the table of functions, and the functions without
 * a file descriptor. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

struct wasi *wasi_new(void)
{
    struct wasi *wasi = calloc(1, sizeof(*wasi));
    if (!wasi)
        return NULL;
    for (int i = 0; i < 3; i++) {
        struct stat st;
        uint8_t type = fstat(i, &st) ? FILETYPE_UNKNOWN : wasi_filetype(st.st_mode);
        uint64_t rights = (i ? RIGHT_FD_WRITE : RIGHT_FD_READ) | RIGHT_POLL_FD_READWRITE |
                          RIGHT_FD_FILESTAT_GET | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_SYNC |
                          RIGHT_FD_DATASYNC;
        /* A terminal is told by being a character device that cannot seek. */
        if (type == FILETYPE_REGULAR)
            rights |= RIGHT_FD_SEEK | RIGHT_FD_TELL | RIGHT_FD_ADVISE;
        uint32_t fd = wasi_fd_new(wasi, i, type, rights, 0);
        if (fd == WASI_NO_FD) {
            wasi_free(wasi);
            return NULL;
        }
        wasi->fds[fd].keep = true;
        wasi->fds[fd].flags = fcntl(i, F_GETFL);
    }
    return wasi;
}

static void strings_free(struct wasi_strings *strings)
{
    for (uint32_t i = 0; i < strings->count; i++)
        free(strings->list[i]);
    free(strings->list);
}

void wasi_free(struct wasi *wasi)
{
    if (!wasi)
        return;
    for (uint32_t i = 0; i < wasi->fd_count; i++)
        if (wasi->fds[i].used)
            wasi_fd_drop(&wasi->fds[i]);
    for (int i = 0; i < WASI_FUNC_COUNT; i++)
        wasm_func_release(wasi->funcs[i]);
    free(wasi->fds);
    strings_free(&wasi->args);
    strings_free(&wasi->env);
    free(wasi);
}

static bool strings_add(struct wasi_strings *strings, const char *text)
{
    size_t len = strlen(text) + 1;
    if (len > UINT32_MAX / 2 - strings->bytes)
        return false;
    char **list = realloc(strings->list, (strings->count + 1) * sizeof(*list));
    if (!list)
        return false;
    strings->list = list;
    char *copy = malloc(len);
    if (!copy)
        return false;
    memcpy(copy, text, len);
    list[strings->count++] = copy;
    strings->bytes += (uint32_t)len;
    return true;
}

bool wasi_arg(struct wasi *wasi, const char *arg)
{
    return strings_add(&wasi->args, arg);
}

bool wasi_env(struct wasi *wasi, const char *assignment)
{
    return strings_add(&wasi->env, assignment);
}

bool wasi_dir(struct wasi *wasi, const char *host, const char *guest, bool read_only)
{
    uint64_t rights = RIGHTS_DIRECTORY, inheriting = RIGHTS_DIRECTORY | RIGHTS_FILE;
    if (read_only) {
        rights &= ~(uint64_t)RIGHTS_CHANGING;
        inheriting &= ~(uint64_t)RIGHTS_CHANGING;
    }
    int dir = open(host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return false;
    char *name = strdup(guest);
    uint32_t fd =
        name ? wasi_fd_new(wasi, dir, FILETYPE_DIRECTORY, rights, inheriting) : WASI_NO_FD;
    if (fd == WASI_NO_FD) {
        free(name);
        close(dir);
        errno = ENOMEM;
        return false;
    }
    wasi->fds[fd].preopen = name;
    return true;
}

uint32_t wasi_exit_code(const struct wasi *wasi)
{
    return wasi->exit_code;
}

/* Arguments and environment: pointers to strings, then the strings. */
static uint32_t strings_get(struct wasm_instance *in, const struct wasi_strings *strings,
                            uint32_t pointers, uint32_t bytes)
{
    if (!wasm_memory_at(in, pointers, (uint64_t)strings->count * 4) ||
        !wasm_memory_at(in, bytes, strings->bytes))
        return WASI_EFAULT;
    for (uint32_t i = 0; i < strings->count; i++) {
        uint32_t len = (uint32_t)strlen(strings->list[i]) + 1;
        if (!guest_put32(in, pointers, bytes) || !guest_put(in, bytes, strings->list[i], len))
            return WASI_EFAULT;
        pointers += 4;
        bytes += len;
    }
    return WASI_ESUCCESS;
}

static uint32_t strings_sizes(struct wasm_instance *in, const struct wasi_strings *strings,
                              uint32_t count, uint32_t bytes)
{
    return guest_put32(in, count, strings->count) && guest_put32(in, bytes, strings->bytes)
               ? WASI_ESUCCESS
               : WASI_EFAULT;
}

static uint32_t wasi_args_get(struct wasm_instance *in, uint32_t pointers, uint32_t bytes)
{
    return strings_get(in, &wasi_of(in)->args, pointers, bytes);
}

static uint32_t wasi_args_sizes_get(struct wasm_instance *in, uint32_t count, uint32_t bytes)
{
    return strings_sizes(in, &wasi_of(in)->args, count, bytes);
}

static uint32_t wasi_environ_get(struct wasm_instance *in, uint32_t pointers, uint32_t bytes)
{
    return strings_get(in, &wasi_of(in)->env, pointers, bytes);
}

static uint32_t wasi_environ_sizes_get(struct wasm_instance *in, uint32_t count, uint32_t bytes)
{
    return strings_sizes(in, &wasi_of(in)->env, count, bytes);
}

static uint32_t clock_call(struct wasm_instance *in, uint32_t id, uint32_t out,
                           int (*call)(clockid_t, struct timespec *))
{
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID,
                                       CLOCK_THREAD_CPUTIME_ID};
    struct timespec time;
    if (id >= sizeof(clocks) / sizeof(*clocks))
        return WASI_EINVAL;
    if (call(clocks[id], &time))
        return wasi_errno(errno);
    return guest_put64(in, out, (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec)
               ? WASI_ESUCCESS
               : WASI_EFAULT;
}

static uint32_t wasi_clock_res_get(struct wasm_instance *in, uint32_t id, uint32_t out)
{
    return clock_call(in, id, out, clock_getres);
}

static uint32_t wasi_clock_time_get(struct wasm_instance *in, uint32_t id, uint64_t precision,
                                    uint32_t out)
{
    (void)precision;
    return clock_call(in, id, out, clock_gettime);
}

static void wasi_proc_exit(struct wasm_instance *in, uint32_t code)
{
    wasi_of(in)->exit_code = code;
    wasm_trap(in, WASM_TRAP_EXIT);
}

/* Signals end the program as an uncaught one would end a process: 128 + number. The harmless ones
 * (none, CHLD, CONT, URG, WINCH) do nothing, as there. */
static uint32_t wasi_proc_raise(struct wasm_instance *in, uint32_t signal)
{
    static const uint8_t numbers[] = {0, 1, 2,  3,  4,  5,  6, 7,  8,  9,  10, 11, 12, 13, 14, 15,
                                      0, 0, 19, 20, 21, 22, 0, 24, 25, 26, 27, 0,  29, 30, 31};
    if (signal >= sizeof(numbers))
        return WASI_EINVAL;
    if (numbers[signal]) {
        wasi_of(in)->exit_code = 128u + numbers[signal];
        wasm_trap(in, WASM_TRAP_EXIT);
    }
    return WASI_ESUCCESS;
}

static uint32_t wasi_random_get(struct wasm_instance *in, uint32_t addr, uint32_t len)
{
    uint8_t *out = wasm_memory_at(in, addr, len);
    if (!out)
        return WASI_EFAULT;
    while (len) {
        ssize_t n = getrandom(out, len < 256 ? len : 256, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return wasi_errno(errno);
        out += n;
        len -= (uint32_t)n;
    }
    return WASI_ESUCCESS;
}

static uint32_t wasi_sched_yield(struct wasm_instance *in)
{
    (void)in;
    return sched_yield() ? wasi_errno(errno) : WASI_ESUCCESS;
}

/* The table. Functions of the other files have their types checked against it by the engine when a
 * module links, and by these declarations where they are defined. */
#include "functions.h"

static const struct wasm_host_func table[WASI_FUNC_COUNT] = {
#define X(name, type) {#name, type, (wasm_host_fn)wasi_##name},
    WASI_FUNCS(X)
#undef X
};

bool wasi_resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    struct wasi *wasi = context;
    bool preview1 = !strcmp(import->module, "wasi_snapshot_preview1");
    if (!preview1 && strcmp(import->module, "wasi_unstable"))
        return false;
    for (int i = 0; i < WASI_FUNC_COUNT; i++) {
        if (strcmp(table[i].name, import->name))
            continue;
        /* In the older version filestat and whence are laid out differently. */
        if (!preview1 && (strstr(import->name, "filestat_get") ||
                          !strcmp(import->name, "fd_seek") || !strcmp(import->name, "poll_oneoff")))
            return false;
        if (!wasi->funcs[i])
            wasi->funcs[i] = wasm_func_host(table[i].type, table[i].fn);
        out->kind = WASM_FUNC;
        out->func = wasi->funcs[i];
        return out->func != NULL;
    }
    return false;
}
