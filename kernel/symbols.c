/* Looks names up in the embedded symbol table.
 *
 * Format, in address order after the 4-byte start address of the first function: for each function
 * the distance from the previous one as LEB128, then its name, NUL-terminated. Names are compressed
 * by pairs: bytes from 0x80 on stand for two further bytes each, told by a table at the head. It is
 * read from front to back, which is slow and small: backtraces are rare. */
#include "include/symbols.h"
#include "include/log.h"

struct symbol_table {
    uint32_t size;         /* of what follows pairs */
    uint32_t base;         /* address the first distance counts from */
    uint8_t pairs[128][2]; /* what 0x80 + i stands for */
    uint8_t data[];
};

extern const char __start_symbols[], __stop_symbols[], __text_start[], __text_end[];

/* Appends what CODE stands for to NAME, if not NULL; pairs refer to lower codes only, so the depth
 * is bounded. */
static size_t expand(const struct symbol_table *table, uint8_t code, char *name, size_t used,
                     size_t size)
{
    if (code >= 0x80) {
        const uint8_t *pair = table->pairs[code - 0x80];
        if (pair[0] >= code || pair[1] >= code)
            return used;
        used = expand(table, pair[0], name, used, size);
        return expand(table, pair[1], name, used, size);
    }
    if (used + 1 < size)
        name[used++] = (char)code;
    return used;
}

bool symbol_find(uintptr_t pc, char *name, size_t size, size_t *offset)
{
    const struct symbol_table *table = (const struct symbol_table *)__start_symbols;
    if ((size_t)(__stop_symbols - __start_symbols) < sizeof *table ||
        pc < (uintptr_t)__text_start || pc >= (uintptr_t)__text_end)
        return false;

    const uint8_t *p = table->data, *end = p + table->size, *found = NULL;
    uintptr_t address = table->base, start = 0;
    while (p < end) {
        uint32_t distance = 0;
        for (unsigned shift = 0; p < end; shift += 7) {
            distance |= (uint32_t)(*p & 0x7f) << shift;
            if (!(*p++ & 0x80))
                break;
        }
        address += distance;
        if (address > pc)
            break;
        found = p;
        start = address;
        while (p < end && *p)
            p++;
        p++;
    }
    if (!found)
        return false;
    size_t used = 0;
    for (; found < end && *found; found++)
        used = expand(table, *found, name, used, size);
    name[used] = '\0';
    *offset = pc - start;
    return true;
}

void symbol_print(unsigned index, uintptr_t pc)
{
    char name[96], line[160];
    size_t offset;
    /* A return address may lie past the end of a function that ends in a call. */
    bool known = symbol_find(index ? pc - 1 : pc, name, sizeof name, &offset);
    int length = known ? format(line, sizeof line, "#%-2u 0x%lx %s+0x%zx\n", index, pc, name,
                                index ? offset + 1 : offset)
                       : format(line, sizeof line, "#%-2u 0x%lx\n", index, pc);
    console_write(line, (size_t)length);
}
