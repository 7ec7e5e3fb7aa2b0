/* Calls with paths: what they make and change, and what they refuse. */
#include <string.h>

#include "wasi1.h"

static u32 type_of(const char *path, u32 flags)
{
    struct filestat st;
    return path_filestat_get(DIR, flags, P(path), (u32)strlen(path), P(&st)) ? 99 : st.type;
}

static u32 open_error(const char *path, u32 lookup, u32 oflags, u64 rights)
{
    u32 fd = ~0u,
        error = path_open(DIR, lookup, P(path), (u32)strlen(path), oflags, rights, 0, 0, P(&fd));
    if (!error)
        fd_close(fd);
    return error;
}

static void folders(void)
{
    is(path_create_directory(DIR, PATH("made")), SUCCESS, "path_create_directory");
    is(type_of("made", 0), T_DIRECTORY, "  it is one");
    is(path_create_directory(DIR, PATH("made")), EXIST, "path_create_directory: again");
    is(path_create_directory(DIR, PATH("file.txt")), EXIST,
       "path_create_directory: where a file is");
    is(path_create_directory(DIR, PATH("none/made")), NOENT, "path_create_directory: in nothing");
    is(path_create_directory(DIR, PATH("file.txt/made")), NOTDIR,
       "path_create_directory: in a file");
    is(path_create_directory(DIR, PATH("made/deep/")), SUCCESS,
       "path_create_directory: with a slash");
    is(path_create_directory(DIR, PATH(".")), EXIST, "path_create_directory: the same");
    is(path_create_directory(DIR, PATH("")), NOENT, "path_create_directory: no name");
    is(path_remove_directory(DIR, PATH("made")), NOTEMPTY, "path_remove_directory: not empty");
    is(path_remove_directory(DIR, PATH("file.txt")), NOTDIR, "path_remove_directory: a file");
    is(path_remove_directory(DIR, PATH("none")), NOENT, "path_remove_directory: nothing");
    is(path_remove_directory(DIR, PATH("dirlink")), NOTDIR, "path_remove_directory: a link");
    is(path_remove_directory(DIR, PATH("made/.")), INVAL, "path_remove_directory: a dot");
    is(path_unlink_file(DIR, PATH("made")), ISDIR, "path_unlink_file: a folder");
    is(path_unlink_file(DIR, PATH("none")), NOENT, "path_unlink_file: nothing");
    is(path_unlink_file(DIR, PATH("file.txt/")), NOTDIR, "path_unlink_file: a file with a slash");
    is(path_remove_directory(DIR, PATH("made/deep/")), SUCCESS, "path_remove_directory");
    is(path_remove_directory(DIR, PATH("made")), SUCCESS, "path_remove_directory: and its parent");
    is(type_of("made", 0), 99, "  gone");
}

static void opening(void)
{
    u32 fd = ~0u;
    is(open_error("file.txt", 0, 0, R_READ), SUCCESS, "path_open");
    is(open_error("none", 0, 0, R_READ), NOENT, "path_open: nothing");
    is(open_error("", 0, 0, R_READ), NOENT, "path_open: no name");
    is(open_error("none/none", 0, O_CREAT, R_WRITE), NOENT, "path_open: made in nothing");
    is(open_error("file.txt/x", 0, 0, R_READ), NOTDIR, "path_open: in a file");
    is(open_error("file.txt/", 0, 0, R_READ), NOTDIR, "path_open: a file with a slash");
    is(open_error("file.txt", 0, O_DIRECTORY, R_READ), NOTDIR, "path_open: a file as a folder");
    is(open_error("file.txt", 0, O_CREAT | O_EXCL, R_WRITE), EXIST, "path_open: made, but there");
    is(open_error("link", 0, O_CREAT | O_EXCL, R_WRITE), EXIST, "path_open: made, but a link");
    is(open_error("link", 0, 0, R_READ), LOOP, "path_open: a link, not followed");
    is(open_error("link", FOLLOW, 0, R_READ), SUCCESS, "path_open: a link, followed");
    is(open_error("dangling", FOLLOW, 0, R_READ), NOENT, "path_open: a link to nothing");
    is(open_error("loop", FOLLOW, 0, R_READ), LOOP, "path_open: a link to itself");
    is(open_error("dirlink/inner.txt", 0, 0, R_READ), SUCCESS, "path_open: through a link");
    is(open_error("sub/../sub/./inner.txt", 0, 0, R_READ), SUCCESS, "path_open: there and back");
    is(open_error("sub", 0, 0, R_READ), SUCCESS, "path_open: a folder");
    is(open_error("sub", 0, 0, R_READ | R_WRITE), SUCCESS, "path_open: a folder, all rights");
    is(open_error("sub", 0, O_DIRECTORY | O_CREAT, R_READ), INVAL, "path_open: a folder made");
    is(open_error("file.txt", 0, 16, R_READ), INVAL, "path_open: no such flag");
    is(open_error("file.txt", 2, 0, R_READ), INVAL, "path_open: no such lookup flag");
    is(path_open(DIR, 0, PATH("file.txt"), 0, R_READ, 0, 32, P(&fd)), INVAL,
       "path_open: no such descriptor flag");
    is(path_open(DIR, 0, PATH("file\0txt"), 0, R_READ, 0, 0, P(&fd)), INVAL,
       "path_open: a zero within");
    char name[300], path[5000];
    memset(name, 'n', sizeof(name));
    is(path_open(DIR, 0, P(name), 256, O_CREAT, R_WRITE, 0, 0, P(&fd)), NAMETOOLONG,
       "path_open: a name of 256");
    is(path_open(DIR, 0, P(name), 255, O_CREAT, R_WRITE, 0, 0, P(&fd)), SUCCESS,
       "path_open: one of 255");
    is(fd_close(fd), SUCCESS, "  closed");
    is(path_unlink_file(DIR, P(name), 255), SUCCESS, "  removed");
    memset(path, '/', sizeof(path));
    path[0] = '.';
    is(path_open(DIR, 0, P(path), sizeof(path), 0, R_READ, 0, 0, P(&fd)), NAMETOOLONG,
       "path_open: a path of 5000");
    is(path_open(DIR, 0, PATH("file.txt"), 0, R_READ, 0, 0, OUTSIDE), FAULT,
       "path_open: result outside");
}

