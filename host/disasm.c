/* `quince disasm`: a function three ways, side by side: the module's instructions, the SSA they
 * became, and the machine code that was made of them. The last two stand beside the instruction
 * they come from, whatever became of the order: a block has its number, machine code its address.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command.h"
#include "disasm_x86.h"
#include "list.h"
#include "listing.h"
#include "module.h"
#include "options.h"
#include "table.h"

static bool json, show_wasm, show_ir, show_asm;
static const char *passes, *cpu;
static const struct option_spec specs[] = {
    {OPTION_FLAG, 0, "wasm", NULL, "the module's instructions", &show_wasm},
    {OPTION_FLAG, 0, "ir", NULL, "SSA; alone: as decoded, then as optimised", &show_ir},
    {OPTION_FLAG, 0, "asm", NULL, "machine code; alone: in the order of addresses", &show_asm},
    {OPTION_STRING, 0, "passes", "LIST", "optimiser passes to run (all); \"\": none", &passes},
    {OPTION_STRING, 0, "cpu", "NAME", "what code may use: native, baseline, avx,bmi2 …", &cpu},
    {OPTION_FLAG, 0, "json", NULL, "everything, as JSON", &json},
    {.kind = OPTION_END},
};
static const struct usage usage = {
    "quince disasm [options] FILE.wasm [FUNCTION]",
    "The module's functions, or the one called FUNCTION (a name or an index): bytes, SSA and\n"
    "machine code side by side. --wasm, --ir and --asm choose among the three.",
    specs, -1, false};

struct function {
    const struct wasm_module *module;
    struct wasm_listing *listing;
    struct machine_ins *machine;
    uint32_t machine_count;
    char name[128];
};

static void disassemble(struct function *f)
{
    const struct wasm_code *code = &f->listing->code;
    f->machine = xcalloc(code->size + 1, sizeof *f->machine);
    for (uint32_t offset = 0; offset < code->size;
         offset += f->machine[f->machine_count++].length) {
        disasm_x86(f->module, code, offset, &f->machine[f->machine_count]);
    }
}

/* Which of the listing's instructions the module's byte POS is in; -1: none. */
static long instruction_at(const struct wasm_listing *l, uint32_t pos)
{
    uint32_t low = 0, high = l->ins_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (l->ins[middle].end <= pos) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < l->ins_count && l->ins[low].offset <= pos ? (long)low : -1;
}

/* Which instruction machine code OFFSET belongs to. */
static long owner_of(const struct wasm_listing *l, uint32_t offset)
{
    uint32_t low = 0, high = l->position_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (l->positions[middle].offset <= offset) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? instruction_at(l, l->positions[low - 1].pos) : -1;
}

static char *hex(const uint8_t *bytes, size_t length, size_t most)
{
    char *text = xcalloc(length * 3 + 8, 1), *p = text;
    for (size_t i = 0; i < length && i < most; i++) {
        p += sprintf(p, "%s%02x", i ? " " : "", bytes[i]);
    }
    strcpy(p, length > most ? " …" : "");
    return text;
}

/* One column of the listing: lines, each of one instruction (-1: before all). */
struct column {
    struct column_line {
        long owner;
        char *text;
    } * lines;
    uint32_t count;
    int width;
};

static int width_of(const char *text)
{
    int width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static void column_add(struct column *c, long owner, char *text)
{
    if (!(c->count & (c->count + 1))) { /* a power of two less one */
        c->lines = xrealloc(c->lines, ((size_t)c->count * 2 + 2) * sizeof *c->lines);
    }
    c->lines[c->count++] = (struct column_line){owner, text};
    int width = width_of(text);
    c->width = width > c->width ? width : c->width;
}

static int by_owner(const void *a, const void *b)
{
    const struct column_line *x = a, *y = b;
    return (x->owner > y->owner) - (x->owner < y->owner);
}

/* Lines of one owner keep their order: the index breaks ties. */
static void column_sort(struct column *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        c->lines[i].owner = c->lines[i].owner * ((long)c->count + 1) + (long)i;
    }
    qsort(c->lines, c->count, sizeof *c->lines, by_owner);
    for (uint32_t i = 0; i < c->count; i++) {
        long owner = c->lines[i].owner, n = (long)c->count + 1;
        c->lines[i].owner = owner < 0 ? -1 : owner / n;
    }
}

static struct column wasm_column(const struct function *f, const uint8_t *bytes)
{
    struct column c = {0};
    for (uint32_t i = 0; i < f->listing->ins_count; i++) {
        const struct wasm_listing_ins *ins = &f->listing->ins[i];
        char *hexes = hex(bytes + ins->offset, ins->end - ins->offset, 6);
        int pad = 18 - width_of(hexes);
        int indent = ins->depth < 16 ? (int)ins->depth * 2 : 32;
        column_add(&c, (long)i,
                   xformat("%06x  %s%*s  %*s%s", ins->offset, hexes, pad > 0 ? pad : 0, "", indent,
                           "", ins->text));
        free(hexes);
    }
    return c;
}

