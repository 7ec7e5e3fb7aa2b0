/* Stores: sets of instances that can reach each other. */
#include "runtime/instance.h"

#include <string.h>

struct wasm_store *store_new(void)
{
    struct wasm_store *store = wasm_host_alloc(sizeof(*store));
    if (store)
        memset(store, 0, sizeof(*store));
    return store;
}

struct wasm_store *object_store(const struct object *object)
{
    return object->owner ? instance_of(object->owner)->store : object->store;
}

static void store_move(struct wasm_store *to, struct wasm_store *from)
{
    struct wasm_instance **tail = &to->members;
    while (*tail)
        tail = &instance_of(*tail)->next;
    *tail = from->members;
    for (struct wasm_instance *i = from->members; i; i = instance_of(i)->next) {
        instance_of(i)->store = to;
        i->exec = &to->exec;
    }
    struct object **end = &to->objects;
    while (*end)
        end = &(*end)->next;
    *end = from->objects;
    for (struct object *o = from->objects; o; o = o->next)
        o->store = to;
    struct wasm_exception **last = &to->exceptions;
    while (*last)
        last = &(*last)->next;
    *last = from->exceptions;
    to->exception_bytes += from->exception_bytes;
    to->holds += from->holds;
    call_unready(&from->exec);
    wasm_host_free(from);
}

bool store_unite(struct wasm_store **a, struct wasm_store *b)
{
    if (!b || *a == b)
        return true;
    if (!*a) {
        *a = b;
        return true;
    }
    /* Running code points to the execution context, so the store it runs in stays. */
    bool runs = budget_runs(b);
    if (runs && budget_runs(*a))
        return false;
    if (runs) {
        struct wasm_store *swap = *a;
        *a = b;
        b = swap;
    }
    store_move(*a, b);
    return true;
}

void store_adopt(struct wasm_store *store, struct object *object)
{
    if (object->owner || object->store)
        return;
    object->store = store;
    object->next = store->objects;
    store->objects = object;
    store->holds++; /* the embedder's; dropped by wasm_*_release() */
}

static void object_destroy(struct object *object)
{
    switch (object->kind) {
    case WASM_MEMORY:
        memory_destroy(
            (struct memory_object *)((char *)object - offsetof(struct memory_object, object)));
        break;
    case WASM_TABLE:
        table_destroy(
            (struct table_object *)((char *)object - offsetof(struct table_object, object)));
        break;
    default:
        global_destroy(
            (struct global_object *)((char *)object - offsetof(struct global_object, object)));
    }
}

void store_collect(struct wasm_store *store)
{
    if (store->holds || budget_runs(store))
        return;
    while (store->members) {
        struct instance *instance = instance_of(store->members);
        store->members = instance->next;
        instance_destroy(instance);
    }
    exceptions_free(store);
    while (store->objects) {
        struct object *object = store->objects;
        store->objects = object->next;
        object_destroy(object);
    }
    wasm_host_free(store);
}

void store_release(struct wasm_store *store)
{
    store->holds--;
    store_collect(store);
}

/* The embedder's handles. Objects of instances are only borrowed, so releasing them does nothing.
 */
static void object_release(struct object *object, uint32_t *references)
{
    if (object->owner || !*references || --*references)
        return;
    if (object->store)
        store_release(object->store);
    else
        object_destroy(object);
}

void wasm_memory_release(struct wasm_memory *memory)
{
    if (!memory)
        return;
    if (memory->flags & WASM_MEMORY_SHARED)
        memory_unshare(memory);
    else
        object_release(memory_object(memory), &memory->references);
}

void wasm_table_release(struct wasm_table *table)
{
    if (table)
        object_release(table_object(table), &table->references);
}

void wasm_global_release(struct wasm_global *global)
{
    if (global)
        object_release(global_object(global), &global->references);
}
