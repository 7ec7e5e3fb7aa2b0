/* Runs the groups named as arguments and prints TAP: one line per fact. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wasi1.h"

static unsigned number, failures;

void is(u64 got, u64 expected, const char *name)
{
    bool ok = got == expected;
    failures += !ok;
    printf("%sok %u - %s\n", ok ? "" : "not ", ++number, name);
    if (!ok)
        printf("# got %llu, expected %llu\n", (unsigned long long)got,
               (unsigned long long)expected);
}

u32 opened(const char *path, u32 oflags, u64 rights, u32 fdflags)
{
    u32 fd = ~0u;
    u32 error =
        path_open(DIR, 0, P(path), (u32)strlen(path), oflags, rights, rights, fdflags, P(&fd));
    if (error)
        is(error, SUCCESS, path);
    return fd;
}

u32 write_text(u32 fd, const char *text)
{
    u32 n = 0, len = (u32)strlen(text);
    struct iovec_ iov = {P(text), len};
    u32 error = fd_write(fd, P(&iov), 1, P(&n));
    return error ? error : n == len ? SUCCESS : 1000;
}

u32 read_text(u32 fd, char *text, u32 size)
{
    u32 n = 0;
    struct iovec_ iov = {P(text), size - 1};
    u32 error = fd_read(fd, P(&iov), 1, P(&n));
    text[error ? 0 : n] = '\0';
    return error;
}

bool same(const void *a, const void *b, size_t n)
{
    return !memcmp(a, b, n);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } groups[] = {
        {"environment", test_environment},
        {"files", test_files},
        {"descriptors", test_descriptors},
        {"rights", test_rights},
        {"paths", test_paths},
        {"directories", test_directories},
        {"sandbox", test_sandbox},
        {"times", test_times},
        {"poll", test_poll},
        {"pointers", test_pointers},
        {"sockets", test_sockets},
    };
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (argc == 3 && !strcmp(argv[1], "exit"))
        proc_exit((u32)atoi(argv[2]));
    if (argc == 3 && !strcmp(argv[1], "raise")) {
        printf("%u\n", proc_raise((u32)atoi(argv[2])));
        return 0;
    }
    for (int i = 1; i < argc; i++)
        for (size_t g = 0; g < sizeof(groups) / sizeof(*groups); g++)
            if (!strcmp(argv[i], groups[g].name)) {
                printf("# %s\n", groups[g].name);
                groups[g].run();
            }
    printf("1..%u\n", number);
    return failures != 0;
}
