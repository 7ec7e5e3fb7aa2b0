/* See missing.h; some of these the C library's headers declare all the same. */
#include "missing.h"

#include <errno.h>

static int refuse(void)
{
    errno = ENOSYS;
    return -1;
}

int fchmod(int fd, mode_t mode)
{
    (void)fd, (void)mode;
    return refuse();
}

int chmod(const char *path, mode_t mode)
{
    (void)path, (void)mode;
    return refuse();
}

int fchown(int fd, unsigned user, unsigned group)
{
    (void)fd, (void)user, (void)group;
    return refuse();
}

/* Not the administrator, whom some programs have give files away. */
unsigned getuid(void)
{
    return 1;
}

unsigned geteuid(void)
{
    return 1;
}

FILE *popen(const char *command, const char *mode)
{
    (void)command, (void)mode;
    refuse();
    return NULL;
}

int pclose(FILE *stream)
{
    (void)stream;
    return refuse();
}

int system(const char *command)
{
    return command ? refuse() : 0;
}

char *tmpnam(char *name)
{
    (void)name;
    return NULL;
}

FILE *tmpfile(void)
{
    refuse();
    return NULL;
}
