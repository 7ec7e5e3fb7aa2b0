/* Canonical type numbers: one process-wide table of signatures, counted, so that call_indirect
 * compares one number and unloading leaves nothing behind. */
#include "runtime/module.h"

#include <string.h>

#include "host.h"

enum { BUCKETS = 64 };

struct type_entry {
    struct type_entry *next;
    uint32_t number, references;
    uint32_t param_count, result_count;
    uint8_t types[];
};
static struct type_entry *buckets[BUCKETS];
static uint32_t last_number;

static uint32_t type_hash(const struct module_type *type)
{
    uint32_t hash = 2166136261u ^ type->result_count;
    for (uint32_t i = 0; i < type->param_count; i++)
        hash = (hash ^ type->params[i]) * 16777619u;
    for (uint32_t i = 0; i < type->result_count; i++)
        hash = (hash ^ type->results[i] ^ 0x80u) * 16777619u;
    return (hash ^ hash >> 16) % BUCKETS;
}

static struct type_entry *type_find(uint32_t bucket, const struct module_type *type)
{
    struct type_entry *e = buckets[bucket];
    while (e && !(e->param_count == type->param_count && e->result_count == type->result_count &&
                  (!type->param_count || !memcmp(e->types, type->params, type->param_count)) &&
                  (!type->result_count ||
                   !memcmp(e->types + type->param_count, type->results, type->result_count))))
        e = e->next;
    return e;
}

uint32_t type_intern(const struct module_type *type)
{
    uint32_t bucket = type_hash(type), number = 0;
    wasm_host_lock();
    struct type_entry *e = type_find(bucket, type);
    if (e) {
        e->references++;
        number = e->number;
    }
    wasm_host_unlock();
    if (number)
        return number;

    /* Not there: allocate outside the lock, then look again. */
    struct type_entry *fresh =
        wasm_host_alloc(sizeof(*fresh) + (size_t)type->param_count + type->result_count);
    if (!fresh)
        return 0;
    fresh->references = 1;
    fresh->param_count = type->param_count;
    fresh->result_count = type->result_count;
    if (type->param_count)
        memcpy(fresh->types, type->params, type->param_count);
    if (type->result_count)
        memcpy(fresh->types + type->param_count, type->results, type->result_count);
    wasm_host_lock();
    e = type_find(bucket, type);
    if (e) {
        e->references++;
        number = e->number;
    } else if (last_number < UINT32_MAX) { /* numbers are not reused: old code may compare them */
        number = fresh->number = ++last_number;
        fresh->next = buckets[bucket];
        buckets[bucket] = fresh;
        fresh = NULL;
    }
    wasm_host_unlock();
    wasm_host_free(fresh);
    return number;
}

void type_release(uint32_t canonical)
{
    struct type_entry *dead = NULL;
    wasm_host_lock();
    for (uint32_t b = 0; b < BUCKETS && !dead; b++) {
        for (struct type_entry **p = &buckets[b]; *p; p = &(*p)->next) {
            if ((*p)->number != canonical)
                continue;
            if (--(*p)->references == 0) {
                dead = *p;
                *p = dead->next;
            }
            b = BUCKETS - 1;
            break;
        }
    }
    wasm_host_unlock();
    wasm_host_free(dead);
}