static void links(void)
{
    struct filestat a, b;
    char text[64];
    u32 n = 0, fd;
    is(path_link(DIR, 0, PATH("file.txt"), DIR, PATH("second")), SUCCESS, "path_link");
    is(path_filestat_get(DIR, 0, PATH("file.txt"), P(&a)), SUCCESS, "  one");
    is(path_filestat_get(DIR, 0, PATH("second"), P(&b)), SUCCESS, "  the other");
    is(a.ino == b.ino && a.dev == b.dev && a.nlink == 2, 1, "  the same file, of two names");
    is(path_link(DIR, 0, PATH("file.txt"), DIR, PATH("second")), EXIST, "path_link: again");
    is(path_link(DIR, 0, PATH("none"), DIR, PATH("third")), NOENT, "path_link: of nothing");
    is(path_link(DIR, 0, PATH("sub"), DIR, PATH("third")), PERM, "path_link: of a folder");
    is(path_link(DIR, 2, PATH("file.txt"), DIR, PATH("third")), INVAL, "path_link: no such flag");
    is(path_link(DIR, FOLLOW, PATH("link"), DIR, PATH("third")), SUCCESS, "path_link: followed");
    is(type_of("third", 0), T_REGULAR, "  a file");
    is(path_unlink_file(DIR, PATH("third")), SUCCESS, "  removed");
    is(path_link(DIR, 0, PATH("link"), DIR, PATH("third")), SUCCESS, "path_link: of a link itself");
    is(type_of("third", 0), T_SYMLINK, "  a link");
    is(path_unlink_file(DIR, PATH("third")), SUCCESS, "  removed");
    is(path_unlink_file(DIR, PATH("second")), SUCCESS, "the second name removed");
    is(path_filestat_get(DIR, 0, PATH("file.txt"), P(&a)), SUCCESS, "  the first");
    is(a.nlink, 1, "  is left");

    is(path_symlink(PATH("sub/inner.txt"), DIR, PATH("soft")), SUCCESS, "path_symlink");
    is(type_of("soft", 0), T_SYMLINK, "  a link");
    is(type_of("soft", FOLLOW), T_REGULAR, "  to a file");
    is(path_readlink(DIR, PATH("soft"), P(text), sizeof(text), P(&n)), SUCCESS, "path_readlink");
    is(n == 13 && same(text, "sub/inner.txt", 13), 1, "  what it was given");
    is(path_readlink(DIR, PATH("soft"), P(text), 5, P(&n)), SUCCESS, "path_readlink: little room");
    is(n, 5, "  is cut");
    is(path_readlink(DIR, PATH("file.txt"), P(text), 5, P(&n)), INVAL, "path_readlink: of a file");
    is(path_readlink(DIR, PATH("none"), P(text), 5, P(&n)), NOENT, "path_readlink: of nothing");
    is(path_readlink(DIR, PATH("soft"), OUTSIDE, 50, P(&n)), FAULT,
       "path_readlink: buffer outside");
    is(path_readlink(DIR, PATH("soft"), P(text), 50, OUTSIDE), FAULT,
       "path_readlink: size outside");
    is(path_symlink(PATH("x"), DIR, PATH("soft")), EXIST, "path_symlink: again");
    is(path_symlink(PATH(""), DIR, PATH("soft2")), NOENT, "path_symlink: to no name");
    is(path_symlink(PATH("/etc"), DIR, PATH("soft2")), NOTCAPABLE,
       "path_symlink: to an absolute path");
    is(path_symlink(PATH("x"), DIR, PATH("none/soft")), NOENT, "path_symlink: in nothing");
    is(path_symlink(PATH("a\0b"), DIR, PATH("soft2")), INVAL, "path_symlink: a zero within");
    is(path_symlink(OUTSIDE, 20, DIR, PATH("soft2")), FAULT, "path_symlink: target outside");
    is(path_open(DIR, FOLLOW, PATH("soft"), 0, R_READ, 0, 0, P(&fd)), SUCCESS, "opened through it");
    is(fd_close(fd), SUCCESS, "  closed");
    is(path_unlink_file(DIR, PATH("soft")), SUCCESS, "the link removed");
    is(type_of("sub/inner.txt", 0), T_REGULAR, "  the file is left");
}

