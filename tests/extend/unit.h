/* The smallest test harness that prints TAP. */
#ifndef QUINCE_TESTS_EXTEND_UNIT_H
#define QUINCE_TESTS_EXTEND_UNIT_H

#include <stdbool.h>

/* One test: counts CONDITION, prints its line. */
void check_(bool condition, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
#define check(condition, ...) check_(condition, __FILE__, __LINE__, __VA_ARGS__)

void test_manifest(void);
void test_grant(void);
void test_map(void);
void test_ring(void);
void test_wire(void);
void test_small(void);

/* Out of memory on purpose: allocations that still succeed; negative: all do. */
extern int unit_allocations;
/* Blocks not yet freed. */
extern int unit_blocks;

#endif
