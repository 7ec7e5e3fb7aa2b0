/* WASI's own types and what its files share. Numbers are those of the witx description of
 * wasi_snapshot_preview1. */
#ifndef QUINCE_WASI_INTERNAL_H
#define QUINCE_WASI_INTERNAL_H

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include "wasi.h"

/* clang-format off */
#define WASI_ERRNOS(X)                                                                             \
    X(SUCCESS, 0)                                                                                  \
    X(2BIG, 1) X(ACCES, 2) X(ADDRINUSE, 3) X(ADDRNOTAVAIL, 4) X(AFNOSUPPORT, 5) X(AGAIN, 6)        \
        X(ALREADY, 7) X(BADF, 8) X(BADMSG, 9) X(BUSY, 10) X(CANCELED, 11) X(CHILD, 12) X(          \
            CONNABORTED, 13) X(CONNREFUSED, 14) X(CONNRESET, 15) X(DEADLK, 16) X(DESTADDRREQ, 17)  \
            X(DOM, 18) X(DQUOT, 19) X(EXIST, 20) X(FAULT, 21) X(FBIG, 22) X(HOSTUNREACH, 23)       \
                X(IDRM, 24) X(ILSEQ, 25) X(INPROGRESS, 26) X(INTR, 27) X(INVAL, 28) X(IO, 29)      \
                    X(ISCONN, 30) X(ISDIR, 31) X(LOOP, 32) X(MFILE, 33) X(MLINK, 34)               \
                        X(MSGSIZE, 35) X(MULTIHOP, 36) X(NAMETOOLONG, 37) X(NETDOWN, 38)           \
                            X(NETRESET, 39) X(NETUNREACH, 40) X(NFILE, 41) X(NOBUFS, 42)           \
                                X(NODEV, 43) X(NOENT, 44) X(NOEXEC, 45) X(NOLCK, 46) X(NOLINK, 47) \
                                    X(NOMEM, 48) X(NOMSG, 49) X(NOPROTOOPT, 50) X(NOSPC, 51)       \
                                        X(NOSYS, 52) X(NOTCONN, 53) X(NOTDIR, 54) X(NOTEMPTY, 55)  \
                                            X(NOTRECOVERABLE, 56) X(NOTSOCK, 57) X(NOTSUP, 58)     \
                                                X(NOTTY, 59) X(NXIO, 60) X(OVERFLOW, 61)           \
                                                    X(OWNERDEAD, 62) X(PERM, 63) X(PIPE, 64)       \
                                                        X(PROTO, 65) X(PROTONOSUPPORT, 66)         \
                                                            X(PROTOTYPE, 67) X(RANGE, 68)          \
                                                                X(ROFS, 69) X(SPIPE, 70)           \
                                                                    X(SRCH, 71) X(STALE, 72)       \
                                                                        X(TIMEDOUT, 73)            \
                                                                            X(TXTBSY, 74)          \
                                                                                X(XDEV, 75)
/* clang-format on */
enum wasi_errno {
#define X(name, number) WASI_E##name = number,
    WASI_ERRNOS(X)
#undef X
        WASI_ENOTCAPABLE = 76,
};
uint32_t wasi_errno(int error); /* of a POSIX errno */

enum {
    RIGHT_FD_DATASYNC = 1 << 0,
    RIGHT_FD_READ = 1 << 1,
    RIGHT_FD_SEEK = 1 << 2,
    RIGHT_FD_FDSTAT_SET_FLAGS = 1 << 3,
    RIGHT_FD_SYNC = 1 << 4,
    RIGHT_FD_TELL = 1 << 5,
    RIGHT_FD_WRITE = 1 << 6,
    RIGHT_FD_ADVISE = 1 << 7,
    RIGHT_FD_ALLOCATE = 1 << 8,
    RIGHT_PATH_CREATE_DIRECTORY = 1 << 9,
    RIGHT_PATH_CREATE_FILE = 1 << 10,
    RIGHT_PATH_LINK_SOURCE = 1 << 11,
    RIGHT_PATH_LINK_TARGET = 1 << 12,
    RIGHT_PATH_OPEN = 1 << 13,
    RIGHT_FD_READDIR = 1 << 14,
    RIGHT_PATH_READLINK = 1 << 15,
    RIGHT_PATH_RENAME_SOURCE = 1 << 16,
    RIGHT_PATH_RENAME_TARGET = 1 << 17,
    RIGHT_PATH_FILESTAT_GET = 1 << 18,
    RIGHT_PATH_FILESTAT_SET_SIZE = 1 << 19,
    RIGHT_PATH_FILESTAT_SET_TIMES = 1 << 20,
    RIGHT_FD_FILESTAT_GET = 1 << 21,
    RIGHT_FD_FILESTAT_SET_SIZE = 1 << 22,
    RIGHT_FD_FILESTAT_SET_TIMES = 1 << 23,
    RIGHT_PATH_SYMLINK = 1 << 24,
    RIGHT_PATH_REMOVE_DIRECTORY = 1 << 25,
    RIGHT_PATH_UNLINK_FILE = 1 << 26,
    RIGHT_POLL_FD_READWRITE = 1 << 27,
    RIGHT_SOCK_SHUTDOWN = 1 << 28,
    RIGHT_SOCK_ACCEPT = 1 << 29,
    RIGHTS_ALL = (1 << 30) - 1,

