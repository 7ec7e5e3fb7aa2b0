/* Linear memories: a reservation that covers every address an access can form, of which only the
 * memory's size is accessible. Growing commits pages; the base never moves. */
#include "runtime/instance.h"

#include <string.h>

/* Takes PAGES of the owner's quota. */
static bool quota_take(struct instance *owner, uint64_t pages)
{
    if (!owner)
        return true;
    if (pages > owner->max_pages || owner->pages > owner->max_pages - pages)
        return false;
    owner->pages += pages;
    return true;
}

struct memory_object *memory_create(struct instance *owner, const struct module_limits *limits)
{
    uint64_t min = limits->min, max = limits->max;
    /* Who shares a memory may make it grow when its owner is gone: all of it is paid for now. */
    if (min > MEMORY_MAX_PAGES || !quota_take(owner, limits->shared ? max : min))
        return NULL;
    struct memory_object *m = wasm_host_alloc(sizeof(*m));
    if (!m)
        return NULL;
    memset(m, 0, sizeof(*m));
    m->object.kind = WASM_MEMORY;
    m->object.owner = owner && !limits->shared ? &owner->abi : NULL;
    m->object.has_max = limits->has_max;
    m->object.declared_max = max;
    m->memory.flags =
        (limits->shared ? WASM_MEMORY_SHARED : 0u) | (limits->is64 ? WASM_MEMORY_64 : 0u);
    m->memory.max_pages = limits->has_max && max < MEMORY_MAX_PAGES ? max : MEMORY_MAX_PAGES;
    m->memory.reserved = MEMORY_RESERVATION;
    m->memory.references = 1;
    m->memory.base = wasm_host_reserve(MEMORY_RESERVATION, 4096);
    if (!m->memory.base) {
        wasm_host_free(m);
        return NULL;
    }
    if (min && !wasm_host_commit(m->memory.base, (size_t)(min * WASM_PAGE_SIZE))) {
        memory_destroy(m);
        return NULL;
    }
    m->memory.size = min * WASM_PAGE_SIZE;
    return m;
}

void memory_destroy(struct memory_object *memory)
{
    wasm_host_release(memory->memory.base, (size_t)memory->memory.reserved);
    wasm_host_free(memory);
}

void memory_share(struct wasm_memory *memory)
{
    __atomic_fetch_add(&memory->references, 1, __ATOMIC_RELAXED);
}

void memory_unshare(struct wasm_memory *memory)
{
    if (__atomic_sub_fetch(&memory->references, 1, __ATOMIC_ACQ_REL) == 0)
        memory_destroy((struct memory_object *)memory);
}

static uint64_t grow(struct wasm_memory *memory, uint64_t pages)
{
    uint64_t old = memory->size / WASM_PAGE_SIZE;
    if (!pages)
        return old;
    if (pages > memory->max_pages || old > memory->max_pages - pages)
        return ~0ull;
    struct object *object = memory_object(memory);
    struct instance *owner = object->owner ? instance_of(object->owner) : NULL;
    if (!quota_take(owner, pages))
        return ~0ull;
    if (!wasm_host_commit(memory->base + memory->size, (size_t)(pages * WASM_PAGE_SIZE))) {
        if (owner)
            owner->pages -= pages;
        return ~0ull;
    }
    __atomic_store_n(&memory->size, memory->size + pages * WASM_PAGE_SIZE, __ATOMIC_RELEASE);
    return old;
}

uint64_t memory_grow(struct wasm_memory *memory, uint64_t pages)
{
    if (!(memory->flags & WASM_MEMORY_SHARED))
        return grow(memory, pages);
    wasm_host_lock();
    uint64_t old = grow(memory, pages);
    wasm_host_unlock();
    return old;
}

static struct wasm_memory *memory_new(uint64_t min_pages, uint64_t max_pages, bool shared)
{
    struct module_limits limits = {
        .min = min_pages, .max = max_pages, .has_max = true, .shared = shared};
    struct memory_object *m = min_pages > max_pages ? NULL : memory_create(NULL, &limits);
    return m ? &m->memory : NULL;
}

struct wasm_memory *wasm_memory_new(uint64_t min_pages, uint64_t max_pages)
{
    return memory_new(min_pages, max_pages, false);
}

struct wasm_memory *wasm_memory_new_shared(uint64_t min_pages, uint64_t max_pages)
{
    return memory_new(min_pages, max_pages, true);
}

uint8_t *wasm_memory_data(struct wasm_memory *memory)
{
    return memory->base;
}

uint64_t wasm_memory_size(const struct wasm_memory *memory)
{
    return memory->size;
}

struct wasm_memory *wasm_instance_memory(struct wasm_instance *instance, uint32_t index)
{
    return index < instance_of(instance)->module->info.memory_count ? instance->memories[index]
                                                                    : NULL;
}

void *wasm_memory_at(struct wasm_instance *instance, uint64_t addr, uint64_t len)
{
    if (!instance_of(instance)->module->info.memory_count)
        return NULL;
    const struct wasm_memory *memory = instance->memories[0];
    if (len > memory->size || addr > memory->size - len)
        return NULL;
    return memory->base + addr;
}
