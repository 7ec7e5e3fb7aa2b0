/* `quince exec`: runs a WASI command or calls an export, here or in ring 0. */
#include "command.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "exec.h"
#include "exec_kernel.h"
#include "perf_map.h"
#include "port.h"

int cmd_exec(int argc, char **argv)
{
    struct exec_options options;
    signal(SIGPIPE, SIG_IGN); /* a program is told by EPIPE; it has no signals */
    int code = EXEC_EXIT_LOAD;
    bool ok = exec_parse(argc, argv, &options);
    if (ok && options.perf_map && options.in_kernel) {
        fputs("quince: exec: --perf-map is for perf on this host, not for --in-kernel\n", stderr);
        ok = false;
    }
    if (options.perf_map)
        options.loaded = perf_map_write;
    if (ok && options.help) {
        fputs(exec_usage, stdout);
        code = 0;
    } else if (ok && options.in_kernel) {
        code = exec_in_kernel(&options);
    } else if (ok && !host_port_thread_init()) {
        fprintf(stderr, "quince: exec: no signal stack or timer: %s\n", strerror(errno));
    } else if (ok) {
        code = exec_run(&options);
    }
    exec_options_free(&options);
    return code;
}