    /* What means something on a file, on a directory, on a connection, on a listening socket. */
    RIGHTS_FILE = RIGHT_FD_DATASYNC | RIGHT_FD_READ | RIGHT_FD_SEEK | RIGHT_FD_FDSTAT_SET_FLAGS |
                  RIGHT_FD_SYNC | RIGHT_FD_TELL | RIGHT_FD_WRITE | RIGHT_FD_ADVISE |
                  RIGHT_FD_ALLOCATE | RIGHT_FD_FILESTAT_GET | RIGHT_FD_FILESTAT_SET_SIZE |
                  RIGHT_FD_FILESTAT_SET_TIMES | RIGHT_POLL_FD_READWRITE,
    RIGHTS_DIRECTORY =
        RIGHT_FD_DATASYNC | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_SYNC | RIGHT_FD_ADVISE |
        RIGHT_PATH_CREATE_DIRECTORY | RIGHT_PATH_CREATE_FILE | RIGHT_PATH_LINK_SOURCE |
        RIGHT_PATH_LINK_TARGET | RIGHT_PATH_OPEN | RIGHT_FD_READDIR | RIGHT_PATH_READLINK |
        RIGHT_PATH_RENAME_SOURCE | RIGHT_PATH_RENAME_TARGET | RIGHT_PATH_FILESTAT_GET |
        RIGHT_PATH_FILESTAT_SET_SIZE | RIGHT_PATH_FILESTAT_SET_TIMES | RIGHT_FD_FILESTAT_GET |
        RIGHT_FD_FILESTAT_SET_TIMES | RIGHT_PATH_SYMLINK | RIGHT_PATH_REMOVE_DIRECTORY |
        RIGHT_PATH_UNLINK_FILE | RIGHT_POLL_FD_READWRITE,
    RIGHTS_CONNECTION = RIGHT_FD_READ | RIGHT_FD_WRITE | RIGHT_FD_FDSTAT_SET_FLAGS |
                        RIGHT_FD_FILESTAT_GET | RIGHT_POLL_FD_READWRITE | RIGHT_SOCK_SHUTDOWN,
    RIGHTS_LISTENER = RIGHT_SOCK_ACCEPT | RIGHT_FD_FDSTAT_SET_FLAGS | RIGHT_FD_FILESTAT_GET |
                      RIGHT_POLL_FD_READWRITE,
    /* What a directory given read-only lacks. */
    RIGHTS_CHANGING = RIGHT_FD_WRITE | RIGHT_FD_ALLOCATE | RIGHT_PATH_CREATE_DIRECTORY |
                      RIGHT_PATH_CREATE_FILE | RIGHT_PATH_LINK_SOURCE | RIGHT_PATH_LINK_TARGET |
                      RIGHT_PATH_RENAME_SOURCE | RIGHT_PATH_RENAME_TARGET |
                      RIGHT_PATH_FILESTAT_SET_SIZE | RIGHT_PATH_FILESTAT_SET_TIMES |
                      RIGHT_FD_FILESTAT_SET_SIZE | RIGHT_FD_FILESTAT_SET_TIMES |
                      RIGHT_PATH_SYMLINK | RIGHT_PATH_REMOVE_DIRECTORY | RIGHT_PATH_UNLINK_FILE,
};

enum {
    FILETYPE_UNKNOWN,
    FILETYPE_BLOCK,
    FILETYPE_CHARACTER,
    FILETYPE_DIRECTORY,
    FILETYPE_REGULAR,
    FILETYPE_DGRAM,
    FILETYPE_STREAM,
    FILETYPE_SYMLINK
};
uint8_t wasi_filetype(mode_t mode);

enum {
    FDFLAG_APPEND = 1,
    FDFLAG_DSYNC = 2,
    FDFLAG_NONBLOCK = 4,
    FDFLAG_RSYNC = 8,
    FDFLAG_SYNC = 16
};
enum { OFLAG_CREAT = 1, OFLAG_DIRECTORY = 2, OFLAG_EXCL = 4, OFLAG_TRUNC = 8 };
enum { FSTFLAG_ATIM = 1, FSTFLAG_ATIM_NOW = 2, FSTFLAG_MTIM = 4, FSTFLAG_MTIM_NOW = 8 };
enum { LOOKUP_SYMLINK_FOLLOW = 1 };

