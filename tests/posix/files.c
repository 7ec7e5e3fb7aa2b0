/* Files, directories, stdio, pipes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "test.h"

static void standard_io(void)
{
    char line[64];
    FILE *file = fopen("/tmp/posix-stdio", "w+");
    CHECK(file);
    for (int i = 0; i < 1000; i++)
        CHECK(fprintf(file, "line %d %.3f %s\n", i, i / 8.0, "text") > 0);
    CHECK(fseek(file, 0, SEEK_SET) == 0);
    int number;
    double value;
    for (int i = 0; i < 1000; i++) {
        CHECK(fgets(line, sizeof line, file));
        CHECK(sscanf(line, "line %d %lf", &number, &value) == 2);
        CHECK(number == i && value == i / 8.0);
    }
    CHECK(!fgets(line, sizeof line, file) && feof(file));
    CHECK(fclose(file) == 0 && remove("/tmp/posix-stdio") == 0);
    CHECK(!fopen("/tmp/posix-stdio", "r") && errno == ENOENT);
}

static void read_write_seek(void)
{
    char bytes[16];
    struct stat status;
    int fd = open("/tmp/posix-rw", O_RDWR | O_CREAT | O_EXCL, 0644);
    CHECK(fd >= 0);
    CHECK(open("/tmp/posix-rw", O_RDWR | O_CREAT | O_EXCL, 0644) < 0 && errno == EEXIST);
    CHECK(write(fd, "0123456789", 10) == 10 && lseek(fd, 0, SEEK_CUR) == 10);
    CHECK(pread(fd, bytes, 4, 3) == 4 && memcmp(bytes, "3456", 4) == 0);
    CHECK(pwrite(fd, "AB", 2, 5) == 2 && lseek(fd, 4, SEEK_SET) == 4);
    struct iovec parts[2] = {{bytes, 2}, {bytes + 8, 3}};
    CHECK(readv(fd, parts, 2) == 5 && memcmp(bytes, "4A", 2) == 0 &&
          memcmp(bytes + 8, "B78", 3) == 0);
    CHECK(lseek(fd, 10000, SEEK_END) == 10010 && write(fd, "z", 1) == 1);
    CHECK(fstat(fd, &status) == 0 && status.st_size == 10011 && S_ISREG(status.st_mode));
    CHECK(pread(fd, bytes, 4, 5000) == 4 && memcmp(bytes, "\0\0\0\0", 4) == 0);
    CHECK(ftruncate(fd, 6) == 0 && ftruncate(fd, 12) == 0);
    CHECK(pread(fd, bytes, 12, 0) == 12 && memcmp(bytes, "01234A\0\0\0\0\0\0", 12) == 0);
    CHECK(pread(fd, bytes, 4, 12) == 0);
    int append = open("/tmp/posix-rw", O_WRONLY | O_APPEND);
    CHECK(append >= 0 && write(append, "end", 3) == 3 && lseek(append, 0, SEEK_CUR) == 15);
    CHECK(read(append, bytes, 1) < 0 && errno == EBADF);
    int copy = dup(fd);
    CHECK(copy >= 0 && lseek(copy, 3, SEEK_SET) == 3 && lseek(fd, 0, SEEK_CUR) == 3);
    CHECK(close(append) == 0 && close(copy) == 0 && unlink("/tmp/posix-rw") == 0);
    CHECK(pread(fd, bytes, 2, 0) == 2); /* open files live on */
    CHECK(close(fd) == 0 && close(fd) < 0 && errno == EBADF);
}

static int count_entries(const char *path, const char *wanted, bool *found)
{
    DIR *directory = opendir(path);
    int count = 0;
    *found = false;
    if (!directory)
        return -1;
    for (struct dirent *entry; (entry = readdir(directory)); count++)
        *found |= strcmp(entry->d_name, wanted) == 0;
    closedir(directory);
    return count;
}

