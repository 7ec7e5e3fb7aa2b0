/* The runtime's own view of its objects: what abi.h leaves out because compiled code has no
 * business with it.
 *
 * Lifetimes: everything that instances can reach of each other (functions in tables, shared
 * memories, globals) lives in one *store*. Linking unites stores. A store is destroyed when no
 * instance in it is open and no embedder holds one of its objects; until then a closed instance
 * only loses its stack. */
#ifndef QUINCE_WASM_RUNTIME_INSTANCE_H
#define QUINCE_WASM_RUNTIME_INSTANCE_H

#include "host.h"
#include "runtime/abi.h"
#include "runtime/module.h"

/* 4 GiB of index, 4 GiB of offset, and what the widest access reaches beyond. */
#define MEMORY_RESERVATION ((8ull << 30) + 65536)
/* One page less than addresses can name, so that no two bytes of a memory are neighbours across the
 * end: opt/combine.c and opt/address.c count on it. */
#define MEMORY_MAX_PAGES 65535u
#define STACK_GUARD      65536u
#define TRACE_FRAMES     64u
#define ENTRY_NOT_READY  UINT32_MAX /* as entry_frequency */

struct trace_frame {
    struct wasm_module *module;
    uint32_t func, pos;
};

struct wasm_store {
    struct wasm_exec exec; /* shared by all members */
    uintptr_t stack_high;  /* end of the stack in use */
    uint32_t holds;        /* open members and objects held by the embedder */
    struct wasm_instance *members;
    struct object *objects; /* made by the embedder, imported by a member */
    struct wasm_exception *exceptions;
    struct wasm_exception *passing;              /* what the last nested call ended with, or NULL */
    size_t exception_bytes, exception_threshold; /* collect beyond the latter */
    uint32_t extra_stacks;                       /* nested calls on stacks of their own */
    uint32_t trace_count;
    struct trace_frame trace[TRACE_FRAMES];
};

/* What tables, memories and globals have beside their layout. */
struct object {
    enum wasm_kind kind;
    bool has_max; /* a maximum was declared, which importers may ask for */
    uint64_t declared_max;
    struct wasm_instance *owner; /* NULL: the embedder made it */
    struct wasm_store *store;    /* without owner: NULL until imported */
    struct object *next;         /* in store->objects */
};
struct memory_object {
    struct wasm_memory memory;
    struct object object;
};
struct table_object {
    struct wasm_table table;
    struct object object;
};
struct global_object {
    struct wasm_global global;
    struct object object;
};
struct tag_object {
    struct wasm_tag tag;
    struct object object;
};

struct instance {
    struct wasm_instance abi; /* what compiled code sees; first */
    struct wasm_module *module;
    struct wasm_store *store;
    struct wasm_instance *next; /* in store->members */
    void *host_data;
    bool open;
    uint8_t *stack; /* reservation: guard, then the stack */
    size_t stack_size;
    uint64_t budget_ns;
    uint32_t tick_frequency;         /* that the budget asks for: see budget.c */
    uint64_t pages, max_pages;       /* of own memories; quota */
    uint64_t elements, max_elements; /* of own tables; quota */
    struct wasm_func *host_funcs;    /* one per imported function; used for those of the host */
    struct memory_object **own_memories;
    struct table_object **own_tables;
    struct global_object *own_globals;
    struct tag_object *own_tags;
    uint8_t *elem_dropped, *data_dropped; /* a byte each */
};

static inline struct instance *instance_of(struct wasm_instance *instance)
{
    return (struct instance *)instance;
}
static inline struct object *memory_object(struct wasm_memory *memory)
{
    return &((struct memory_object *)memory)->object;
}
static inline struct object *table_object(struct wasm_table *table)
{
    return &((struct table_object *)table)->object;
}
static inline struct object *tag_object(struct wasm_tag *tag)
{
    return &((struct tag_object *)tag)->object;
}
static inline struct object *global_object(struct wasm_global *global)
{
    return &((struct global_object *)global)->object;
}

/* A function object of the host as wasm_func_host() makes it. */
struct host_func {
    struct wasm_func func;
    uint32_t param_count, result_count;
    uint8_t types[]; /* parameters, then results */
};

