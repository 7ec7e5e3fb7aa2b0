/* Complaints, memory and paths shared by the sub-commands: see command.h. */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool verbose;

static void complain(const char *format, va_list args)
{
    fflush(stdout);
    fputs("quince: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

void warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
}

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    complain(format, args);
    va_end(args);
    exit(1);
}

void explain(const char *format, ...)
{
    if (verbose) {
        va_list args;
        va_start(args, format);
        complain(format, args);
        va_end(args);
    }
}

void *xcalloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        die("out of memory");
    }
    return memory;
}

void *xrealloc(void *old, size_t size)
{
    void *memory = realloc(old, size);
    if (!memory) {
        die("out of memory");
    }
    return memory;
}

char *xstrdup(const char *text)
{
    char *copy = strdup(text);
    if (!copy) {
        die("out of memory");
    }
    return copy;
}

char *xformat(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        die("out of memory");
    }
    return text;
}

char *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return NULL;
    }
    struct stat status;
    if (fstat(fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
        fclose(file);
        errno = EISDIR;
        return NULL;
    }
    size_t used = 0, room = 64 * 1024;
    char *text = xcalloc(1, room);
    size_t got;
    while ((got = fread(text + used, 1, room - used - 1, file)) > 0) {
        used += got;
        if (used + 1 == room) {
            room *= 2;
            text = xrealloc(text, room);
        }
    }
    bool failed = ferror(file);
    fclose(file);
    if (failed) {
        free(text);
        errno = EIO;
        return NULL;
    }
    text[used] = 0;
    *size = used;
    return text;
}

char *home_path(const char *below)
{
    const char *home = getenv("QUINCE_HOME");
    if (home && *home) {
        return xformat("%s/%s", home, below);
    }
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) {
        die("cannot find out where the quince command lies: %s", strerror(errno));
    }
    self[length] = 0;
    /* …/build/host/quince: two steps up. */
    for (int step = 0; step < 2; step++) {
        char *slash = strrchr(self, '/');
        if (slash) {
            *slash = 0;
        }
    }
    return xformat("%s/%s", self, below);
}
