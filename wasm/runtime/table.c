/* Tables and globals. */
#include "runtime/instance.h"

#include <string.h>

static bool quota_take(struct instance *owner, uint64_t elements)
{
    if (!owner)
        return true;
    if (elements > owner->max_elements || owner->elements > owner->max_elements - elements)
        return false;
    owner->elements += elements;
    return true;
}

struct table_object *table_create(struct instance *owner, uint8_t type, uint32_t min, bool has_max,
                                  uint32_t max)
{
    if (min > WASM_DEFAULT_ELEMENTS || !quota_take(owner, min))
        return NULL;
    struct table_object *t = wasm_host_alloc(sizeof(*t));
    if (!t)
        return NULL;
    memset(t, 0, sizeof(*t));
    t->object.kind = WASM_TABLE;
    t->object.owner = owner ? &owner->abi : NULL;
    t->object.has_max = has_max;
    t->object.declared_max = max;
    t->table.type = type;
    t->table.max = has_max && max < WASM_DEFAULT_ELEMENTS ? max : WASM_DEFAULT_ELEMENTS;
    t->table.size = min;
    t->table.references = 1;
    if (min) {
        t->table.elements = wasm_host_alloc((size_t)min * sizeof(void *));
        if (!t->table.elements) {
            wasm_host_free(t);
            return NULL;
        }
        memset(t->table.elements, 0, (size_t)min * sizeof(void *));
    }
    return t;
}

void table_destroy(struct table_object *table)
{
    wasm_host_free(table->table.elements);
    wasm_host_free(table);
}

uint32_t table_grow(struct wasm_table *table, uint32_t count, void *value)
{
    uint32_t old = table->size;
    if (!count)
        return old;
    if (count > table->max || old > table->max - count)
        return UINT32_MAX;
    struct object *object = table_object(table);
    struct instance *owner = object->owner ? instance_of(object->owner) : NULL;
    if (!quota_take(owner, count))
        return UINT32_MAX;
    void **elements = wasm_host_realloc(table->elements, ((size_t)old + count) * sizeof(void *));
    if (!elements) {
        if (owner)
            owner->elements -= count;
        return UINT32_MAX;
    }
    for (uint32_t i = 0; i < count; i++)
        elements[old + i] = value;
    table->elements = elements;
    table->size = old + count;
    return old;
}

struct wasm_table *wasm_table_new(uint8_t type, uint32_t min, uint32_t max)
{
    if (min > max || (type != WASM_FUNCREF && type != WASM_EXTERNREF))
        return NULL;
    struct table_object *t = table_create(NULL, type, min, true, max);
    return t ? &t->table : NULL;
}

struct wasm_global *wasm_global_new(uint8_t type, bool mutable_, union wasm_value value)
{
    struct global_object *g = wasm_host_alloc(sizeof(*g));
    if (!g)
        return NULL;
    memset(g, 0, sizeof(*g));
    g->object.kind = WASM_GLOBAL;
    g->global.value = value;
    g->global.type = type;
    g->global.mutable_ = mutable_;
    g->global.references = 1;
    return &g->global;
}

void global_destroy(struct global_object *global)
{
    wasm_host_free(global);
}

union wasm_value wasm_global_get(const struct wasm_global *global)
{
    return global->value;
}
