/* The registry of extensions, loading and unloading: see extension.h. */
#include "extend/extension.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/random.h"
#include "extend/admit.h"
#include "extend/hook.h"
#include "extend/worker.h"
#include "log.h"
#include "mm/heap.h"
#include "sched/thread.h"
#include "time/clock.h"

#define COMPILE_TIMEOUT (20 * NS_PER_S)

static struct mutex registry_lock;
static LIST_HEAD(registry);
static unsigned loaded;
static uint32_t last_handle;
/* A failed load must cost no memory that stays: notes are kept in place. */
static struct load_failure failures[EXTENSION_FAILURES];
static unsigned failure_count;

const char *extension_state_name(enum extension_state state)
{
    static const char *const names[] = {"loading", "attached", "restarting", "quarantined",
                                        "detached"};
    return names[state];
}

void extension_for_each(bool (*fn)(struct extension *ext, void *context), void *context)
{
    mutex_lock(&registry_lock);
    list_for_each(node, &registry)
    {
        if (!fn(list_entry(node, struct extension, node), context)) {
            break;
        }
    }
    mutex_unlock(&registry_lock);
}

/* With registry_lock held. */
static struct extension *find(const char *name)
{
    list_for_each(node, &registry)
    {
        struct extension *ext = list_entry(node, struct extension, node);
        if (strcmp(ext->name, name) == 0) {
            return ext;
        }
    }
    return NULL;
}

struct extension *extension_get(const char *name)
{
    mutex_lock(&registry_lock);
    struct extension *ext = find(name);
    if (ext) {
        __atomic_add_fetch(&ext->references, 1, __ATOMIC_RELAXED);
    }
    mutex_unlock(&registry_lock);
    return ext;
}

static void destroy(struct extension *ext)
{
    running_stop(ext->running);
    running_stop(ext->broken);
    for (uint32_t i = 0; i < MANIFEST_MAPS; i++) {
        map_free(ext->maps[i]);
    }
    for (uint32_t i = 0; i < MANIFEST_RINGS; i++) {
        ring_release(ext->rings[i]);
    }
    if (ext->module) {
        wasm_module_release(ext->module);
    }
    kfree(ext->settings);
    kfree(ext);
}

void extension_put(struct extension *ext)
{
    if (__atomic_sub_fetch(&ext->references, 1, __ATOMIC_ACQ_REL) == 0) {
        destroy(ext);
    }
}

uint64_t extension_state_bytes(const struct extension *ext)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ext->manifest.map_count; i++) {
        bytes += map_bytes(ext->maps[i]);
    }
    for (uint32_t i = 0; i < ext->manifest.ring_count; i++) {
        bytes += ring_bytes(ext->rings[i]);
    }
    return bytes;
}

struct map *extension_map(struct extension *ext, const char *name)
{
    for (uint32_t i = 0; i < ext->manifest.map_count; i++) {
        if (strcmp(ext->manifest.maps[i].name, name) == 0) {
            return ext->maps[i];
        }
    }
    return NULL;
}

struct ring *extension_ring(struct extension *ext, const char *name)
{
    for (uint32_t i = 0; i < ext->manifest.ring_count; i++) {
        if (strcmp(ext->manifest.rings[i].name, name) == 0) {
            return ext->rings[i];
        }
    }
    return NULL;
}

/* Failures. */

static bool forget_failure(const char *name) /* registry_lock held */
{
    unsigned kept = 0;
    for (unsigned i = 0; i < failure_count; i++) {
        if (strcmp(failures[i].name, name) != 0) {
            failures[kept++] = failures[i];
        }
    }
    bool found = kept != failure_count;
    failure_count = kept;
    return found;
}

static void remember_failure(const char *name, const struct load_result *result)
{
    mutex_lock(&registry_lock);
    forget_failure(name);
    if (failure_count == EXTENSION_FAILURES) {
        memmove(failures, failures + 1, sizeof failures - sizeof *failures);
        failure_count--;
    }
    struct load_failure *failure = &failures[failure_count++];
    *failure = (struct load_failure){.at = clock_now(), .error = result->error};
    snprintf(failure->name, sizeof failure->name, "%s", name);
    snprintf(failure->reason, sizeof failure->reason, "%s", result->reason);
    mutex_unlock(&registry_lock);
    klog(LOG_WARN, "extension %s not loaded: %s", name, result->reason);
}

unsigned extension_failures(struct load_failure out[EXTENSION_FAILURES])
{
    mutex_lock(&registry_lock);
    unsigned count = failure_count;
    memcpy(out, failures, count * sizeof *out);
    mutex_unlock(&registry_lock);
    return count;
}

/* Loading: each step returns 0 or -errno and fills the reason. */

