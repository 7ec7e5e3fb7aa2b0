/* Tables and numbers for people: see table.h. */
#include "table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

struct cell {
    char *text;
    enum color color;
};
struct table {
    const char *const *titles;
    int columns;
    struct cell *cells;
    int count, room;
};

static const char *const codes[] = {"", "\033[32m", "\033[33m", "\033[31m", "\033[2m"};

struct table *table_new(const char *const *titles)
{
    struct table *table = xcalloc(1, sizeof *table);
    table->titles = titles;
    while (titles[table->columns]) {
        table->columns++;
    }
    return table;
}

void table_cell(struct table *table, const char *format, ...)
{
    if (table->count == table->room) {
        table->room = table->room ? 2 * table->room : 64;
        table->cells = xrealloc(table->cells, (size_t)table->room * sizeof *table->cells);
    }
    struct cell *cell = &table->cells[table->count++];
    cell->color = COLOR_NONE;
    va_list args;
    va_start(args, format);
    if (vasprintf(&cell->text, format, args) < 0) {
        die("out of memory");
    }
    va_end(args);
    /* Text from a kernel must not steer the terminal. */
    for (unsigned char *p = (unsigned char *)cell->text; *p; p++) {
        if (*p < ' ' || *p == 0x7f) {
            *p = '?';
        }
    }
}

void table_color(struct table *table, enum color color)
{
    table->cells[table->count - 1].color = color;
}

int table_rows(const struct table *table)
{
    return table->count / table->columns;
}

static int sort_column;
static bool sort_numeric;

static int compare_rows(const void *a, const void *b)
{
    const char *x = ((const struct cell *)a)[sort_column].text;
    const char *y = ((const struct cell *)b)[sort_column].text;
    if (sort_numeric) {
        double p = strtod(x, NULL), q = strtod(y, NULL);
        return p < q ? 1 : p > q ? -1 : 0;
    }
    return strcmp(x, y);
}

void table_sort(struct table *table, int column, bool numeric)
{
    sort_column = column;
    sort_numeric = numeric;
    qsort(table->cells, (size_t)table_rows(table), (size_t)table->columns * sizeof *table->cells,
          compare_rows);
}

/* Characters, not bytes; ours are one column wide. */
static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++) {
        width += (*text & 0xc0) != 0x80;
    }
    return width;
}

bool use_color(FILE *out)
{
    const char *no = getenv("NO_COLOR");
    return isatty(fileno(out)) && !(no && *no);
}

static void print_cell(FILE *out, const char *text, int width, bool right, bool last,
                       const char *color)
{
    int pad = width - width_of(text);
    if (right) {
        fprintf(out, "%*s", pad, "");
    }
    fprintf(out, "%s%s%s", color, text, *color ? "\033[0m" : "");
    if (!last) {
        fprintf(out, "%*s", (right ? 0 : pad) + 2, "");
    }
}

void table_print(struct table *table, FILE *out)
{
    bool color = use_color(out);
    int *widths = xcalloc((size_t)table->columns, sizeof *widths);
    for (int c = 0; c < table->columns; c++) {
        widths[c] = width_of(table->titles[c]) - (table->titles[c][0] == '>');
    }
    for (int i = 0; i < table->count; i++) {
        int width = width_of(table->cells[i].text);
        if (width > widths[i % table->columns]) {
            widths[i % table->columns] = width;
        }
    }
    for (int c = 0; c < table->columns; c++) {
        bool right = table->titles[c][0] == '>';
        print_cell(out, table->titles[c] + right, widths[c], right, c + 1 == table->columns,
                   color ? "\033[1m" : "");
    }
    fputc('\n', out);
    for (int i = 0; i < table->count; i++) {
        int c = i % table->columns;
        struct cell *cell = &table->cells[i];
        bool last = c + 1 == table->columns;
        print_cell(out, cell->text, widths[c], table->titles[c][0] == '>', last,
                   color ? codes[cell->color] : "");
        if (last) {
            fputc('\n', out);
        }
        free(cell->text);
    }
    free(widths);
    free(table->cells);
    free(table);
}

static char *next_text(void)
{
    static char texts[8][32];
    static unsigned next;
    return texts[next++ % 8];
}

enum { TEXT = 32 };

static const char *scaled(double value, const char *unit)
{
    char *text = next_text();
    snprintf(text, TEXT, value < 9.95 ? "%.1f %s" : "%.0f %s", value, unit);
    return text;
}

const char *human_bytes(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    int unit = 0;
    while (bytes >= 1000 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    if (unit == 0) {
        char *text = next_text();
        snprintf(text, TEXT, "%.0f B", bytes);
        return text;
    }
    return scaled(bytes, units[unit]);
}

const char *human_time(double ns)
{
    char *text;
    if (ns < 1000) {
        text = next_text();
        snprintf(text, TEXT, "%.0f ns", ns);
        return text;
    }
    if (ns < 1e6) {
        return scaled(ns / 1e3, "µs");
    }
    if (ns < 1e9) {
        return scaled(ns / 1e6, "ms");
    }
    double s = ns / 1e9;
    if (s < 60) {
        return scaled(s, "s");
    }
    text = next_text();
    if (s < 3600) {
        snprintf(text, TEXT, "%d min %02d s", (int)s / 60, (int)s % 60);
    } else {
        snprintf(text, TEXT, "%.0f h %02d min", (double)(long)(s / 3600), (int)((long)s / 60 % 60));
    }
    return text;
}
