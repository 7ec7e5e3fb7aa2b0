/* What an extension says about itself: the custom sections `quince` of its module, key=value lines.
 *
 * Portable: the kernel and `quince inspect` on the host compile the same file, so both accept the
 * same manifests. Parsing knows the shape and the range of every value; whether a hook point or a
 * grant of that name exists is for grant.c to say.
 *
 *     name=flows                                   1…31 of a-z 0-9 _ - . ; required
 *     hook=net.rx,net.tx prio=10 snap=128          points; order in the chain; bytes shown per
 * packet map=by_flow lru key=13 value=16 max=4096     array | hash | lru | counter ring=events 64K
 *     memory=4M stack=64K budget=2ms init_budget=100ms
 *     on_fault=pass                                pass | drop
 *     need=log,clock                               grants asked for beside the hooks
 *
 * Lines end with \n, \r or NUL; empty ones and those starting with # are skipped. A module may have
 * several sections; they are read as if written one after another. Maps and rings are numbered for
 * the extension in the order of their lines, from 0. */
#ifndef QUINCE_EXTEND_MANIFEST_H
#define QUINCE_EXTEND_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MANIFEST_NAME = 32, /* with the final NUL */
    MANIFEST_HOOKS = 8,
    MANIFEST_MAPS = 16,
    MANIFEST_RINGS = 8,
    MANIFEST_NEEDS = 16,
};

enum map_kind { MAP_ARRAY, MAP_HASH, MAP_LRU, MAP_COUNTER };
const char *map_kind_name(enum map_kind kind);

struct map_spec {
    char name[MANIFEST_NAME];
    enum map_kind kind;
    uint32_t key, value; /* bytes; an array's key is a 4-byte index, a counter's value 8 bytes */
    uint32_t max;        /* entries */
};
struct ring_spec {
    char name[MANIFEST_NAME];
    uint32_t size; /* bytes; a power of two */
};
struct hook_spec {
    char point[MANIFEST_NAME];
    int32_t prio; /* low runs first */
    uint32_t snap;
};
enum fault_verdict { ON_FAULT_PASS, ON_FAULT_DROP };

struct manifest {
    char name[MANIFEST_NAME]; /* "" until a name= line was read */
    struct hook_spec hooks[MANIFEST_HOOKS];
    struct map_spec maps[MANIFEST_MAPS];
    struct ring_spec rings[MANIFEST_RINGS];
    char needs[MANIFEST_NEEDS][MANIFEST_NAME];
    uint32_t hook_count, map_count, ring_count, need_count;
    uint64_t memory;         /* bytes its linear memories may reach together */
    uint32_t stack;          /* bytes of engine stack */
    uint64_t budget_ns;      /* per packet, timer or fini call */
    uint64_t init_budget_ns; /* of instantiation and _initialize together */
    enum fault_verdict on_fault;
    uint32_t lines; /* read so far, over all sections */
    uint32_t seen;  /* bit set of the once-only keys that were given */
};

/* The limits of values that have one beside their width; documented in docs/extensions.md. */
#define MANIFEST_MEMORY_DEFAULT      (4ull << 20)
#define MANIFEST_MEMORY_MIN          (64ull << 10)
#define MANIFEST_MEMORY_MAX          (1ull << 30)
#define MANIFEST_STACK_DEFAULT       (64u << 10)
#define MANIFEST_STACK_MIN           (32u << 10)
#define MANIFEST_STACK_MAX           (4u << 20)
#define MANIFEST_BUDGET_DEFAULT      2000000ull
#define MANIFEST_BUDGET_MIN          10000ull
#define MANIFEST_BUDGET_MAX          100000000ull
#define MANIFEST_INIT_BUDGET_DEFAULT 100000000ull
#define MANIFEST_INIT_BUDGET_MIN     100000ull
#define MANIFEST_INIT_BUDGET_MAX     5000000000ull
#define MANIFEST_SNAP_DEFAULT        128u
#define MANIFEST_SNAP_MAX            65536u
#define MANIFEST_KEY_MAX             256u
#define MANIFEST_VALUE_MAX           65536u
#define MANIFEST_ENTRIES_MAX         (1u << 20)
#define MANIFEST_STATE_MAX           (64ull << 20) /* bytes of all maps, and of all rings */
#define MANIFEST_RING_MIN            (4u << 10)
#define MANIFEST_RING_MAX            (16u << 20)

struct manifest_error {
    uint32_t line;     /* counted over all sections, from 1 */
    char message[160]; /* "line 3: unknown key 'hok'" */
};

void manifest_init(struct manifest *manifest);
/* Reads one section; call it once per section, in order. false: *err names what was wrong. */
bool manifest_parse(struct manifest *manifest, const char *text, size_t len,
                    struct manifest_error *err);
/* After the last section: what can be said only of the whole. */
bool manifest_finish(struct manifest *manifest, struct manifest_error *err);
bool manifest_name_valid(const char *name);

#endif