static struct column ssa_column(const struct wasm_listing *l, const struct wasm_listing_ssa *lines,
                                uint32_t count)
{
    struct column c = {0};
    for (uint32_t i = 0; i < count; i++) {
        long owner = lines[i].offset ? instruction_at(l, lines[i].offset) : -1;
        column_add(&c, owner, xformat("%s%s", lines[i].block ? "" : "  ", lines[i].text));
    }
    return c;
}

static struct column machine_column(const struct function *f)
{
    struct column c = {0};
    for (uint32_t i = 0; i < f->machine_count; i++) {
        const struct machine_ins *m = &f->machine[i];
        column_add(&c, owner_of(f->listing, m->offset), xformat("%04x  %s", m->offset, m->text));
    }
    return c;
}

static void column_free(struct column *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        free(c->lines[i].text);
    }
    free(c->lines);
}

/* TEXT in WIDTH places, cut if need be; the last one of a row is not padded. */
static void print_cell(const char *text, int width, bool last)
{
    int total = width_of(text), shown = 0;
    const char *p = text;
    int limit = total > width ? width - 1 : width;
    while (*p && shown < limit) {
        do {
            putchar(*p++);
        } while (((unsigned char)*p & 0xc0) == 0x80);
        shown++;
    }
    if (total > width) {
        fputs("…", stdout);
        shown++;
    }
    if (!last) {
        printf("%*s", width - shown, "");
    }
}

/* The columns fit a terminal: the widest gives way. */
static void fit(struct column *columns, int count)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 60) {
        return;
    }
    for (;;) {
        int total = 3 * (count - 1), widest = 0;
        for (int i = 0; i < count; i++) {
            total += columns[i].width;
            widest = columns[i].width > columns[widest].width ? i : widest;
        }
        if (total <= size.ws_col || columns[widest].width <= 16) {
            return;
        }
        columns[widest].width--;
    }
}

/* Row by row, the groups of one instruction side by side. */
static void print_columns(struct column *columns, int count, long owners)
{
    uint32_t next[3] = {0};
    fit(columns, count);
    for (long owner = -1; owner < owners; owner++) {
        for (;;) {
            const char *cells[3] = {"", "", ""};
            int last = -1;
            for (int i = 0; i < count; i++) {
                struct column *c = &columns[i];
                if (next[i] < c->count && c->lines[next[i]].owner == owner) {
                    cells[i] = c->lines[next[i]++].text;
                    last = i;
                }
            }
            if (last < 0) {
                break;
            }
            for (int i = 0; i <= last; i++) {
                print_cell(cells[i], columns[i].width, i == last);
                fputs(i == last ? "\n" : " │ ", stdout);
            }
        }
    }
}

static void print_lines(const struct column *c, const struct wasm_listing *l, bool offsets)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (offsets && (i == 0 || c->lines[i].owner != c->lines[i - 1].owner) &&
            c->lines[i].owner >= 0) {
            const struct wasm_listing_ins *ins = &l->ins[c->lines[i].owner];
            printf("%-60s ; %06x %s\n", c->lines[i].text, ins->offset, ins->text);
        } else {
            puts(c->lines[i].text);
        }
    }
}

static void print_function(struct function *f, const uint8_t *bytes)
{
    const struct wasm_listing *l = f->listing;
    printf("%s: function %u, %u bytes at 0x%x, %zu bytes of code\n", f->name, l->code.index,
           l->code.end - l->code.offset, l->code.offset, l->code.size);
    struct column columns[3];
    int count = 0;
    if (show_wasm) {
        columns[count++] = wasm_column(f, bytes);
    }
    if (show_ir) {
        columns[count++] = ssa_column(l, l->optimised, l->optimised_count);
    }
    if (show_asm) {
        columns[count++] = machine_column(f);
    }
    if (count == 1 && show_ir) {
        struct column decoded = ssa_column(l, l->decoded, l->decoded_count);
        puts("as decoded:");
        print_lines(&decoded, l, false);
        puts("as optimised:");
        column_free(&decoded);
    }
    if (count == 1) {
        print_lines(&columns[0], l, show_asm);
    } else {
        for (int i = 0; i < count; i++) {
            column_sort(&columns[i]);
        }
        print_columns(columns, count, (long)l->ins_count);
    }
    putchar('\n');
    for (int i = 0; i < count; i++) {
        column_free(&columns[i]);
    }
}

static cJSON *ssa_json(const struct wasm_listing_ssa *lines, uint32_t count)
{
    cJSON *array = cJSON_CreateArray();
    for (uint32_t i = 0; i < count; i++) {
        cJSON *line = cJSON_CreateObject();
        cJSON_AddNumberToObject(line, "offset", lines[i].offset);
        cJSON_AddBoolToObject(line, "block", lines[i].block);
        cJSON_AddStringToObject(line, "text", lines[i].text);
        cJSON_AddItemToArray(array, line);
    }
    return array;
}

