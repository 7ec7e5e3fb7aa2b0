/* `quince logs`: the kernel's log, or what a machine wrote on its console. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "command.h"
#include "machine.h"
#include "options.h"

static bool follow, console;
static const struct option_spec specs[] = {
    {OPTION_FLAG, 'f', "follow", NULL, "go on as more comes", &follow},
    {OPTION_FLAG, 0, "console", NULL, "the console instead: also of a machine that ended",
     &console},
    {.kind = OPTION_END},
};
static const struct usage usage = {"quince logs [options] [MACHINE]",
                                   "The kernel's log, which holds more than the console shows. Of "
                                   "a machine that ended: its console.",
                                   specs, -1, true};

/* Prints the file from OFFSET on; returns where it ends. */
static long print_from(const char *path, long offset)
{
    FILE *file = fopen(path, "re");
    char chunk[16384];
    size_t got;
    if (!file) {
        return offset;
    }
    fseek(file, 0, SEEK_END);
    if (ftell(file) < offset) {
        offset = 0; /* it grew too large and was begun anew */
    }
    fseek(file, offset, SEEK_SET);
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0) {
        fwrite(chunk, 1, got, stdout);
        offset += (long)got;
    }
    fclose(file);
    fflush(stdout);
    return offset;
}

static int print_console(const char *machine)
{
    char *path = machine_path(machine, "console.log");
    if (access(path, R_OK) != 0) {
        warn("there is no machine called '%s'; 'quince ps -a' shows all", machine);
        return EXIT_MACHINE;
    }
    long offset = print_from(path, 0);
    while (follow && machine_running(machine)) {
        usleep(100 * 1000);
        offset = print_from(path, offset);
    }
    free(path);
    return 0;
}

static int print_log(const char *machine)
{
    struct client *client = client_open(machine);
    if (!follow) {
        struct answer whole = client_collect(client, client_request("logs"));
        fwrite(whole.body, 1, whole.body_len, stdout);
        answer_free(&whole);
        client_close(client);
        return 0;
    }
    cJSON *request = client_request("logs");
    cJSON_AddTrueToObject(request, "follow");
    client_send(client, request, NULL, 0);
    struct answer answer;
    bool more = true;
    while (more && client_receive(client, &answer, CLIENT_FOREVER, -1) == 1) {
        if (!answer_ok(&answer)) {
            warn("%s", answer_reason(&answer));
        }
        fwrite(answer.body, 1, answer.body_len, stdout);
        fflush(stdout);
        more = answer_more(&answer);
        answer_free(&answer);
    }
    client_close(client);
    return 0;
}

int cmd_logs(int argc, char **argv)
{
    int words = parse_options(&usage, argc, argv);
    if (words > 1) {
        usage_error(&usage, "one machine at a time");
    }
    const char *name = words ? argv[0] : chosen_machine;
    /* One that ended has only its console left. */
    if (name && machine_name_valid(name) && (console || !machine_running(name))) {
        return print_console(name);
    }
    name = machine_choose(name);
    return console ? print_console(name) : print_log(name);
}