static void directories(void)
{
    char path[64], where[64];
    struct stat status;
    bool found;
    CHECK(mkdir("/tmp/posix-dir", 0755) == 0 && mkdir("/tmp/posix-dir/sub", 0755) == 0);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "/tmp/posix-dir/file-with-a-rather-long-name-%d", i);
        int fd = open(path, O_WRONLY | O_CREAT, 0600);
        CHECK(fd >= 0 && close(fd) == 0);
    }
    CHECK(count_entries("/tmp/posix-dir", "sub", &found) == 303 && found);
    CHECK(rmdir("/tmp/posix-dir") < 0 && errno == ENOTEMPTY);
    CHECK(chdir("/tmp/posix-dir/sub") == 0 && getcwd(where, sizeof where));
    CHECK(strcmp(where, "/tmp/posix-dir/sub") == 0);
    CHECK(stat("../file-with-a-rather-long-name-7", &status) == 0);
    CHECK(symlink("../file-with-a-rather-long-name-8", "link") == 0);
    CHECK(stat("link", &status) == 0 && S_ISREG(status.st_mode));
    CHECK(lstat("link", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(symlink("loop", "loop") == 0 && stat("loop", &status) < 0 && errno == ELOOP);
    CHECK(rename("link", "/tmp/posix-moved") == 0 && unlink("/tmp/posix-moved") == 0);
    CHECK(rename("/tmp/posix-dir", "/tmp/posix-dir/sub/inner") < 0 && errno == EINVAL);
    CHECK(unlink("loop") == 0 && chdir("/") == 0 && rmdir("/tmp/posix-dir/sub") == 0);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "/tmp/posix-dir/file-with-a-rather-long-name-%d", i);
        CHECK(unlink(path) == 0);
    }
    CHECK(unlink("/tmp/posix-dir") < 0 && rmdir("/tmp/posix-dir") == 0);
    CHECK(access("/tmp", R_OK | W_OK) == 0 && access("/tmp/no", F_OK) < 0);
    CHECK(open("/tmp/no/way", O_CREAT | O_WRONLY, 0600) < 0 && errno == ENOENT);
    CHECK(open("/dev/null/way", O_RDONLY) < 0 && errno == ENOTDIR);
    CHECK(open("/tmp", O_WRONLY) < 0 && errno == EISDIR);
}

static void devices(void)
{
    char bytes[64] = "x";
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
    int full = open("/dev/full", O_WRONLY), random = open("/dev/urandom", O_RDONLY);
    CHECK(null >= 0 && zero >= 0 && full >= 0 && random >= 0);
    CHECK(write(null, bytes, 64) == 64 && read(null, bytes, 64) == 0);
    CHECK(read(zero, bytes, 64) == 64 && bytes[0] == 0 && bytes[63] == 0);
    CHECK(write(full, bytes, 1) < 0 && errno == ENOSPC);
    CHECK(read(random, bytes, 64) == 64);
    int zeros = 0;
    for (int i = 0; i < 64; i++)
        zeros += bytes[i] == 0;
    CHECK(zeros < 10);
    CHECK(close(null) == 0 && close(zero) == 0 && close(full) == 0 && close(random) == 0);
}

static void *copy_all(void *argument)
{
    int *ends = argument;
    char bytes[1000];
    size_t total = 0;
    ssize_t got;
    while ((got = read(ends[0], bytes, sizeof bytes)) > 0)
        total += (size_t)got;
    return (void *)total;
}

