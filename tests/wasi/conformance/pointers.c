/* Every pointer of every call is checked: just inside, across the end of memory, far outside. */
#include "wasi1.h"

static u32 end_of_memory(void)
{
    return (u32)__builtin_wasm_memory_size(0) * 65536u;
}

void test_pointers(void)
{
    u32 end = end_of_memory(), n;
    u64 p;
    struct iovec_ iov = {end - 1, 1};
    u32 fd = opened("file.txt", 0, R_READ | R_SEEK | R_TELL | R_FILESTAT_GET, 0);
    is(fd_read(fd, P(&iov), 1, P(&n)), SUCCESS, "the last byte of memory can be read to");
    iov.len = 2;
    is(fd_read(fd, P(&iov), 1, P(&n)), FAULT, "not the one after it");
    iov = (struct iovec_){end, 0};
    is(fd_read(fd, P(&iov), 1, P(&n)), SUCCESS, "nothing at the end is still inside");
    iov = (struct iovec_){end + 1, 0};
    is(fd_read(fd, P(&iov), 1, P(&n)), FAULT, "nothing beyond it is not");
    iov = (struct iovec_){P(&p), 8};
    is(fd_read(fd, P(&iov), 1, end - 4), SUCCESS, "a result in the last four bytes");
    is(fd_read(fd, P(&iov), 1, end - 3), FAULT, "one that reaches out");
    is(fd_read(fd, end - 4, 1, P(&n)), FAULT, "half an iovec");
    is(fd_tell(fd, end - 8), SUCCESS, "fd_tell: the last eight");
    is(fd_tell(fd, end - 7), FAULT, "fd_tell: one less");
    is(fd_fdstat_get(fd, end - 24), SUCCESS, "fd_fdstat_get: the last 24");
    is(fd_fdstat_get(fd, end - 23), FAULT, "fd_fdstat_get: one less");
    is(fd_filestat_get(fd, end - 64), SUCCESS, "fd_filestat_get: the last 64");
    is(fd_filestat_get(fd, end - 63), FAULT, "fd_filestat_get: one less");
    is(fd_prestat_get(DIR, end - 8), SUCCESS, "fd_prestat_get: the last eight");
    is(fd_prestat_get(DIR, end - 7), FAULT, "fd_prestat_get: one less");
    is(clock_time_get(1, 0, end - 8), SUCCESS, "clock_time_get: the last eight");
    is(clock_time_get(1, 0, end - 7), FAULT, "clock_time_get: one less");
    is(random_get(end - 16, 16), SUCCESS, "random_get: the last 16");
    is(random_get(end - 16, 17), FAULT, "random_get: one more");
    is(fd_close(fd), SUCCESS, "closed");

    u32 errors[] = {
        path_create_directory(DIR, end - 2, 3),
        path_filestat_get(DIR, 0, end - 2, 3, P(&p)),
        path_filestat_set_times(DIR, 0, end - 2, 3, 0, 0, S_MTIM_NOW),
        path_link(DIR, 0, end - 2, 3, DIR, PATH("x")),
        path_link(DIR, 0, PATH("file.txt"), DIR, end - 2, 3),
        path_open(DIR, 0, end - 2, 3, 0, 0, 0, 0, P(&n)),
        path_readlink(DIR, end - 2, 3, P(&p), 8, P(&n)),
        path_remove_directory(DIR, end - 2, 3),
        path_rename(DIR, end - 2, 3, DIR, PATH("x")),
        path_rename(DIR, PATH("file.txt"), DIR, end - 2, 3),
        path_symlink(end - 2, 3, DIR, PATH("x")),
        path_symlink(PATH("t"), DIR, end - 2, 3),
        path_unlink_file(DIR, end - 2, 3),
        path_open(DIR, 0, OUTSIDE, 0xffffffff, 0, 0, 0, 0, P(&n)),
        fd_prestat_dir_name(DIR, end - 1, 2),
        fd_pwrite(1, OUTSIDE, 0, 0, P(&n)) == SPIPE ? FAULT : 0,
    };
    u32 faults = 0, count = sizeof(errors) / sizeof(*errors);
    for (u32 i = 0; i < count; i++)
        faults += errors[i] == FAULT;
    is(faults, count, "paths that reach out of memory are EFAULT in every call");
}
