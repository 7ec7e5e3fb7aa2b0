/* What can be asked over the control channel: a table of operations. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arch/cpu.h"
#include "extend/admit.h"
#include "extend/control.h"
#include "extend/report.h"
#include "extend/worker.h"
#include "log.h"
#include "mm/heap.h"
#include "time/clock.h"

enum {
    PENDING_MAX = 8, /* loads and unloads that wait for the loader */
    GRANTS_MAX = 32,
    SETTINGS_MAX = 128,
    DUMP_CHUNK = 256 * 1024, /* of a map dump, a frame each */
    READ_CHUNK = 256 * 1024, /* of a ring */
    LOG_CHUNK = 64 * 1024,
};

/* A member of type string: false when it has another type, which is refused. *OUT is NULL when it
 * is not there. */
static bool get_string(struct control_request *request, const char *name, const char **out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request->header, name);
    *out = item ? cJSON_GetStringValue(item) : NULL;
    if (item && !*out) {
        control_refuse(request->id, -EINVAL, "%s: not a string", name);
        return false;
    }
    return true;
}

static bool need_string(struct control_request *request, const char *name, const char **out)
{
    if (!get_string(request, name, out)) {
        return false;
    }
    if (!*out) {
        control_refuse(request->id, -EINVAL, "%s: missing", name);
    }
    return *out != NULL;
}

static bool get_number(struct control_request *request, const char *name, uint64_t *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request->header, name);
    *out = 0;
    if (item && (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < 1e18))) {
        control_refuse(request->id, -EINVAL, "%s: not a number from 0 to 10^18", name);
        return false;
    }
    if (item) {
        *out = (uint64_t)item->valuedouble;
    }
    return true;
}

static bool get_bool(struct control_request *request, const char *name, bool *out)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(request->header, name);
    *out = cJSON_IsTrue(item);
    if (item && !cJSON_IsBool(item)) {
        control_refuse(request->id, -EINVAL, "%s: not true or false", name);
        return false;
    }
    return true;
}

/* The ids of the keys whose owners may sign for this kernel. */
static void add_keys(cJSON *answer)
{
    uint32_t count;
    const uint8_t(*keys)[SIGNATURE_KEY] = admit_keys(&count);
    cJSON *array = cJSON_AddArrayToObject(answer, "keys");
    for (uint32_t i = 0; i < count; i++) {
        uint8_t id[SIGNATURE_KEY_ID];
        char text[SIGNATURE_ID_TEXT];
        signature_key_id(keys[i], id);
        signature_id_text(id, text);
        cJSON_AddItemToArray(array, cJSON_CreateString(text));
    }
}

static void op_hello(struct control_request *request)
{
    cJSON *answer = control_answer(request->id);
    report_number(answer, "protocol", 1);
    cJSON_AddStringToObject(answer, "version", QUINCE_VERSION);
    cJSON_AddStringToObject(answer, "image", "quince");
    report_number(answer, "uptime_ns", clock_now());
    cJSON_AddStringToObject(answer, "arch", QUINCE_ARCH);
    cJSON_AddBoolToObject(answer, "compiler", wasm_has_compiler());
    cJSON_AddBoolToObject(answer, "signed_only", !wasm_has_compiler() || admit_signed_only());
    add_keys(answer);
    report_number(answer, "cpus", 1);
    control_send(request->id, answer, NULL, 0);
}

/* Load and unload: on the loader's thread. */

struct job {
    struct work work;
    struct control_request *request;
};
static unsigned pending;

static void submit(struct control_request *request, void (*fn)(struct work *work))
{
    struct job *job = NULL;
    if (__atomic_add_fetch(&pending, 1, __ATOMIC_RELAXED) > PENDING_MAX) {
        control_refuse(request->id, -EBUSY, "%d loads and unloads are waiting", PENDING_MAX);
    } else if (!(job = kmalloc(sizeof *job))) {
        control_refuse(request->id, -ENOMEM, "out of memory");
    }
    if (!job) {
        __atomic_sub_fetch(&pending, 1, __ATOMIC_RELAXED);
        control_request_free(request);
        return;
    }
    *job = (struct job){.work.fn = fn, .request = request};
    loader_submit(&job->work);
}

static void job_done(struct job *job)
{
    control_request_free(job->request);
    kfree(job);
    __atomic_sub_fetch(&pending, 1, __ATOMIC_RELAXED);
}

struct load_args {
    struct load_request load;
    const char *grants[GRANTS_MAX];
    struct setting settings[SETTINGS_MAX];
};

static bool get_grants(struct control_request *request, struct load_args *args)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(request->header, "grant"), *item;
    bool good = !list || cJSON_IsArray(list);
    cJSON_ArrayForEach(item, list)
    {
        const char *name = cJSON_GetStringValue(item);
        good = good && name && args->load.grant_count < GRANTS_MAX;
        if (good) {
            args->grants[args->load.grant_count++] = name;
        }
    }
    if (!good) {
        control_refuse(request->id, -EINVAL, "grant: not an array of at most %d strings",
                       GRANTS_MAX);
    }
    args->load.grants = args->grants;
    return good;
}