static int take_module(struct extension *ext, const struct load_request *request,
                       struct load_result *result)
{
    uint64_t start = clock_now();
    struct wasm_load_options options = {
        .max_module_size = request->len, .deadline_ns = start + COMPILE_TIMEOUT, .debugger = true};
    int error;
    ext->module = admit_module(request->bytes, request->len, &options, ext->signed_by, &error,
                               result->reason, sizeof result->reason);
    ext->compile_ns = clock_now() - start;
    return error;
}

static int read_manifest(struct extension *ext, const struct load_request *request,
                         struct load_result *result)
{
    struct manifest *manifest = &ext->manifest;
    struct manifest_error err;
    manifest_init(manifest);
    bool good = true;
    size_t len;
    const uint8_t *section;
    for (uint32_t n = 0;
         good && (section = wasm_module_custom(ext->module, "quince", n, &len)) != NULL; n++) {
        good = manifest_parse(manifest, (const char *)section, len, &err);
    }
    good = good && manifest_finish(manifest, &err);
    snprintf(ext->name, sizeof ext->name, "%s", request->name ? request->name : manifest->name);
    if (!good) {
        snprintf(result->reason, sizeof result->reason, "manifest: %s", err.message);
        return -EINVAL;
    }
    ext->budget = budget_decide(manifest, request->budget_ns);
    uint64_t memory = manifest->memory;
    if (request->memory && request->memory < memory) {
        memory = request->memory;
    }
    ext->max_pages = memory / WASM_PAGE_SIZE;
    if (ext->max_pages == 0) {
        snprintf(result->reason, sizeof result->reason, "memory: less than one page of 64K");
        return -EINVAL;
    }
    return grant_decide(manifest, request->grants, request->grant_count, &ext->authority,
                        result->reason, sizeof result->reason);
}

static int out_of_memory(struct load_result *result, const char *what, const char *name)
{
    snprintf(result->reason, sizeof result->reason, "out of memory for %s%s", what, name);
    return -ENOMEM;
}

static int copy_settings(struct extension *ext, const struct load_request *request,
                         struct load_result *result)
{
    size_t size = request->setting_count * sizeof *ext->settings;
    for (uint32_t i = 0; i < request->setting_count; i++) {
        size += strlen(request->settings[i].name) + strlen(request->settings[i].value) + 2;
    }
    if (size == 0) {
        return 0;
    }
    ext->settings = kmalloc(size);
    if (!ext->settings) {
        return out_of_memory(result, "its settings", "");
    }
    char *to = (char *)(ext->settings + request->setting_count);
    for (uint32_t i = 0; i < request->setting_count; i++) {
        const struct setting *from = &request->settings[i];
        ext->settings[i].name = to;
        to = stpcpy(to, from->name) + 1;
        ext->settings[i].value = to;
        to = stpcpy(to, from->value) + 1;
    }
    ext->setting_count = request->setting_count;
    return 0;
}

static int make_state(struct extension *ext, struct load_result *result)
{
    uint64_t seed[2];
    random_bytes(seed, sizeof seed);
    for (uint32_t i = 0; i < ext->manifest.map_count; i++) {
        ext->maps[i] = map_new(&ext->manifest.maps[i], seed);
        if (!ext->maps[i]) {
            return out_of_memory(result, "map ", ext->manifest.maps[i].name);
        }
    }
    for (uint32_t i = 0; i < ext->manifest.ring_count; i++) {
        ext->rings[i] = ring_new(&ext->manifest.rings[i]);
        if (!ext->rings[i]) {
            return out_of_memory(result, "ring ", ext->manifest.rings[i].name);
        }
    }
    return 0;
}

/* Enters EXT into the registry, where its name is then taken. */
static int enter(struct extension *ext, struct load_result *result)
{
    int error = 0;
    mutex_lock(&registry_lock);
    if (find(ext->name)) {
        snprintf(result->reason, sizeof result->reason, "'%s' is loaded already", ext->name);
        error = -EEXIST;
    } else if (loaded == EXTENSION_MAX) {
        snprintf(result->reason, sizeof result->reason, "%d extensions are loaded already",
                 EXTENSION_MAX);
        error = -ENOSPC;
    } else {
        ext->handle = ++last_handle;
        loaded++;
        list_add_tail(&registry, &ext->node);
        forget_failure(ext->name);
    }
    mutex_unlock(&registry_lock);
    return error;
}

static void leave(struct extension *ext)
{
    mutex_lock(&registry_lock);
    list_remove(&ext->node);
    loaded--;
    mutex_unlock(&registry_lock);
}

static int initialise(struct extension *ext, struct load_result *result)
{
    uint64_t start = clock_now();
    int error = running_start(ext, &ext->running, result->reason, sizeof result->reason);
    ext->init_ns = clock_now() - start;
    return error;
}

/* Enters the registry first: a duplicate is refused before it is initialised, and what init sets (a
 * timer) finds an extension that is there. */
