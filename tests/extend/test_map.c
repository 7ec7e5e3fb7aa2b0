/* Maps of every kind, against a plain model where order matters. */
#include <errno.h>
#include <string.h>

#include "extend/map.h"
#include "unit.h"

static const uint64_t seed[2] = {1, 2};

static struct map *make(enum map_kind kind, uint32_t key, uint32_t value, uint32_t max)
{
    struct map_spec spec = {.name = "m", .kind = kind, .key = key, .value = value, .max = max};
    return map_new(&spec, seed);
}

static void arrays(void)
{
    struct map *map = make(MAP_ARRAY, 4, 12, 10);
    uint32_t index = 3;
    uint8_t value[12] = {0}, zeroes[12] = {0};
    memset(value, 7, sizeof value);
    check(map_get(map, &index, value) == 0 && memcmp(value, zeroes, 12) == 0,
          "an array starts with zeroes");
    memset(value, 7, sizeof value);
    check(map_put(map, &index, value, MAP_PUT_ANY) == 0, "array put");
    check(map_put(map, &index, value, MAP_PUT_NEW) == -EEXIST, "array entries exist");
    check(map_put(map, &index, value, 3) == -EINVAL, "unknown flags are refused");
    check(map_add(map, &index, 4, 1) == 0 && map_add(map, &index, 5, 1) == -EINVAL &&
              map_add(map, &index, UINT32_MAX, 1) == -EINVAL,
          "a counter lies within its value");
    check(map_get(map, &index, value) == 0 && value[3] == 7 && value[4] == 8, "array add");
    check(map_del(map, &index) == 0 && map_get(map, &index, value) == 0 &&
              memcmp(value, zeroes, 12) == 0,
          "array del zeroes");
    index = 10;
    check(map_get(map, &index, value) == -ENOENT && map_add(map, &index, 0, 1) == -ENOENT &&
              map_put(map, &index, value, 0) == -ENOENT && map_del(map, &index) == -ENOENT,
          "an index beyond the array");
    uint8_t dump[10 * 16];
    uint32_t cursor = 0;
    check(map_dump(map, &cursor, dump, sizeof dump) == sizeof dump && cursor == 10 &&
              dump[9 * 16] == 9,
          "an array's dump has indices");
    map_free(map);
}

static void hashes(void)
{
    enum { MAX = 1000 };
    struct map *map = make(MAP_HASH, 13, 4, MAX);
    uint8_t key[13] = {0};
    int wrong = 0;
    for (uint32_t i = 0; i < MAX; i++) {
        memcpy(key + 5, &i, 4);
        wrong += map_put(map, key, &i, MAP_PUT_NEW) != 0;
    }
    check(wrong == 0 && map_count(map) == MAX, "a hash takes max entries");
    uint32_t value = MAX;
    memcpy(key + 5, &value, 4);
    check(map_put(map, key, &value, MAP_PUT_ANY) == -ENOSPC, "a full hash says so");
    for (uint32_t i = 0; i < MAX; i++) {
        memcpy(key + 5, &i, 4);
        wrong += map_get(map, key, &value) != 0 || value != i;
    }
    check(wrong == 0, "every entry is found");
    for (uint32_t i = 0; i < MAX; i += 2) {
        memcpy(key + 5, &i, 4);
        wrong += map_del(map, key) != 0 || map_del(map, key) != -ENOENT;
    }
    check(wrong == 0 && map_count(map) == MAX / 2, "entries are deleted once");
    for (uint32_t i = 0; i < MAX; i++) {
        memcpy(key + 5, &i, 4);
        wrong += map_get(map, key, &value) != (i % 2 ? 0 : -ENOENT);
        wrong += map_put(map, key, &i, MAP_PUT_EXISTING) != (i % 2 ? 0 : -ENOENT);
    }
    check(wrong == 0, "the others stay");
    uint8_t buffer[100 * 17];
    uint32_t cursor = 0, entries = 0, sum = 0;
    for (size_t n; (n = map_dump(map, &cursor, buffer, sizeof buffer)) != 0;) {
        for (size_t at = 0; at < n; at += 17, entries++) {
            memcpy(&value, buffer + at + 13, 4);
            sum += value;
        }
    }
    check(entries == MAX / 2 && sum == MAX / 2 * (MAX / 2), "a dump in pieces has all");
    map_free(map);
}

static void lru(void)
{
    struct map *map = make(MAP_LRU, 4, 4, 3);
    uint32_t value = 0;
    for (uint32_t i = 1; i <= 3; i++) {
        map_put(map, &i, &i, MAP_PUT_ANY);
    }
    uint32_t one = 1, two = 2, three = 3, four = 4;
    map_get(map, &one, &value); /* 2 is now the oldest */
    check(map_put(map, &four, &four, MAP_PUT_ANY) == 0 && map_count(map) == 3,
          "a full LRU map takes another");
    check(map_get(map, &two, &value) == -ENOENT && map_get(map, &one, &value) == 0 &&
              map_get(map, &three, &value) == 0 && map_get(map, &four, &value) == 0,
          "the least recently used one went");
    check(map_del(map, &three) == 0 && map_del(map, &one) == 0 && map_del(map, &four) == 0 &&
              map_count(map) == 0,
          "an LRU map can be emptied");
    for (uint32_t i = 0; i < 1000; i++) {
        map_put(map, &i, &i, MAP_PUT_ANY);
        map_add(map, &one, 0, 1);
    }
    check(map_count(map) == 3, "it never exceeds its size");
    map_free(map);

    map = make(MAP_LRU, 4, 4, 1);
    map_put(map, &one, &one, MAP_PUT_ANY);
    map_put(map, &two, &two, MAP_PUT_ANY);
    check(map_get(map, &two, &value) == 0 && value == 2 && map_get(map, &one, &value) == -ENOENT,
          "an LRU map of one");
    map_free(map);
}

static void counters(void)
{
    struct map *map = make(MAP_COUNTER, 8, 8, 2);
    uint64_t value = 0;
    check(map_add(map, "requests", 0, 5) == 0 && map_add(map, "requests", 0, 1) == 0 &&
              map_get(map, "requests", &value) == 0 && value == 6,
          "a counter starts at zero and adds");
    map_add(map, "errors  ", 0, (uint64_t)-1);
    check(map_add(map, "too many", 0, 1) == -ENOSPC, "a full counter map says so");
    map_free(map);
}

static void memory(void)
{
    unsigned failed = 0;
    for (int allowed = 0; allowed < 4; allowed++) {
        unit_allocations = allowed;
        struct map *map = make(MAP_LRU, 4, 4, 100);
        unit_allocations = -1;
        failed += map == NULL;
        map_free(map);
    }
    check(failed == 4 && unit_blocks == 0, "out of memory at every allocation gives all back");
}

void test_map(void)
{
    arrays();
    hashes();
    lru();
    counters();
    memory();
}
