/* All of wasi_snapshot_preview1 as the engine sees it: numbers in, an error number out. Pointers
 * are numbers here, so that wrong ones can be given too. Struct layouts and constants are those of
 * the witx description. */
#ifndef WASI1_H
#define WASI1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint32_t u32;
typedef uint64_t u64;

#define IMPORT(name)                                                                               \
    __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name))) u32 name

IMPORT(args_get)(u32 argv, u32 bytes);
IMPORT(args_sizes_get)(u32 count, u32 bytes);
IMPORT(environ_get)(u32 environ, u32 bytes);
IMPORT(environ_sizes_get)(u32 count, u32 bytes);
IMPORT(clock_res_get)(u32 id, u32 out);
IMPORT(clock_time_get)(u32 id, u64 precision, u32 out);
IMPORT(fd_advise)(u32 fd, u64 offset, u64 len, u32 advice);
IMPORT(fd_allocate)(u32 fd, u64 offset, u64 len);
IMPORT(fd_close)(u32 fd);
IMPORT(fd_datasync)(u32 fd);
IMPORT(fd_fdstat_get)(u32 fd, u32 out);
IMPORT(fd_fdstat_set_flags)(u32 fd, u32 flags);
IMPORT(fd_fdstat_set_rights)(u32 fd, u64 base, u64 inheriting);
IMPORT(fd_filestat_get)(u32 fd, u32 out);
IMPORT(fd_filestat_set_size)(u32 fd, u64 size);
IMPORT(fd_filestat_set_times)(u32 fd, u64 atim, u64 mtim, u32 flags);
IMPORT(fd_pread)(u32 fd, u32 iovs, u32 count, u64 offset, u32 out);
IMPORT(fd_prestat_get)(u32 fd, u32 out);
IMPORT(fd_prestat_dir_name)(u32 fd, u32 path, u32 len);
IMPORT(fd_pwrite)(u32 fd, u32 iovs, u32 count, u64 offset, u32 out);
IMPORT(fd_read)(u32 fd, u32 iovs, u32 count, u32 out);
IMPORT(fd_readdir)(u32 fd, u32 buffer, u32 len, u64 cookie, u32 out);
IMPORT(fd_renumber)(u32 from, u32 to);
IMPORT(fd_seek)(u32 fd, u64 offset, u32 whence, u32 out);
IMPORT(fd_sync)(u32 fd);
IMPORT(fd_tell)(u32 fd, u32 out);
IMPORT(fd_write)(u32 fd, u32 iovs, u32 count, u32 out);
IMPORT(path_create_directory)(u32 fd, u32 path, u32 len);
IMPORT(path_filestat_get)(u32 fd, u32 flags, u32 path, u32 len, u32 out);
IMPORT(path_filestat_set_times)
(u32 fd, u32 flags, u32 path, u32 len, u64 atim, u64 mtim, u32 fst_flags);
IMPORT(path_link)
(u32 old_fd, u32 flags, u32 old_path, u32 old_len, u32 new_fd, u32 new_path, u32 new_len);
IMPORT(path_open)
(u32 fd, u32 lookup, u32 path, u32 len, u32 oflags, u64 base, u64 inheriting, u32 fdflags, u32 out);
IMPORT(path_readlink)(u32 fd, u32 path, u32 len, u32 buffer, u32 size, u32 out);
IMPORT(path_remove_directory)(u32 fd, u32 path, u32 len);
IMPORT(path_rename)
(u32 old_fd, u32 old_path, u32 old_len, u32 new_fd, u32 new_path, u32 new_len);
IMPORT(path_symlink)(u32 target, u32 target_len, u32 fd, u32 path, u32 len);
IMPORT(path_unlink_file)(u32 fd, u32 path, u32 len);
IMPORT(poll_oneoff)(u32 subscriptions, u32 events, u32 count, u32 out);
IMPORT(proc_raise)(u32 signal);
IMPORT(random_get)(u32 buffer, u32 len);
IMPORT(sched_yield)(void);
IMPORT(sock_accept)(u32 fd, u32 flags, u32 out);
IMPORT(sock_recv)(u32 fd, u32 iovs, u32 count, u32 flags, u32 out, u32 out_flags);
IMPORT(sock_send)(u32 fd, u32 iovs, u32 count, u32 flags, u32 out);
IMPORT(sock_shutdown)(u32 fd, u32 how);
__attribute__((import_module("wasi_snapshot_preview1"), import_name("proc_exit"))) void
proc_exit(u32 code);