static void renaming(void)
{
    u32 fd = opened("r1", O_CREAT, R_WRITE | R_FILESTAT_GET, 0), sub = ~0u;
    struct filestat st;
    is(write_text(fd, "first"), SUCCESS, "a file, kept open");
    is(path_rename(DIR, PATH("r1"), DIR, PATH("sub/r2")), SUCCESS, "path_rename: into a folder");
    is(type_of("r1", 0), 99, "  gone here");
    is(type_of("sub/r2", 0), T_REGULAR, "  and there");
    is(write_text(fd, "second"), SUCCESS, "  still written");
    is(fd_filestat_get(fd, P(&st)), SUCCESS, "  still asked");
    is(st.size, 11, "  of all of it");
    is(fd_close(fd), SUCCESS, "  closed");
    fd = opened("r3", O_CREAT, R_WRITE | R_FILESTAT_GET, 0);
    is(write_text(fd, "xyz"), SUCCESS, "another, open");
    is(path_open(DIR, 0, PATH("sub"), O_DIRECTORY, R_ALL & ~(R_READ | R_WRITE), R_ALL, 0, P(&sub)),
       SUCCESS, "the folder");
    is(path_rename(sub, PATH("r2"), DIR, PATH("r3")), SUCCESS,
       "path_rename: over a file that is open");
    is(path_filestat_get(DIR, 0, PATH("r3"), P(&st)), SUCCESS, "  it");
    is(st.size, 11, "  is the one moved");
    is(fd_filestat_get(fd, P(&st)), SUCCESS, "  the one that was there");
    is(st.size, 3, "  lives on while open");
    is(fd_close(fd), SUCCESS, "  closed");
    is(path_rename(DIR, PATH("r3"), DIR, PATH("r3")), SUCCESS, "path_rename: to itself");
    is(path_rename(DIR, PATH("none"), DIR, PATH("r3")), NOENT, "path_rename: nothing");
    is(path_rename(DIR, PATH("r3"), DIR, PATH("sub")), ISDIR, "path_rename: a file over a folder");
    is(path_rename(DIR, PATH("sub"), DIR, PATH("r3")), NOTDIR, "path_rename: a folder over a file");
    is(path_rename(DIR, PATH("sub"), DIR, PATH("many")), NOTEMPTY,
       "path_rename: over a full folder");
    is(path_rename(DIR, PATH("sub"), DIR, PATH("sub/below")), INVAL, "path_rename: into itself");
    is(path_rename(DIR, PATH("r3/"), DIR, PATH("r4")), NOTDIR, "path_rename: a file with a slash");
    is(path_rename(DIR, PATH("."), DIR, PATH("r4")), BUSY, "path_rename: the folder held");
    is(path_create_directory(DIR, PATH("empty")), SUCCESS, "an empty folder");
    is(path_create_directory(DIR, PATH("moving")), SUCCESS, "another");
    is(path_rename(DIR, PATH("moving/"), DIR, PATH("empty/")), SUCCESS,
       "path_rename: over an empty folder");
    is(path_rename(DIR, PATH("empty"), sub, PATH("moved")), SUCCESS,
       "path_rename: a folder elsewhere");
    is(type_of("sub/moved", 0), T_DIRECTORY, "  there it is");
    is(path_remove_directory(sub, PATH("moved")), SUCCESS, "  removed");
    is(path_rename(DIR, PATH("link"), DIR, PATH("link2")), SUCCESS, "path_rename: a link");
    is(type_of("link2", 0), T_SYMLINK, "  stays a link");
    is(path_rename(DIR, PATH("link2"), DIR, PATH("link")), SUCCESS, "  and back");
    is(path_unlink_file(DIR, PATH("r3")), SUCCESS, "removed");
    is(fd_close(sub), SUCCESS, "closed");
}

void test_paths(void)
{
    folders();
    opening();
    links();
    renaming();
}
