/* fd_readdir: buffers of every size, cookies, changes meanwhile. */
#include <stdio.h>
#include <string.h>

#include "wasi1.h"

enum { MANY = 100 };
static uint8_t buffer[1 << 16];

/* Counts the entries of FD read through a buffer of SIZE; each of "name 0" … is marked in SEEN. */
static u32 count_entries(u32 fd, u32 size, uint8_t seen[MANY])
{
    u64 cookie = 0;
    u32 entries = 0, used;
    memset(seen, 0, MANY);
    for (;;) {
        if (fd_readdir(fd, P(buffer), size, cookie, P(&used)) || used > size)
            return ~0u;
        u32 at = 0, whole = 0;
        while (used - at >= sizeof(struct dirent_)) {
            struct dirent_ d;
            memcpy(&d, buffer + at, sizeof(d));
            if (d.namelen > used - at - sizeof(d))
                break;
            char name[300] = "";
            memcpy(name, buffer + at + sizeof(d), d.namelen);
            unsigned n;
            if (sscanf(name, "name %u", &n) == 1 && n < MANY && d.type == T_REGULAR)
                seen[n]++;
            at += (u32)sizeof(d) + d.namelen;
            cookie = d.next;
            entries++;
            whole++;
        }
        if (used < size)
            return entries;
        if (!whole)
            return ~0u; /* the buffer holds not even one */
    }
}

static bool all_once(const uint8_t seen[MANY])
{
    for (u32 i = 0; i < MANY; i++)
        if (seen[i] != 1)
            return false;
    return true;
}

void test_directories(void)
{
    static const u32 sizes[] = {64, 100, 256, 1000, 4096, sizeof(buffer)};
    static uint8_t seen[MANY], again[300];
    u32 fd = ~0u, used = 0, other;
    is(path_open(DIR, 0, PATH("many"), O_DIRECTORY, R_READDIR, R_ALL, 0, P(&fd)), SUCCESS,
       "a folder of a hundred files");
    for (u32 i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        is(count_entries(fd, sizes[i], seen), MANY + 2, "fd_readdir: all come");
        is(all_once(seen), 1, "  each once, as files");
    }
    is(fd_readdir(fd, P(buffer), 10, 0, P(&used)), SUCCESS, "fd_readdir: less than an entry");
    is(used, 10, "  is cut");
    is(fd_readdir(fd, P(buffer), 0, 0, P(&used)), SUCCESS, "fd_readdir: no room");
    is(used, 0, "  brings nothing");

    /* From a cookie on, the same entries come as at first. */
    is(fd_readdir(fd, P(buffer), 4096, 0, P(&used)), SUCCESS, "fd_readdir: a page");
    struct dirent_ first, second;
    memcpy(&first, buffer, sizeof(first));
    u32 at = (u32)sizeof(first) + first.namelen;
    memcpy(&second, buffer + at, sizeof(second));
    memcpy(again, buffer + at, sizeof(second) + second.namelen);
    is(fd_readdir(fd, P(buffer), 4096, first.next, P(&used)), SUCCESS, "  from the second on");
    is(same(buffer, again, sizeof(second) + second.namelen), 1, "  it is the second");
    is(fd_readdir(fd, P(buffer), 64, ~0ull, P(&used)), INVAL, "fd_readdir: no such cookie");
    is(fd_readdir(fd, OUTSIDE, 64, 0, P(&used)), FAULT, "fd_readdir: buffer outside");
    is(fd_readdir(fd, P(buffer), 0xffffffff, 0, P(&used)), FAULT, "fd_readdir: buffer too long");
    is(fd_readdir(fd, P(buffer), 64, 0, OUTSIDE), FAULT, "fd_readdir: count outside");

    /* What is made and removed shows at the next reading from the start. */
    is(path_open(DIR, 0, PATH("many/name 1000"), O_CREAT, R_WRITE, 0, 0, P(&other)), SUCCESS,
       "one more file");
    is(count_entries(fd, 4096, seen), MANY + 3, "  is there");
    is(fd_close(other), SUCCESS, "  closed");
    is(path_unlink_file(DIR, PATH("many/name 1000")), SUCCESS, "  removed");
    is(count_entries(fd, 4096, seen), MANY + 2, "  is gone");
    is(fd_close(fd), SUCCESS, "closed");
    is(fd_readdir(fd, P(buffer), 64, 0, P(&used)), BADF, "fd_readdir: closed");

    /* Kinds. */
    bool link = false, folder = false, file = false;
    is(path_open(DIR, 0, PATH("."), O_DIRECTORY, R_READDIR, 0, 0, P(&fd)), SUCCESS, "the root");
    is(fd_readdir(fd, P(buffer), sizeof(buffer), 0, P(&used)), SUCCESS, "  read");
    for (at = 0; used - at >= sizeof(first); at += (u32)sizeof(first) + first.namelen) {
        memcpy(&first, buffer + at, sizeof(first));
        const uint8_t *name = buffer + at + sizeof(first);
        link |= first.namelen == 4 && same(name, "link", 4) && first.type == T_SYMLINK;
        folder |= first.namelen == 3 && same(name, "sub", 3) && first.type == T_DIRECTORY;
        file |= first.namelen == 8 && same(name, "file.txt", 8) && first.type == T_REGULAR;
    }
    is(link && folder && file, 1, "  a link, a folder and a file are what they are");
    is(fd_close(fd), SUCCESS, "closed");
    fd = opened("file.txt", 0, R_READ, 0);
    is(fd_readdir(fd, P(buffer), 64, 0, P(&used)), NOTCAPABLE, "fd_readdir: of a file");
    is(fd_close(fd), SUCCESS, "closed");
}
