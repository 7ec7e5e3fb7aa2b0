/* The operator's view: see report.h and docs/control-protocol.md. */
#include "extend/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/vm.h"
#include "net/netdev.h"
#include "sched/thread.h"
#include "time/clock.h"

#pragma weak netdev_for_each

const char *report_errno(int error)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EPERM, "EPERM"},
        {ENOENT, "ENOENT"},
        {EIO, "EIO"},
        {E2BIG, "E2BIG"},
        {ENOMEM, "ENOMEM"},
        {EFAULT, "EFAULT"},
        {EBUSY, "EBUSY"},
        {EEXIST, "EEXIST"},
        {ENODEV, "ENODEV"},
        {EINVAL, "EINVAL"},
        {ENOSPC, "ENOSPC"},
        {EPIPE, "EPIPE"},
        {ENOSYS, "ENOSYS"},
        {EPROTO, "EPROTO"},
        {EOVERFLOW, "EOVERFLOW"},
        {EMSGSIZE, "EMSGSIZE"},
        {ENOTSUP, "ENOTSUP"},
        {ETIMEDOUT, "ETIMEDOUT"},
        {ECANCELED, "ECANCELED"},
        {EAGAIN, "EAGAIN"},
        {ENOKEY, "ENOKEY"},
        {EBADMSG, "EBADMSG"},
        {EKEYREJECTED, "EKEYREJECTED"},
        {ESTALE, "ESTALE"},
        {EBADF, "EBADF"},
    };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].number == -error) {
            return names[i].name;
        }
    }
    return "EIO";
}

void report_number(cJSON *object, const char *name, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    cJSON_AddRawToObject(object, name, digits);
}

static void add_signed(cJSON *object, const char *name, int32_t value)
{
    cJSON_AddNumberToObject(object, name, value);
}

/* Bytes of its linear memory, or ~0 while it is being started or stopped. */
static uint64_t memory_bytes(struct extension *ext)
{
    uint64_t bytes = UINT64_MAX;
    if (mutex_trylock(&ext->call_lock)) {
        struct running *running = ext->running; /* not freed while call_lock is held */
        struct wasm_memory *memory = running ? wasm_instance_memory(running->instance, 0) : NULL;
        bytes = memory ? wasm_memory_size(memory) : 0;
        mutex_unlock(&ext->call_lock);
    }
    return bytes;
}

static void add_rings(cJSON *object, struct extension *ext)
{
    cJSON *rings = cJSON_AddArrayToObject(object, "rings");
    for (uint32_t i = 0; i < ext->manifest.ring_count; i++) {
        struct ring_stats stats;
        ring_stats(ext->rings[i], &stats);
        cJSON *ring = cJSON_CreateObject();
        cJSON_AddStringToObject(ring, "name", ext->manifest.rings[i].name);
        report_number(ring, "size", ext->manifest.rings[i].size);
        report_number(ring, "written", stats.written);
        report_number(ring, "overwritten", stats.overwritten);
        report_number(ring, "refused", stats.refused);
        cJSON_AddItemToArray(rings, ring);
    }
}

void report_maps(cJSON *object, struct extension *ext)
{
    cJSON *maps = cJSON_AddArrayToObject(object, "maps");
    for (uint32_t i = 0; i < ext->manifest.map_count; i++) {
        const struct map_spec *spec = &ext->manifest.maps[i];
        cJSON *map = cJSON_CreateObject();
        cJSON_AddStringToObject(map, "name", spec->name);
        cJSON_AddStringToObject(map, "kind", map_kind_name(spec->kind));
        report_number(map, "key", spec->key);
        report_number(map, "value", spec->value);
        report_number(map, "max", spec->max);
        report_number(map, "count", map_count(ext->maps[i]));
        cJSON_AddItemToArray(maps, map);
    }
}

static void add_faults(cJSON *object, struct extension *ext)
{
    char fault[EXTENSION_REASON], trace[EXTENSION_BACKTRACE];
    cpu_irq_state state = spin_lock(&ext->note_lock);
    memcpy(fault, ext->last_fault, sizeof fault);
    memcpy(trace, ext->backtrace, sizeof trace);
    spin_unlock(&ext->note_lock, state);
    report_number(object, "faults", ext->faults);
    cJSON_AddStringToObject(object, "last_fault", fault);
    cJSON_AddStringToObject(object, "backtrace", trace);
}

static void add_authority(cJSON *object, const struct extension *ext)
{
    cJSON *hooks = cJSON_AddArrayToObject(object, "hooks");
    for (uint32_t i = 0; i < ext->manifest.hook_count; i++) {
        cJSON *hook = cJSON_CreateObject();
        cJSON_AddStringToObject(hook, "point", ext->manifest.hooks[i].point);
        add_signed(hook, "prio", ext->manifest.hooks[i].prio);
        cJSON_AddItemToArray(hooks, hook);
    }
    cJSON *grants = cJSON_AddArrayToObject(object, "grants");
    for (unsigned i = 0; grant_name(i); i++) {
        if (ext->authority & 1u << i) {
            cJSON_AddItemToArray(grants, cJSON_CreateString(grant_name(i)));
        }
    }
}

