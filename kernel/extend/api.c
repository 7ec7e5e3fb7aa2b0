/* What an extension may call, import module `quince1`; the digit is the major version.
 *
 * Every function returns a result ≥ 0 or −errno (now: the time). Every guest pointer goes through
 * wasm_memory_at(): a wild one gives −EFAULT. Sizes are unsigned, so there are no negative ones.
 * The functions run behind the extension's gate, on the engine's stack. docs/extensions.md lists
 * them for authors. */
#include "extend/api.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/random.h"
#include "extend/hook.h"
#include "extend/worker.h"
#include "init.h"
#include "log.h"
#include "time/clock.h"

enum { LOG_LINE = 256, RANDOM_MAX = 4096 };

static struct extension *extension_of(struct wasm_instance *caller)
{
    return wasm_instance_data(caller);
}

static uint32_t result_of(int value)
{
    return (uint32_t)value;
}

static uint32_t api_log(struct wasm_instance *caller, uint32_t level, uint32_t text, uint32_t len)
{
    struct extension *ext = extension_of(caller);
    if (level > LOG_DEBUG) {
        return result_of(-EINVAL);
    }
    const char *from = wasm_memory_at(caller, text, len);
    if (!from) {
        return result_of(-EFAULT);
    }
    uint32_t dropped = ext->log.dropped;
    if (!log_bucket_take(&ext->log, clock_now())) {
        return result_of(-EAGAIN);
    }
    if (dropped) {
        klog(LOG_WARN, "%s: %u lines dropped", ext->name, dropped);
        ext->log.dropped = 0;
    }
    char line[LOG_LINE];
    uint32_t n = len < sizeof line - 1 ? len : (uint32_t)sizeof line - 1;
    for (uint32_t i = 0; i < n; i++) {
        /* Control characters could rewrite what the operator's terminal shows. */
        unsigned char c = (unsigned char)from[i];
        line[i] = c < ' ' || c == 0x7f ? ' ' : (char)c;
    }
    line[n] = 0;
    klog((enum log_level)level, "%s: %s", ext->name, line);
    return n;
}

static uint64_t api_now(struct wasm_instance *caller, uint32_t clock)
{
    (void)caller;
    switch (clock) {
    case 0: return clock_now();
    case 1: return clock_realtime();
    default: return (uint64_t)-EINVAL;
    }
}

static uint32_t api_random(struct wasm_instance *caller, uint32_t to, uint32_t len)
{
    if (len > RANDOM_MAX) {
        return result_of(-EINVAL);
    }
    void *buffer = wasm_memory_at(caller, to, len);
    if (!buffer) {
        return result_of(-EFAULT);
    }
    random_bytes(buffer, len);
    return len;
}

static uint32_t api_timer_set(struct wasm_instance *caller, uint32_t id, uint64_t delay)
{
    struct extension *ext = extension_of(caller);
    if (id >= EXTENSION_TIMERS) {
        return result_of(-EINVAL);
    }
    uint64_t now = clock_now();
    uint64_t at = delay > UINT64_MAX / 2 - now ? UINT64_MAX / 2 : now + delay;
    __atomic_store_n(&ext->timers[id], delay ? at : 0, __ATOMIC_RELEASE);
    timekeeper_kick();
    return 0;
}

static uint32_t api_packet_read(struct wasm_instance *caller, uint32_t offset, uint32_t to,
                                uint32_t len)
{
    struct extension *ext = extension_of(caller);
    void *buffer = wasm_memory_at(caller, to, len);
    if (!buffer) {
        return result_of(-EFAULT);
    }
    return result_of(ext->packet ? hook_packet_read(ext->packet, offset, buffer, len) : -ENODATA);
}

static uint32_t api_packet_write(struct wasm_instance *caller, uint32_t offset, uint32_t from,
                                 uint32_t len)
{
    struct extension *ext = extension_of(caller);
    const void *buffer = wasm_memory_at(caller, from, len);
    if (!buffer) {
        return result_of(-EFAULT);
    }
    return result_of(ext->packet ? hook_packet_write(ext->packet, offset, buffer, len) : -ENODATA);
}

static uint32_t api_packet_adjust(struct wasm_instance *caller, uint32_t head, uint32_t tail)
{
    struct extension *ext = extension_of(caller);
    if (!ext->packet) {
        return result_of(-ENODATA);
    }
    int error = hook_packet_adjust(ext->packet, (int32_t)head, (int32_t)tail);
    return error < 0 ? result_of(error) : (uint32_t)hook_packet_length(ext->packet);
}

