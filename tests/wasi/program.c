/* A WASI program that uses what wasi-libc offers and prints what it saw, one fact a line. Given a
 * directory as /d with inside.txt, a link that stays inside, and links that lead out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void opens(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[64] = "";
    if (!f) {
        printf("%s: %s\n", path, strerror(errno));
        return;
    }
    printf("%s: %s", path, fgets(line, sizeof(line), f) ? line : "empty\n");
    fclose(f);
}

static void writes(void)
{
    struct stat st;
    char text[8] = "";
    int fd = open("/d/new.txt", O_RDWR | O_CREAT | O_EXCL, 0644);
    printf("create: %s\n", fd >= 0 ? "ok" : strerror(errno));
    if (fd < 0)
        return;
    struct iovec parts[2] = {{"one", 3}, {"two", 3}};
    printf("writev: %d\n", (int)writev(fd, parts, 2));
    printf("pwrite: %d\n", (int)pwrite(fd, "X", 1, 1));
    printf("lseek: %d\n", (int)lseek(fd, -2, SEEK_END));
    printf("read: %d", (int)read(fd, text, 4));
    printf(" %s\n", text);
    printf("pread: %d", (int)pread(fd, text, 3, 0));
    printf(" %s\n", text);
    printf("ftruncate: %d\n", ftruncate(fd, 100));
    printf("fstat: %d %d\n", fstat(fd, &st), (int)st.st_size);
    printf("close: %d, again: %d\n", close(fd), close(fd));
    printf("exclusive: %d %s\n", open("/d/new.txt", O_CREAT | O_EXCL | O_RDWR, 0644),
           strerror(errno));
    printf("mkdir: %d\n", mkdir("/d/sub", 0755));
    printf("rename: %d\n", rename("/d/new.txt", "/d/sub/moved.txt"));
    printf("link: %d\n", link("/d/sub/moved.txt", "/d/second.txt"));
    printf("symlink: %d\n", symlink("sub/moved.txt", "/d/soft"));
    printf("stat through it: %d %d\n", stat("/d/soft", &st), (int)st.st_size);
    printf("lstat: %d %d\n", lstat("/d/soft", &st), S_ISLNK(st.st_mode));
    char target[32] = "";
    printf("readlink: %d %s\n", (int)readlink("/d/soft", target, sizeof(target)), target);
    printf("rmdir not empty: %d %s\n", rmdir("/d/sub"), strerror(errno));
    printf("unlinks: %d %d %d\n", unlink("/d/soft"), unlink("/d/second.txt"),
           unlink("/d/sub/moved.txt"));
    printf("rmdir: %d\n", rmdir("/d/sub"));
    printf("symlink out: %d\n", symlink("../secret", "/d/bad"));
    opens("/d/bad");
    printf("unlink: %d\n", unlink("/d/bad"));
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        printf("argument: %s\n", argv[i]);
    printf("X: %s, HOME: %s\n", getenv("X") ? getenv("X") : "none",
           getenv("HOME") ? "leaked" : "none");
    opens("/d/inside.txt");
    opens("/d/./deep/../inside.txt");
    opens("/d/deep/link");
    opens("/d/deep/dirlink/inside.txt");
    opens("/d/none.txt");
    opens("/d/inside.txt/");
    opens("/d/../secret");
    opens("/d/deep/../../secret");
    opens("/d/out");
    opens("/d/outdir/secret");
    opens("/d/absolute");
    opens("/d/loop");
    opens("/etc/passwd");
    DIR *d = opendir("/d/many");
    int count = 0, odd = 0;
    for (struct dirent *e; d && (e = readdir(d)); count++)
        odd += e->d_name[0] != '.' && strncmp(e->d_name, "file", 4) != 0;
    printf("entries: %d, odd: %d\n", count, odd);
    if (d)
        closedir(d);
    if (argc > 1 && !strcmp(argv[1], "write"))
        writes();
    struct timespec a, b;
    printf("clocks: %d %d\n", clock_gettime(CLOCK_REALTIME, &a), a.tv_sec > 1600000000);
    clock_gettime(CLOCK_MONOTONIC, &a);
    usleep(20000);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long long ns = (b.tv_sec - a.tv_sec) * 1000000000ll + b.tv_nsec - a.tv_nsec;
    printf("slept: %d\n", ns >= 20000000);
    unsigned char random[64] = {0};
    int zeros = 0;
    getentropy(random, sizeof(random));
    for (unsigned i = 0; i < sizeof(random); i++)
        zeros += !random[i];
    printf("random: %d\n", zeros < 16);
    char *big = malloc(8 << 20);
    memset(big, 1, 8 << 20);
    printf("malloc: %d\n", big[(8 << 20) - 1]);
    struct pollfd p = {0, POLLIN, 0};
    printf("poll: %d %d\n", poll(&p, 1, 1000), (p.revents & POLLIN) != 0);
    char line[64];
    while (fgets(line, sizeof(line), stdin))
        printf("input: %s", line);
    fprintf(stderr, "to standard error\n");
    if (argc > 2 && !strcmp(argv[2], "abort"))
        abort();
    return 7;
}
