/* `quince unload`: takes extensions off a running kernel. */
#include <stdio.h>

#include "client.h"
#include "command.h"
#include "machine.h"
#include "options.h"
#include "table.h"

static const struct option_spec specs[] = {{.kind = OPTION_END}};
static const struct usage usage = {
    "quince unload [options] EXTENSION…",
    "Detaches extensions at a packet boundary and gives back all they had.", specs, -1, true};

int cmd_unload(int argc, char **argv)
{
    int words = parse_options(&usage, argc, argv);
    if (words == 0) {
        usage_error(&usage, "which extension? 'quince list' shows those that are loaded");
    }
    struct client *client = client_open(machine_choose(NULL));
    int status = 0;
    for (int i = 0; i < words; i++) {
        cJSON *request = client_request("unload");
        cJSON_AddStringToObject(request, "name", argv[i]);
        struct answer answer;
        if (client_try(client, request, NULL, 0, CLIENT_TIMEOUT_MS, &answer)) {
            printf("%s unloaded: %s freed\n", argv[i],
                   human_bytes(meta_number(answer.header, "freed_bytes", 0)));
        } else {
            warn("%s was not unloaded: %s (%s)", argv[i], answer_reason(&answer),
                 meta_string(answer.header, "error", "EIO"));
            status = 1;
        }
        answer_free(&answer);
    }
    client_close(client);
    return status;
}
