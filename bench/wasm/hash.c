/* An open-addressing hash table of strings: insert, look up, delete with backward shift. */
#include "bench.h"

enum { SLOTS = 8192, KEYS = 6000, LENGTH = 12 };
struct slot {
    uint32_t hash, value;
    char key[LENGTH];
    uint32_t used;
};
static struct slot table[SLOTS];
static char keys[KEYS][LENGTH];

static uint32_t hash_of(const char *key)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < LENGTH; i++)
        h = (h ^ (uint8_t)key[i]) * 16777619u;
    return h;
}
static int same(const char *a, const char *b)
{
    for (size_t i = 0; i < LENGTH; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}
static uint32_t find(const char *key, uint32_t hash)
{
    uint32_t i = hash & (SLOTS - 1);
    while (table[i].used && !(table[i].hash == hash && same(table[i].key, key)))
        i = (i + 1) & (SLOTS - 1);
    return i;
}
static void add(const char *key, uint32_t value)
{
    uint32_t hash = hash_of(key), i = find(key, hash);
    if (!table[i].used) {
        table[i].used = 1;
        table[i].hash = hash;
        for (size_t n = 0; n < LENGTH; n++)
            table[i].key[n] = key[n];
    }
    table[i].value += value;
}
static void drop(const char *key)
{
    uint32_t i = find(key, hash_of(key));
    if (!table[i].used)
        return;
    for (uint32_t j = (i + 1) & (SLOTS - 1); table[j].used; j = (j + 1) & (SLOTS - 1)) {
        uint32_t home = table[j].hash & (SLOTS - 1);
        if (((j - home) & (SLOTS - 1)) >= ((j - i) & (SLOTS - 1))) {
            table[i] = table[j];
            i = j;
        }
    }
    table[i].used = 0;
}

EXPORT
{
    random_seed(6);
    for (size_t i = 0; i < SLOTS; i++)
        table[i].used = table[i].value = 0;
    for (size_t i = 0; i < KEYS; i++)
        for (size_t j = 0; j < LENGTH; j++)
            keys[i][j] = (char)('a' + random_next() % 26);
    uint32_t sum = 0;
    while (rounds--) {
        for (size_t i = 0; i < KEYS; i++)
            add(keys[i], (uint32_t)i);
        for (size_t i = 0; i < KEYS; i++)
            sum = mix(sum, table[find(keys[(i * 7) % KEYS], hash_of(keys[(i * 7) % KEYS]))].value);
        for (size_t i = 0; i < KEYS; i += 2)
            drop(keys[i]);
    }
    return sum;
}