/* Map NUMBER of the caller and its key at KEY: 0, -EBADF or -EFAULT. */
static int map_and_key(struct wasm_instance *caller, uint32_t number, uint32_t key,
                       struct map **map, const void **key_at)
{
    struct extension *ext = extension_of(caller);
    if (number >= ext->manifest.map_count) {
        return -EBADF;
    }
    *map = ext->maps[number];
    *key_at = wasm_memory_at(caller, key, map_spec(*map)->key);
    return *key_at ? 0 : -EFAULT;
}

static uint32_t api_map_get(struct wasm_instance *caller, uint32_t number, uint32_t key,
                            uint32_t value)
{
    struct map *map;
    const void *key_at;
    int error = map_and_key(caller, number, key, &map, &key_at);
    if (error) {
        return result_of(error);
    }
    void *to = wasm_memory_at(caller, value, map_spec(map)->value);
    return result_of(to ? map_get(map, key_at, to) : -EFAULT);
}

static uint32_t api_map_put(struct wasm_instance *caller, uint32_t number, uint32_t key,
                            uint32_t value, uint32_t flags)
{
    struct map *map;
    const void *key_at;
    int error = map_and_key(caller, number, key, &map, &key_at);
    if (error) {
        return result_of(error);
    }
    const void *from = wasm_memory_at(caller, value, map_spec(map)->value);
    return result_of(from ? map_put(map, key_at, from, flags) : -EFAULT);
}

static uint32_t api_map_del(struct wasm_instance *caller, uint32_t number, uint32_t key)
{
    struct map *map;
    const void *key_at;
    int error = map_and_key(caller, number, key, &map, &key_at);
    return result_of(error ? error : map_del(map, key_at));
}

static uint32_t api_map_add(struct wasm_instance *caller, uint32_t number, uint32_t key,
                            uint32_t offset, uint64_t delta)
{
    struct map *map;
    const void *key_at;
    int error = map_and_key(caller, number, key, &map, &key_at);
    return result_of(error ? error : map_add(map, key_at, offset, delta));
}

static uint32_t api_emit(struct wasm_instance *caller, uint32_t number, uint32_t from, uint32_t len)
{
    struct extension *ext = extension_of(caller);
    if (number >= ext->manifest.ring_count) {
        return result_of(-EBADF);
    }
    const void *record = wasm_memory_at(caller, from, len);
    return result_of(record ? ring_emit(ext->rings[number], record, len) : -EFAULT);
}

/* The length of setting NAME; as much of its value as fits is copied. */
static uint32_t api_cfg_read(struct wasm_instance *caller, uint32_t name, uint32_t name_len,
                             uint32_t to, uint32_t size)
{
    struct extension *ext = extension_of(caller);
    const char *wanted = wasm_memory_at(caller, name, name_len);
    char *buffer = wasm_memory_at(caller, to, size);
    if (!wanted || !buffer) {
        return result_of(-EFAULT);
    }
    for (uint32_t i = 0; i < ext->setting_count; i++) {
        const struct setting *setting = &ext->settings[i];
        if (strlen(setting->name) == name_len && memcmp(setting->name, wanted, name_len) == 0) {
            size_t len = strlen(setting->value);
            memcpy(buffer, setting->value, len < size ? len : size);
            return (uint32_t)len;
        }
    }
    return result_of(-ENOENT);
}

/* The table of host functions. WITH: what the extension must have, beside the grant, for the import
 * to make sense. */
enum with { WITH_NOTHING, WITH_HOOK, WITH_MAP, WITH_RING };
static const struct api_entry {
    const char *name, *type;
    wasm_host_fn fn;
    uint32_t grant; /* enum grant; 0: none is needed */
    enum with with;
} api_table[] = {
    {"log", "iii:i", (wasm_host_fn)api_log, GRANT_LOG, WITH_NOTHING},
    {"now", "i:I", (wasm_host_fn)api_now, GRANT_CLOCK, WITH_NOTHING},
    {"random", "ii:i", (wasm_host_fn)api_random, GRANT_RANDOM, WITH_NOTHING},
    {"timer_set", "iI:i", (wasm_host_fn)api_timer_set, GRANT_TIMER, WITH_NOTHING},
    {"packet_read", "iii:i", (wasm_host_fn)api_packet_read, 0, WITH_HOOK},
    {"packet_write", "iii:i", (wasm_host_fn)api_packet_write, GRANT_PACKET_WRITE, WITH_HOOK},
    {"packet_adjust", "ii:i", (wasm_host_fn)api_packet_adjust, GRANT_PACKET_WRITE, WITH_HOOK},
    {"map_get", "iii:i", (wasm_host_fn)api_map_get, 0, WITH_MAP},
    {"map_put", "iiii:i", (wasm_host_fn)api_map_put, 0, WITH_MAP},
    {"map_del", "ii:i", (wasm_host_fn)api_map_del, 0, WITH_MAP},
    {"map_add", "iiiI:i", (wasm_host_fn)api_map_add, 0, WITH_MAP},
    {"emit", "iii:i", (wasm_host_fn)api_emit, 0, WITH_RING},
    {"cfg_read", "iiii:i", (wasm_host_fn)api_cfg_read, 0, WITH_NOTHING},
};
enum { API_COUNT = sizeof api_table / sizeof *api_table };
static struct wasm_func *api_funcs[API_COUNT]; /* made once, so that no load leaves one behind */

