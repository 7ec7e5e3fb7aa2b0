/* The table of passes and their driver. */
#include "opt/passes.h"
#include "host.h"

#include <string.h>

static const struct opt_pass {
    const char *name;
    bool (*run)(struct ir_func *f); /* false: out of memory; NULL: opt_inline() */
} passes[] = {
    {"inline", NULL},
    {"thread", opt_thread},
    {"fold", opt_fold},
    {"branch", opt_branch},
    {"gvn", opt_gvn},
    {"combine", opt_combine},
    {"stores", opt_stores},
    {"memory", opt_memory},
    {"licm", opt_licm},
    {"vectorise", opt_vectorise},
    {"reassociate", opt_reassociate},
    {"address", opt_address},
};

/* Whether NAME is in the comma-separated LIST, behind a minus if NEGATED. */
static bool listed(const char *list, const char *name, bool negated)
{
    size_t length = strlen(name);
    while (*list) {
        size_t n = 0;
        bool minus = *list == '-';
        list += minus;
        while (list[n] && list[n] != ',')
            n++;
        if (minus == negated && n == length && !memcmp(list, name, n))
            return true;
        list += list[n] ? n + 1 : n;
    }
    return false;
}

static bool known(const char *word, size_t length)
{
    static const char *const others[] = {"all", "verify", "check-ranges"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i]) == length && !memcmp(others[i], word, length))
            return true;
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        if (strlen(passes[i].name) == length && !memcmp(passes[i].name, word, length))
            return true;
    return !length;
}

const char *opt_unknown(const char *names)
{
    while (names && *names) {
        const char *word = names + (*names == '-');
        size_t length = strcspn(word, ",");
        if (!known(word, length))
            return word;
        names = word + length + (word[length] == ',');
    }
    return NULL;
}

static bool run(const struct opt_pass *pass, struct ir_func *f, const struct opt_inlining *inlining)
{
    if (pass->run)
        return pass->run(f);
    return !inlining || opt_inline(f, inlining);
}

bool opt_run(struct ir_func *f, const char *names, const struct opt_inlining *inlining)
{
    bool all = !names || listed(names, "all", false);
    bool verify = names && listed(names, "verify", false);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        const char *name = passes[i].name;
        if (names && (listed(names, name, true) || (!all && !listed(names, name, false))))
            continue;
        if (ir_late(f) || !run(&passes[i], f, inlining))
            return false;
        char why[128];
        if (verify && !ir_verify(f, why, sizeof why)) {
            wasm_host_log(name);
            wasm_host_log(why);
            return false;
        }
    }
    return !names || !listed(names, "check-ranges", false) || opt_check_ranges(f);
}
