/* The one file tree of the machine: directories, files, symbolic links and devices, all in memory.
 * Files come from the archive in the image or beside it (read-only, used in place) or are written
 * at run time (ram.c). Nodes are counted: the tree holds one reference, every open file one. */
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
struct file_ops;

enum node_kind { NODE_DIRECTORY, NODE_FILE, NODE_LINK, NODE_DEVICE };
struct node {
    struct node *parent; /* itself for the root; NULL once it is out of the tree */
    struct list_node sibling, bucket;
    struct list_node children; /* of a directory, in the order they were made */
    uint64_t inode;            /* also the order: grows with every node */
    uint32_t references;
    enum node_kind kind;
    mode_t mode;                /* permission bits */
    bool read_only;             /* from an archive */
    uint64_t modified;          /* clock_realtime() */
    uint32_t device;            /* major << 8 | minor, as stat() gives it */
    const struct file_ops *ops; /* of a file opened on it */
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

enum { TREE_NO_FOLLOW = 1, TREE_DIRECTORY = 2 };
/* What PATH names, seen from BASE, with a reference; or -errno. */
int tree_find(struct node *base, const char *path, unsigned flags, struct node **out);
/* Caller holds tree_lock. Resolves all but the last component: the directory (no reference) and the
 * name in it (empty for "/", "." and ".."; then *OUT is what it names). *OUT is NULL when nothing
 * has that name. 0 or -errno. */
int tree_walk(struct node *base, const char *path, unsigned flags, struct node **directory,
              char name[NAME_MAX + 1], struct node **out);
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
void node_stat(struct node *node, struct stat *out);

/* calls.c: directories as open files */
extern const struct file_ops directory_ops;

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
