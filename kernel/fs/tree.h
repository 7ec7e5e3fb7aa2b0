/* The one file tree of the machine: directories, files, symbolic links and devices. Files come from
 * the archive in the image or beside it (read-only, used in place), are written at run time
 * (ram.c), or lie in a mounted file system (struct fs_ops), whose nodes stand here for as long as
 * somebody uses them. Nodes are counted: the tree holds one reference, every open file one. */
#ifndef QUINCE_FS_TREE_H
#define QUINCE_FS_TREE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "sched/list.h"
#include "sched/sync.h"

struct stat;
struct timespec;
struct file_ops;
struct node;

enum { FS_SAME = 1 };
enum node_kind { NODE_DIRECTORY, NODE_FILE, NODE_LINK, NODE_DEVICE };

/* A mounted file system's side of its nodes. Calls return 0 or -errno; those that are missing
 * answer EROFS. The first group is called with tree_lock held, the second without; release perhaps
 * either way. */
struct fs_ops {
    /* What NAME is in DIRECTORY, hung into the tree. KNOWN is what the tree has under that name
     * (NULL: nothing), to be confirmed or removed. */
    int (*lookup)(struct node *directory, const char *name, struct node *known, struct node **out);
    /* TARGET is a link's. The new node is not hung in: it is looked up next. */
    int (*make)(struct node *directory, const char *name, enum node_kind kind, mode_t mode,
                const char *target);
    int (*remove)(struct node *node); /* the tree forgets NODE afterwards */
    /* OLD, which may be NULL, has the new name now. The tree moves NODE afterwards. FS_SAME: both
     * are names of one file, and rename() does nothing. */
    int (*move)(struct node *node, struct node *directory, const char *name, struct node *old);
    int (*link)(struct node *node, struct node *directory, const char *name);

    int (*stat)(struct node *node, struct stat *out);
    int (*truncate)(struct node *node, uint64_t size);
    int (*set_mode)(struct node *node, mode_t mode);
    int (*set_times)(struct node *node, const struct timespec times[2]); /* as utimensat() */
    int (*open)(struct node *node, int flags);   /* before a file is made of it; flags O_* */
    void (*close)(struct node *node, int flags); /* it could not be made; else the file's release */
    /* Entries as getdents64() has them, from *POSITION on, which moves; bytes, 0 at the end. */
    ssize_t (*getdents)(struct node *directory, off_t *position, void *buffer, size_t size);
    void (*release)(struct node *node);
};
struct node {
    struct node *parent; /* itself for the root; NULL once it is out of the tree */
    struct list_node sibling, bucket;
    struct list_node children; /* of a directory, in the order they were made */
    uint64_t inode;            /* also the order: grows with every node */
    uint32_t references;
    enum node_kind kind;
    mode_t mode;    /* permission bits */
    bool read_only; /* from an archive */
    /* clock_realtime(). Reading does not set the first, as on a file system mounted noatime. */
    uint64_t accessed, modified, changed;
    uint32_t device;            /* major << 8 | minor, as stat() gives it */
    const struct file_ops *ops; /* of a file opened on it */
    const struct fs_ops *fs;    /* NULL: it lives in memory */
    void *fs_data;              /* the file system's own */
    /* Content of a file; guarded by LOCK unless read-only. */
    struct mutex lock;
    const uint8_t *fixed; /* in place; NULL: in pages */
    uint8_t **pages;      /* NULL entries read as zero */
    size_t page_count;    /* entries */
    uint64_t size;
    char *target; /* of a link */
    char *name;
};

/* All functions that look at names or change them take this lock themselves, except where they say
 * that the caller holds it. */
extern struct mutex tree_lock;
extern struct node *tree_root;
/* Set by a file system that keeps nodes of what was looked up: called with tree_lock held before a
 * path is walked, when nobody holds a node without a reference. NULL: none does. */
extern void (*tree_trim)(void);

enum { TREE_NO_FOLLOW = 1, TREE_DIRECTORY = 2 };
/* What PATH names, seen from BASE, with a reference; or -errno. */
int tree_find(struct node *base, const char *path, unsigned flags, struct node **out);
/* Caller holds tree_lock. Resolves all but the last component: the directory (no reference) and the
 * name in it (empty for "/", "." and ".."; then *OUT is what it names). *OUT is NULL when nothing
 * has that name. 0 or -errno. */
int tree_walk(struct node *base, const char *path, unsigned flags, struct node **directory,
              char name[NAME_MAX + 1], struct node **out);
/* Caller holds tree_lock. What the tree itself has under NAME; NULL: nothing. */
struct node *tree_child(struct node *directory, const char *name);
/* Caller holds tree_lock. A fresh node in DIRECTORY; NULL: no memory. */
struct node *tree_add(struct node *directory, const char *name, enum node_kind kind, mode_t mode);
/* Caller holds tree_lock. Takes NODE out of the tree and drops the tree's reference. */
void tree_remove(struct node *node);
/* Caller holds tree_lock. Moves NODE under another name. -ENOMEM leaves it where it was. */
int tree_move(struct node *node, struct node *directory, const char *name);
/* The directories on the way to PATH (relative to the root) and the node itself, for archives and
 * devices; -EEXIST where a directory and something else collide. */
int tree_make(const char *path, enum node_kind kind, mode_t mode, struct node **out);
/* Absolute path into BUFFER; its length with the zero, or -ERANGE / -ENOENT. */
int tree_path(struct node *node, char *buffer, size_t size);
void node_retain(struct node *node);
void node_release(struct node *node);
int node_stat(struct node *node, struct stat *out); /* 0 or -errno */
void node_touch(struct node *node);                 /* its content changed now */

/* directory.c: directories as open files */
extern const struct file_ops directory_ops;
/* Appends an entry of getdents64() to a buffer of SIZE with USED bytes in it, TYPE being DT_*;
 * bytes put, 0: no room. */
size_t directory_put(uint8_t *buffer, size_t size, size_t used, uint64_t inode, off_t next,
                     uint8_t type, const char *name, size_t length);

/* ram.c */
extern const struct file_ops ram_file_ops;
int ram_truncate(struct node *node, uint64_t size); /* takes node->lock */
void ram_free(struct node *node);

/* archive.c: adds the files of a ustar archive, which must stay where it is. Files added, or -errno
 * after a message that says what is wrong and where. */
int archive_mount(const void *data, size_t size, const char *what);

/* dev.c */
extern const struct file_ops console_ops;
struct file;
/* The open console that lives as long as the machine: whoever polls it learns of input. */
void console_announce(struct file *file);

#endif
