/* Named tables that belong to the kernel and are used by an extension: its state. They outlive a
 * running copy of the extension (a fault, a replace) and the operator reads them.
 *
 * All memory is taken when the map is made, so no packet can make it grow. Keys and values are
 * opaque bytes. Operations take the map's lock for a few hundred nanoseconds and may be called from
 * any thread. Keys of a hash come from the network: a keyed hash spreads them. */
#ifndef QUINCE_EXTEND_MAP_H
#define QUINCE_EXTEND_MAP_H

#include "extend/manifest.h"

struct map;

enum map_put { MAP_PUT_ANY, MAP_PUT_NEW, MAP_PUT_EXISTING };

/* NULL: out of memory. SEED makes the hash unpredictable. */
struct map *map_new(const struct map_spec *spec, const uint64_t seed[2]);
void map_free(struct map *map);
const struct map_spec *map_spec(const struct map *map);
size_t map_bytes(const struct map *map); /* of kernel memory */
uint32_t map_count(struct map *map);     /* entries; all of an array's exist */

/* 0 or -ENOENT. An LRU map's entry becomes its most recent. */
int map_get(struct map *map, const void *key, void *value);
/* 0; -EEXIST and -ENOENT as FLAGS ask; -ENOSPC when the map is full (an LRU map drops its least
 * recent entry instead); -ENOENT for an index beyond an array; -EINVAL for unknown flags. */
int map_put(struct map *map, const void *key, const void *value, uint32_t flags);
int map_del(struct map *map, const void *key); /* 0 or -ENOENT; an array's value becomes zero */
/* Adds to the 64-bit little-endian number at OFFSET of the value, making a missing entry with
 * zeroes first. 0, -EINVAL when the number does not lie within the value, or as map_put(). */
int map_add(struct map *map, const void *key, uint32_t offset, uint64_t delta);

/* Copies entries, key then value, from *CURSOR (0 at first) on as SIZE allows and advances it;
 * bytes written, 0 at the end. Entries that stay in the map throughout are seen once. */
size_t map_dump(struct map *map, uint32_t *cursor, uint8_t *buffer, size_t size);

#endif