static bool get_settings(struct control_request *request, struct load_args *args)
{
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(request->header, "config"), *item;
    bool good = !list || cJSON_IsObject(list);
    cJSON_ArrayForEach(item, list)
    {
        const char *value = cJSON_GetStringValue(item);
        good = good && value && args->load.setting_count < SETTINGS_MAX;
        if (good) {
            args->settings[args->load.setting_count++] = (struct setting){item->string, value};
        }
    }
    if (!good) {
        control_refuse(request->id, -EINVAL, "config: not an object of at most %d strings",
                       SETTINGS_MAX);
    }
    args->load.settings = args->settings;
    return good;
}

static bool get_load(struct control_request *request, struct load_args *args)
{
    struct load_request *load = &args->load;
    load->bytes = request->body;
    load->len = request->body_len;
    return get_string(request, "name", &load->name) && get_string(request, "file", &load->file) &&
           get_number(request, "budget_ns", &load->budget_ns) &&
           get_number(request, "memory", &load->memory) && get_grants(request, args) &&
           get_settings(request, args);
}

static void run_load(struct work *work)
{
    struct job *job = list_entry(work, struct job, work);
    struct control_request *request = job->request;
    struct load_args *args = kcalloc(1, sizeof *args);
    if (!args) {
        control_refuse(request->id, -ENOMEM, "out of memory");
    } else if (get_load(request, args)) {
        struct load_result result;
        extension_load(&args->load, &result);
        if (result.error) {
            control_refuse(request->id, result.error, "%s", result.reason);
        } else {
            cJSON *answer = control_answer(request->id);
            cJSON_AddStringToObject(answer, "name", result.name);
            report_number(answer, "handle", result.handle);
            report_number(answer, "code_bytes", result.code_bytes);
            report_number(answer, "compile_ns", result.compile_ns);
            report_number(answer, "init_ns", result.init_ns);
            control_send(request->id, answer, NULL, 0);
        }
    }
    kfree(args);
    job_done(job);
}

static void run_unload(struct work *work)
{
    struct job *job = list_entry(work, struct job, work);
    struct control_request *request = job->request;
    const char *name;
    if (need_string(request, "name", &name)) {
        char reason[EXTENSION_REASON];
        uint64_t freed;
        int error = extension_unload(name, &freed, reason, sizeof reason);
        if (error) {
            control_refuse(request->id, error, "%s", reason);
        } else {
            cJSON *answer = control_answer(request->id);
            report_number(answer, "freed_bytes", freed);
            control_send(request->id, answer, NULL, 0);
        }
    }
    job_done(job);
}

static void op_load(struct control_request *request)
{
    submit(request, run_load);
}

static void op_unload(struct control_request *request)
{
    submit(request, run_unload);
}

static void op_list(struct control_request *request)
{
    cJSON *answer = control_answer(request->id);
    report_extensions(answer, NULL);
    control_send(request->id, answer, NULL, 0);
}

static void op_stats(struct control_request *request)
{
    const char *name;
    if (!get_string(request, "name", &name)) {
        return;
    }
    cJSON *answer = control_answer(request->id);
    report_machine(answer);
    if (!report_extensions(answer, name)) {
        cJSON_Delete(answer);
        control_refuse(request->id, -ENOENT, "no extension '%.40s'", name);
        return;
    }
    control_send(request->id, answer, NULL, 0);
}

static void op_logs(struct control_request *request)
{
    bool follow;
    uint64_t cursor;
    if (!get_bool(request, "follow", &follow) || !get_number(request, "since", &cursor)) {
        return;
    }
    if (follow) {
        int error = stream_logs(request->id, cursor);
        if (error) {
            control_refuse(request->id, error, "no more streams");
        }
        return;
    }
    char *text = kmalloc(LOG_CHUNK);
    size_t len = text ? klog_read(&cursor, text, LOG_CHUNK) : 0;
    cJSON *answer = text ? control_answer(request->id) : NULL;
    report_number(answer, "cursor", cursor);
    control_send(request->id, answer, text, (uint32_t)len);
    kfree(text);
}

/* The extension that `name` says, with a reference; refuses the request otherwise. */
static struct extension *named_extension(struct control_request *request)
{
    const char *name;
    if (!need_string(request, "name", &name)) {
        return NULL;
    }
    struct extension *ext = extension_get(name);
    if (!ext) {
        control_refuse(request->id, -ENOENT, "no extension '%.40s'", name);
    }
    return ext;
}

static void op_map_list(struct control_request *request)
{
    struct extension *ext = named_extension(request);
    if (ext) {
        cJSON *answer = control_answer(request->id);
        report_maps(answer, ext);
        control_send(request->id, answer, NULL, 0);
        extension_put(ext);
    }
}