static bool text_is(const char *text, uint32_t len, const char *wanted)
{
    return len == strlen(wanted) && memcmp(text, wanted, len) == 0;
}

/* The entry that IMPORT names, or -1. */
static int find_entry(const struct wasm_import *import)
{
    if (import->kind == WASM_FUNC && text_is(import->module, import->module_len, "quince1")) {
        for (int i = 0; i < API_COUNT; i++) {
            if (text_is(import->name, import->name_len, api_table[i].name)) {
                return i;
            }
        }
    }
    return -1;
}

static char type_letter(uint8_t type)
{
    switch (type) {
    case WASM_I32: return 'i';
    case WASM_I64: return 'I';
    case WASM_F32: return 'f';
    case WASM_F64: return 'F';
    default: return '?';
    }
}

static bool type_is(const struct wasm_functype *type, const char *wanted)
{
    for (uint32_t i = 0; i < type->param_count; i++, wanted++) {
        if (*wanted != type_letter(type->params[i])) {
            return false;
        }
    }
    if (*wanted++ != ':') {
        return false;
    }
    for (uint32_t i = 0; i < type->result_count; i++, wanted++) {
        if (*wanted != type_letter(type->results[i])) {
            return false;
        }
    }
    return *wanted == 0;
}

static const char *grant_text(uint32_t bit)
{
    return grant_name((unsigned)__builtin_ctz(bit));
}

/* What the import needs and EXT did not declare; NULL: nothing. */
static const char *missing(const struct extension *ext, const struct api_entry *entry)
{
    if (entry->with == WITH_HOOK && ext->manifest.hook_count == 0) {
        return "a hook= line";
    }
    if (entry->with == WITH_MAP && ext->manifest.map_count == 0) {
        return "a map= line";
    }
    if (entry->with == WITH_RING && ext->manifest.ring_count == 0) {
        return "a ring= line";
    }
    return NULL;
}

int api_check(const struct extension *ext, char *reason, size_t size)
{
    for (uint32_t i = 0; i < wasm_module_import_count(ext->module); i++) {
        const struct wasm_import *import = wasm_module_import(ext->module, i);
        int n = find_entry(import);
        if (n < 0) {
            snprintf(reason, size, "unknown import '%.48s.%.48s'", import->module, import->name);
            return -ENOENT;
        }
        const struct api_entry *entry = &api_table[n];
        if (!type_is(&import->func, entry->type)) {
            snprintf(reason, size, "import 'quince1.%s' has another type than '%s'", entry->name,
                     entry->type);
            return -EINVAL;
        }
        if (entry->grant && !(ext->authority & entry->grant)) {
            const char *name = grant_text(entry->grant);
            snprintf(reason, size,
                     "import 'quince1.%s' needs the grant '%s': declare need=%s and load with "
                     "--grant %s",
                     entry->name, name, name, name);
            return -EPERM;
        }
        const char *need = missing(ext, entry);
        if (need) {
            snprintf(reason, size, "import 'quince1.%s' needs %s in the manifest", entry->name,
                     need);
            return -EPERM;
        }
    }
    return 0;
}

bool api_resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    (void)context; /* api_check() has looked at the rights */
    int n = find_entry(import);
    if (n < 0 || !api_funcs[n]) {
        return false;
    }
    out->kind = WASM_FUNC;
    out->func = api_funcs[n];
    return true;
}

static int make_functions(void)
{
    for (int i = 0; i < API_COUNT; i++) {
        api_funcs[i] = wasm_func_host(api_table[i].type, api_table[i].fn);
        if (!api_funcs[i]) {
            return -ENOMEM;
        }
    }
    return 0;
}
INIT(6, make_functions);
