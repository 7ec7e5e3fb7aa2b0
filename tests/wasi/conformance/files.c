/* Open files: reading, writing, positions, sizes. */
#include <string.h>

#include "wasi1.h"

static const u64 RW = R_READ | R_WRITE | R_SEEK | R_TELL | R_FILESTAT_GET | R_SET_SIZE |
                      R_ALLOCATE | R_ADVISE | R_SYNC | R_DATASYNC | R_SET_FLAGS | R_SET_TIMES |
                      R_POLL;

static u64 size_of(u32 fd)
{
    struct filestat st = {0};
    return fd_filestat_get(fd, P(&st)) ? ~0ull : st.size;
}

static u64 at(u32 fd)
{
    u64 position = ~0ull;
    return fd_tell(fd, P(&position)) ? ~0ull : position;
}

static void vectors(void)
{
    char a[4] = "", b[8] = "", c[8] = "";
    u32 n = 77, fd = opened("vec", O_CREAT | O_TRUNC, RW, 0);
    struct iovec_ out[4] = {{P("abc"), 3}, {P("zzz"), 0}, {P("defgh"), 5}, {P("ij"), 2}};
    is(fd_write(fd, P(out), 4, P(&n)), SUCCESS, "fd_write: four pieces, one empty");
    is(n, 10, "  all of them");
    struct iovec_ in[3] = {{P(a), 3}, {P(b), 4}, {P(c), 8}};
    is(fd_pread(fd, P(in), 3, 0, P(&n)), SUCCESS, "fd_pread: three pieces");
    is(n, 10, "  to the end");
    is(same(a, "abc", 3) && same(b, "defg", 4) && same(c, "hij", 3), 1, "  in their order");
    is(at(fd), 10, "  the position stays");
    is(fd_pread(fd, P(in), 3, 10, P(&n)), SUCCESS, "fd_pread: at the end");
    is(n, 0, "  nothing");
    is(fd_pread(fd, P(in), 3, 1ull << 63, P(&n)), INVAL, "fd_pread: offset of 2^63");
    is(fd_pwrite(fd, P(out), 1, ~0ull, P(&n)), INVAL, "fd_pwrite: offset of 2^64 - 1");
    is(fd_pwrite(fd, P(out), 1, 4, P(&n)), SUCCESS, "fd_pwrite");
    is(fd_pread(fd, P(in), 2, 2, P(&n)), SUCCESS, "  read back");
    is(same(a, "cda", 3) && same(b, "bchi", 4), 1, "  where it was put");
    is(size_of(fd), 10, "  the size stays");
    is(fd_write(fd, 0, 0, P(&n)), SUCCESS, "fd_write: no pieces");
    is(n, 0, "  nothing written");
    is(fd_read(fd, P(in), 0, P(&n)), SUCCESS, "fd_read: no pieces");
    is(fd_read(fd, OUTSIDE, 1, P(&n)), FAULT, "fd_read: pieces outside");
    is(fd_read(fd, P(in), 0x20000001, P(&n)), FAULT, "fd_read: count that overflows");
    is(fd_read(fd, P(in), 0xffffffff, P(&n)), FAULT, "fd_read: 2^32 - 1 pieces");
    struct iovec_ far = {P(a), 0xffffffff};
    is(fd_write(fd, P(&far), 1, P(&n)), FAULT, "fd_write: piece that reaches outside");
    far.base = OUTSIDE;
    far.len = 32;
    is(fd_read(fd, P(&far), 1, P(&n)), FAULT, "fd_read: piece that wraps around");
    is(fd_write(fd, P(out), 1, OUTSIDE), FAULT, "fd_write: count outside");
    is(size_of(fd), 10, "  and nothing was written");

    /* More pieces than a host takes at once: a short count, but not none. */
    static struct iovec_ many[2000];
    for (u32 i = 0; i < 2000; i++)
        many[i] = (struct iovec_){P("x"), 1};
    is(fd_write(fd, P(many), 2000, P(&n)), SUCCESS, "fd_write: 2000 pieces");
    is(n > 0 && n <= 2000, 1, "  some are written");
    is(size_of(fd), 10 + n, "  as many as it says");
    is(fd_close(fd), SUCCESS, "fd_close");
    is(path_unlink_file(DIR, PATH("vec")), SUCCESS, "  gone");
}

