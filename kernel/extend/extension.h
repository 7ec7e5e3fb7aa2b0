/* Extensions: WebAssembly modules grafted onto the running kernel.
 *
 * Life cycle: received → verified, if it is a signed .qwo, or validated and compiled (admit.c) →
 * granted → linked, initialised (running.c) → attached (hook.c) → detached or quarantined → freed.
 * A load that fails at any step gives everything back and leaves a note for the operator.
 *
 * Who touches what: loads and unloads happen one at a time on a thread of their own (worker.c),
 * while packets flow. `running` is used by the thread that holds the *gate*: for an extension on a
 * packet hook that is whoever holds the network stack's lock, so the packet path takes no lock of
 * ours and everyone else comes in between two packets by net_call(); for the others it is
 * call_lock. */
#ifndef QUINCE_EXTEND_EXTENSION_H
#define QUINCE_EXTEND_EXTENSION_H

#include "extend/budget.h"
#include "extend/grant.h"
#include "extend/manifest.h"
#include "extend/map.h"
#include "extend/ring.h"
#include "extend/signature.h"
#include "net/packet.h"
#include "sched/list.h"
#include "sched/sync.h"
#include "entry.h"

enum {
    EXTENSION_TIMERS = 8,
    EXTENSION_REASON = 256,
    EXTENSION_BACKTRACE = 1024,
    EXTENSION_STRIKES = 3,
    EXTENSION_MAX = 64, /* loaded at a time */
    EXTENSION_FAILURES = 16,
};

enum extension_state {
    EXTENSION_LOADING,
    EXTENSION_ATTACHED,
    EXTENSION_RESTARTING,  /* faulted; a fresh instance comes after a pause */
    EXTENSION_QUARANTINED, /* out of strikes; holds no instance */
    EXTENSION_DETACHED,
};
const char *extension_state_name(enum extension_state state);

/* One running copy of the module. Restart and, later, replace swap these. */
struct running {
    struct wasm_instance *instance;
    struct wasm_func *packet, *timer, *fini; /* NULL: not exported */
    struct wasm_entry packet_entry;          /* of packet */
    uint32_t buffer;                         /* guest address of the packet buffer */
    uint32_t buffer_size;                    /* context and snapped bytes */
};

struct setting {
    const char *name, *value;
};

struct extension {
    struct list_node node; /* in the registry */
    uint32_t references;   /* the registry's, and of who looks at it unlocked */
    uint32_t handle;
    char name[MANIFEST_NAME];
    enum extension_state state;
    struct manifest manifest;
    uint32_t authority; /* enum grant bits */
    struct budget budget;
    uint64_t max_pages;
    struct setting *settings; /* strings follow in the same block */
    uint32_t setting_count;

    struct wasm_module *module;
    char signed_by[SIGNATURE_ID_TEXT]; /* "": compiled here */
    struct map *maps[MANIFEST_MAPS];
    struct ring *rings[MANIFEST_RINGS];

    /* Behind the gate. */
    struct running *running;
    struct running *broken; /* faulted; freed by the restart or unload */
    struct packet *packet;  /* the one being decided about, during quince_packet */
    bool inside;            /* a call is in progress */
    uint32_t clean_runs;    /* since the last fault */
    struct log_bucket log;

    /* Written behind the gate, read by anyone: single words. */
    struct usage usage;
    uint64_t verdicts[VERDICT_REDIRECT + 1];
    uint64_t faults, strikes, last_fault_at;
    uint64_t restart_at;               /* clock_now(); 0: none due */
    uint64_t timers[EXTENSION_TIMERS]; /* clock_now(); 0: off */

    struct spinlock note_lock; /* guards the two texts */
    char last_fault[EXTENSION_REASON];
    char backtrace[EXTENSION_BACKTRACE];

    struct mutex call_lock; /* restart, timers and unload exclude each other */
    uint64_t loaded_ns, compile_ns, init_ns;
};

struct load_request {
    const uint8_t *bytes;
    size_t len;
    const char *name; /* instead of the manifest's; NULL: that */
    const char *file; /* what to call a failed load whose name was never learnt; NULL */
    const char *const *grants;
    uint32_t grant_count;
    const struct setting *settings;
    uint32_t setting_count;
    uint64_t budget_ns, memory; /* limits below the manifest's; 0: none */
};
struct load_result {
    int error; /* 0 or -errno */
    char reason[EXTENSION_REASON];
    char name[MANIFEST_NAME];
    uint32_t handle;
    uint64_t code_bytes, compile_ns, init_ns;
};
/* On the loader's thread only: see worker.h. */
void extension_load(const struct load_request *request, struct load_result *result);
/* 0 and the bytes given back, or -ENOENT. A failed load of that name is forgotten. */
int extension_unload(const char *name, uint64_t *freed, char *reason, size_t size);

/* Looking at them. The registry's lock is held while FN runs: no waiting for extensions in it. */
void extension_for_each(bool (*fn)(struct extension *ext, void *context), void *context);
struct extension *extension_get(const char *name); /* a reference; NULL: none of that name */
void extension_put(struct extension *ext);
uint64_t extension_state_bytes(const struct extension *ext); /* maps and rings */
struct ring *extension_ring(struct extension *ext, const char *name);
struct map *extension_map(struct extension *ext, const char *name);

/* Loads that failed, the latest last. */
struct load_failure {
    char name[MANIFEST_NAME];
    char reason[EXTENSION_REASON];
    uint64_t at;
    int error;
};
unsigned extension_failures(struct load_failure out[EXTENSION_FAILURES]);

/* running.c. Starts a copy: 0 and *OUT, or -errno and a reason. */
int running_start(struct extension *ext, struct running **out, char *reason, size_t size);
void running_stop(struct running *running); /* frees it; takes NULL */
/* Calls FUNC as a call of EXT, behind the gate: names it for the panic screen, keeps the books. */
enum wasm_trap running_call(struct extension *ext, struct wasm_func *func,
                            const union wasm_value *args, union wasm_value *results);
/* The same for quince_packet, with CAPTURED bytes in the buffer. */
enum wasm_trap running_packet(struct extension *ext, uint32_t captured, uint32_t *verdict);
/* Runs FN behind the gate of EXT; the caller holds call_lock. 0 or -errno. */
int extension_gate(struct extension *ext, void (*fn)(void *context), void *context);
static inline bool extension_on_packets(const struct extension *ext)
{
    return ext->manifest.hook_count != 0;
}

/* recover.c. A call trapped: notes it, takes the running copy out, decides about restart. Behind
 * the gate. */
void extension_fault(struct extension *ext, enum wasm_trap trap, const char *where);
/* The due restart; holds call_lock. */
void extension_restart(struct extension *ext);
void extension_note(struct extension *ext, const char *fault, const char *backtrace);
/* What packets get while there is no running copy. */
enum verdict extension_fault_verdict(const struct extension *ext);

#endif
