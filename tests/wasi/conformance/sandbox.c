/* No path leads out of the folder that was given: beside it the runner put a file "secret", and in
 * it links that point there. */
#include <string.h>

#include "wasi1.h"

static const char *const ways_out[] = {
    "../secret",
    "sub/../../secret",
    "./../secret",
    "..",
    "../",
    "sub/../..",
    "/etc/passwd",
    "/",
    "//etc/passwd",
    "out",              /* → ../secret */
    "outdir/secret",    /* → .. */
    "abs",              /* → /etc/passwd */
    "sub/up/../secret", /* sub/up → .. */
    "chain",            /* → out */
};

void test_sandbox(void)
{
    char room[64];
    u32 n, fd;
    for (u32 i = 0; i < sizeof(ways_out) / sizeof(*ways_out); i++) {
        const char *way = ways_out[i];
        u32 len = (u32)strlen(way);
        bool is_link = !strcmp(way, "out") || !strcmp(way, "abs") || !strcmp(way, "chain");
        is(path_open(DIR, FOLLOW, P(way), len, 0, R_READ, 0, 0, P(&fd)), NOTCAPABLE, way);
        is(path_open(DIR, FOLLOW, P(way), len, O_CREAT, R_WRITE, 0, 0, P(&fd)), NOTCAPABLE,
           "  made");
        is(path_filestat_get(DIR, FOLLOW, P(way), len, P(room)), NOTCAPABLE, "  asked");
        is(path_filestat_set_times(DIR, FOLLOW, P(way), len, 0, 0, S_MTIM_NOW), NOTCAPABLE,
           "  times set");
        is(path_link(DIR, FOLLOW, P(way), len, DIR, PATH("got")), NOTCAPABLE, "  linked");
        if (is_link)
            continue; /* these do not follow the last part */
        is(path_create_directory(DIR, P(way), len), NOTCAPABLE, "  a folder made");
        is(path_remove_directory(DIR, P(way), len), NOTCAPABLE, "  a folder removed");
        is(path_unlink_file(DIR, P(way), len), NOTCAPABLE, "  a file removed");
        is(path_readlink(DIR, P(way), len, P(room), sizeof(room), P(&n)), NOTCAPABLE,
           "  a link read");
        is(path_symlink(PATH("x"), DIR, P(way), len), NOTCAPABLE, "  a link made");
        is(path_rename(DIR, P(way), len, DIR, PATH("got")), NOTCAPABLE, "  moved in");
        is(path_rename(DIR, PATH("file.txt"), DIR, P(way), len), NOTCAPABLE, "  moved out");
        is(path_link(DIR, 0, PATH("file.txt"), DIR, P(way), len), NOTCAPABLE, "  linked out");
    }
    /* A folder moved up or down keeps its bounds: the descriptor's own root is where it ends. */
    u32 sub = ~0u;
    is(path_open(DIR, 0, PATH("sub"), O_DIRECTORY, R_ALL & ~(R_READ | R_WRITE), R_ALL, 0, P(&sub)),
       SUCCESS, "a folder within");
    is(path_open(sub, 0, PATH("../file.txt"), 0, R_READ, 0, 0, P(&fd)), NOTCAPABLE,
       "  not out of it");
    is(path_open(sub, FOLLOW, PATH("up/file.txt"), 0, R_READ, 0, 0, P(&fd)), NOTCAPABLE,
       "  nor by a link");
    is(path_rename(DIR, PATH("sub"), DIR, PATH("many/sub")), SUCCESS, "  moved deeper");
    is(path_open(sub, 0, PATH("../file.txt"), 0, R_READ, 0, 0, P(&fd)), NOTCAPABLE,
       "  not out of it");
    is(path_open(sub, 0, PATH("inner.txt"), 0, R_READ, 0, 0, P(&fd)), SUCCESS, "  but in it");
    is(fd_close(fd), SUCCESS, "  closed");
    is(path_open(DIR, FOLLOW, PATH("many/sub/up/name 1"), 0, R_READ, 0, 0, P(&fd)), SUCCESS,
       "  its link leads within what is held");
    is(fd_close(fd), SUCCESS, "  closed");
    is(path_rename(DIR, PATH("many/sub"), DIR, PATH("sub")), SUCCESS, "  moved back");
    is(fd_close(sub), SUCCESS, "closed");
    /* A link made by the program is walked with the same care. */
    is(path_symlink(PATH("../secret"), DIR, PATH("mine")), SUCCESS, "a link that points out");
    is(path_open(DIR, FOLLOW, PATH("mine"), 0, R_READ, 0, 0, P(&fd)), NOTCAPABLE,
       "  leads nowhere");
    is(path_unlink_file(DIR, PATH("mine")), SUCCESS, "  removed");
}
