/* The table of descriptors: what is given, closing, renumbering, standard streams. */
#include <string.h>

#include "wasi1.h"

static void given(void)
{
    struct fdstat st;
    struct {
        u32 tag, len;
    } pre = {9, 9};
    char name[8] = "xxxxxxx";
    is(fd_prestat_get(DIR, P(&pre)), SUCCESS, "fd_prestat_get");
    is(pre.tag == 0 && pre.len == 2, 1, "  a directory with a name of two");
    is(fd_prestat_dir_name(DIR, P(name), 2), SUCCESS, "fd_prestat_dir_name");
    is(same(name, "/dxxxxx", 8), 1, "  /d, not terminated");
    is(fd_prestat_dir_name(DIR, P(name), 1), NAMETOOLONG, "fd_prestat_dir_name: no room");
    is(fd_prestat_dir_name(DIR, OUTSIDE, 2), FAULT, "fd_prestat_dir_name: outside");
    is(fd_prestat_get(DIR, OUTSIDE), FAULT, "fd_prestat_get: outside");
    is(fd_prestat_get(RO, P(&pre)), SUCCESS, "fd_prestat_get: the second");
    is(pre.len, 3, "  has a name of three");
    is(fd_prestat_get(LISTENER, P(&pre)), BADF, "fd_prestat_get: not a directory");
    is(fd_prestat_get(0, P(&pre)), BADF, "fd_prestat_get: standard input");
    is(fd_prestat_get(77, P(&pre)), BADF, "fd_prestat_get: nothing");
    is(fd_prestat_dir_name(1, P(name), 8), BADF, "fd_prestat_dir_name: standard output");
    is(fd_fdstat_get(DIR, P(&st)), SUCCESS, "fd_fdstat_get: the directory");
    is(st.type, T_DIRECTORY, "  is one");
    is((st.base & R_OPEN) && (st.inheriting & R_READ) && (st.inheriting & R_WRITE), 1,
       "  in which files can be opened");
}

static void streams(void)
{
    struct fdstat st;
    struct filestat fs;
    u64 p;
    char c[2];
    for (u32 fd = 0; fd < 3; fd++) {
        is(fd_fdstat_get(fd, P(&st)), SUCCESS, "fd_fdstat_get: a standard stream");
        is(st.type != T_REGULAR && st.type != T_DIRECTORY, 1, "  is a stream");
        is(fd_filestat_get(fd, P(&fs)), SUCCESS, "fd_filestat_get: of it");
        is(fs.type, st.type, "  of the same type");
        is(fd_seek(fd, 0, SEEK_SET_, P(&p)), SPIPE, "fd_seek: in it");
        is(fd_tell(fd, P(&p)), SPIPE, "fd_tell: in it");
    }
    struct iovec_ iov = {P(c), 1};
    u32 n;
    is(fd_write(0, P(&iov), 1, P(&n)), NOTCAPABLE, "fd_write: to standard input");
    is(fd_read(1, P(&iov), 1, P(&n)), NOTCAPABLE, "fd_read: from standard output");
    is(fd_pread(0, P(&iov), 1, 0, P(&n)), SPIPE, "fd_pread: from standard input");
    is(fd_pwrite(1, P(&iov), 1, 0, P(&n)), SPIPE, "fd_pwrite: to standard output");
    is(fd_readdir(1, P(c), 1, 0, P(&n)), NOTCAPABLE, "fd_readdir: of standard output");
    is(path_unlink_file(1, PATH("x")), NOTCAPABLE, "path_unlink_file: beneath standard output");
    is(sock_recv(0, P(&iov), 1, 0, P(&n), P(&p)), NOTSOCK, "sock_recv: from standard input");
    is(sock_send(1, P(&iov), 1, 0, P(&n)), NOTSOCK, "sock_send: to standard output");
    is(sock_shutdown(1, 3), NOTCAPABLE, "sock_shutdown: standard output");
    is(sock_accept(0, 0, P(&n)), NOTCAPABLE, "sock_accept: from standard input");
}