static void seeking(void)
{
    u64 p = 0;
    char text[32];
    u32 fd = opened("seek", O_CREAT, RW, 0);
    is(write_text(fd, "0123456789"), SUCCESS, "ten bytes");
    is(fd_seek(fd, 3, SEEK_SET_, P(&p)), SUCCESS, "fd_seek: set");
    is(p, 3, "  there");
    is(fd_seek(fd, 2, SEEK_CUR_, P(&p)), SUCCESS, "fd_seek: forward");
    is(p, 5, "  there");
    is(fd_seek(fd, (u64)-4, SEEK_CUR_, P(&p)), SUCCESS, "fd_seek: back");
    is(p, 1, "  there");
    is(fd_seek(fd, (u64)-2, SEEK_END_, P(&p)), SUCCESS, "fd_seek: from the end");
    is(p, 8, "  there");
    is(read_text(fd, text, sizeof(text)), SUCCESS, "  reads");
    is(same(text, "89", 3), 1, "  what is there");
    p = 42;
    is(fd_seek(fd, (u64)-11, SEEK_END_, P(&p)), INVAL, "fd_seek: before the start");
    is(fd_seek(fd, (u64)-1, SEEK_SET_, P(&p)), INVAL, "fd_seek: to -1");
    is(fd_seek(fd, INT64_MAX, SEEK_CUR_, P(&p)), INVAL, "fd_seek: overflow from here");
    is(fd_seek(fd, INT64_MAX, SEEK_END_, P(&p)), INVAL, "fd_seek: overflow from the end");
    is(fd_seek(fd, 0, 3, P(&p)), INVAL, "fd_seek: no such whence");
    is(fd_seek(fd, 0, SEEK_SET_, OUTSIDE), FAULT, "fd_seek: result outside");
    is(p, 42, "  a failed one writes no result");
    is(at(fd), 10, "  nor moves");
    is(fd_seek(fd, 15, SEEK_SET_, P(&p)), SUCCESS, "fd_seek: beyond the end");
    is(size_of(fd), 10, "  the file does not grow by that");
    is(write_text(fd, "x"), SUCCESS, "  but by writing there");
    is(size_of(fd), 16, "  to there");
    is(fd_seek(fd, 9, SEEK_SET_, P(&p)), SUCCESS, "  the gap");
    is(read_text(fd, text, sizeof(text)), SUCCESS, "  is read");
    is(same(text, "9\0\0\0\0\0x", 7), 1, "  as zeros");
    is(fd_tell(fd, P(&p)), SUCCESS, "fd_tell");
    is(p, 16, "  at the end");
    is(fd_tell(fd, OUTSIDE), FAULT, "fd_tell: outside");
    is(fd_close(fd), SUCCESS, "closed");
    is(fd_tell(fd, P(&p)), BADF, "fd_tell: closed");
    is(path_unlink_file(DIR, PATH("seek")), SUCCESS, "gone");
}

static void sizes(void)
{
    char text[64];
    u64 p;
    u32 fd = opened("size", O_CREAT, RW, 0);
    write_text(fd, "0123456789");
    is(fd_filestat_set_size(fd, 4), SUCCESS, "fd_filestat_set_size: shorter");
    is(size_of(fd), 4, "  it is");
    is(fd_filestat_set_size(fd, 8), SUCCESS, "fd_filestat_set_size: longer");
    is(fd_seek(fd, 0, SEEK_SET_, P(&p)), SUCCESS, "  from the start");
    is(read_text(fd, text, sizeof(text)), SUCCESS, "  read");
    is(same(text, "0123\0\0\0\0", 9), 1, "  zeros follow");
    is(fd_filestat_set_size(fd, 1ull << 63), INVAL, "fd_filestat_set_size: 2^63");
    is(fd_allocate(fd, 0, 100), SUCCESS, "fd_allocate");
    is(size_of(fd), 100, "  it has grown");
    is(fd_allocate(fd, 10, 20), SUCCESS, "fd_allocate: within");
    is(size_of(fd), 100, "  it does not shrink");
    is(fd_allocate(fd, 0, 0), INVAL, "fd_allocate: nothing");
    is(fd_allocate(fd, 1ull << 63, 1), INVAL, "fd_allocate: offset of 2^63");
    for (u32 advice = 0; advice < 6; advice++)
        is(fd_advise(fd, 0, 10, advice), SUCCESS, "fd_advise");
    is(fd_advise(fd, 0, 10, 6), INVAL, "fd_advise: no such advice");
    is(fd_advise(fd, 1ull << 63, 10, 0), INVAL, "fd_advise: offset of 2^63");
    is(fd_sync(fd), SUCCESS, "fd_sync");
    is(fd_datasync(fd), SUCCESS, "fd_datasync");
    is(fd_close(fd), SUCCESS, "closed");
    is(path_unlink_file(DIR, PATH("size")), SUCCESS, "gone");
}

