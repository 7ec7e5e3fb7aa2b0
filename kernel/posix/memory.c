/* mmap() and what belongs to it, over the kernel's reservations. Memory is there when the call
 * returns: a mapping that can be written is backed at once, PROT_NONE only reserves, and exhaustion
 * is ENOMEM instead of a killed program. Each mapping has a record, so that a wrong address given
 * to munmap() or mprotect() never touches what is the kernel's. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include "mm/heap.h"
#include "mm/vm.h"
#include "posix/internal.h"

#define MAPPING_MAX (1ull << 46)
enum { BUCKETS = 64 };

struct mapping {
    struct list_node node;
    uintptr_t start;
    size_t size;
    size_t gone;          /* bytes unmapped from it so far */
    uint64_t *gone_pages; /* which; NULL while there are none */
};

static struct mutex lock;
static struct list_node buckets[BUCKETS];

static struct list_node *bucket_of(uintptr_t start)
{
    uint64_t hash = (start / PAGE_SIZE) * 0x9e3779b97f4a7c15ull;
    struct list_node *bucket = &buckets[hash >> 58];
    if (!bucket->next)
        list_init(bucket);
    return bucket;
}

/* The mapping ADDR lies in, and how many bytes from ADDR to its end; with the lock held. */
static struct mapping *mapping_at(uintptr_t addr, size_t *rest)
{
    uintptr_t start;
    size_t size;
    if (!vm_find(addr, &start, &size))
        return NULL;
    struct list_node *bucket = bucket_of(start);
    list_for_each(node, bucket)
    {
        struct mapping *mapping = list_entry(node, struct mapping, node);
        if (mapping->start == start) {
            if (addr >= start + mapping->size)
                return NULL;
            *rest = start + mapping->size - addr;
            return mapping;
        }
    }
    return NULL;
}

static unsigned mmu_prot_of(long prot)
{
    return (prot & PROT_READ ? MMU_READ : 0u) | (prot & PROT_WRITE ? MMU_READ | MMU_WRITE : 0u) |
           (prot & PROT_EXEC ? MMU_READ | MMU_EXEC : 0u);
}

/* PROT_* of a page-aligned piece of a mapping. */
static int protect(uintptr_t addr, size_t size, long prot)
{
    if ((prot & PROT_WRITE) && (prot & PROT_EXEC))
        return -EACCES; /* W^X */
    if (prot == PROT_NONE)
        return vm_protect((void *)addr, size, MMU_NONE);
    if (prot & PROT_EXEC) {
        int error = vm_commit((void *)addr, size, MMU_READ | MMU_WRITE);
        return error ? error : vm_make_executable((void *)addr, size);
    }
    int error = vm_commit((void *)addr, size, mmu_prot_of(prot));
    return error ? error : vm_protect((void *)addr, size, mmu_prot_of(prot));
}

static void mapping_free(struct mapping *mapping)
{
    list_remove(&mapping->node);
    vm_release((void *)mapping->start, mapping->size);
    kfree(mapping->gone_pages);
    kfree(mapping);
}

/* Unmaps a part. The address space is given back when all of it is gone. */
static int mapping_cut(struct mapping *mapping, uintptr_t addr, size_t size)
{
    if (size == mapping->size) {
        mapping_free(mapping);
        return 0;
    }
    if (!mapping->gone_pages) {
        size_t words = (mapping->size / PAGE_SIZE + 63) / 64;
        if (!(mapping->gone_pages = kcalloc(words, sizeof(uint64_t))))
            return -ENOMEM;
    }
    vm_decommit((void *)addr, size);
    size_t first = (addr - mapping->start) / PAGE_SIZE;
    for (size_t page = first; page < first + size / PAGE_SIZE; page++) {
        uint64_t bit = 1ull << (page % 64);
        if (!(mapping->gone_pages[page / 64] & bit))
            mapping->gone += PAGE_SIZE;
        mapping->gone_pages[page / 64] |= bit;
    }
    if (mapping->gone == mapping->size)
        mapping_free(mapping);
    return 0;
}

