/* `quince map`: what the maps of an extension hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "command.h"
#include "format.h"
#include "list.h"
#include "machine.h"
#include "options.h"
#include "table.h"

static bool json, raw;
static const char *format_text, *sort_by;
static const struct option_spec specs[] = {
    {OPTION_STRING, 'f', "format", "FORMAT", "what the bytes mean (what the extension says)",
     &format_text},
    {OPTION_STRING, 's', "sort", "FIELD", "in order of a column, largest numbers first", &sort_by},
    {OPTION_FLAG, 0, "raw", NULL, "the entries' bytes on standard output", &raw},
    {OPTION_FLAG, 0, "json", NULL, "as JSON", &json},
    {.kind = OPTION_END},
};
static const struct usage usage = {
    "quince map list EXTENSION | quince map dump EXTENSION/MAP [options]",
    "Lists the maps of an extension, or prints the entries of one: as a table when the extension\n"
    "says what its bytes mean or --format does, else in hexadecimal. A FORMAT is a list of\n"
    "NAME:TYPE separated by commas; docs/maps.md tells the types.",
    specs, -1, true};

static int map_list(struct client *client, const char *extension)
{
    static const char *const titles[] = {"MAP", "KIND", ">KEY", ">VALUE", ">ENTRIES", ">MAX", NULL};
    cJSON *request = client_request("map.list");
    cJSON_AddStringToObject(request, "name", extension);
    struct answer answer = client_call(client, request);
    if (json) {
        print_json(answer.header, "maps");
    } else {
        struct table *table = table_new(titles);
        const cJSON *map;
        cJSON_ArrayForEach(map, cJSON_GetObjectItemCaseSensitive(answer.header, "maps"))
        {
            table_cell(table, "%s", meta_string(map, "name", "?"));
            table_cell(table, "%s", meta_string(map, "kind", "?"));
            table_cell(table, "%.0f", meta_number(map, "key", 0));
            table_cell(table, "%.0f", meta_number(map, "value", 0));
            table_cell(table, "%.0f", meta_number(map, "count", 0));
            table_cell(table, "%.0f", meta_number(map, "max", 0));
        }
        table_print(table, stdout);
    }
    answer_free(&answer);
    return 0;
}

/* What the extension said when it was loaded; NULL when it said nothing. */
static char *kept_format(const char *machine, const char *extension, const char *map)
{
    if (!machine_name_valid(extension)) {
        return NULL;
    }
    char *below = xformat("formats/%s", extension), *path = machine_path(machine, below);
    size_t size;
    char *text = read_file(path, &size), *format = text ? format_find(text, size, map) : NULL;
    free(text);
    free(path);
    free(below);
    return format;
}

static void print_hex(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%02x", bytes[i]);
    }
}

static char *hex_text(const uint8_t *bytes, size_t count)
{
    char *text = xcalloc(2 * count + 1, 1);
    for (size_t i = 0; i < count; i++) {
        sprintf(text + 2 * i, "%02x", bytes[i]);
    }
    return text;
}

/* Entries of KEY and VALUE bytes nobody explained. */
static void print_plain(const uint8_t *entries, size_t count, size_t key, size_t value)
{
    cJSON *array = json ? cJSON_CreateArray() : NULL;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = entries + i * (key + value);
        if (json) {
            cJSON *object = cJSON_CreateObject();
            char *k = hex_text(entry, key), *v = hex_text(entry + key, value);
            cJSON_AddStringToObject(object, "key", k);
            cJSON_AddStringToObject(object, "value", v);
            cJSON_AddItemToArray(array, object);
            free(k);
            free(v);
        } else {
            print_hex(entry, key);
            fputs("  ", stdout);
            print_hex(entry + key, value);
            putchar('\n');
        }
    }
    if (json) {
        print_json(array, NULL);
        cJSON_Delete(array);
    }
}

static const struct format *sort_format;
static int sort_column;

static int compare(const void *a, const void *b)
{
    return format_compare(sort_format, sort_column, *(const uint8_t *const *)a,
                          *(const uint8_t *const *)b);
}

static void print_formatted(const struct format *format, const uint8_t *entries, size_t count)
{
    const uint8_t **rows = xcalloc(count + 1, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        rows[i] = entries + i * format_size(format);
    }
    if (sort_by) {
        sort_format = format;
        sort_column = format_column(format, sort_by);
        if (sort_column < 0) {
            die("there is no column '%s'; see 'quince map dump' without --sort", sort_by);
        }
        qsort(rows, count, sizeof *rows, compare);
    }
    if (json) {
        cJSON *array = cJSON_CreateArray();
        for (size_t i = 0; i < count; i++) {
            cJSON_AddItemToArray(array, format_object(format, rows[i]));
        }
        print_json(array, NULL);
        cJSON_Delete(array);
    } else {
        struct table *table = table_new(format_titles(format));
        for (size_t i = 0; i < count; i++) {
            format_row(format, rows[i], table);
        }
        table_print(table, stdout);
    }
    free(rows);
}

static int map_dump(struct client *client, const char *extension, const char *map)
{
    cJSON *request = client_request("map.dump");
    cJSON_AddStringToObject(request, "name", extension);
    cJSON_AddStringToObject(request, "map", map);
    struct answer answer = client_collect(client, request);
    size_t key = (size_t)meta_number(answer.header, "key", 0);
    size_t value = (size_t)meta_number(answer.header, "value", 0);
    size_t entry = key + value, count = entry ? answer.body_len / entry : 0;
    if (raw) {
        fwrite(answer.body, 1, answer.body_len, stdout);
        answer_free(&answer);
        return 0;
    }
    char *kept = format_text ? xstrdup(format_text) : kept_format(client->machine, extension, map);
    char error[128];
    struct format *format = kept ? format_parse(kept, error) : NULL;
    if (kept && !format) {
        die("format of %s/%s: %s", extension, map, error);
    }
    if (format && format_size(format) != entry) {
        die("the format describes %zu bytes, an entry of %s/%s has %zu + %zu", format_size(format),
            extension, map, key, value);
    }
    if (format) {
        print_formatted(format, answer.body, count);
        format_free(format);
    } else if (sort_by) {
        die("--sort needs a --format: %s does not say what its bytes mean", extension);
    } else {
        print_plain(answer.body, count, key, value);
    }
    free(kept);
    answer_free(&answer);
    return 0;
}

int cmd_map(int argc, char **argv)
{
    int words = parse_options(&usage, argc, argv);
    if (words == 0 || (strcmp(argv[0], "list") != 0 && strcmp(argv[0], "dump") != 0)) {
        usage_error(&usage, "what about maps? list or dump");
    }
    if (words != 2) {
        usage_error(&usage, "%s",
                    argv[0][0] == 'l' ? "which extension?" : "which map? EXTENSION/MAP");
    }
    char *slash = strchr(argv[1], '/');
    if (argv[0][0] == 'd' && !slash) {
        usage_error(&usage, "'%s' is not EXTENSION/MAP; 'quince map list %s' shows its maps",
                    argv[1], argv[1]);
    }
    if (argv[0][0] == 'd') {
        *slash = 0;
    }
    struct client *client = client_open(machine_choose(NULL));
    int status =
        argv[0][0] == 'l' ? map_list(client, argv[1]) : map_dump(client, argv[1], slash + 1);
    client_close(client);
    return status;
}