/* store.c */
struct wasm_store *store_new(void);
/* Unites two stores; false when calls run in both. Either may be NULL. The result is in *A. */
bool store_unite(struct wasm_store **a, struct wasm_store *b);
struct wasm_store *object_store(const struct object *object);
/* Puts an object of the embedder into STORE. */
void store_adopt(struct wasm_store *store, struct object *object);
void store_release(struct wasm_store *store); /* drops a hold */
void store_collect(struct wasm_store *store); /* destroys it when nothing holds it */

/* memory.c, table.c, global.c: QUOTA is the owner (NULL: none). NULL: out of memory or quota. */
struct memory_object *memory_create(struct instance *owner, const struct module_limits *limits);
/* One more holder of a shared memory, and one less: the last one destroys it. */
void memory_share(struct wasm_memory *memory);
void memory_unshare(struct wasm_memory *memory);
void memory_destroy(struct memory_object *memory);
uint64_t memory_grow(struct wasm_memory *memory, uint64_t pages); /* old pages or ~0 */
struct table_object *table_create(struct instance *owner, uint8_t type, uint32_t min, bool has_max,
                                  uint32_t max);
void table_destroy(struct table_object *table);
uint32_t table_grow(struct wasm_table *table, uint32_t count, void *value); /* old size or ~0 */
void global_destroy(struct global_object *global);

/* init.c: constant expressions; validated ones cannot fail. */
union wasm_value init_eval(struct instance *instance, const struct module_init *init);

/* helpers.c, shared with instantiation: what table.init and memory.init do. */
bool table_init(struct instance *instance, struct wasm_table *table, uint32_t segment, uint64_t dst,
                uint64_t src, uint64_t count);
bool memory_init(struct instance *instance, struct wasm_memory *memory, uint32_t segment,
                 uint64_t dst, uint64_t src, uint64_t count);

/* instance.c, for store.c */
void instance_destroy(struct instance *instance);
/* The engine's stack: NULL when out of memory. */
uint8_t *stack_create(size_t size);
void stack_destroy(uint8_t *stack, size_t size);

/* call.c: what C functions left on the engine stack below HIGH may be used again. */
void stack_unpoison(const struct wasm_store *store, uintptr_t high);
/* The running call of INSTANCE is to end when it comes back from a host function. */
void call_interrupt(struct instance *instance);
/* Calls by wasm/entry.h take the long way next time, which puts the execution context in order. */
void call_unready(struct wasm_exec *exec);

/* exceptions.c */
void exceptions_free(struct wasm_store *store);
/* From a host function with frame FP: the exception that came out of a nested call goes on to the
 * handlers of CALLER. Returns if there is none on its way. */
void exception_pass_on(struct wasm_instance *caller, uintptr_t fp);

/* budget.c: begins and ends a call of INSTANCE on this thread. OUTER is what ran before. */
struct wasm_outer_call {
    uintptr_t running; /* as in struct wasm_thread */
    struct wasm_outer_call *outer;
    uint64_t charged;
};
void budget_enter(struct instance *instance, struct wasm_outer_call *outer);
void budget_leave(const struct wasm_outer_call *outer);
/* How often a thread in calls of NS must be interrupted; 0: never. */
uint32_t budget_frequency(uint64_t ns);
/* Does a call of an instance in STORE run on this thread? */
bool budget_runs(const struct wasm_store *store);
/* Makes those calls look at what there is to do when they end. */
void budget_mark(const struct wasm_store *store);

/* trap.c: the call that stands at *CTX is over its budget: leaves it, or sets the flag. */
bool trap_timeout(struct instance *instance, struct wasm_context *ctx);

/* backtrace.c: fills store->trace; reads memory only, safe in a fault handler. */
void trace_capture(struct wasm_store *store, uintptr_t pc, uintptr_t sp);
/* From a host function's frame FP up to the code that called it. */
void trace_capture_host(struct wasm_store *store, uintptr_t fp);
/* " in f+0x1 < g+0x2": as many frames from the innermost one on as there is room for. */
void trace_innermost(const struct wasm_store *store, char *text, size_t size);

#endif