struct wasi_fd {
    bool used;
    bool keep;    /* a standard stream: closing it closes the program's view only */
    uint8_t type; /* FILETYPE_* */
    int host;
    int flags; /* O_* it had when it was given, to be left so at the end; of a standard stream */
    uint64_t rights, inheriting;
    char *preopen; /* its guest name; NULL: opened by the program */
    DIR *dir;      /* of fd_readdir, on a descriptor of its own */
};

/* clang-format off */
#define WASI_FUNCS(X)                                                                              \
    X(args_get, "ii:i")                                                                            \
    X(args_sizes_get, "ii:i") X(environ_get, "ii:i") X(environ_sizes_get, "ii:i") X(               \
        clock_res_get, "ii:i") X(clock_time_get, "iIi:i") X(fd_advise, "iIIi:i")                   \
        X(fd_allocate, "iII:i") X(fd_close, "i:i") X(fd_datasync, "i:i") X(                        \
            fd_fdstat_get, "ii:i") X(fd_fdstat_set_flags, "ii:i") X(fd_fdstat_set_rights, "iII:i") \
            X(fd_filestat_get, "ii:i") X(fd_filestat_set_size, "iI:i") X(                          \
                fd_filestat_set_times, "iIIi:i") X(fd_pread, "iiiIi:i") X(fd_prestat_get, "ii:i")  \
                X(fd_prestat_dir_name, "iii:i") X(fd_pwrite, "iiiIi:i") X(fd_read, "iiii:i")       \
                    X(fd_readdir, "iiiIi:i") X(fd_renumber, "ii:i") X(fd_seek, "iIii:i")           \
                        X(fd_sync, "i:i") X(fd_tell, "ii:i") X(fd_write, "iiii:i")                 \
                            X(path_create_directory, "iii:i") X(path_filestat_get, "iiiii:i")      \
                                X(path_filestat_set_times, "iiiiIIi:i") X(path_link, "iiiiiii:i")  \
                                    X(path_open, "iiiiiIIii:i") X(path_readlink, "iiiiii:i") X(    \
                                        path_remove_directory, "iii:i") X(path_rename, "iiiiii:i") \
                                        X(path_symlink, "iiiii:i") X(path_unlink_file, "iii:i")    \
                                            X(poll_oneoff, "iiii:i") X(proc_exit, "i:")            \
                                                X(proc_raise, "i:i") X(random_get, "ii:i")         \
                                                    X(sched_yield, ":i") X(sock_accept, "iii:i")   \
                                                        X(sock_recv, "iiiiii:i")                   \
                                                            X(sock_send, "iiiii:i")                \
                                                                X(sock_shutdown, "ii:i")
/* clang-format on */
enum wasi_func {
#define X(name, type) WASI_FUNC_##name,
    WASI_FUNCS(X)
#undef X
        WASI_FUNC_COUNT
};

struct wasi_strings {
    char **list;
    uint32_t count, bytes; /* bytes with the NULs */
};
struct wasi {
    struct wasi_strings args, env;
    struct wasi_fd *fds;
    uint32_t fd_count;
    uint32_t exit_code;
    struct wasm_func *funcs[WASI_FUNC_COUNT]; /* made when first asked for */
};

static inline struct wasi *wasi_of(struct wasm_instance *instance)
{
    return wasm_instance_data(instance);
}

/* memory.c: guest memory. false: outside. */
bool guest_put(struct wasm_instance *in, uint32_t addr, const void *data, uint32_t len);
bool guest_get(struct wasm_instance *in, uint32_t addr, void *data, uint32_t len);
bool guest_put32(struct wasm_instance *in, uint32_t addr, uint32_t value);
bool guest_put64(struct wasm_instance *in, uint32_t addr, uint64_t value);
/* Copies an array of COUNT {address, length} pairs to host iovecs that point into guest memory; at
 * most WASI_IOVS and WASI_TRANSFER bytes are taken, as a short read or write may. Their number, or
 * -1: the array or one of the pieces taken lies outside. */
enum { WASI_IOVS = 64, WASI_TRANSFER = 0x7fff0000 };
struct iovec;
int guest_iovecs(struct wasm_instance *in, uint32_t addr, uint32_t count, struct iovec *out);

/* fd.c. wasi_fd_get(): the open descriptor FD if it has all RIGHTS; else NULL and *error. */
struct wasi_fd *wasi_fd_get(struct wasi *wasi, uint32_t fd, uint64_t rights, uint32_t *error);
/* Takes over HOST; the new number, or WASI_NO_FD and errno (HOST stays the caller's). */
#define WASI_NO_FD (~0u)
uint32_t wasi_fd_new(struct wasi *wasi, int host, uint8_t type, uint64_t rights,
                     uint64_t inheriting);
void wasi_fd_drop(struct wasi_fd *fd);
void wasi_filestat(const struct stat *from, uint8_t out[64]);
/* The two timespecs of utimensat(); false: contradictory flags. */
bool wasi_times(uint64_t atim, uint64_t mtim, uint32_t flags, struct timespec out[2]);
int wasi_to_fdflags(uint32_t flags); /* O_* */

#endif
