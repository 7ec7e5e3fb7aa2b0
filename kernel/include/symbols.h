/* The embedded symbol table: names of functions for backtraces. Made by tools/symtab.c from the
 * linked image and linked in at a second pass; an image may lack it. */
#ifndef QUINCE_SYMBOLS_H
#define QUINCE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The function PC lies in: its name cut to SIZE, and how far into it. false: unknown. */
bool symbol_find(uintptr_t pc, char *name, size_t size, size_t *offset);
/* One line of a backtrace: "#2 0x101234 name+0x12". */
void symbol_print(unsigned index, uintptr_t pc);

#endif
