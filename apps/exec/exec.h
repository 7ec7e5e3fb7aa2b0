/* Running one module as a program or calling one of its exports: what `quince exec` does on the
 * host and, compiled into the exec image, in ring 0. */
#ifndef QUINCE_EXEC_H
#define QUINCE_EXEC_H

#include <stdbool.h>
#include <stdint.h>

enum {
    EXEC_MAX_DIRS = 16,
    EXEC_MAX_LISTENERS = 8,
    EXEC_MAX_ENV = 256,
    EXEC_EXIT_LOAD = 2,   /* wrong arguments, or a module that cannot be loaded or linked */
    EXEC_EXIT_TRAP = 134, /* as a program that abort() ended */
};

struct wasm_module;
struct exec_dir {
    char *host; /* owned */
    const char *guest;
    bool read_only;
};
struct exec_listener {
    char *address; /* owned; numeric, without brackets */
    const char *port;
};
struct exec_options {
    struct exec_dir dirs[EXEC_MAX_DIRS];
    const char *env[EXEC_MAX_ENV];
    struct exec_listener listeners[EXEC_MAX_LISTENERS];
    unsigned dir_count, env_count, listener_count;
    uint64_t budget_ns, max_pages;
    uint64_t stack_size;
    const char *passes;
    const char *cpu;
    const char *key;      /* whose .qwo files are run: a file, NAME.pub */
    const char *key_file; /* where it is, when that is elsewhere */
    const char *invoke;   /* NULL: run _start */
    unsigned repeat;      /* 0: not given: once, without times */
    bool in_kernel, verbose, help, perf_map;
    /* Called with the module once it is compiled; false, after a complaint, ends it. May be NULL.
     */
    bool (*loaded)(const struct wasm_module *module);
    const char *module;      /* as the user named it: argv[0] of the program */
    const char *module_file; /* where its bytes are, when that is elsewhere */
    char **args;             /* after the module */
    int arg_count;
};

extern const char exec_usage[];

/* Reads ARGV[1…]. false after a complaint on standard error. */
bool exec_parse(int argc, char **argv, struct exec_options *out);
void exec_options_free(struct exec_options *options);
/* Loads and runs; the exit code. */
int exec_run(const struct exec_options *options);

#endif