static bool range_valid(uintptr_t addr, size_t *size)
{
    if (addr % PAGE_SIZE || *size == 0 || *size > MAPPING_MAX)
        return false;
    *size = (*size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    return addr + *size >= addr;
}

static long unmap(uintptr_t addr, size_t size)
{
    if (!range_valid(addr, &size))
        return -EINVAL;
    int error = 0;
    mutex_lock(&lock);
    for (size_t done = 0; done < size && !error;) {
        size_t piece;
        struct mapping *mapping = mapping_at(addr + done, &piece);
        if (!mapping) {
            done += PAGE_SIZE; /* nothing there is fine, as on Linux */
            continue;
        }
        if (piece > size - done)
            piece = size - done;
        error = mapping_cut(mapping, addr + done, piece);
        done += piece;
    }
    mutex_unlock(&lock);
    return error;
}

bool memory_forget(void *addr, size_t size)
{
    size_t rest;
    mutex_lock(&lock);
    struct mapping *mapping = mapping_at((uintptr_t)addr, &rest);
    bool whole =
        mapping && mapping->start == (uintptr_t)addr && mapping->size == size && mapping->gone == 0;
    if (whole) {
        list_remove(&mapping->node);
        kfree(mapping->gone_pages);
        kfree(mapping);
    }
    mutex_unlock(&lock);
    return whole;
}

/* A fresh mapping with PROT; NULL: no memory. */
static void *map_new(size_t size, long prot)
{
    struct mapping *mapping = kcalloc(1, sizeof *mapping);
    void *addr = mapping ? vm_reserve(size, PAGE_SIZE) : NULL;
    if (!addr) {
        kfree(mapping);
        return NULL;
    }
    if (prot != PROT_NONE && vm_commit(addr, size, mmu_prot_of(prot)) < 0) {
        vm_release(addr, size);
        kfree(mapping);
        return NULL;
    }
    mapping->start = (uintptr_t)addr;
    mapping->size = size;
    mutex_lock(&lock);
    list_add_head(bucket_of(mapping->start), &mapping->node);
    mutex_unlock(&lock);
    return addr;
}

/* MAP_FIXED: within one mapping the program has already; its pages start anew. */
static long map_fixed(uintptr_t addr, size_t size, long prot)
{
    size_t rest;
    int error = -ENOMEM;
    mutex_lock(&lock);
    if (mapping_at(addr, &rest) && size <= rest) {
        vm_decommit((void *)addr, size);
        error = prot == PROT_NONE ? 0 : vm_commit((void *)addr, size, mmu_prot_of(prot));
    }
    mutex_unlock(&lock);
    return error ? error : (long)addr;
}

/* Fills a private mapping from a file. */
static int fill(int fd, void *addr, size_t size, off_t offset)
{
    struct file *file = fd_get(fd);
    if (!file)
        return -EBADF;
    int error = 0;
    if ((file->flags & O_ACCMODE) == O_WRONLY)
        error = -EACCES;
    else if (!file->ops->seek || !file->ops->read)
        error = -ENODEV;
    for (size_t done = 0; done < size && !error;) {
        struct iovec rest = {(char *)addr + done, size - done};
        ssize_t got = file->ops->read(file, &rest, 1, offset + (off_t)done);
        if (got <= 0) {
            error = (int)got;
            break;
        }
        done += (size_t)got;
    }
    file_release(file);
    return error;
}

SYSCALL(mmap)
{
    uintptr_t hint = (uintptr_t)a;
    size_t size = (size_t)b;
    bool anonymous = d & MAP_ANONYMOUS;
    if (size > MAPPING_MAX)
        return -ENOMEM;
    if (!range_valid(d & MAP_FIXED ? hint : 0, &size) || f < 0 || f % (long)PAGE_SIZE)
        return -EINVAL;
    if (!anonymous && (d & MAP_TYPE) != MAP_PRIVATE && (c & PROT_WRITE))
        return -ENODEV; /* changes would not reach the file */
    if (c & PROT_EXEC)
        return -EACCES; /* W^X: write first, then mprotect(PROT_READ | PROT_EXEC) */
    long fill_prot = anonymous ? c : PROT_READ | PROT_WRITE;
    long addr;
    if (d & MAP_FIXED) {
        addr = map_fixed(hint, size, fill_prot);
    } else {
        void *fresh = map_new(size, fill_prot);
        addr = fresh ? (long)fresh : -ENOMEM;
    }
    if (addr < 0 && addr > -4096)
        return addr;
    if (!anonymous) {
        int error = fill((int)e, (void *)addr, (size_t)b, f);
        if (!error && !(c & PROT_WRITE))
            error = protect((uintptr_t)addr, size, c);
        if (error) {
            unmap((uintptr_t)addr, size);
            return error;
        }
    }
    return addr;
}

SYSCALL(munmap)
{
    return unmap((uintptr_t)a, (size_t)b);
}

SYSCALL(mprotect)
{
    uintptr_t addr = (uintptr_t)a;
    size_t size = (size_t)b;
    if (size == 0)
        return 0;
    if (!range_valid(addr, &size))
        return -EINVAL;
    int error = 0;
    mutex_lock(&lock);
    for (size_t done = 0; done < size && !error;) {
        size_t piece;
        if (!mapping_at(addr + done, &piece)) {
            error = -ENOMEM;
            break;
        }
        if (piece > size - done)
            piece = size - done;
        error = protect(addr + done, piece, c);
        done += piece;
    }
    mutex_unlock(&lock);
    return error;
}

SYSCALL(mremap)
{
    uintptr_t addr = (uintptr_t)a;
    size_t old_size = (size_t)b, new_size = (size_t)c, rest;
    if (new_size > MAPPING_MAX)
        return -ENOMEM;
    if (!range_valid(addr, &old_size) || !range_valid(0, &new_size) || (d & MREMAP_FIXED))
        return -EINVAL;
    if (new_size == old_size)
        return a;
    mutex_lock(&lock);
    bool ours = mapping_at(addr, &rest) && old_size <= rest;
    mutex_unlock(&lock);
    if (!ours)
        return -EFAULT;
    if (new_size < old_size) {
        long error = unmap(addr + new_size, old_size - new_size);
        return error ? error : a;
    }
    if (!(d & MREMAP_MAYMOVE))
        return -ENOMEM;
    void *moved = map_new(new_size, PROT_READ | PROT_WRITE);
    if (!moved)
        return -ENOMEM;
    memcpy(moved, (const void *)addr, old_size);
    unmap(addr, old_size);
    return (long)moved;
}

SYSCALL(madvise)
{
    uintptr_t addr = (uintptr_t)a;
    size_t size = (size_t)b, rest;
    if (size == 0)
        return 0;
    if (!range_valid(addr, &size))
        return -EINVAL;
    if (c != MADV_DONTNEED)
        return 0;
    /* Promised to read as zero afterwards. */
    mutex_lock(&lock);
    bool ours = mapping_at(addr, &rest) && size <= rest;
    for (size_t done = 0; ours && done < size; done += PAGE_SIZE) {
        paddr_t frame;
        unsigned prot;
        if (mmu_translate(addr + done, &frame, &prot) && (prot & MMU_WRITE))
            memset((void *)(addr + done), 0, PAGE_SIZE);
    }
    mutex_unlock(&lock);
    return ours ? 0 : -ENOMEM;
}

/* The C library falls back to mmap() where brk() never moves. */
SYSCALL(brk)
{
    return -ENOMEM;
}

SYSCALL(msync)
{
    return 0;
}

/* All memory is resident. */
SYSCALL(mlock)
{
    return 0;
}

SYSCALL(munlock)
{
    return 0;
}

SYSCALL(mlockall)
{
    return 0;
}

SYSCALL(munlockall)
{
    return 0;
}