static void pipes(void)
{
    int ends[2];
    char bytes[5000] = "pipe";
    pthread_t reader;
    void *total;
    CHECK(pipe(ends) == 0 && write(ends[1], bytes, 4) == 4 && read(ends[0], bytes, 100) == 4);
    CHECK(pthread_create(&reader, NULL, copy_all, ends) == 0);
    for (int i = 0; i < 200; i++)
        CHECK(write(ends[1], bytes, sizeof bytes) == sizeof bytes);
    CHECK(close(ends[1]) == 0 && pthread_join(reader, &total) == 0);
    CHECK((size_t)total == 200 * sizeof bytes && close(ends[0]) == 0);

    CHECK(pipe2(ends, O_NONBLOCK) == 0);
    CHECK(read(ends[0], bytes, 1) < 0 && errno == EAGAIN);
    size_t filled = 0;
    ssize_t put;
    while ((put = write(ends[1], bytes, 4096)) > 0)
        filled += (size_t)put;
    CHECK(put < 0 && errno == EAGAIN && filled == 65536);
    CHECK(read(ends[0], bytes, 4096) == 4096 && write(ends[1], bytes, 4096) == 4096);
    CHECK(lseek(ends[0], 0, SEEK_SET) < 0 && errno == ESPIPE);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void map_and_send(void)
{
    char bytes[8] = "";
    int ends[2], fd = open("/tmp/posix-map", O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(fd >= 0 && write(fd, "mapped", 6) == 6 && pipe(ends) == 0);
    char *map = mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    CHECK(map != MAP_FAILED && memcmp(map, "mapped", 6) == 0 && map[6] == 0);
    map[0] = 'M';
    off_t offset = 1;
    CHECK(sendfile(ends[1], fd, &offset, 100) == 5 && offset == 6);
    CHECK(read(ends[0], bytes, 8) == 5 && memcmp(bytes, "apped", 5) == 0);
    CHECK(pread(fd, bytes, 1, 0) == 1 && bytes[0] == 'm');
    CHECK(munmap(map, 6) == 0 && close(fd) == 0 && close(ends[0]) == 0 && close(ends[1]) == 0);
    CHECK(unlink("/tmp/posix-map") == 0);
}

#ifdef __QUINCE__
static void archive(void)
{
    char bytes[64];
    struct stat status;
    int fd = open("/data/greeting.txt", O_RDONLY);
    CHECK(fd >= 0 && read(fd, bytes, sizeof bytes) == 9 && memcmp(bytes, "good day\n", 9) == 0);
    CHECK(close(fd) == 0 && stat("/data/greeting.txt", &status) == 0 && status.st_size == 9);
    CHECK(open("/data/greeting.txt", O_WRONLY) < 0 && errno == EROFS);
    CHECK(unlink("/data/greeting.txt") < 0 && errno == EROFS);
    CHECK(truncate("/data/greeting.txt", 0) < 0 && errno == EROFS);
    fd = open("/data/written", O_CREAT | O_RDWR, 0600); /* its folder can be written */
    CHECK(fd >= 0 && close(fd) == 0 && unlink("/data/written") == 0);
}

static void no_space(void)
{
    static char block[65536];
    int fd = open("/tmp/posix-full", O_CREAT | O_WRONLY, 0600);
    size_t total[2] = {0};
    CHECK(fd >= 0);
    for (int round = 0; round < 2; round++) {
        ssize_t put;
        while ((put = write(fd, block, sizeof block)) > 0)
            total[round] += (size_t)put;
        CHECK(put < 0 && errno == ENOSPC && total[round] > 0);
        CHECK(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    }
    CHECK(total[0] == total[1] && close(fd) == 0 && unlink("/tmp/posix-full") == 0);
}
#endif

static void many_descriptors(void)
{
    static int fds[900];
    for (int i = 0; i < 900; i++)
        CHECK((fds[i] = open("/dev/null", O_RDONLY)) >= 0);
    CHECK(close(fds[400]) == 0);
    CHECK(open("/dev/null", O_RDONLY) == fds[400]); /* the lowest free one */
    CHECK(fcntl(fds[0], F_DUPFD, 2000) < 0 || close(2000) == 0);
    for (int i = 0; i < 900; i++)
        CHECK(close(fds[i]) == 0);
    CHECK(fcntl(fds[0], F_GETFD) < 0 && errno == EBADF);
    CHECK(read(-1, fds, 1) < 0 && errno == EBADF && write(1 << 20, fds, 1) < 0 && errno == EBADF);
}

const struct test file_tests[] = {
    {"files: stdio", standard_io},
    {"files: read, write, seek, truncate, append", read_write_seek},
    {"files: directories, links, rename", directories},
    {"files: devices", devices},
    {"files: pipes", pipes},
    {"files: private mapping, sendfile", map_and_send},
#ifdef __QUINCE__
    {"files: archive is read-only", archive},
    {"files: ENOSPC and back", no_space},
#endif
    {"files: many descriptors", many_descriptors},
    {NULL, NULL},
};
