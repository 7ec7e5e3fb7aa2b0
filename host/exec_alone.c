/* `quince exec` alone: what is built under sanitizers, and statically for a Linux guest, without
 * the rest of the command. usage: exec-alone exec … */
#include <signal.h>
#include <stdio.h>

#include "exec.h"
#include "port.h"

int main(int argc, char **argv)
{
    struct exec_options options;
    int code = EXEC_EXIT_LOAD;
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && exec_parse(argc - 1, argv + 1, &options)) {
        if (host_port_thread_init())
            code = exec_run(&options);
        exec_options_free(&options);
    }
    return code;
}
