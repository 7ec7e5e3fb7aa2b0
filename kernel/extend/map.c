/* Arrays, hashes, LRU tables and counters: see map.h.
 *
 * Entries stand in one block, key then value; a hash adds buckets that head chains of entry
 * numbers. Entries given back form a chain of their own; those never used are not touched, so that
 * a large map is made at once. An LRU map links its entries from recent to old.
 */
#include "extend/map.h"

#include <errno.h>
#include <string.h>

#include "mm/heap.h"
#include "sched/sync.h"

enum { NONE = UINT32_MAX };

struct link {
    uint32_t next;         /* of the bucket's or the free chain */
    uint32_t newer, older; /* LRU */
    uint32_t bucket;       /* NONE: the entry is free */
};

struct map {
    struct map_spec spec;
    struct spinlock lock;
    uint64_t seed[2];
    uint32_t key;         /* bytes of an entry that hold its key: none in an array */
    uint32_t stride;      /* bytes per entry */
    uint32_t bucket_mask; /* buckets - 1 */
    uint32_t free, used;
    uint32_t fresh; /* of a hash: entries from this one on were never used */
    uint32_t newest, oldest;
    uint32_t *buckets; /* NULL for arrays, as links */
    struct link *links;
    uint8_t *entries;
    size_t bytes;
};

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

/* SipHash-1-3 (Aumasson, Bernstein 2012): whoever does not know the seed cannot make keys collide.
 */
