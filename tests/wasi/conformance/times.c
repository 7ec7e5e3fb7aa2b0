/* What is known of a file, and its times. */
#include "wasi1.h"

static const u64 S = 1000000000;

static struct filestat stat_of(const char *path, u32 len, u32 flags)
{
    struct filestat st = {0};
    is(path_filestat_get(DIR, flags, P(path), len, P(&st)), SUCCESS, "  asked");
    return st;
}

void test_times(void)
{
    struct filestat st = {0}, other = {0};
    u64 now = 0;
    clock_time_get(0, 0, P(&now));
    u32 fd = opened("timed", O_CREAT, R_WRITE | R_FILESTAT_GET | R_SET_TIMES, 0);
    is(write_text(fd, "12345"), SUCCESS, "a file");
    is(fd_filestat_get(fd, P(&st)), SUCCESS, "fd_filestat_get");
    is(st.type, T_REGULAR, "  its type");
    is(st.size, 5, "  its size");
    is(st.nlink, 1, "  its names");
    is(st.ino != 0, 1, "  its number");
    is(st.mtim + 60 * S > now && st.mtim < now + 60 * S, 1, "  written just now");
    is(st.ctim + 60 * S > now && st.atim + 60 * S > now, 1, "  changed and read too");
    is(path_filestat_get(DIR, 0, PATH("timed"), P(&other)), SUCCESS, "path_filestat_get");
    is(other.ino == st.ino && other.dev == st.dev && other.size == 5 && other.mtim == st.mtim, 1,
       "  says the same");
    is(fd_filestat_set_times(fd, 1000 * S + 5000, 2000 * S + 7000, S_ATIM | S_MTIM), SUCCESS,
       "fd_filestat_set_times: both");
    is(fd_filestat_get(fd, P(&st)), SUCCESS, "  asked");
    is(st.atim, 1000 * S + 5000, "  when it was read");
    is(st.mtim, 2000 * S + 7000, "  when it was written");
    is(fd_filestat_set_times(fd, 3000 * S, 4000 * S, S_ATIM), SUCCESS,
       "fd_filestat_set_times: one");
    is(fd_filestat_get(fd, P(&st)), SUCCESS, "  asked");
    is(st.atim == 3000 * S && st.mtim == 2000 * S + 7000, 1, "  the other stays");
    is(fd_filestat_set_times(fd, 0, 0, S_MTIM_NOW), SUCCESS, "fd_filestat_set_times: now");
    is(fd_filestat_get(fd, P(&st)), SUCCESS, "  asked");
    is(st.atim == 3000 * S && st.mtim + 60 * S > now, 1, "  it is");
    is(fd_filestat_set_times(fd, 1, 1, 0), SUCCESS, "fd_filestat_set_times: none");
    is(fd_filestat_set_times(fd, 0, 0, S_MTIM | S_MTIM_NOW), INVAL, "  now and then");
    is(fd_filestat_set_times(fd, 0, 0, S_ATIM | S_ATIM_NOW), INVAL, "  the same of the other");
    is(fd_filestat_set_times(fd, 0, 0, 16), INVAL, "  no such flag");
    is(fd_close(fd), SUCCESS, "closed");
    is(path_filestat_set_times(DIR, 0, PATH("timed"), 5 * S, 6 * S, S_ATIM | S_MTIM), SUCCESS,
       "path_filestat_set_times");
    st = stat_of("timed", 5, 0);
    is(st.atim == 5 * S && st.mtim == 6 * S, 1, "  both");
    is(path_filestat_set_times(DIR, 0, PATH("timed"), 0, 0, 64), INVAL, "  no such flag");
    is(path_filestat_set_times(DIR, 2, PATH("timed"), 0, 0, S_MTIM), INVAL,
       "  no such lookup flag");
    is(path_filestat_set_times(DIR, 0, PATH("none"), 0, 0, S_MTIM), NOENT, "  of nothing");

    is(path_symlink(PATH("timed"), DIR, PATH("tlink")), SUCCESS, "a link to it");
    is(path_filestat_set_times(DIR, FOLLOW, PATH("tlink"), 7 * S, 8 * S, S_ATIM | S_MTIM), SUCCESS,
       "path_filestat_set_times: followed");
    st = stat_of("timed", 5, 0);
    is(st.mtim, 8 * S, "  the file's");
    is(path_filestat_set_times(DIR, 0, PATH("tlink"), 9 * S, 10 * S, S_ATIM | S_MTIM), SUCCESS,
       "path_filestat_set_times: not followed");
    st = stat_of("timed", 5, 0);
    is(st.mtim, 8 * S, "  not the file's");
    st = stat_of("tlink", 5, 0);
    is(st.mtim, 10 * S, "  the link's");
    is(st.type, T_SYMLINK, "  a link");
    is(st.size, 5, "  as long as its target's name");
    st = stat_of("tlink", 5, FOLLOW);
    is(st.type, T_REGULAR, "  the file");
    st = stat_of(".", 1, 0);
    is(st.type, T_DIRECTORY, "the folder");
    is(path_filestat_set_times(DIR, 0, PATH("sub"), 11 * S, 12 * S, S_ATIM | S_MTIM), SUCCESS,
       "path_filestat_set_times: of a folder");
    st = stat_of("sub", 3, 0);
    is(st.mtim, 12 * S, "  so it is");
    is(path_filestat_get(DIR, 0, PATH("none"), P(&st)), NOENT, "path_filestat_get: nothing");
    is(path_filestat_get(DIR, 2, PATH("timed"), P(&st)), INVAL, "path_filestat_get: no such flag");
    is(path_filestat_get(DIR, 0, PATH("file.txt/"), P(&st)), NOTDIR, "path_filestat_get: a slash");
    is(path_filestat_get(DIR, 0, PATH("timed"), OUTSIDE), FAULT, "path_filestat_get: outside");
    is(fd_filestat_get(DIR, OUTSIDE), FAULT, "fd_filestat_get: outside");
    is(path_unlink_file(DIR, PATH("tlink")), SUCCESS, "removed");
    is(path_unlink_file(DIR, PATH("timed")), SUCCESS, "removed");
}
