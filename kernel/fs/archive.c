/* Archives in ustar format become read-only files that are used where they lie: one linked into the
 * image (section .archive) and those the loader put beside it (-initrd). Every header is checked;
 * what is wrong is named with its offset and nothing behind it is used. */
#include <errno.h>
#include <string.h>
#include "boot.h"
#include "fs/tree.h"
#include "init.h"
#include "log.h"
#include "mm/frame.h"
#include "mm/heap.h"

enum { BLOCK = 512, PATH_LIMIT = 1024 };

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], modified[12], checksum[8], type, target[100];
    char magic[6], version[2], user[32], group[32], major[8], minor[8], prefix[155], padding[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is one block");

extern const char __start_archive[] __attribute__((weak)), __stop_archive[] __attribute__((weak));

/* Octal digits, then a space or zero. false: something else, or too large. */
static bool octal(const char *field, size_t size, uint64_t *value)
{
    size_t i = 0;
    *value = 0;
    while (i < size && field[i] == ' ')
        i++;
    size_t first = i;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++) {
        if (*value >> 60)
            return false;
        *value = *value * 8 + (uint64_t)(field[i] - '0');
    }
    return i > first && (i == size || field[i] == ' ' || field[i] == '\0');
}

static bool checksum_holds(const struct header *header)
{
    uint64_t stated, sum = 0;
    const uint8_t *bytes = (const uint8_t *)header;
    for (size_t i = 0; i < BLOCK; i++) {
        bool within = i >= offsetof(struct header, checksum) && i < offsetof(struct header, type);
        sum += within ? ' ' : bytes[i];
    }
    return octal(header->checksum, sizeof header->checksum, &stated) && stated == sum;
}

static bool all_zero(const void *block)
{
    const uint8_t *bytes = block;
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, BLOCK - 1) == 0;
}

/* The path of a member without "." and empty parts; false: it is empty, too long or climbs out. */
static bool clean_path(const char *from, size_t from_size, char path[PATH_LIMIT])
{
    size_t used = 0, at = 0, end = strnlen(from, from_size);
    while (at < end) {
        size_t length = 0;
        while (at + length < end && from[at + length] != '/')
            length++;
        const char *part = from + at;
        at += length + 1;
        if (length == 0 || (length == 1 && part[0] == '.'))
            continue;
        if ((length == 2 && part[0] == '.' && part[1] == '.') || length > NAME_MAX ||
            used + length + 2 > PATH_LIMIT)
            return false;
        if (used)
            path[used++] = '/';
        memcpy(path + used, part, length);
        used += length;
    }
    path[used] = '\0';
    return used > 0 || end > 0; /* "./" is the root */
}

static bool member_path(const struct header *header, char path[PATH_LIMIT])
{
    char joined[sizeof header->prefix + sizeof header->name + 2];
    size_t prefix = 0;
    if (memcmp(header->magic, "ustar", 6) == 0) /* GNU's own format has no prefix */
        prefix = strnlen(header->prefix, sizeof header->prefix);
    memcpy(joined, header->prefix, prefix);
    if (prefix)
        joined[prefix++] = '/';
    size_t name = strnlen(header->name, sizeof header->name);
    memcpy(joined + prefix, header->name, name);
    return clean_path(joined, prefix + name, path);
}

struct member {
    const char *path;
    uint64_t mode, size, modified;
    const uint8_t *data;
    char target[sizeof((struct header *)0)->target + 1];
};

static int add_member(const struct member *member, char type)
{
    struct node *node;
    enum node_kind kind = type == '5' ? NODE_DIRECTORY : type == '2' ? NODE_LINK : NODE_FILE;
    if (!*member->path)
        return 0;
    int error = tree_make(member->path, kind, (mode_t)(member->mode & 0777), &node);
    if (error)
        return error;
    node->accessed = node->modified = node->changed = member->modified * 1000000000ull;
    if (kind == NODE_LINK) {
        size_t length = strlen(member->target) + 1;
        node->read_only = true;
        if (!(node->target = kmalloc(length))) {
            mutex_lock(&tree_lock);
            tree_remove(node);
            mutex_unlock(&tree_lock);
            return -ENOMEM;
        }
        memcpy(node->target, member->target, length);
    } else if (kind == NODE_FILE) {
        node->read_only = true;
        node->fixed = member->data;
        node->size = member->size;
    }
    return 0;
}

static int bad(const char *what, size_t offset, const char *why, int error)
{
    klog(LOG_ERROR, "%s: %s at offset %zu", what, why, offset);
    return error;
}

int archive_mount(const void *data, size_t size, const char *what)
{
    const uint8_t *bytes = data;
    char path[PATH_LIMIT];
    bool have_long_name = false;
    int count = 0;
    for (size_t at = 0; size - at >= BLOCK;) {
        const struct header *header = (const struct header *)(bytes + at);
        if (all_zero(header))
            return count;
        struct member member = {.path = path};
        if (memcmp(header->magic, "ustar", 5) != 0)
            return bad(what, at, "no ustar header", -EINVAL);
        if (!checksum_holds(header))
            return bad(what, at, "header checksum does not match", -EINVAL);
        if (!octal(header->size, sizeof header->size, &member.size) ||
            !octal(header->mode, sizeof header->mode, &member.mode))
            return bad(what, at, "header field is not a number", -EINVAL);
        octal(header->modified, sizeof header->modified, &member.modified);
        if (member.modified > UINT64_MAX / 1000000000ull)
            member.modified = 0;
        size_t left = size - at - BLOCK;
        if (member.size > left)
            return bad(what, at, "file is longer than the archive", -EINVAL);
        member.data = bytes + at + BLOCK;
        size_t stored = (member.size + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
        size_t next = at + BLOCK + (stored > left ? left : stored);

        if (header->type == 'L') { /* GNU: the name of the next member, as content */
            if (!clean_path((const char *)member.data, member.size, path))
                return bad(what, at, "bad path", -EINVAL);
            have_long_name = true;
            at = next;
            continue;
        }
        if (!have_long_name && !member_path(header, path))
            return bad(what, at, "bad path", -EINVAL);
        have_long_name = false;
        memcpy(member.target, header->target, sizeof header->target);
        if (header->type == '0' || header->type == '\0' || header->type == '5' ||
            header->type == '2') {
            int error = add_member(&member, header->type);
            if (error == -ENOMEM)
                return bad(what, at, "out of memory", error);
            if (error)
                klog(LOG_WARN, "%s: '%s' collides with what is there", what, path);
            else
                count++;
        } else if (header->type != 'x' && header->type != 'g') {
            klog(LOG_WARN, "%s: '%s' is of a kind that is not supported", what, path);
        }
        at = next;
    }
    return count;
}

static int archives_init(void)
{
    size_t size = (uintptr_t)__stop_archive - (uintptr_t)__start_archive;
    if (size >= BLOCK)
        archive_mount(__start_archive, size, "archive");
    for (unsigned i = 0; i < boot_info.module_count; i++)
        if (boot_info.module[i].size >= BLOCK)
            archive_mount(frame_to_virt(boot_info.module[i].start), boot_info.module[i].size,
                          "initrd");
    return 0;
}
INIT(5, archives_init);