static uint64_t hash(const uint64_t seed[2], const uint8_t *key, size_t len)
{
    uint64_t v[4] = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du,
                     seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
    uint64_t word = 0;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        memcpy(&word, key + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    memcpy(&word, key + i, len - i);
    word |= (uint64_t)len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    sip_round(v);
    sip_round(v);
    sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint8_t *entry_key(const struct map *map, uint32_t i)
{
    return map->entries + (size_t)i * map->stride;
}

static uint8_t *entry_value(const struct map *map, uint32_t i)
{
    return entry_key(map, i) + map->key;
}

struct map *map_new(const struct map_spec *spec, const uint64_t seed[2])
{
    struct map *map = kcalloc(1, sizeof *map);
    if (!map) {
        return NULL;
    }
    map->spec = *spec;
    map->seed[0] = seed[0];
    map->seed[1] = seed[1];
    map->newest = map->oldest = map->free = NONE;
    map->key = spec->kind == MAP_ARRAY ? 0 : spec->key;
    map->stride = map->key + spec->value;
    size_t entries = (size_t)spec->max * map->stride;
    map->bytes = sizeof *map + entries;
    if (spec->kind == MAP_ARRAY) {
        map->entries = kcalloc(1, entries);
    } else {
        uint32_t buckets = 1;
        while (buckets < spec->max) {
            buckets *= 2;
        }
        size_t heads = buckets * sizeof *map->buckets, links = spec->max * sizeof *map->links;
        map->bucket_mask = buckets - 1;
        map->entries = kmalloc(entries);
        map->buckets = kmalloc(heads);
        map->links = kmalloc(links);
        map->bytes += heads + links;
        if (map->buckets) {
            memset(map->buckets, 0xff, heads);
        }
    }
    if (!map->entries || (spec->kind != MAP_ARRAY && (!map->buckets || !map->links))) {
        map_free(map);
        return NULL;
    }
    return map;
}

void map_free(struct map *map)
{
    if (map) {
        kfree(map->buckets);
        kfree(map->links);
        kfree(map->entries);
        kfree(map);
    }
}

const struct map_spec *map_spec(const struct map *map)
{
    return &map->spec;
}

size_t map_bytes(const struct map *map)
{
    return map->bytes;
}

uint32_t map_count(struct map *map)
{
    return map->spec.kind == MAP_ARRAY ? map->spec.max : map->used;
}

static void lru_unlink(struct map *map, uint32_t i)
{
    struct link *link = &map->links[i];
    *(link->newer == NONE ? &map->newest : &map->links[link->newer].older) = link->older;
    *(link->older == NONE ? &map->oldest : &map->links[link->older].newer) = link->newer;
}

static void lru_push(struct map *map, uint32_t i)
{
    map->links[i].newer = NONE;
    map->links[i].older = map->newest;
    *(map->newest == NONE ? &map->oldest : &map->links[map->newest].newer) = i;
    map->newest = i;
}

static void lru_touch(struct map *map, uint32_t i)
{
    if (map->spec.kind == MAP_LRU && map->newest != i) {
        lru_unlink(map, i);
        lru_push(map, i);
    }
}

static uint32_t bucket_of(const struct map *map, const void *key)
{
    return (uint32_t)hash(map->seed, key, map->key) & map->bucket_mask;
}

/* The entry with KEY in BUCKET (of an array: any), or NONE. */
static uint32_t find(const struct map *map, const void *key, uint32_t bucket)
{
    if (map->spec.kind == MAP_ARRAY) {
        uint32_t index;
        memcpy(&index, key, sizeof index);
        return index < map->spec.max ? index : NONE;
    }
    uint32_t i = map->buckets[bucket];
    while (i != NONE && memcmp(entry_key(map, i), key, map->key) != 0) {
        i = map->links[i].next;
    }
    return i;
}

static void remove_entry(struct map *map, uint32_t i)
{
    struct link *link = &map->links[i];
    uint32_t *from = &map->buckets[link->bucket];
    while (*from != i) {
        from = &map->links[*from].next;
    }
    *from = link->next;
    if (map->spec.kind == MAP_LRU) {
        lru_unlink(map, i);
    }
    *link = (struct link){map->free, NONE, NONE, NONE};
    map->free = i;
    map->used--;
}

/* A new entry with KEY and an undefined value, or NONE when there is no room. */
static uint32_t insert(struct map *map, const void *key, uint32_t bucket)
{
    if (map->spec.kind == MAP_ARRAY) {
        return NONE;
    }
    uint32_t i;
    if (map->free == NONE && map->fresh < map->spec.max) {
        i = map->fresh++;
    } else {
        if (map->free == NONE && map->spec.kind == MAP_LRU) {
            remove_entry(map, map->oldest);
        }
        i = map->free;
        if (i == NONE) {
            return NONE;
        }
        map->free = map->links[i].next;
    }
    map->links[i] = (struct link){map->buckets[bucket], NONE, NONE, bucket};
    map->buckets[bucket] = i;
    if (map->spec.kind == MAP_LRU) {
        lru_push(map, i);
    }
    memcpy(entry_key(map, i), key, map->key);
    map->used++;
    return i;
}

/* The bucket is computed outside of the lock: it depends on nothing that changes. */
static uint32_t bucket_for(const struct map *map, const void *key)
{
    return map->spec.kind == MAP_ARRAY ? 0 : bucket_of(map, key);
}

int map_get(struct map *map, const void *key, void *value)
{
    uint32_t bucket = bucket_for(map, key);
    cpu_irq_state state = spin_lock(&map->lock);
    uint32_t i = find(map, key, bucket);
    if (i != NONE) {
        memcpy(value, entry_value(map, i), map->spec.value);
        lru_touch(map, i);
    }
    spin_unlock(&map->lock, state);
    return i == NONE ? -ENOENT : 0;
}

int map_put(struct map *map, const void *key, const void *value, uint32_t flags)
{
    if (flags > MAP_PUT_EXISTING) {
        return -EINVAL;
    }
    uint32_t bucket = bucket_for(map, key);
    int result = 0;
    cpu_irq_state state = spin_lock(&map->lock);
    uint32_t i = find(map, key, bucket);
    if (i != NONE && flags == MAP_PUT_NEW) {
        result = -EEXIST;
    } else if (i == NONE && (flags == MAP_PUT_EXISTING || map->spec.kind == MAP_ARRAY)) {
        result = -ENOENT;
    } else if (i == NONE && (i = insert(map, key, bucket)) == NONE) {
        result = -ENOSPC;
    } else {
        lru_touch(map, i);
        memcpy(entry_value(map, i), value, map->spec.value);
    }
    spin_unlock(&map->lock, state);
    return result;
}

int map_del(struct map *map, const void *key)
{
    uint32_t bucket = bucket_for(map, key);
    cpu_irq_state state = spin_lock(&map->lock);
    uint32_t i = find(map, key, bucket);
    if (i != NONE && map->spec.kind == MAP_ARRAY) {
        memset(entry_value(map, i), 0, map->spec.value);
    } else if (i != NONE) {
        remove_entry(map, i);
    }
    spin_unlock(&map->lock, state);
    return i == NONE ? -ENOENT : 0;
}

int map_add(struct map *map, const void *key, uint32_t offset, uint64_t delta)
{
    if (map->spec.value < sizeof delta || offset > map->spec.value - sizeof delta) {
        return -EINVAL;
    }
    uint32_t bucket = bucket_for(map, key);
    cpu_irq_state state = spin_lock(&map->lock);
    uint32_t i = find(map, key, bucket);
    if (i == NONE && (i = insert(map, key, bucket)) != NONE) {
        memset(entry_value(map, i), 0, map->spec.value);
    }
    if (i != NONE) {
        uint64_t number;
        uint8_t *at = entry_value(map, i) + offset;
        memcpy(&number, at, sizeof number);
        number += delta;
        memcpy(at, &number, sizeof number);
        lru_touch(map, i);
    }
    spin_unlock(&map->lock, state);
    if (i == NONE) {
        return map->spec.kind == MAP_ARRAY ? -ENOENT : -ENOSPC;
    }
    return 0;
}

size_t map_dump(struct map *map, uint32_t *cursor, uint8_t *buffer, size_t size)
{
    bool array = map->spec.kind == MAP_ARRAY;
    size_t width = array ? sizeof(uint32_t) + map->spec.value : map->stride;
    size_t done = 0;
    uint32_t i = *cursor;
    while (i < map->spec.max && size - done >= width) {
        /* A few entries per lock, so that packets do not wait for the operator. */
        cpu_irq_state state = spin_lock(&map->lock);
        for (unsigned batch = 0; batch < 16 && i < map->spec.max && size - done >= width;
             batch++, i++) {
            if (array) {
                memcpy(buffer + done, &i, sizeof i);
                memcpy(buffer + done + sizeof i, entry_value(map, i), map->spec.value);
                done += width;
            } else if (i < map->fresh && map->links[i].bucket != NONE) {
                memcpy(buffer + done, entry_key(map, i), width);
                done += width;
            }
        }
        spin_unlock(&map->lock, state);
    }
    *cursor = i;
    return done;
}