static void modes(void)
{
    char text[32];
    u64 p;
    struct fdstat st;
    u32 fd = opened("mode", O_CREAT | O_EXCL, RW, F_APPEND);
    is(write_text(fd, "one"), SUCCESS, "appending");
    is(fd_seek(fd, 0, SEEK_SET_, P(&p)), SUCCESS, "  after going back");
    is(write_text(fd, "two"), SUCCESS, "  goes to the end");
    is(size_of(fd), 6, "  of the file");
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "fd_fdstat_get");
    is(st.type, T_REGULAR, "  a file");
    is(st.flags, F_APPEND, "  that appends");
    is(st.base, RW, "  with the rights asked for");
    is(fd_fdstat_set_flags(fd, 0), SUCCESS, "fd_fdstat_set_flags: no longer");
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "  asked");
    is(st.flags, 0, "  it does not");
    is(fd_seek(fd, 0, SEEK_SET_, P(&p)), SUCCESS, "  at the start");
    is(write_text(fd, "ONE"), SUCCESS, "  written");
    is(size_of(fd), 6, "  over what was there");
    is(fd_fdstat_set_flags(fd, F_NONBLOCK | F_APPEND), SUCCESS, "fd_fdstat_set_flags: both");
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "  asked");
    is(st.flags, F_NONBLOCK | F_APPEND, "  both");
    is(fd_fdstat_set_flags(fd, F_SYNC), NOTSUP, "fd_fdstat_set_flags: sync cannot be changed");
    is(fd_fdstat_set_flags(fd, 32), INVAL, "fd_fdstat_set_flags: no such flag");
    is(fd_fdstat_get(fd, OUTSIDE), FAULT, "fd_fdstat_get: outside");
    is(fd_close(fd), SUCCESS, "closed");
    fd = opened("mode", 0, R_READ, 0);
    is(read_text(fd, text, sizeof(text)), SUCCESS, "opened to read");
    is(same(text, "ONEtwo", 7), 1, "  it holds what was written");
    is(write_text(fd, "x"), NOTCAPABLE, "  and cannot be written");
    is(fd_close(fd), SUCCESS, "closed");
    fd = opened("mode", 0, R_WRITE, 0);
    is(read_text(fd, text, sizeof(text)), NOTCAPABLE, "opened to write: cannot be read");
    is(write_text(fd, "x"), SUCCESS, "  but written");
    is(fd_close(fd), SUCCESS, "closed");
    fd = opened("mode", O_TRUNC, RW, F_SYNC);
    is(size_of(fd), 0, "opened to be emptied");
    is(fd_fdstat_get(fd, P(&st)), SUCCESS, "  with flags");
    is((st.flags & F_SYNC) != 0, 1, "  sync");
    is(write_text(fd, "synced"), SUCCESS, "  written");
    is(path_unlink_file(DIR, PATH("mode")), SUCCESS, "removed while open");
    is(size_of(fd), 6, "  it is still there");
    is(fd_filestat_set_size(fd, 3), SUCCESS, "  can be cut");
    is(fd_seek(fd, 0, SEEK_SET_, P(&p)), SUCCESS, "  and from its start");
    is(read_text(fd, text, sizeof(text)), SUCCESS, "  read");
    is(same(text, "syn", 4), 1, "  as it was");
    u32 other;
    is(path_open(DIR, 0, PATH("mode"), 0, R_READ, 0, 0, P(&other)), NOENT, "  but under no name");
    is(fd_close(fd), SUCCESS, "closed");
}

void test_files(void)
{
    vectors();
    seeking();
    sizes();
    modes();
}
