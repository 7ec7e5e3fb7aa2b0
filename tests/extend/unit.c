/* Unit tests of the portable part of kernel/extend, under sanitizers: prints TAP. The kernel's heap
 * and locks are stood in for. */
#include "unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "mm/heap.h"
#include "sched/sync.h"

static int tests, failures;
int unit_allocations = -1, unit_blocks;

void check_(bool condition, const char *file, int line, const char *format, ...)
{
    char name[200];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    tests++;
    failures += !condition;
    printf("%sok %d - %s\n", condition ? "" : "not ", tests, name);
    if (!condition) {
        printf("# %s:%d\n", file, line);
    }
}

static bool allowed(void)
{
    if (unit_allocations == 0) {
        return false;
    }
    unit_allocations -= unit_allocations > 0;
    return true;
}

void *kmalloc(size_t size)
{
    void *p = allowed() ? malloc(size) : NULL;
    unit_blocks += p != NULL;
    return p;
}
void *kcalloc(size_t count, size_t size)
{
    void *p = allowed() ? calloc(count, size) : NULL;
    unit_blocks += p != NULL;
    return p;
}
void kfree(void *p)
{
    unit_blocks -= p != NULL;
    free(p);
}

cpu_irq_state spin_lock(struct spinlock *lock)
{
    if (lock->locked) {
        abort();
    }
    lock->locked = 1;
    return 0;
}
void spin_unlock(struct spinlock *lock, cpu_irq_state state)
{
    (void)state;
    lock->locked = 0;
}
unsigned wait_wake(struct wait_queue *queue, unsigned max)
{
    (void)queue;
    (void)max;
    return 0;
}

int main(void)
{
    test_manifest();
    test_grant();
    test_map();
    test_ring();
    test_wire();
    test_small();
    check(unit_blocks == 0, "every block was freed");
    printf("1..%d\n", tests);
    return failures != 0;
}
