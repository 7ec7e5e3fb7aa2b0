/* Writing ustar archives (POSIX.1-1988 interchange format). */
#define _GNU_SOURCE
#include "ustar.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == 512, "a block");

/* Long names are split at a slash between prefix and name. */
static bool put_name(struct header *h, const char *name)
{
    size_t len = strlen(name);
    if (len <= sizeof(h->name)) {
        memcpy(h->name, name, len);
        return true;
    }
    for (size_t i = len - sizeof(h->name) - 1; i < len && i <= sizeof(h->prefix); i++) {
        if (name[i] != '/' || i + 1 == len)
            continue;
        memcpy(h->prefix, name, i);
        memcpy(h->name, name + i + 1, len - i - 1);
        return true;
    }
    errno = ENAMETOOLONG;
    return false;
}

static bool put_header(FILE *out, const char *name, char type, uint64_t size, unsigned mode,
                       const char *link)
{
    struct header h;
    memset(&h, 0, sizeof(h));
    if (!put_name(&h, name))
        return false;
    if (link && strlen(link) > sizeof(h.link)) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (size > 077777777777ull) {
        errno = EFBIG;
        return false;
    }
    char octal[24];
#define OCTAL(field, value)                                                                        \
    (snprintf(octal, sizeof(octal), "%0*llo", (int)sizeof(h.field) - 1,                            \
              (unsigned long long)(value)),                                                        \
     memcpy(h.field, octal, sizeof(h.field)))
    OCTAL(mode, mode & 07777);
    OCTAL(uid, 0);
    OCTAL(gid, 0);
    OCTAL(size, size);
    OCTAL(mtime, 0); /* archives of the same files are the same */
    h.type = type;
    if (link)
        memcpy(h.link, link, strlen(link));
    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    memset(h.checksum, ' ', sizeof(h.checksum));
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(h); i++)
        sum += ((const unsigned char *)&h)[i];
    snprintf(octal, sizeof(octal), "%06o", sum & 0777777);
    memcpy(h.checksum, octal, 7);
    return fwrite(&h, sizeof(h), 1, out) == 1;
}

static bool put_padding(FILE *out, uint64_t size)
{
    static const char zeros[512];
    size_t rest = (size_t)(-size & 511);
    return fwrite(zeros, 1, rest, out) == rest;
}

bool ustar_data(FILE *out, const char *name, const void *data, size_t size, unsigned mode)
{
    return put_header(out, name, '0', size, mode, NULL) && fwrite(data, 1, size, out) == size &&
           put_padding(out, size);
}

static bool put_file(FILE *out, const char *name, const char *path, const struct stat *st)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        return false;
    uint64_t left = (uint64_t)st->st_size;
    bool ok = put_header(out, name, '0', left, st->st_mode, NULL);
    char buffer[65536];
    while (ok && left) {
        size_t n = fread(buffer, 1, left < sizeof(buffer) ? (size_t)left : sizeof(buffer), in);
        if (!n) {
            errno = EIO; /* it shrank while being read */
            ok = false;
        } else {
            ok = fwrite(buffer, 1, n, out) == n;
        }
        left -= n;
    }
    fclose(in);
    return ok && put_padding(out, (uint64_t)st->st_size);
}

static bool put_folder(FILE *out, const char *name, const char *path, const struct stat *st)
{
    char below[PATH_MAX], file[PATH_MAX];
    if (snprintf(below, sizeof(below), "%s/", name) >= (int)sizeof(below) ||
        !put_header(out, below, '5', 0, st->st_mode, NULL))
        return false;
    struct dirent **entries;
    int count = scandir(path, &entries, NULL, alphasort);
    bool ok = count >= 0;
    for (int i = 0; i < count; i++) {
        const char *entry = entries[i]->d_name;
        if (ok && strcmp(entry, ".") && strcmp(entry, "..")) {
            if (snprintf(below, sizeof(below), "%s/%s", name, entry) >= (int)sizeof(below) ||
                snprintf(file, sizeof(file), "%s/%s", path, entry) >= (int)sizeof(file)) {
                errno = ENAMETOOLONG;
                ok = false;
            } else {
                ok = ustar_tree(out, below, file);
            }
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return ok;
}

bool ustar_tree(FILE *out, const char *name, const char *path)
{
    struct stat st;
    if (lstat(path, &st))
        return false;
    if (S_ISDIR(st.st_mode))
        return put_folder(out, name, path, &st);
    if (S_ISREG(st.st_mode))
        return put_file(out, name, path, &st);
    if (S_ISLNK(st.st_mode)) {
        char target[PATH_MAX];
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0)
            return false;
        target[n] = '\0';
        return put_header(out, name, '2', 0, 0777, target);
    }
    return true;
}

bool ustar_end(FILE *out)
{
    static const char zeros[1024];
    return fwrite(zeros, sizeof(zeros), 1, out) == 1 && !fflush(out);
}
