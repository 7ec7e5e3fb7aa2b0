/* `quince ps`: the machines of this user. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "machine.h"
#include "options.h"
#include "table.h"

static bool all, json;
static const struct option_spec specs[] = {
    {OPTION_FLAG, 'a', "all", NULL, "also those that ended", &all},
    {OPTION_FLAG, 0, "json", NULL, "as JSON", &json},
    {.kind = OPTION_END},
};
static const struct usage usage = {"quince ps [options]",
                                   "The machines that run: image, type, memory, ports, age.", specs,
                                   -1, false};

static void print_json(struct machine *machines, int count)
{
    cJSON *array = cJSON_CreateArray();
    for (int i = 0; i < count; i++) {
        if (machines[i].running || all) {
            cJSON *copy = cJSON_Duplicate(machines[i].meta, true);
            cJSON_AddBoolToObject(copy, "running", machines[i].running);
            cJSON_AddItemToArray(array, copy);
        }
    }
    char *text = cJSON_Print(array);
    puts(text);
    cJSON_free(text);
    cJSON_Delete(array);
}

static void add_ports(struct table *table, const cJSON *meta)
{
    char text[512] = "";
    const cJSON *port;
    cJSON_ArrayForEach(port, cJSON_GetObjectItemCaseSensitive(meta, "ports"))
    {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s:%.0f→%.0f%s", used ? ", " : "",
                 meta_string(port, "address", ""), meta_number(port, "host", 0),
                 meta_number(port, "guest", 0),
                 strcmp(meta_string(port, "protocol", "tcp"), "udp") == 0 ? "/udp" : "");
    }
    table_cell(table, "%s", *text ? text : "-");
}

static void add_state(struct table *table, const struct machine *machine)
{
    if (machine->running) {
        table_cell(table, "running");
        table_color(table, COLOR_GREEN);
        return;
    }
    int code = (int)meta_number(machine->meta, "exit", -1);
    if (code < 0) {
        table_cell(table, "killed");
    } else {
        table_cell(table, "exit %d", code);
    }
    table_color(table, code == 0 ? COLOR_DIM : COLOR_RED);
}

int cmd_ps(int argc, char **argv)
{
    static const char *const titles[] = {"NAME", "STATE", "MACHINE", ">MEMORY",
                                         ">AGE", "PORTS", "IMAGE",   NULL};
    if (parse_options(&usage, argc, argv) != 0) {
        usage_error(&usage, "ps takes no arguments");
    }
    int count;
    struct machine *machines = machine_all(&count);
    if (json) {
        print_json(machines, count);
        machine_free_all(machines, count);
        return 0;
    }
    struct table *table = table_new(titles);
    int hidden = 0;
    for (int i = 0; i < count; i++) {
        const struct machine *machine = &machines[i];
        if (!machine->running && !all) {
            hidden++;
            continue;
        }
        double start = meta_number(machine->meta, "started", 0);
        double end =
            machine->running ? (double)time(NULL) : meta_number(machine->meta, "ended", start);
        table_cell(table, "%s", machine->name);
        add_state(table, machine);
        table_cell(table, "%s %s", meta_string(machine->meta, "machine", "?"),
                   meta_string(machine->meta, "accel", "?"));
        table_cell(table, "%.0f MiB", meta_number(machine->meta, "memory_mib", 0));
        table_cell(table, "%s", human_time((end - start) * 1e9));
        add_ports(table, machine->meta);
        table_cell(table, "%s", meta_string(machine->meta, "image", "?"));
    }
    if (table_rows(table) == 0) {
        printf("no machine runs%s\n", hidden ? "; 'quince ps -a' shows those that ended" : "");
    } else {
        table_print(table, stdout);
    }
    machine_free_all(machines, count);
    return 0;
}
