/* `quince list`: the extensions of a machine and what they did. */
#include "list.h"

#include <stdio.h>
#include <string.h>

#include "client.h"
#include "command.h"
#include "machine.h"
#include "options.h"
#include "table.h"

static bool json, backtraces;
static const struct option_spec specs[] = {
    {OPTION_FLAG, 'b', "backtrace", NULL, "with the backtraces of faults", &backtraces},
    {OPTION_FLAG, 0, "json", NULL, "as JSON", &json},
    {.kind = OPTION_END},
};
static const struct usage usage = {
    "quince list [options] [MACHINE]",
    "The extensions of a machine: state, hooks, calls, verdicts, time, memory, faults. Loads that\n"
    "failed are kept with their reason until their name is used again.",
    specs, -1, true};

void print_json(const cJSON *header, const char *member)
{
    cJSON *copy =
        cJSON_Duplicate(member ? cJSON_GetObjectItemCaseSensitive(header, member) : header, true);
    if (!member) {
        cJSON_DeleteItemFromObjectCaseSensitive(copy, "id");
        cJSON_DeleteItemFromObjectCaseSensitive(copy, "ok");
    }
    char *text = cJSON_Print(copy);
    puts(text ? text : "null");
    cJSON_free(text);
    cJSON_Delete(copy);
}

static void add_hooks(struct table *table, const cJSON *extension)
{
    char text[256] = "";
    const cJSON *hook;
    cJSON_ArrayForEach(hook, cJSON_GetObjectItemCaseSensitive(extension, "hooks"))
    {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s", used ? "," : "",
                 meta_string(hook, "point", "?"));
    }
    table_cell(table, "%s", *text ? text : "-");
}

static enum color state_color(const char *state)
{
    return strcmp(state, "attached") == 0                                      ? COLOR_GREEN
           : strcmp(state, "failed") == 0 || strcmp(state, "quarantined") == 0 ? COLOR_RED
                                                                               : COLOR_YELLOW;
}

static void add_row(struct table *table, const cJSON *e)
{
    const char *state = meta_string(e, "state", "?");
    table_cell(table, "%s", meta_string(e, "name", "?"));
    table_cell(table, "%s", state);
    table_color(table, state_color(state));
    add_hooks(table, e);
    if (strcmp(state, "failed") == 0) {
        for (int i = 0; i < 7; i++) {
            table_cell(table, "-");
        }
        return;
    }
    const cJSON *verdicts = cJSON_GetObjectItemCaseSensitive(e, "verdicts");
    double runs = meta_number(e, "runs", 0), faults = meta_number(e, "faults", 0);
    table_cell(table, "%.0f", runs);
    table_cell(table, "%.0f", meta_number(verdicts, "pass", 0));
    table_cell(table, "%.0f",
               meta_number(verdicts, "drop", 0) + meta_number(verdicts, "aborted", 0));
    table_cell(table, "%s", runs > 0 ? human_time(meta_number(e, "time_ns", 0) / runs) : "-");
    table_cell(table, "%s", human_bytes(meta_number(e, "memory_bytes", 0)));
    table_cell(table, "%s", human_bytes(meta_number(e, "code_bytes", 0)));
    table_cell(table, "%.0f", faults);
    if (faults > 0) {
        table_color(table, COLOR_RED);
    }
}

/* Lines of TEXT with an indent, without control characters. */
static void print_lines(const char *text)
{
    for (bool start = true; *text; text++) {
        if (start) {
            fputs("      ", stdout);
        }
        start = *text == '\n';
        putchar(start || (unsigned char)*text >= ' ' ? *text : '?');
        if (!start && !text[1]) {
            putchar('\n');
        }
    }
}

void list_print(const cJSON *extensions, bool traces)
{
    static const char *const titles[] = {"NAME",  "STATE",   "HOOKS",     ">RUNS",
                                         ">PASS", ">DROP",   ">TIME/RUN", ">MEMORY",
                                         ">CODE", ">FAULTS", NULL};
    if (cJSON_GetArraySize(extensions) == 0) {
        puts("no extensions are loaded");
        return;
    }
    struct table *table = table_new(titles);
    const cJSON *e;
    cJSON_ArrayForEach(e, extensions)
    {
        add_row(table, e);
    }
    table_print(table, stdout);
    cJSON_ArrayForEach(e, extensions)
    {
        const char *fault = meta_string(e, "last_fault", ""),
                   *trace = meta_string(e, "backtrace", "");
        if (*fault) {
            printf("  %s: ", meta_string(e, "name", "?"));
            for (const char *p = fault; *p; p++) {
                putchar((unsigned char)*p >= ' ' ? *p : '?');
            }
            putchar('\n');
        }
        if (traces && *trace) {
            print_lines(trace);
        }
    }
}

int cmd_list(int argc, char **argv)
{
    int words = parse_options(&usage, argc, argv);
    if (words > 1) {
        usage_error(&usage, "one machine at a time");
    }
    struct client *client = client_open(machine_choose(words ? argv[0] : NULL));
    struct answer answer = client_call(client, client_request("list"));
    if (json) {
        print_json(answer.header, "extensions");
    } else {
        list_print(cJSON_GetObjectItemCaseSensitive(answer.header, "extensions"), backtraces);
    }
    answer_free(&answer);
    client_close(client);
    return 0;
}
