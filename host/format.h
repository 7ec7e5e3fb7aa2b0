/* How the bytes of a map's entries are shown to people.
 *
 * A format describes an entry, its key and then its value, from the first byte to the last, as
 * fields separated by commas:
 *
 *     -version:u8,protocol:proto,_:6,from:ip46,-first:u64,-last:u64,duration:time=last-first
 *
 *     NAME:TYPE         a column; a name that begins with - is read but not shown
 *     _:N               N bytes that mean nothing
 *     NAME:TYPE=EXPR    takes no bytes: a column computed from fields before it, where EXPR is
 *                       A, A+B, A-B, or S?A:B (A when field S is not zero, else B)
 *
 * Types: u8 u16 u32 u64 i8 i16 i32 i64 (little endian), be16 be32 be64, x8 x16 x32 x64 (shown in
 * hexadecimal), ip4 (4 bytes), ip6 (16), ip46 (16; IPv4 in the first four when a field `version`
 * says 4), mac, bytes:N, text:N, time (u64 nanoseconds: a duration), date (u64 nanoseconds since
 * the Unix epoch), size (u64 bytes), proto (u8, IP's number), tcpflags (u8), enum:zero|one|two
 * (u8).
 *
 * An extension carries its formats in a custom section `quince.format`, a line MAP=FORMAT per map;
 * `quince load` keeps them with the machine. */
#ifndef QUINCE_HOST_FORMAT_H
#define QUINCE_HOST_FORMAT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

#define FORMAT_SECTION "quince.format"

struct format;

/* Reads a format; NULL with a message in ERROR when it is none. */
struct format *format_parse(const char *text, char error[128]);
void format_free(struct format *format);
/* Bytes an entry of this format has. */
size_t format_size(const struct format *format);
/* Titles for table_new(); owned by the format. */
const char *const *format_titles(const struct format *format);
/* The shown field called NAME; -1 when there is none. */
int format_column(const struct format *format, const char *name);
/* One row of cells. */
void format_row(const struct format *format, const uint8_t *entry, struct table *table);
/* The same as an object, numbers as numbers; the caller frees it. */
cJSON *format_object(const struct format *format, const uint8_t *entry);
/* Order of two entries by COLUMN: numbers largest first, bytes ascending; as qsort() wants it. */
int format_compare(const struct format *format, int column, const uint8_t *a, const uint8_t *b);

/* The line of MAP in TEXT, lines as in the section; NULL when there is none. The caller frees it.
 */
char *format_find(const char *text, size_t size, const char *map);

#endif