static void renumbering(void)
{
    char text[8];
    u32 a = opened("file.txt", 0, R_READ, 0), b = opened("file.txt", 0, R_READ, 0);
    is(read_text(a, text, 5), SUCCESS, "two descriptors, one moved on");
    is(fd_renumber(a, b), SUCCESS, "fd_renumber");
    is(fd_close(a), BADF, "  the old number is free");
    is(read_text(b, text, 3), SUCCESS, "  the new one");
    is(same(text, "45", 3), 1, "  goes on where the old one stood");
    is(fd_renumber(b, b), SUCCESS, "fd_renumber: to itself");
    is(read_text(b, text, 2), SUCCESS, "  changes nothing");
    is(fd_renumber(b, 500), BADF, "fd_renumber: to nothing");
    is(fd_renumber(500, b), BADF, "fd_renumber: from nothing");
    is(fd_close(b), SUCCESS, "closed");
    is(fd_close(b), BADF, "fd_close: twice");
    u32 c = opened("file.txt", 0, R_READ, 0);
    is(c, a < b ? a : b, "the lowest free number is taken");
    is(fd_close(c), SUCCESS, "closed");
}

static void closed(void)
{
    static const u32 numbers[] = {200, 0xffff, 0x7fffffff, 0xffffffff};
    char room[64];
    u32 n;
    u64 p;
    struct iovec_ iov = {P(room), 1};
    for (u32 i = 0; i < 4; i++) {
        u32 fd = numbers[i];
        u32 errors[] = {
            fd_advise(fd, 0, 0, 0),
            fd_allocate(fd, 0, 1),
            fd_close(fd),
            fd_datasync(fd),
            fd_fdstat_get(fd, P(room)),
            fd_fdstat_set_flags(fd, 0),
            fd_fdstat_set_rights(fd, 0, 0),
            fd_filestat_get(fd, P(room)),
            fd_filestat_set_size(fd, 0),
            fd_filestat_set_times(fd, 0, 0, 0),
            fd_pread(fd, P(&iov), 1, 0, P(&n)),
            fd_prestat_get(fd, P(room)),
            fd_prestat_dir_name(fd, P(room), 8),
            fd_pwrite(fd, P(&iov), 1, 0, P(&n)),
            fd_read(fd, P(&iov), 1, P(&n)),
            fd_readdir(fd, P(room), 8, 0, P(&n)),
            fd_renumber(fd, 1),
            fd_seek(fd, 0, 0, P(&p)),
            fd_sync(fd),
            fd_tell(fd, P(&p)),
            fd_write(fd, P(&iov), 1, P(&n)),
            path_create_directory(fd, PATH("x")),
            path_filestat_get(fd, 0, PATH("x"), P(room)),
            path_filestat_set_times(fd, 0, PATH("x"), 0, 0, 0),
            path_link(fd, 0, PATH("x"), DIR, PATH("y")),
            path_link(DIR, 0, PATH("file.txt"), fd, PATH("y")),
            path_open(fd, 0, PATH("x"), 0, 0, 0, 0, P(&n)),
            path_readlink(fd, PATH("x"), P(room), 8, P(&n)),
            path_remove_directory(fd, PATH("x")),
            path_rename(fd, PATH("x"), DIR, PATH("y")),
            path_rename(DIR, PATH("file.txt"), fd, PATH("y")),
            path_symlink(PATH("x"), fd, PATH("y")),
            path_unlink_file(fd, PATH("x")),
            sock_accept(fd, 0, P(&n)),
            sock_recv(fd, P(&iov), 1, 0, P(&n), P(&p)),
            sock_send(fd, P(&iov), 1, 0, P(&n)),
            sock_shutdown(fd, 1),
        };
        u32 bad = 0, count = sizeof(errors) / sizeof(*errors);
        for (u32 k = 0; k < count; k++)
            bad += errors[k] == BADF;
        is(bad, count, "every call on a number that is not open is EBADF");
    }
}

void test_descriptors(void)
{
    given();
    streams();
    renumbering();
    closed();
}
