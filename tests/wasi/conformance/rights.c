/* Rights: each call needs its own, they only ever get fewer, and directories hand theirs down. */
#include <string.h>

#include "wasi1.h"

/* A fresh descriptor of FILE (or of the folder SUB) without the right LACKING. */
static u32 file_without(u64 lacking)
{
    return opened("file.txt", 0, (R_ALL & ~lacking), 0);
}

static u32 folder_without(u64 lacking)
{
    u32 fd = ~0u;
    path_open(DIR, 0, PATH("sub"), O_DIRECTORY, R_ALL & ~lacking, R_ALL, 0, P(&fd));
    return fd;
}

static void each(void)
{
    char room[64];
    u32 n;
    u64 p;
    struct iovec_ iov = {P(room), 1};
#define LACKS(open, right, call)                                                                   \
    do {                                                                                           \
        u32 f = open(right);                                                                       \
        is(call, NOTCAPABLE, #call);                                                               \
        fd_close(f);                                                                               \
    } while (0)
    LACKS(file_without, R_READ, fd_read(f, P(&iov), 1, P(&n)));
    LACKS(file_without, R_READ, fd_pread(f, P(&iov), 1, 0, P(&n)));
    LACKS(file_without, R_SEEK, fd_pread(f, P(&iov), 1, 0, P(&n)));
    LACKS(file_without, R_WRITE, fd_write(f, P(&iov), 1, P(&n)));
    LACKS(file_without, R_WRITE, fd_pwrite(f, P(&iov), 1, 0, P(&n)));
    LACKS(file_without, R_SEEK, fd_pwrite(f, P(&iov), 1, 0, P(&n)));
    LACKS(file_without, R_SEEK, fd_seek(f, 1, SEEK_CUR_, P(&p)));
    LACKS(file_without, R_SEEK | R_TELL, fd_seek(f, 0, SEEK_CUR_, P(&p)));
    LACKS(file_without, R_TELL, fd_tell(f, P(&p)));
    LACKS(file_without, R_SYNC, fd_sync(f));
    LACKS(file_without, R_DATASYNC, fd_datasync(f));
    LACKS(file_without, R_ADVISE, fd_advise(f, 0, 1, 0));
    LACKS(file_without, R_ALLOCATE, fd_allocate(f, 0, 1));
    LACKS(file_without, R_FILESTAT_GET, fd_filestat_get(f, P(room)));
    LACKS(file_without, R_SET_SIZE, fd_filestat_set_size(f, 10));
    LACKS(file_without, R_SET_TIMES, fd_filestat_set_times(f, 0, 0, S_ATIM_NOW));
    LACKS(file_without, R_SET_FLAGS, fd_fdstat_set_flags(f, 0));
    LACKS(folder_without, R_READDIR, fd_readdir(f, P(room), 64, 0, P(&n)));
    LACKS(folder_without, R_CREATE_DIRECTORY, path_create_directory(f, PATH("n")));
    LACKS(folder_without, R_REMOVE_DIRECTORY, path_remove_directory(f, PATH("n")));
    LACKS(folder_without, R_UNLINK, path_unlink_file(f, PATH("n")));
    LACKS(folder_without, R_PATH_FILESTAT_GET, path_filestat_get(f, 0, PATH("inner.txt"), P(room)));
    LACKS(folder_without, R_PATH_SET_TIMES,
          path_filestat_set_times(f, 0, PATH("inner.txt"), 0, 0, S_ATIM_NOW));
    LACKS(folder_without, R_LINK_SOURCE, path_link(f, 0, PATH("inner.txt"), DIR, PATH("n")));
    LACKS(folder_without, R_LINK_TARGET, path_link(DIR, 0, PATH("file.txt"), f, PATH("n")));
    LACKS(folder_without, R_RENAME_SOURCE, path_rename(f, PATH("inner.txt"), DIR, PATH("n")));
    LACKS(folder_without, R_RENAME_TARGET, path_rename(DIR, PATH("file.txt"), f, PATH("n")));
    LACKS(folder_without, R_READLINK, path_readlink(f, PATH("n"), P(room), 8, P(&n)));
    LACKS(folder_without, R_SYMLINK, path_symlink(PATH("t"), f, PATH("n")));
    LACKS(folder_without, R_OPEN, path_open(f, 0, PATH("inner.txt"), 0, R_READ, 0, 0, P(&n)));
    LACKS(folder_without, R_CREATE_FILE, path_open(f, 0, PATH("n"), O_CREAT, R_READ, 0, 0, P(&n)));
    LACKS(folder_without, R_PATH_SET_SIZE,
          path_open(f, 0, PATH("inner.txt"), O_TRUNC, R_WRITE, 0, 0, P(&n)));
}

static void narrowing(void)
{
    struct fdstat st;
    char text[8];
    u32 fd = opened("file.txt", 0, R_READ | R_SEEK | R_TELL, 0);
    is(fd_fdstat_set_rights(fd, R_READ | R_TELL, 0), SUCCESS, "fd_fdstat_set_rights: fewer");
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "  asked");
    is(st.base, R_READ | R_TELL, "  they are");
    is(fd_fdstat_set_rights(fd, R_READ | R_TELL | R_SEEK, 0), NOTCAPABLE,
       "fd_fdstat_set_rights: what was given up does not come back");
    is(fd_fdstat_set_rights(fd, R_READ | R_WRITE, 0), NOTCAPABLE, "  nor what never was");
    is(fd_fdstat_set_rights(fd, R_READ, R_ALL), NOTCAPABLE, "  nor what is handed down");
    is(fd_fdstat_set_rights(fd, ~0ull, 0), NOTCAPABLE, "  nor what has no name");
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "  asked again");
    is(st.base, R_READ | R_TELL, "  a refused change changes nothing");
    is(fd_fdstat_set_rights(fd, 0, 0), SUCCESS, "fd_fdstat_set_rights: none");
    is(read_text(fd, text, 8), NOTCAPABLE, "  then nothing can be read");
    is(fd_close(fd), SUCCESS, "  but closed");
}

