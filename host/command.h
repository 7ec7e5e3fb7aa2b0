/* What every sub-command of `quince` shares: how it is found, how it complains, what it may print.
 */
#ifndef QUINCE_HOST_COMMAND_H
#define QUINCE_HOST_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* One sub-command. ARGV[0] is its name; returns the process's exit code. */
struct command {
    const char *name;
    const char *help; /* one line */
    int (*run)(int argc, char **argv);
};

int cmd_build(int argc, char **argv);
int cmd_capture(int argc, char **argv);
int cmd_cc(int argc, char **argv);
int cmd_compile(int argc, char **argv);
int cmd_disasm(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_load(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_map(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_sign(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_unload(int argc, char **argv);
int cmd_verify(int argc, char **argv);

/* Exit codes of quince itself; `run` and `exec` give the program's own otherwise. */
enum {
    EXIT_USAGE = 2,    /* wrong arguments */
    EXIT_MACHINE = 125 /* the machine could not be started or reached */
};

extern bool verbose; /* --verbose: say why */

/* One line on standard error, "quince: …"; die() ends the process with exit code 1. */
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Only with --verbose. */
void explain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory, or the end of the process. */
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *text);
char *xformat(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The whole of a file, with a NUL after it; NULL with errno set. */
char *read_file(const char *path, size_t *size);
/* The folder that holds what quince needs: build/ of a source tree (QUINCE_HOME overrides). Paths
 * below it are formed as home_path("extensions/pcap.wasm"); the caller frees them. */
char *home_path(const char *below);

#endif