static cJSON *describe(struct extension *ext)
{
    static const char *const verdicts[] = {"aborted", "drop", "pass", "tx", "redirect"};
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", ext->name);
    report_number(object, "handle", ext->handle);
    cJSON_AddStringToObject(object, "state", extension_state_name(ext->state));
    if (ext->signed_by[0]) {
        cJSON_AddStringToObject(object, "signed_by", ext->signed_by);
    }
    add_authority(object, ext);
    uint64_t bytes = memory_bytes(ext);
    if (bytes != UINT64_MAX) {
        report_number(object, "memory_bytes", bytes);
    }
    report_number(object, "state_bytes", extension_state_bytes(ext));
    report_number(object, "code_bytes", wasm_module_code_size(ext->module));
    report_number(object, "runs", ext->usage.runs);
    report_number(object, "time_ns", ext->usage.time_ns);
    report_number(object, "longest_ns", ext->usage.longest_ns);
    report_number(object, "budget_ns", ext->budget.call_ns);
    cJSON *counts = cJSON_AddObjectToObject(object, "verdicts");
    for (unsigned i = 0; i <= VERDICT_REDIRECT; i++) {
        report_number(counts, verdicts[i], ext->verdicts[i]);
    }
    add_faults(object, ext);
    report_number(object, "loaded_ns", ext->loaded_ns);
    report_number(object, "compile_ns", ext->compile_ns);
    report_number(object, "init_ns", ext->init_ns);
    report_maps(object, ext);
    add_rings(object, ext);
    return object;
}

struct list_request {
    cJSON *array;
    const char *name;
    bool found;
};

static bool add_extension(struct extension *ext, void *context)
{
    struct list_request *request = context;
    if (!request->name || strcmp(request->name, ext->name) == 0) {
        cJSON_AddItemToArray(request->array, describe(ext));
        request->found = true;
    }
    return true;
}

static cJSON *describe_failure(const struct load_failure *failure)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "name", failure->name);
    cJSON_AddStringToObject(object, "state", "failed");
    cJSON_AddStringToObject(object, "error", report_errno(failure->error));
    cJSON_AddStringToObject(object, "last_fault", failure->reason);
    report_number(object, "loaded_ns", failure->at);
    return object;
}

bool report_extensions(cJSON *object, const char *name)
{
    struct list_request request = {cJSON_AddArrayToObject(object, "extensions"), name, !name};
    extension_for_each(add_extension, &request);
    struct load_failure *failures = kmalloc(EXTENSION_FAILURES * sizeof *failures);
    unsigned count = failures ? extension_failures(failures) : 0;
    for (unsigned i = 0; i < count; i++) {
        if (!name || strcmp(name, failures[i].name) == 0) {
            cJSON_AddItemToArray(request.array, describe_failure(&failures[i]));
            request.found = true;
        }
    }
    kfree(failures);
    return request.found;
}

/* The machine. Threads are copied first: the scheduler's lock is held while they are visited. */

enum { THREADS_SHOWN = 64 };
struct thread_copy {
    uint32_t id;
    enum thread_state state;
    uint64_t cpu_ns;
    char name[24];
};
struct thread_list {
    unsigned count;
    struct thread_copy threads[THREADS_SHOWN];
};

static bool copy_thread(struct thread *thread, void *context)
{
    struct thread_list *list = context;
    struct thread_copy *copy = &list->threads[list->count++];
    copy->id = thread->id;
    copy->state = thread->state;
    copy->cpu_ns = thread_cpu_ns(thread);
    memcpy(copy->name, thread->name, sizeof copy->name);
    copy->name[sizeof copy->name - 1] = 0;
    return list->count < THREADS_SHOWN;
}

static void add_threads(cJSON *object)
{
    static const char *const states[] = {"ready", "running", "blocked", "dead"};
    cJSON *array = cJSON_AddArrayToObject(object, "threads");
    struct thread_list *list = kmalloc(sizeof *list);
    if (!list) {
        return;
    }
    list->count = 0;
    thread_for_each(copy_thread, list);
    for (unsigned i = 0; i < list->count; i++) {
        cJSON *thread = cJSON_CreateObject();
        report_number(thread, "id", list->threads[i].id);
        cJSON_AddStringToObject(thread, "name", list->threads[i].name);
        cJSON_AddStringToObject(thread, "state", states[list->threads[i].state]);
        report_number(thread, "cpu_ns", list->threads[i].cpu_ns);
        cJSON_AddItemToArray(array, thread);
    }
    kfree(list);
}

static void add_device(const struct netdev *dev, void *net)
{
    cJSON *entry = cJSON_AddObjectToObject(net, dev->name);
    report_number(entry, "rx_packets", dev->rx_packets);
    report_number(entry, "rx_bytes", dev->rx_bytes);
    report_number(entry, "tx_packets", dev->tx_packets);
    report_number(entry, "tx_bytes", dev->tx_bytes);
    report_number(entry, "rx_dropped", dev->rx_dropped);
    report_number(entry, "tx_dropped", dev->tx_dropped);
}

static void add_network(cJSON *object)
{
    cJSON *net = cJSON_AddObjectToObject(object, "net");
    if (netdev_for_each) {
        netdev_for_each(add_device, net);
    }
}

void report_machine(cJSON *object)
{
    struct frame_stats frames;
    struct heap_stats heap;
    frame_stats(&frames);
    heap_stats(&heap);
    cJSON *machine = cJSON_AddObjectToObject(object, "machine");
    report_number(machine, "uptime_ns", clock_now());
    cJSON *memory = cJSON_AddObjectToObject(machine, "memory");
    report_number(memory, "total", frames.total * PAGE_SIZE);
    report_number(memory, "free", frames.free * PAGE_SIZE);
    report_number(memory, "heap_used", heap.used);
    report_number(memory, "heap_reserved", heap.reserved);
    report_number(memory, "heap_blocks", heap.blocks);
    report_number(memory, "mapped", vm_mapped_bytes());
    add_threads(machine);
    add_network(machine);
}