static void handing_down(void)
{
    struct fdstat st;
    u32 dir = ~0u, fd = ~0u;
    is(path_open(DIR, 0, PATH("sub"), O_DIRECTORY, R_ALL, R_READ | R_TELL, 0, P(&dir)), SUCCESS,
       "a directory that hands down reading only");
    is(fd_fdstat_get(dir, P(&st)), SUCCESS, "  asked");
    is(st.inheriting, R_READ | R_TELL, "  says so");
    is((st.base & (R_READ | R_WRITE | R_SEEK)) == 0, 1, "  and has no rights of files");
    is(path_open(dir, 0, PATH("inner.txt"), 0, R_READ | R_WRITE, 0, 0, P(&fd)), NOTCAPABLE,
       "  writing there");
    is(path_open(dir, 0, PATH("inner.txt"), 0, R_READ | R_SEEK, R_ALL, 0, P(&fd)), SUCCESS,
       "  reading there");
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "  asked");
    is(st.base, R_READ, "  gives no more than is handed down");
    is(fd_close(fd), SUCCESS, "closed");
    is(fd_close(dir), SUCCESS, "closed");
}

static void read_only(void)
{
    char room[64];
    u32 fd = ~0u;
    struct fdstat st;
    is(path_open(RO, 0, PATH("file.txt"), 0, R_READ, 0, 0, P(&fd)), SUCCESS,
       "a directory given read-only: reading");
    is(read_text(fd, room, 11), SUCCESS, "  reads");
    is(same(room, "0123456789", 11), 1, "  what is there");
    is(write_text(fd, "x"), NOTCAPABLE, "  does not write");
    is(fd_close(fd), SUCCESS, "  closed");
    is(path_open(RO, 0, PATH("file.txt"), 0, R_WRITE, 0, 0, P(&fd)), NOTCAPABLE,
       "  opened to write");
    is(path_open(RO, 0, PATH("file.txt"), O_TRUNC, R_READ, 0, 0, P(&fd)), NOTCAPABLE,
       "  to be cut");
    is(path_open(RO, 0, PATH("new"), O_CREAT, R_READ, 0, 0, P(&fd)), NOTCAPABLE, "  to be made");
    is(path_create_directory(RO, PATH("new")), NOTCAPABLE, "  a folder made");
    is(path_unlink_file(RO, PATH("file.txt")), NOTCAPABLE, "  a file removed");
    is(path_remove_directory(RO, PATH("sub")), NOTCAPABLE, "  a folder removed");
    is(path_rename(RO, PATH("file.txt"), RO, PATH("new")), NOTCAPABLE, "  renamed");
    is(path_rename(RO, PATH("file.txt"), DIR, PATH("new")), NOTCAPABLE, "  moved out");
    is(path_rename(DIR, PATH("file.txt"), RO, PATH("new")), NOTCAPABLE, "  moved in");
    is(path_link(RO, 0, PATH("file.txt"), DIR, PATH("new")), NOTCAPABLE, "  linked from outside");
    is(path_link(DIR, 0, PATH("file.txt"), RO, PATH("new")), NOTCAPABLE, "  a link made");
    is(path_symlink(PATH("x"), RO, PATH("new")), NOTCAPABLE, "  a symbolic link made");
    is(path_filestat_set_times(RO, 0, PATH("file.txt"), 0, 0, S_MTIM_NOW), NOTCAPABLE,
       "  times set");
    is(path_filestat_get(RO, 0, PATH("file.txt"), P(room)), SUCCESS, "  looking is free");
    is(path_open(RO, 0, PATH("sub"), O_DIRECTORY, R_ALL & ~(R_READ | R_WRITE), R_ALL, 0, P(&fd)),
       SUCCESS, "  a folder in it");
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "  asked");
    is((st.inheriting & R_WRITE) == 0 && (st.base & R_UNLINK) == 0, 1, "  is read-only too");
    is(fd_close(fd), SUCCESS, "closed");
}

void test_rights(void)
{
    each();
    narrowing();
    handing_down();
    read_only();
}