enum {
    SUCCESS = 0,
    ACCES = 2,
    AGAIN = 6,
    BADF = 8,
    BUSY = 10,
    EXIST = 20,
    FAULT = 21,
    FBIG = 22,
    INVAL = 28,
    ISDIR = 31,
    LOOP = 32,
    NAMETOOLONG = 37,
    NOENT = 44,
    NOTCONN = 53,
    NOTDIR = 54,
    NOTEMPTY = 55,
    NOTSOCK = 57,
    NOTSUP = 58,
    PERM = 63,
    PIPE = 64,
    SPIPE = 70,
    NOTCAPABLE = 76,
};

enum {
    R_DATASYNC = 1 << 0,
    R_READ = 1 << 1,
    R_SEEK = 1 << 2,
    R_SET_FLAGS = 1 << 3,
    R_SYNC = 1 << 4,
    R_TELL = 1 << 5,
    R_WRITE = 1 << 6,
    R_ADVISE = 1 << 7,
    R_ALLOCATE = 1 << 8,
    R_CREATE_DIRECTORY = 1 << 9,
    R_CREATE_FILE = 1 << 10,
    R_LINK_SOURCE = 1 << 11,
    R_LINK_TARGET = 1 << 12,
    R_OPEN = 1 << 13,
    R_READDIR = 1 << 14,
    R_READLINK = 1 << 15,
    R_RENAME_SOURCE = 1 << 16,
    R_RENAME_TARGET = 1 << 17,
    R_PATH_FILESTAT_GET = 1 << 18,
    R_PATH_SET_SIZE = 1 << 19,
    R_PATH_SET_TIMES = 1 << 20,
    R_FILESTAT_GET = 1 << 21,
    R_SET_SIZE = 1 << 22,
    R_SET_TIMES = 1 << 23,
    R_SYMLINK = 1 << 24,
    R_REMOVE_DIRECTORY = 1 << 25,
    R_UNLINK = 1 << 26,
    R_POLL = 1 << 27,
    R_SHUTDOWN = 1 << 28,
    R_ACCEPT = 1 << 29,
    R_ALL = (1 << 30) - 1,
};
enum { T_UNKNOWN, T_BLOCK, T_CHARACTER, T_DIRECTORY, T_REGULAR, T_DGRAM, T_STREAM, T_SYMLINK };
enum { F_APPEND = 1, F_DSYNC = 2, F_NONBLOCK = 4, F_RSYNC = 8, F_SYNC = 16 };
enum { O_CREAT = 1, O_DIRECTORY = 2, O_EXCL = 4, O_TRUNC = 8 };
enum { S_ATIM = 1, S_ATIM_NOW = 2, S_MTIM = 4, S_MTIM_NOW = 8 };
enum { FOLLOW = 1, SEEK_SET_ = 0, SEEK_CUR_ = 1, SEEK_END_ = 2 };

struct fdstat {
    uint8_t type;
    uint16_t flags;
    u64 base, inheriting;
};
struct filestat {
    u64 dev, ino;
    uint8_t type;
    u64 nlink, size, atim, mtim, ctim;
};
struct iovec_ {
    u32 base, len;
};
struct dirent_ {
    u64 next, ino;
    u32 namelen;
    uint8_t type;
};
struct subscription {
    u64 userdata;
    uint8_t tag;
    union {
        struct {
            u32 id;
            u64 timeout, precision;
            uint16_t flags;
        } clock;
        u32 fd;
    };
};
struct event {
    u64 userdata;
    uint16_t error;
    uint8_t type;
    u64 bytes;
    uint16_t flags;
};
_Static_assert(sizeof(struct fdstat) == 24 && sizeof(struct filestat) == 64 &&
                   sizeof(struct dirent_) == 24 && sizeof(struct subscription) == 48 &&
                   sizeof(struct event) == 32,
               "layouts of the witx description");

#define P(...)     ((u32)(uintptr_t)(__VA_ARGS__))
#define PATH(text) P(text), (u32)(sizeof(text) - 1)
enum { OUTSIDE = 0xfffffff0 }; /* no memory here is that large */

/* main.c. The runner gives DIR, a folder it filled, RO the same read-only, and LISTENER. */
enum { DIR = 3, RO = 4, LISTENER = 5 };
void is(u64 got, u64 expected, const char *name);
/* Opens beneath DIR with what a file can do; the descriptor, or -1 after a failed test. */
u32 opened(const char *path, u32 oflags, u64 rights, u32 fdflags);
u32 write_text(u32 fd, const char *text); /* the error; all of it is written */
u32 read_text(u32 fd, char *text, u32 size);
bool same(const void *a, const void *b, size_t n);

void test_environment(void);
void test_files(void);
void test_descriptors(void);
void test_rights(void);
void test_directories(void);
void test_paths(void);
void test_sandbox(void);
void test_times(void);
void test_poll(void);
void test_sockets(void);
void test_pointers(void);

#endif