/* A map in frames of whole entries; all but the last say "more". */
static void dump(struct control_request *request, struct map *map, uint8_t *chunk)
{
    const struct map_spec *spec = map_spec(map);
    uint32_t cursor = 0;
    bool more = true;
    while (more) {
        size_t len = map_dump(map, &cursor, chunk, DUMP_CHUNK);
        more = cursor < spec->max;
        cJSON *answer = control_answer(request->id);
        report_number(answer, "key", spec->key);
        report_number(answer, "value", spec->value);
        report_number(answer, "count", len / (spec->key + spec->value));
        if (more) {
            cJSON_AddTrueToObject(answer, "more");
        }
        if (!answer || !control_send(request->id, answer, chunk, (uint32_t)len)) {
            return;
        }
    }
}

static void op_map_dump(struct control_request *request)
{
    const char *name;
    struct extension *ext = named_extension(request);
    if (!ext) {
        return;
    }
    if (need_string(request, "map", &name)) {
        struct map *map = extension_map(ext, name);
        uint8_t *chunk = map ? kmalloc(DUMP_CHUNK) : NULL;
        if (!map) {
            control_refuse(request->id, -ENOENT, "no map '%.40s'", name);
        } else if (!chunk) {
            control_refuse(request->id, -ENOMEM, "out of memory");
        } else {
            dump(request, map, chunk);
        }
        kfree(chunk);
    }
    extension_put(ext);
}

/* What a ring holds now. */
static void read_ring(struct control_request *request, struct ring *ring)
{
    struct ring_cursor cursor = {0, 0};
    uint64_t lost = 0;
    uint8_t *chunk = kmalloc(READ_CHUNK);
    bool more = chunk != NULL;
    if (!chunk) {
        control_refuse(request->id, -ENOMEM, "out of memory");
    }
    while (more) {
        int len = ring_read(ring, &cursor, chunk, READ_CHUNK, &lost);
        more = len > 0 && ring_has(ring, &cursor);
        cJSON *answer = control_answer(request->id);
        report_number(answer, "lost", lost);
        if (more) {
            cJSON_AddTrueToObject(answer, "more");
        }
        more = control_send(request->id, answer, chunk, len > 0 ? (uint32_t)len : 0) && more;
    }
    kfree(chunk);
}

static void op_ring_read(struct control_request *request)
{
    const char *name;
    bool follow;
    struct extension *ext = named_extension(request);
    if (!ext) {
        return;
    }
    if (need_string(request, "ring", &name) && get_bool(request, "follow", &follow)) {
        struct ring *ring = extension_ring(ext, name);
        if (!ring) {
            control_refuse(request->id, -ENOENT, "no ring '%.40s'", name);
        } else if (follow) {
            int error = stream_ring(request->id, ring);
            if (error) {
                control_refuse(request->id, error, "no more streams");
            }
        } else {
            read_ring(request, ring);
        }
    }
    extension_put(ext);
}

static void op_cancel(struct control_request *request)
{
    uint64_t stream;
    if (!get_number(request, "stream", &stream)) {
        return;
    }
    if (stream > UINT32_MAX || stream_cancel((uint32_t)stream) != 0) {
        control_refuse(request->id, -ENOENT, "no such stream");
        return;
    }
    control_send(request->id, control_answer(request->id), NULL, 0);
}

static void op_shutdown(struct control_request *request)
{
    uint64_t code;
    if (!get_number(request, "code", &code)) {
        return;
    }
    if (code > 127) {
        control_refuse(request->id, -EINVAL, "code: not a number from 0 to 127");
        return;
    }
    control_send(request->id, control_answer(request->id), NULL, 0);
    klog(LOG_INFO, "shut down by the operator");
    cpu_exit((int)code);
}

/* KEEPS: the operation frees the request itself, later. */
static const struct control_op {
    const char *name;
    void (*fn)(struct control_request *request);
    bool keeps;
} control_ops[] = {
    {"hello", op_hello, false},         {"load", op_load, true},
    {"unload", op_unload, true},        {"list", op_list, false},
    {"stats", op_stats, false},         {"logs", op_logs, false},
    {"map.list", op_map_list, false},   {"map.dump", op_map_dump, false},
    {"ring.read", op_ring_read, false}, {"cancel", op_cancel, false},
    {"shutdown", op_shutdown, false},
};

void control_handle(struct control_request *request)
{
    const char *name;
    if (!need_string(request, "op", &name)) {
        control_request_free(request);
        return;
    }
    for (unsigned i = 0; i < sizeof control_ops / sizeof *control_ops; i++) {
        if (strcmp(name, control_ops[i].name) == 0) {
            control_ops[i].fn(request);
            if (!control_ops[i].keeps) {
                control_request_free(request);
            }
            return;
        }
    }
    control_refuse(request->id, -ENOSYS, "op: there is no '%.40s'", name);
    control_request_free(request);
}
