/* `quince stats`: memory, threads, network and extensions of a machine. */
#include <stdio.h>

#include "client.h"
#include "command.h"
#include "list.h"
#include "machine.h"
#include "options.h"
#include "table.h"

static bool json, threads;
static const struct option_spec specs[] = {
    {OPTION_FLAG, 't', "threads", NULL, "with the kernel's threads", &threads},
    {OPTION_FLAG, 0, "json", NULL, "as JSON", &json},
    {.kind = OPTION_END},
};
static const struct usage usage = {"quince stats [options] [MACHINE]",
                                   "Memory, network, threads and extensions of a machine.", specs,
                                   -1, true};

static void print_memory(const cJSON *machine)
{
    const cJSON *memory = cJSON_GetObjectItemCaseSensitive(machine, "memory");
    double total = meta_number(memory, "total", 0), left = meta_number(memory, "free", 0);
    printf("up       %s\n", human_time(meta_number(machine, "uptime_ns", 0)));
    printf("memory   %s in all, %s free; heap %s, mapped %s\n", human_bytes(total),
           human_bytes(left), human_bytes(meta_number(memory, "heap_used", 0)),
           human_bytes(meta_number(memory, "mapped", 0)));
}

static void print_network(const cJSON *machine)
{
    static const char *const titles[] = {"INTERFACE",   ">RX PACKETS", ">RX BYTES",   ">RX DROPPED",
                                         ">TX PACKETS", ">TX BYTES",   ">TX DROPPED", NULL};
    static const char *const members[] = {"rx_packets", "rx_bytes", "rx_dropped",
                                          "tx_packets", "tx_bytes", "tx_dropped"};
    struct table *table = table_new(titles);
    const cJSON *interface;
    cJSON_ArrayForEach(interface, cJSON_GetObjectItemCaseSensitive(machine, "net"))
    {
        table_cell(table, "%s", interface->string);
        for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
            table_cell(table, "%.0f", meta_number(interface, members[i], 0));
        }
    }
    if (table_rows(table) == 0) {
        puts("no network interface");
    } else {
        table_print(table, stdout);
    }
}

static void print_threads(const cJSON *machine)
{
    static const char *const titles[] = {">ID", "THREAD", "STATE", ">CPU", NULL};
    struct table *table = table_new(titles);
    const cJSON *thread;
    cJSON_ArrayForEach(thread, cJSON_GetObjectItemCaseSensitive(machine, "threads"))
    {
        table_cell(table, "%.0f", meta_number(thread, "id", 0));
        table_cell(table, "%s", meta_string(thread, "name", "?"));
        table_cell(table, "%s", meta_string(thread, "state", "?"));
        table_cell(table, "%s", human_time(meta_number(thread, "cpu_ns", 0)));
    }
    table_print(table, stdout);
}

int cmd_stats(int argc, char **argv)
{
    int words = parse_options(&usage, argc, argv);
    if (words > 1) {
        usage_error(&usage, "one machine at a time");
    }
    struct client *client = client_open(machine_choose(words ? argv[0] : NULL));
    struct answer answer = client_call(client, client_request("stats"));
    const cJSON *machine = cJSON_GetObjectItemCaseSensitive(answer.header, "machine");
    if (json) {
        print_json(answer.header, NULL);
    } else {
        print_memory(machine);
        putchar('\n');
        print_network(machine);
        putchar('\n');
        if (threads) {
            print_threads(machine);
            putchar('\n');
        }
        list_print(cJSON_GetObjectItemCaseSensitive(answer.header, "extensions"), false);
    }
    answer_free(&answer);
    client_close(client);
    return 0;
}