static int attach(struct extension *ext, struct load_result *result)
{
    int error = enter(ext, result);
    if (error) {
        return error;
    }
    mutex_lock(&ext->call_lock);
    error = initialise(ext, result);
    if (error == 0) {
        ext->state = EXTENSION_ATTACHED;
        ext->loaded_ns = clock_now();
        error = hook_attach(ext, result->reason, sizeof result->reason);
    }
    if (error) {
        ext->state = EXTENSION_DETACHED;
    }
    mutex_unlock(&ext->call_lock);
    if (error) {
        leave(ext);
    }
    return error;
}

static int load(struct extension *ext, const struct load_request *request,
                struct load_result *result)
{
    if (request->name && !manifest_name_valid(request->name)) {
        snprintf(result->reason, sizeof result->reason,
                 "name: '%.40s' is not 1 to %d of a-z 0-9 _ - .", request->name, MANIFEST_NAME - 1);
        return -EINVAL;
    }
    int error = take_module(ext, request, result);
    if (error == 0) {
        error = read_manifest(ext, request, result);
    }
    if (error == 0) {
        error = copy_settings(ext, request, result);
    }
    if (error == 0) {
        error = make_state(ext, result);
    }
    if (error == 0) {
        error = attach(ext, result);
    }
    return error;
}

void extension_load(const struct load_request *request, struct load_result *result)
{
    *result = (struct load_result){.error = -ENOMEM};
    struct extension *ext = kcalloc(1, sizeof *ext);
    if (!ext) {
        out_of_memory(result, "the extension", "");
        remember_failure(request->name ? request->name : "unnamed", result);
        return;
    }
    ext->references = 1;
    result->error = load(ext, request, result);
    if (result->error) {
        const char *given = request->name ? request->name : request->file;
        remember_failure(ext->name[0] ? ext->name : given && given[0] ? given : "unnamed", result);
        extension_put(ext);
        return;
    }
    memcpy(result->name, ext->name, sizeof result->name);
    result->handle = ext->handle;
    result->code_bytes = wasm_module_code_size(ext->module);
    result->compile_ns = ext->compile_ns;
    result->init_ns = ext->init_ns;
    klog(LOG_INFO, "extension %s loaded: %llu bytes of code", ext->name,
         (unsigned long long)result->code_bytes);
}

/* What the extension held, as far as the kernel counts it per extension. */
static uint64_t held_bytes(const struct extension *ext)
{
    uint64_t bytes = sizeof *ext + extension_state_bytes(ext) + wasm_module_code_size(ext->module);
    if (ext->running) {
        struct wasm_memory *memory = wasm_instance_memory(ext->running->instance, 0);
        bytes += (memory ? wasm_memory_size(memory) : 0) + ext->manifest.stack;
    }
    return bytes;
}

static void say_goodbye(struct extension *ext)
{
    if (ext->running && ext->running->fini &&
        running_call(ext, ext->running->fini, NULL, NULL) != WASM_TRAP_NONE) {
        klog(LOG_WARN, "%s: quince_fini trapped", ext->name);
    }
}

int extension_unload(const char *name, uint64_t *freed, char *reason, size_t size)
{
    *freed = 0;
    mutex_lock(&registry_lock);
    struct extension *ext = find(name);
    bool failure = forget_failure(name);
    if (ext) {
        list_remove(&ext->node);
        loaded--;
    }
    mutex_unlock(&registry_lock);
    if (!ext) {
        snprintf(reason, size, "no extension '%.40s'", name);
        return failure ? 0 : -ENOENT;
    }
    hook_detach(ext);
    mutex_lock(&ext->call_lock);
    ext->state = EXTENSION_DETACHED;
    say_goodbye(ext);
    *freed = held_bytes(ext);
    running_stop(ext->running);
    running_stop(ext->broken);
    ext->running = ext->broken = NULL;
    mutex_unlock(&ext->call_lock);
    /* Readers of its rings see the end and let go; a moment is enough for them unless the host does
     * not read. What they still hold then goes with them. */
    bool held = false;
    for (uint32_t i = 0; i < ext->manifest.ring_count; i++) {
        ring_close(ext->rings[i]);
        held = held || ring_references(ext->rings[i]) > 1;
    }
    held = held || __atomic_load_n(&ext->references, __ATOMIC_ACQUIRE) > 1;
    for (unsigned tries = 0; held && tries < 100; tries++) {
        thread_sleep_until(clock_now() + NS_PER_MS);
        held = __atomic_load_n(&ext->references, __ATOMIC_ACQUIRE) > 1;
        for (uint32_t i = 0; i < ext->manifest.ring_count; i++) {
            held = held || ring_references(ext->rings[i]) > 1;
        }
    }
    klog(LOG_INFO, "extension %s unloaded", ext->name);
    extension_put(ext);
    return 0;
}
