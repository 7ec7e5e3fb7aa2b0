/* <quince.h>: the extension system as the program in the image sees it. */
#include "quince.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "extend/extension.h"
#include "extend/worker.h"
#include "mm/heap.h"

_Static_assert(QUINCE_NAME == MANIFEST_NAME && QUINCE_REASON == EXTENSION_REASON,
               "the program's view has the kernel's sizes");

enum { GRANTS_MAX = 32 };

/* Splits "a,b" in place. The number of names, or -1 when there are too many. */
static int split(char *text, const char **names)
{
    int count = 0;
    for (char *next = text; next;) {
        char *name = next;
        next = strchr(name, ',');
        if (next) {
            *next++ = 0;
        }
        if (*name == 0) {
            continue;
        }
        if (count == GRANTS_MAX) {
            return -1;
        }
        names[count++] = name;
    }
    return count;
}

struct load_errand {
    struct load_request request;
    struct load_result result;
};

static void run_load(void *context)
{
    struct load_errand *errand = context;
    extension_load(&errand->request, &errand->result);
}

static int explain(int error, const char *text, char *why, size_t why_size)
{
    if (why && why_size) {
        snprintf(why, why_size, "%s", text);
    }
    return error;
}

int quince_load(const void *bytes, size_t len, const struct quince_options *options, char *why,
                size_t why_size)
{
    static const struct quince_options defaults;
    const char *names[GRANTS_MAX];
    options = options ? options : &defaults;
    _Static_assert(sizeof(struct setting) == sizeof(struct quince_setting), "cast below");
    struct load_errand errand = {.request = {.bytes = bytes,
                                             .len = len,
                                             .name = options->name,
                                             .grants = names,
                                             .settings = (const struct setting *)options->settings,
                                             .setting_count = options->setting_count,
                                             .budget_ns = options->budget_ns,
                                             .memory = options->memory}};
    char *grants = NULL;
    if (options->grants) {
        size_t size = strlen(options->grants) + 1;
        grants = kmalloc(size);
        if (!grants) {
            return explain(-ENOMEM, "out of memory", why, why_size);
        }
        memcpy(grants, options->grants, size);
        int count = split(grants, names);
        if (count < 0) {
            kfree(grants);
            return explain(-EINVAL, "too many grants", why, why_size);
        }
        errand.request.grant_count = (uint32_t)count;
    }
    loader_run(run_load, &errand);
    kfree(grants);
    return explain(errand.result.error ? errand.result.error : (int)errand.result.handle,
                   errand.result.reason, why, why_size);
}

struct unload_errand {
    const char *name;
    uint64_t freed;
    int result;
};

static void run_unload(void *context)
{
    struct unload_errand *errand = context;
    char reason[EXTENSION_REASON];
    errand->result = extension_unload(errand->name, &errand->freed, reason, sizeof reason);
}

int quince_unload(const char *name)
{
    struct unload_errand errand = {.name = name};
    loader_run(run_unload, &errand);
    return errand.result ? errand.result : errand.freed > INT32_MAX ? INT32_MAX : (int)errand.freed;
}

struct list_errand {
    struct quince_info *infos;
    unsigned size;
    int count;
};

static bool describe(struct extension *ext, void *context)
{
    struct list_errand *errand = context;
    if (ext->state == EXTENSION_LOADING || ext->state == EXTENSION_DETACHED) {
        return true;
    }
    if ((unsigned)errand->count < errand->size) {
        struct quince_info *info = &errand->infos[errand->count];
        *info = (struct quince_info){.handle = (int)ext->handle,
                                     .runs = ext->usage.runs,
                                     .time_ns = ext->usage.time_ns,
                                     .faults = ext->faults};
        info->state = ext->state == EXTENSION_ATTACHED     ? QUINCE_ATTACHED
                      : ext->state == EXTENSION_RESTARTING ? QUINCE_RESTARTING
                                                           : QUINCE_QUARANTINED;
        memcpy(info->name, ext->name, sizeof info->name);
        memcpy(info->verdicts, ext->verdicts, sizeof info->verdicts);
        cpu_irq_state state = spin_lock(&ext->note_lock);
        memcpy(info->last_fault, ext->last_fault, sizeof info->last_fault);
        spin_unlock(&ext->note_lock, state);
    }
    errand->count++;
    return true;
}

int quince_list(struct quince_info *infos, unsigned count)
{
    struct list_errand errand = {infos, count, 0};
    extension_for_each(describe, &errand);
    return errand.count;
}

/* The map, when the sizes are right; the caller puts *EXT. */
static int find_map(const char *name, const char *map_name, size_t key_size, size_t value_size,
                    struct extension **ext, struct map **map)
{
    *ext = extension_get(name);
    *map = *ext ? extension_map(*ext, map_name) : NULL;
    int error = 0;
    if (!*map) {
        error = -ENOENT;
    } else if (map_spec(*map)->key != key_size || map_spec(*map)->value != value_size) {
        error = -EINVAL;
    }
    if (error && *ext) {
        extension_put(*ext);
    }
    return error;
}

int quince_map_get(const char *name, const char *map_name, const void *key, size_t key_size,
                   void *value, size_t value_size)
{
    struct extension *ext;
    struct map *map;
    int error = find_map(name, map_name, key_size, value_size, &ext, &map);
    if (error == 0) {
        error = map_get(map, key, value);
        extension_put(ext);
    }
    return error;
}

int quince_map_put(const char *name, const char *map_name, const void *key, size_t key_size,
                   const void *value, size_t value_size)
{
    struct extension *ext;
    struct map *map;
    int error = find_map(name, map_name, key_size, value_size, &ext, &map);
    if (error == 0) {
        error = map_put(map, key, value, MAP_PUT_ANY);
        extension_put(ext);
    }
    return error;
}
