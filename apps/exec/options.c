/* Options of `quince exec`. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exec.h"

const char exec_usage[] =
    "usage: quince exec [options] MODULE.wasm [args…]\n"
    "\n"
    "Runs a WASI command (its _start), or with --invoke calls one export. A module that exports\n"
    "_initialize has it called first.\n"
    "\n"
    "  --dir HOST[::GUEST]   gives the program a directory, by its own name or as GUEST\n"
    "  --ro-dir HOST[::GUEST]  the same, but it can change nothing there\n"
    "  --listen ADDRESS:PORT gives the program a listening TCP socket, from which it can accept;\n"
    "                        its descriptor is the first after the directories' (3 and so on)\n"
    "  --env NAME=VALUE      sets an environment variable; otherwise there are none\n"
    "  --budget MS           ends each call after MS milliseconds\n"
    "  --max-memory N        limits linear memory to N bytes (K, M, G allowed)\n"
    "  --stack N             bytes of stack (default 1M)\n"
    "  --passes LIST         optimiser passes to run, by name, separated by commas; \"\": none; "
    "all,-NAME\n"
    "  --cpu LEVEL           what the code may use: native, baseline, or features: sse4.1,avx\n"
    "  --key NAME.pub        runs a MODULE.qwo ('quince compile') that the key's owner signed\n"
    "  --invoke NAME         calls export NAME with the args as numbers (decimal, 0x…, negative,\n"
    "                        floats, nan, inf) and prints each result on a line of its own\n"
    "  --repeat N            calls it N times; after the results one line per call: time_ms 1.234\n"
    "  --in-kernel           boots a minimal image and runs the module in ring 0\n"
    "  --perf-map            writes /tmp/perf-PID.map, from which perf knows compiled functions\n"
    "  --verbose             prints sizes and times of loading to standard error\n"
    "\n"
    "With --invoke options may also follow the args. Exit code: the program's; 134 after a trap,\n"
    "which standard error names with a backtrace; 2 when the module cannot be loaded.\n";

static bool complain(const char *what, const char *about)
{
    fprintf(stderr, "quince: exec: %s: %s\n", what, about);
    return false;
}

/* A number with an optional K, M or G. */
static bool parse_size(const char *text, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (end == text || *text == '-' || errno || end[shift ? 1 : 0] || n > UINT64_MAX >> shift)
        return false;
    *out = (uint64_t)n << shift;
    return true;
}

enum value_kind { FLAG, TEXT, SIZE, DIRECTORY, READ_ONLY, LISTENER, ENVIRONMENT };

struct option {
    const char *name;
    enum value_kind kind;
    void *target;
};

/* ADDRESS:PORT, the address in brackets when it has colons itself. */
static bool apply_listener(const char *name, const char *value, struct exec_options *out)
{
    const char *colon = strrchr(value, ':');
    uint64_t port;
    if (!colon || colon == value || !parse_size(colon + 1, &port) || port == 0 || port > 65535 ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return complain(name, "expects ADDRESS:PORT");
    if (out->listener_count == EXEC_MAX_LISTENERS)
        return complain(name, "too many");
    size_t length = (size_t)(colon - value);
    bool bracketed = value[0] == '[' && value[length - 1] == ']';
    struct exec_listener *l = &out->listeners[out->listener_count];
    l->address = bracketed ? strndup(value + 1, length - 2) : strndup(value, length);
    l->port = colon + 1;
    if (!l->address)
        return complain(name, "out of memory");
    out->listener_count++;
    return true;
}

static bool apply(const struct option *o, const char *value, struct exec_options *out)
{
    switch (o->kind) {
    case FLAG: *(bool *)o->target = true; return true;
    case TEXT: *(const char **)o->target = value; return true;
    case SIZE: return parse_size(value, o->target) || complain(o->name, "not a number");
    case DIRECTORY:
    case READ_ONLY: {
        if (out->dir_count == EXEC_MAX_DIRS)
            return complain(o->name, "too many");
        const char *colons = strstr(value, "::");
        struct exec_dir *d = &out->dirs[out->dir_count];
        d->host = colons ? strndup(value, (size_t)(colons - value)) : strdup(value);
        if (!d->host)
            return complain(o->name, "out of memory");
        d->guest = colons ? colons + 2 : value;
        d->read_only = o->kind == READ_ONLY;
        out->dir_count++;
        return true;
    }
    case LISTENER: return apply_listener(o->name, value, out);
    default:
        if (!strchr(value, '='))
            return complain(o->name, "expects NAME=VALUE");
        if (out->env_count == EXEC_MAX_ENV)
            return complain(o->name, "too many");
        out->env[out->env_count++] = value;
        return true;
    }
}

bool exec_parse(int argc, char **argv, struct exec_options *out)
{
    memset(out, 0, sizeof(*out));
    uint64_t budget_ms = 0, max_memory = 0, repeat = 0;
    const struct option options[] = {
        {"--dir", DIRECTORY, NULL},          {"--ro-dir", READ_ONLY, NULL},
        {"--listen", LISTENER, NULL},        {"--env", ENVIRONMENT, NULL},
        {"--budget", SIZE, &budget_ms},      {"--max-memory", SIZE, &max_memory},
        {"--stack", SIZE, &out->stack_size}, {"--passes", TEXT, &out->passes},
        {"--key", TEXT, &out->key},          {"--cpu", TEXT, &out->cpu},
        {"--invoke", TEXT, &out->invoke},    {"--perf-map", FLAG, &out->perf_map},
        {"--repeat", SIZE, &repeat},         {"--in-kernel", FLAG, &out->in_kernel},
        {"--verbose", FLAG, &out->verbose},  {"--help", FLAG, &out->help},
    };
    int kept = 0;
    out->args = argv + 1;
    for (int i = 1; i < argc; i++) {
        bool rest = out->module && !out->invoke;
        if (rest || strncmp(argv[i], "--", 2) || !argv[i][2]) {
            if (!rest && !strcmp(argv[i], "--") && !out->module)
                continue;
            if (!out->module)
                out->module = argv[i];
            else
                out->args[kept++] = argv[i];
            continue;
        }
        size_t name_len = strcspn(argv[i], "=");
        const struct option *o = NULL;
        for (size_t k = 0; k < sizeof(options) / sizeof(*options); k++)
            if (strlen(options[k].name) == name_len && !strncmp(options[k].name, argv[i], name_len))
                o = &options[k];
        if (!o)
            return complain(argv[i], "unknown option; --help lists them");
        const char *value = argv[i][name_len] == '=' ? argv[i] + name_len + 1 : NULL;
        if (o->kind == FLAG && value)
            return complain(o->name, "takes no value");
        if (o->kind != FLAG && !value) {
            if (i + 1 == argc)
                return complain(o->name, "needs a value");
            value = argv[++i];
        }
        if (!apply(o, value, out))
            return false;
    }
    out->arg_count = kept;
    out->budget_ns = budget_ms > UINT64_MAX / 1000000 ? UINT64_MAX : budget_ms * 1000000;
    out->max_pages = (max_memory + 65535) / 65536;
    out->repeat = repeat > 1000000000 ? 1000000000u : (unsigned)repeat;
    if (!out->help && !out->module)
        return complain("no module given", "--help tells how");
    return true;
}

void exec_options_free(struct exec_options *options)
{
    for (unsigned i = 0; i < options->dir_count; i++)
        free(options->dirs[i].host);
    for (unsigned i = 0; i < options->listener_count; i++)
        free(options->listeners[i].address);
}
