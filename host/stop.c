/* `quince stop`: asks a machine to end, then tells it, then kills it. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "client.h"
#include "command.h"
#include "machine.h"
#include "options.h"

static bool all, now;
static long patience = 5, code;
static const struct option_spec specs[] = {
    {OPTION_FLAG, 'a', "all", NULL, "all machines of this user", &all},
    {OPTION_FLAG, 0, "now", NULL, "do not ask the kernel first", &now},
    {OPTION_NUMBER, 't', "timeout", "SECONDS", "between asking, telling and killing (5)",
     &patience},
    {OPTION_NUMBER, 0, "code", "N", "the exit code it ends with (0)", &code},
    {.kind = OPTION_END},
};
static const struct usage usage = {
    "quince stop [options] [MACHINE…]",
    "Asks the kernel to shut down; if it does not, ends QEMU. Forgets what 'quince ps -a' shows.",
    specs, -1, true};

static bool wait_for_end(const char *name)
{
    for (long waited = 0; waited <= patience * 1000; waited += 20) {
        if (!machine_running(name)) {
            return true;
        }
        poll(NULL, 0, 20);
    }
    return false;
}

static pid_t process_of(const char *name, const char *member)
{
    int count;
    pid_t pid = 0;
    struct machine *machines = machine_all(&count);
    for (int i = 0; i < count; i++) {
        if (strcmp(machines[i].name, name) == 0) {
            pid = (pid_t)meta_number(machines[i].meta, member, 0);
        }
    }
    machine_free_all(machines, count);
    return pid;
}

/* The socket is there only as long as the machine has a control port. */
static void ask_kernel(const char *name)
{
    char *path = machine_path(name, "control.sock");
    bool reachable = access(path, F_OK) == 0;
    free(path);
    if (!reachable) {
        return;
    }
    struct client *client = client_open(name);
    cJSON *request = client_request("shutdown");
    cJSON_AddNumberToObject(request, "code", (double)code);
    client_send(client, request, NULL, 0);
    struct answer answer;
    while (client_receive(client, &answer, (int)patience * 1000, -1) == 1) {
        if (!answer_ok(&answer) && strcmp(meta_string(answer.header, "error", ""), "EPIPE") != 0) {
            warn("%s refused: %s", name, answer_reason(&answer));
        }
        answer_free(&answer); /* until it ends */
    }
    client_close(client);
}

static int stop_machine(const char *name)
{
    if (!machine_running(name)) {
        machine_remove(name);
        return 0;
    }
    if (!now) {
        ask_kernel(name);
        if (!machine_running(name) || wait_for_end(name)) {
            machine_remove(name);
            return 0;
        }
        warn("%s does not shut down by itself; ending QEMU", name);
    }
    /* The lock is held, so the numbers are those of the machine. */
    pid_t supervisor = process_of(name, "supervisor");
    if (supervisor > 1) {
        kill(supervisor, SIGTERM);
    }
    if (!wait_for_end(name)) {
        warn("killing %s", name);
        if (supervisor > 1) {
            kill(supervisor, SIGKILL); /* QEMU dies with it */
        }
        if (!wait_for_end(name)) {
            warn("%s could not be ended", name);
            return 1;
        }
    }
    machine_remove(name);
    return 0;
}

static int stop_all(void)
{
    int count, status = 0;
    struct machine *machines = machine_all(&count);
    for (int i = 0; i < count; i++) {
        status |= stop_machine(machines[i].name);
    }
    machine_free_all(machines, count);
    return status;
}

static bool known(const char *name)
{
    char *path = machine_path(name, "");
    bool found = machine_name_valid(name) && access(path, F_OK) == 0;
    free(path);
    return found;
}

int cmd_stop(int argc, char **argv)
{
    int words = parse_options(&usage, argc, argv);
    if (code > 127) {
        usage_error(&usage, "--code %ld: an exit code is 0 to 127", code);
    }
    if (all) {
        return stop_all();
    }
    if (words == 0) {
        return stop_machine(machine_choose(NULL));
    }
    int status = 0;
    for (int i = 0; i < words; i++) {
        if (!known(argv[i])) {
            warn("there is no machine called '%s'; 'quince ps -a' shows all", argv[i]);
            status = 1;
        } else {
            status |= stop_machine(argv[i]);
        }
    }
    return status;
}
