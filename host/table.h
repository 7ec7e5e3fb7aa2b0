/* Aligned tables for people; colour only on a terminal and without NO_COLOR. */
#ifndef QUINCE_HOST_TABLE_H
#define QUINCE_HOST_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct table;
enum color { COLOR_NONE, COLOR_GREEN, COLOR_YELLOW, COLOR_RED, COLOR_DIM };

/* TITLES end with NULL; one that begins with '>' is right-aligned. */
struct table *table_new(const char *const *titles);
/* The next cell, row by row. */
void table_cell(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
void table_color(struct table *table, enum color color); /* of the last cell */
int table_rows(const struct table *table);
/* Puts rows in order of COLUMN: numbers by value when NUMERIC, largest first. */
void table_sort(struct table *table, int column, bool numeric);
/* Prints and frees. */
void table_print(struct table *table, FILE *out);
bool use_color(FILE *out);

/* "12.3 K", "4 M": bytes to three digits. "1.2 ms", "340 ns", "2 h 03 min": times. In static
 * storage, valid for the next seven calls. */
const char *human_bytes(double bytes);
const char *human_time(double ns);

#endif