static void add_hex(cJSON *object, const char *name, const uint8_t *bytes, size_t length)
{
    char *text = hex(bytes, length, length);
    cJSON_AddStringToObject(object, name, text);
    free(text);
}

static cJSON *function_json(const struct function *f, const uint8_t *bytes)
{
    const struct wasm_listing *l = f->listing;
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", f->name);
    cJSON_AddNumberToObject(object, "index", l->code.index);
    cJSON_AddNumberToObject(object, "offset", l->code.offset);
    cJSON_AddNumberToObject(object, "end", l->code.end);
    cJSON_AddNumberToObject(object, "code_bytes", (double)l->code.size);
    cJSON *wasm = cJSON_AddArrayToObject(object, "wasm");
    for (uint32_t i = 0; i < l->ins_count; i++) {
        const struct wasm_listing_ins *ins = &l->ins[i];
        cJSON *line = cJSON_CreateObject();
        cJSON_AddNumberToObject(line, "offset", ins->offset);
        add_hex(line, "bytes", bytes + ins->offset, ins->end - ins->offset);
        cJSON_AddNumberToObject(line, "depth", ins->depth);
        cJSON_AddStringToObject(line, "text", ins->text);
        cJSON_AddItemToArray(wasm, line);
    }
    cJSON_AddItemToObject(object, "decoded", ssa_json(l->decoded, l->decoded_count));
    cJSON_AddItemToObject(object, "optimised", ssa_json(l->optimised, l->optimised_count));
    cJSON *machine = cJSON_AddArrayToObject(object, "machine");
    for (uint32_t i = 0; i < f->machine_count; i++) {
        const struct machine_ins *m = &f->machine[i];
        long owner = owner_of(l, m->offset);
        cJSON *line = cJSON_CreateObject();
        cJSON_AddNumberToObject(line, "address", m->offset);
        add_hex(line, "bytes", (const uint8_t *)l->code.address + m->offset, m->length);
        cJSON_AddStringToObject(line, "text", m->text);
        cJSON_AddNumberToObject(line, "offset", owner < 0 ? 0 : l->ins[owner].offset);
        cJSON_AddItemToArray(machine, line);
    }
    return object;
}

/* Whether CODE is what the user calls WANTED: its name, or its index. */
static bool is_wanted(const struct wasm_code *code, const char *name, const char *wanted)
{
    char *end;
    if (!wanted || strcmp(name, wanted) == 0) {
        return true;
    }
    unsigned long index = strtoul(wanted, &end, 10);
    return end != wanted && !*end && index == code->index;
}

static int list_all(struct wasm_module *module, const uint8_t *bytes, const char *wanted)
{
    cJSON *array = json ? cJSON_CreateArray() : NULL;
    int found = 0;
    for (uint32_t i = 0; i < wasm_module_code_count(module); i++) {
        struct wasm_code code = wasm_module_code(module, i);
        struct function f = {.module = module};
        if (code.kind != WASM_CODE_FUNC) {
            continue;
        }
        wasm_code_name(module, &code, f.name, sizeof f.name);
        if (!is_wanted(&code, f.name, wanted)) {
            continue;
        }
        struct wasm_error error;
        f.listing = wasm_listing_new(module, code.index, passes, &error);
        if (!f.listing) {
            die("%s: %s", f.name, error.message);
        }
        disassemble(&f);
        if (json) {
            cJSON_AddItemToArray(array, function_json(&f, bytes));
        } else {
            print_function(&f, bytes);
        }
        free(f.machine);
        wasm_listing_free(f.listing);
        found++;
    }
    if (json && (found || !wanted)) {
        cJSON *object = cJSON_CreateObject();
        cJSON_AddItemToObject(object, "functions", array);
        print_json(object, NULL);
        cJSON_Delete(object);
    } else {
        cJSON_Delete(array);
    }
    return found;
}

int cmd_disasm(int argc, char **argv)
{
    int words = parse_options(&usage, argc, argv);
    if (words != 1 && words != 2) {
        usage_error(&usage, "which module? FILE.wasm, and perhaps one function");
    }
    if (!show_wasm && !show_ir && !show_asm) {
        show_wasm = show_ir = show_asm = true;
    }
    struct module_file file = module_find(argv[0]);
    struct wasm_error error;
    struct wasm_load_options options = {.passes = passes, .cpu = cpu, .positions = true};
    size_t size;
    const uint8_t *bytes = module_wasm(&file, &size);
    struct wasm_module *module = wasm_module_load(bytes, size, &options, &error);
    if (!module) {
        warn("%s is refused: at byte %u: %s", file.path, error.offset, error.message);
        module_free(&file);
        return 1;
    }
    int found = list_all(module, bytes, words == 2 ? argv[1] : NULL);
    if (words == 2 && !found) {
        warn("%s has no function '%s' of its own; without a name all are listed", file.path,
             argv[1]);
    }
    wasm_module_release(module);
    module_free(&file);
    return words == 2 && !found ? 1 : 0;
}
