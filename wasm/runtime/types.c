/* Canonical type numbers: one process-wide table of signatures, counted, so that call_indirect
 * compares one number and unloading leaves nothing behind. A hash table that grows, as a module may
 * declare a million types. */
#include "runtime/module.h"

#include <string.h>

#include "host.h"

enum { FIRST_BUCKETS = 64 };

struct type_entry {
    struct type_entry *next;
    uint32_t number, references, hash;
    uint32_t param_count, result_count;
    uint8_t types[];
};
static struct type_entry *first_buckets[FIRST_BUCKETS];
static struct type_entry **buckets = first_buckets;
static uint32_t bucket_count = FIRST_BUCKETS, entry_count, last_number;

static uint32_t type_hash(const struct module_type *type)
{
    uint32_t hash = 2166136261u ^ type->result_count;
    for (uint32_t i = 0; i < type->param_count; i++)
        hash = (hash ^ type->params[i]) * 16777619u;
    for (uint32_t i = 0; i < type->result_count; i++)
        hash = (hash ^ type->results[i] ^ 0x80u) * 16777619u;
    return hash ^ hash >> 15;
}

static bool same(const struct type_entry *e, const struct module_type *type)
{
    return e->param_count == type->param_count && e->result_count == type->result_count &&
           (!type->param_count || !memcmp(e->types, type->params, type->param_count)) &&
           (!type->result_count ||
            !memcmp(e->types + type->param_count, type->results, type->result_count));
}

/* Where the pointer to the entry is, or to the end of its chain. Under the lock, as all below. */
static struct type_entry **find(const struct module_type *type, uint32_t hash)
{
    struct type_entry **p = &buckets[hash % bucket_count];
    while (*p && !((*p)->hash == hash && same(*p, type)))
        p = &(*p)->next;
    return p;
}

static void rehash(struct type_entry **to, uint32_t count)
{
    for (uint32_t i = 0; i < bucket_count; i++) {
        for (struct type_entry *e = buckets[i], *next; e; e = next) {
            next = e->next;
            e->next = to[e->hash % count];
            to[e->hash % count] = e;
        }
    }
    if (buckets == first_buckets)
        memset(first_buckets, 0, sizeof(first_buckets));
    else
        wasm_host_free(buckets);
    buckets = to;
    bucket_count = count;
}

static void grow(void)
{
    struct type_entry **more = array_new((size_t)bucket_count * 4, sizeof(*more));
    if (more) /* without it only the chains get longer */
        rehash(more, bucket_count * 4);
}

uint32_t type_intern(const struct module_type *type)
{
    uint32_t hash = type_hash(type), number = 0;
    wasm_host_lock();
    struct type_entry *e = *find(type, hash);
    if (e) {
        e->references++;
        number = e->number;
    } else if (last_number < UINT32_MAX &&
               (e = wasm_host_alloc(sizeof(*e) + (size_t)type->param_count + type->result_count)) !=
                   NULL) {
        /* Numbers are not reused: code that is still there may compare with them. */
        *e = (struct type_entry){.number = ++last_number,
                                 .references = 1,
                                 .hash = hash,
                                 .param_count = type->param_count,
                                 .result_count = type->result_count};
        if (type->param_count)
            memcpy(e->types, type->params, type->param_count);
        if (type->result_count)
            memcpy(e->types + type->param_count, type->results, type->result_count);
        if (++entry_count > bucket_count * 2 && bucket_count < 1u << 24)
            grow();
        e->next = buckets[hash % bucket_count];
        buckets[hash % bucket_count] = e;
        number = e->number;
    }
    wasm_host_unlock();
    return number;
}

void type_release(const struct module_type *type)
{
    struct type_entry *dead = NULL;
    wasm_host_lock();
    struct type_entry **p = find(type, type_hash(type));
    if (*p && !--(*p)->references) {
        dead = *p;
        *p = dead->next;
        if (!--entry_count && buckets != first_buckets)
            rehash(first_buckets, FIRST_BUCKETS);
    }
    wasm_host_unlock();
    wasm_host_free(dead);
}
