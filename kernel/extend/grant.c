/* Which rights exist, and who has them: see grant.h. */
#include "extend/grant.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const names[GRANT_COUNT] = {
    "net.rx", "net.tx", "log", "clock", "random", "timer", "packet.write",
};

const char *grant_name(unsigned number)
{
    return number < GRANT_COUNT ? names[number] : NULL;
}

uint32_t grant_find(const char *name)
{
    for (unsigned i = 0; i < GRANT_COUNT; i++) {
        if (strcmp(name, names[i]) == 0) {
            return 1u << i;
        }
    }
    return 0;
}

int grant_decide(const struct manifest *manifest, const char *const *granted, uint32_t count,
                 uint32_t *authority, char *reason, size_t size)
{
    uint32_t offered = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bit = strcmp(granted[i], "all") == 0 ? UINT32_MAX : grant_find(granted[i]);
        if (bit == 0) {
            snprintf(reason, size, "there is no grant '%.40s'", granted[i]);
            return -EINVAL;
        }
        offered |= bit;
    }
    uint32_t declared = 0;
    for (uint32_t i = 0; i < manifest->hook_count + manifest->need_count; i++) {
        bool hook = i < manifest->hook_count;
        const char *name =
            hook ? manifest->hooks[i].point : manifest->needs[i - manifest->hook_count];
        uint32_t bit = grant_find(name);
        if (bit == 0 || (hook && !(bit & GRANT_HOOKS))) {
            snprintf(reason, size, hook ? "there is no hook point '%s'" : "there is no need '%s'",
                     name);
            return -EINVAL;
        }
        if (!(offered & bit)) {
            snprintf(reason, size, "%s '%s' is declared but not granted: load with --grant %s",
                     hook ? "hook" : "need", name, name);
            return -EPERM;
        }
        declared |= bit;
    }
    *authority = declared;
    return 0;
}
