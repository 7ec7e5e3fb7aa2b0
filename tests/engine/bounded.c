/* Bounded cost: what a module may make the compiler do grows with the module and no faster. Modules
 * made to explode it come in sizes n, 2n and 4n; work is counted in basic blocks of the engine that
 * were executed (-fsanitize-coverage=trace-pc), memory in bytes allocated at a time, so that the
 * numbers are the same on every machine. And a deadline ends compiling wherever it stands: a clock
 * that the test turns runs out at every look that is taken at it. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "wasm.h"

static unsigned number, failed;

static void check(bool ok, const char *name)
{
    printf("%sok %u - %s\n", ok ? "" : "not ", ++number, name);
    fflush(stdout);
    failed += !ok;
}

/* Called by each basic block of the engine. */
static uint64_t work;
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    work++;
}

/* The port's heap and clock, through the linker's --wrap. */
static size_t held, peak;
static uint64_t clock_ticks;
void *__real_wasm_host_realloc(void *p, size_t size);
void __real_wasm_host_free(void *p);
void *__wrap_wasm_host_alloc(size_t size);
void *__wrap_wasm_host_realloc(void *p, size_t size);
void __wrap_wasm_host_free(void *p);
uint64_t __wrap_wasm_host_now(void);

void *__wrap_wasm_host_realloc(void *p, size_t size)
{
    held -= p ? malloc_usable_size(p) : 0;
    void *q = __real_wasm_host_realloc(p, size);
    held += q ? malloc_usable_size(q) : p ? malloc_usable_size(p) : 0;
    peak = held > peak ? held : peak;
    return q;
}

void *__wrap_wasm_host_alloc(size_t size)
{
    return __wrap_wasm_host_realloc(NULL, size ? size : 1);
}

void __wrap_wasm_host_free(void *p)
{
    held -= p ? malloc_usable_size(p) : 0;
    __real_wasm_host_free(p);
}

uint64_t __wrap_wasm_host_now(void)
{
    return ++clock_ticks;
}

/* Modules: bytes that grow. */
struct bytes {
    uint8_t *data;
    size_t size, capacity;
};

static void put(struct bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = (b->size + size) * 2;
        b->data = realloc(b->data, b->capacity);
        if (!b->data)
            abort();
    }
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

#define PUT(b, ...) put(b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void leb(struct bytes *b, uint32_t n)
{
    for (; n >= 0x80; n >>= 7)
        PUT(b, (uint8_t)(n | 0x80));
    PUT(b, (uint8_t)n);
}

/* Appends PART, with its length before it, and frees it. */
static void enclose(struct bytes *b, struct bytes *part)
{
    leb(b, (uint32_t)part->size);
    put(b, part->data, part->size);
    free(part->data);
    *part = (struct bytes){0};
}

static void section(struct bytes *b, uint8_t id, struct bytes *part)
{
    PUT(b, id);
    enclose(b, part);
}

enum { I32 = 0x7f, WIDE = 1000 };
enum {
    UNREACHABLE = 0x00,
    BLOCK = 0x02,
    LOOP,
    IF,
    ELSE,
    END = 0x0b,
    BR,
    BR_IF,
    BR_TABLE,
    CALL = 0x10
};
enum {
    DROP = 0x1a,
    GET = 0x20,
    SET,
    CONST = 0x41,
    ADD = 0x6a,
    OR = 0x72,
    SHL = 0x74,
    EMPTY = 0x40
};

/* Type 0: [] → []; 1: [i32] → [i32]; 2: WIDE i32 to as many. FUNCS functions of type 1 with the
 * same BODY (which is freed) and LOCALS locals besides the parameter. */
static struct bytes module(struct bytes *body, uint32_t locals, uint32_t funcs)
{
    struct bytes m = {0}, part = {0}, function = {0};
    PUT(&m, 0, 'a', 's', 'm', 1, 0, 0, 0);
    PUT(&part, 3, 0x60, 0, 0, 0x60, 1, I32, 1, I32, 0x60);
    for (int twice = 0; twice < 2; twice++) {
        leb(&part, WIDE);
        for (int i = 0; i < WIDE; i++)
            PUT(&part, I32);
    }
    section(&m, 1, &part);
    leb(&part, funcs);
    for (uint32_t i = 0; i < funcs; i++)
        PUT(&part, 1);
    section(&m, 3, &part);
    PUT(&part, 1, 0, 1);
    section(&m, 5, &part);
    PUT(&function, 1);
    leb(&function, locals);
    PUT(&function, I32);
    put(&function, body->data, body->size);
    PUT(&function, END);
    free(body->data);
    leb(&part, funcs);
    for (uint32_t i = 0; i < funcs; i++) {
        leb(&part, (uint32_t)function.size);
        put(&part, function.data, function.size);
    }
    free(function.data);
    section(&m, 10, &part);
    return m;
}

static void access_local(struct bytes *b, uint8_t op, uint32_t index)
{
    PUT(b, op);
    leb(b, index);
}

/* A new value for local I: local I + local J. */
static void add_locals(struct bytes *b, uint32_t i, uint32_t j)
{
    access_local(b, GET, i);
    access_local(b, GET, j);
    PUT(b, ADD);
    access_local(b, SET, i);
}

/* The shapes, each of a size N. */

static struct bytes straight(uint32_t n)
{
    struct bytes b = {0};
    PUT(&b, GET, 0);
    for (uint32_t i = 0; i < n; i++) {
        PUT(&b, GET, 0, CONST, (uint8_t)(i & 63), ADD, 0x73); /* xor */
    }
    return module(&b, 0, 1);
}

static struct bytes many_locals(uint32_t n)
{
    struct bytes b = {0};
    for (uint32_t i = 1; i < n; i++)
        add_locals(&b, i, i - 1);
    access_local(&b, GET, n - 1);
    return module(&b, n, 1);
}

static struct bytes all_live(uint32_t n)
{
    struct bytes b = {0};
    for (uint32_t i = 1; i < n; i++) {
        PUT(&b, GET, 0, CALL, 0);
        access_local(&b, SET, i);
    }
    for (uint32_t i = 1; i < n; i++)
        add_locals(&b, 0, i);
    PUT(&b, GET, 0);
    return module(&b, n, 1);
}

static struct bytes nested(uint32_t n, uint8_t op)
{
    struct bytes b = {0};
    for (uint32_t i = 0; i < n; i++) {
        if (op == IF)
            PUT(&b, GET, 0);
        PUT(&b, op, EMPTY);
    }
    PUT(&b, CONST, 1, SET, 0);
    for (uint32_t i = 0; i < n; i++)
        PUT(&b, END);
    PUT(&b, GET, 0);
    return module(&b, 0, 1);
}
static struct bytes nested_blocks(uint32_t n)
{
    return nested(n, BLOCK);
}
static struct bytes nested_loops(uint32_t n)
{
    return nested(n, LOOP);
}
static struct bytes nested_ifs(uint32_t n)
{
    return nested(n, IF);
}

static struct bytes row_of_ifs(uint32_t n)
{
    struct bytes b = {0};
    for (uint32_t i = 0; i < n; i++) {
        access_local(&b, GET, i % 50);
        PUT(&b, IF, EMPTY);
        add_locals(&b, i % 49 + 1, i % 37);
        PUT(&b, ELSE);
        add_locals(&b, i % 43 + 1, i % 31);
        PUT(&b, END);
    }
    PUT(&b, GET, 1);
    return module(&b, 50, 1);
}

static struct bytes row_of_loops(uint32_t n)
{
    struct bytes b = {0};
    for (uint32_t i = 0; i < n; i++) {
        PUT(&b, LOOP, EMPTY);
        for (uint32_t k = 0; k < 8; k++)
            add_locals(&b, (i + k * 5) % 49 + 1, (i + k * 3) % 50);
        access_local(&b, GET, i % 50);
        PUT(&b, BR_IF, 0, END);
    }
    PUT(&b, GET, 1);
    return module(&b, 50, 1);
}

/* N loops that add 1 to WORDS words a round, from where the one before ended. */
static struct bytes rows_of_words(uint32_t n, uint32_t words)
{
    enum { LOAD = 0x28, STORE = 0x36, MINUS_1 = 0x7f };
    struct bytes b = {0};
    for (uint32_t i = 0; i < n; i++) {
        PUT(&b, GET, 0, SET, 2, LOOP, EMPTY);
        for (uint32_t k = 0; k < words; k++) {
            PUT(&b, GET, 1, GET, 1, LOAD, 2);
            leb(&b, 4 * k);
            PUT(&b, CONST, 1, ADD, STORE, 2);
            leb(&b, 4 * k);
        }
        PUT(&b, GET, 1, CONST);
        leb(&b, 4 * words); /* its sign bit is clear */
        PUT(&b, ADD, SET, 1, GET, 2, CONST, MINUS_1, ADD, 0x22, 2, BR_IF, 0, END);
    }
    PUT(&b, GET, 1);
    return module(&b, 2, 1);
}

static struct bytes vector_loops(uint32_t n)
{
    return rows_of_words(n, 1);
}

static struct bytes unrolled_loops(uint32_t n)
{
    return rows_of_words(n, 60);
}

static struct bytes calls(uint32_t n)
{
    struct bytes b = {0};
    PUT(&b, GET, 0);
    for (uint32_t i = 0; i < n; i++)
        PUT(&b, CALL, 0);
    return module(&b, 0, 1);
}

static struct bytes br_table(uint32_t n)
{
    struct bytes b = {0};
    PUT(&b, BLOCK, EMPTY, BLOCK, EMPTY, GET, 0, BR_TABLE);
    leb(&b, n);
    for (uint32_t i = 0; i <= n; i++)
        PUT(&b, (uint8_t)(i & 1));
    PUT(&b, END, CONST, 1, SET, 0, END, GET, 0);
    return module(&b, 0, 1);
}

/* A loop that leaves the first of N blocks by LOCAL. */
static void switch_in_loop(struct bytes *b, uint32_t n, uint8_t local)
{
    PUT(b, LOOP, EMPTY);
    for (uint32_t i = 0; i < n; i++)
        PUT(b, BLOCK, EMPTY);
    PUT(b, GET, local, BR_TABLE);
    leb(b, n - 1);
    for (uint32_t i = 0; i < n; i++)
        leb(b, i);
}

/* At each of the branches the locals lie elsewhere. */
static struct bytes big_join(uint32_t n)
{
    enum { LOCALS = 20 };
    struct bytes b = {0};
    for (uint8_t i = 1; i < LOCALS; i++)
        PUT(&b, GET, 0, CALL, 0, SET, i);
    PUT(&b, BLOCK, 0x40);
    for (uint32_t i = 0; i < n; i++) {
        uint8_t one = (uint8_t)(i % (LOCALS - 1) + 1), other = (uint8_t)(i / 3 % (LOCALS - 1) + 1);
        PUT(&b, GET, one, GET, other, ADD, GET, one, ADD, CALL, 0, BR_IF, 0);
    }
    PUT(&b, END);
    for (uint8_t i = 1; i < LOCALS; i++)
        add_locals(&b, 0, i);
    PUT(&b, GET, 0);
    return module(&b, LOCALS, 1);
}

static struct bytes big_switch(uint32_t n)
{
    struct bytes b = {0};
    switch_in_loop(&b, n, 0);
    for (uint32_t i = 0; i < n; i++) {
        PUT(&b, END);
        add_locals(&b, i % 20 + 1, i % 17);
        PUT(&b, GET, 1, BR_IF);
        leb(&b, n - 1 - i);
    }
    PUT(&b, END, GET, 1);
    return module(&b, 20, 1);
}

/* Each state sets the next one, by a constant. */
static struct bytes state_machine(uint32_t n)
{
    struct bytes b = {0};
    switch_in_loop(&b, n, 1);
    for (uint32_t i = 0; i < n; i++) {
        PUT(&b, END);
        add_locals(&b, i % 18 + 2, i % 17);
        PUT(&b, CONST);
        leb(&b, i * 7 % 63); /* one byte of a signed number */
        PUT(&b, SET, 1, GET, 2, BR_IF);
        leb(&b, n - 1 - i);
    }
    PUT(&b, END, GET, 1);
    return module(&b, 20, 1);
}

/* Three that are kept in the same place: each is decoded again for every call. */
static struct bytes small_functions(uint32_t n)
{
    struct bytes b = {0};
    PUT(&b, GET, 0, CALL, 0, CALL, 8, CALL, 16);
    return module(&b, 0, n);
}

static struct bytes sums_of_bytes(uint32_t n)
{
    struct bytes b = {0};
    PUT(&b, GET, 0);
    for (uint32_t i = 0; i < n; i++)
        PUT(&b, GET, 0, CONST, 8 * (i & 3), SHL, OR);
    return module(&b, 0, 1);
}

static struct bytes wide_blocks(uint32_t n)
{
    struct bytes b = {0};
    for (int i = 0; i < WIDE; i++)
        PUT(&b, GET, 0);
    for (uint32_t i = 0; i < n; i++)
        PUT(&b, BLOCK, 2, END);
    for (int i = 1; i < WIDE; i++)
        PUT(&b, ADD);
    return module(&b, 0, 1);
}

static struct bytes tiny_functions(uint32_t n)
{
    struct bytes b = {0};
    PUT(&b, GET, 0);
    return module(&b, 0, n);
}

/* Work from n to 4 n grows by at most so much; linear would be 4. */
enum { LINEAR = 5 };

/* Sizes are such that the largest stays within the limits and the test within seconds; WHOLE is the
 * bomb itself, which is only compiled or refused: one function of 5 MB, 50,000 locals, 100,000
 * functions. */
static const struct shape {
    const char *name;
    struct bytes (*make)(uint32_t n);
    uint32_t n, whole;
} shapes[] = {
    {"straight line", straight, 4000, 830000},
    {"many locals", many_locals, 4000, 49999},
    {"many locals alive at a time", all_live, 500, 4000},
    {"nested blocks", nested_blocks, 10000, 99998},
    {"nested loops", nested_loops, 1000, 20000},
    {"nested ifs", nested_ifs, 2000, 99998},
    {"ifs in a row, fifty locals", row_of_ifs, 1000, 20000},
    {"loops in a row, fifty locals", row_of_loops, 300, 5000},
    {"vector loops in a row", vector_loops, 300, 20000},
    {"unrolled vector loops in a row", unrolled_loops, 20, 1000},
    {"calls", calls, 4000, 500000},
    {"br_table", br_table, 10000, 65520},
    {"branches to one place", big_join, 4000, 100000},
    {"a switch in a loop", big_switch, 500, 5000},
    {"blocks of a thousand values", wide_blocks, 20, 100},
    {"a state machine", state_machine, 500, 5000},
    {"small functions", small_functions, 1000, 50000},
    {"sums of bytes", sums_of_bytes, 4000, 500000},
    {"functions", tiny_functions, 2000, 100000},
};

static enum wasm_error_kind compile(const struct bytes *m, uint64_t deadline,
                                    struct wasm_error *err)
{
    struct wasm_load_options options = {.deadline_ns = deadline};
    work = 0;
    peak = held;
    struct wasm_module *module = wasm_module_load(m->data, m->size, &options, err);
    if (module)
        err->kind = WASM_OK;
    wasm_module_release(module);
    return err->kind;
}

/* From N to 4 N. */
static void test_growth(const struct shape *shape)
{
    uint64_t works[3];
    size_t peaks[3], sizes[3], base = held;
    char text[160];
    bool ok = true;
    for (unsigned i = 0; i < 3; i++) {
        struct wasm_error err;
        struct bytes m = shape->make(shape->n << i);
        ok &= compile(&m, 0, &err) == WASM_OK;
        if (err.kind)
            printf("# %s, size %u: %s\n", shape->name, shape->n << i, err.message);
        works[i] = work;
        peaks[i] = peak - base;
        sizes[i] = m.size;
        free(m.data);
    }
    printf("# %zu, %zu, %zu bytes: %llu, %llu, %llu blocks; %zu, %zu, %zu bytes of memory\n",
           sizes[0], sizes[1], sizes[2], (unsigned long long)works[0], (unsigned long long)works[1],
           (unsigned long long)works[2], peaks[0], peaks[1], peaks[2]);
    snprintf(text, sizeof(text), "%s: work grows with the module", shape->name);
    check(ok && works[2] <= works[0] * LINEAR, text);
    snprintf(text, sizeof(text), "%s: memory grows with the module", shape->name);
    /* Arrays double: each may be up to twice what is needed. */
    check(ok && peaks[2] <= peaks[0] * 8, text);
    check(held == base, "and is given back");
}

/* The bomb: compiled, or refused with a limit, with work in proportion to its bytes. */
static void test_whole(const struct shape *shape)
{
    struct wasm_error err;
    struct bytes m = shape->make(shape->whole);
    enum wasm_error_kind kind = compile(&m, 0, &err);
    char text[320];
    snprintf(text, sizeof(text), "%s, %zu bytes: %s", shape->name, m.size,
             kind ? err.message : "compiled");
    printf("# %llu blocks and %.1f bytes of memory a byte\n", (unsigned long long)(work / m.size),
           (double)peak / (double)m.size);
    check((kind == WASM_OK || kind == WASM_ERR_LIMIT) && work / m.size < 5000, text);
    free(m.data);
}

/* A deadline at each tick of a clock that ticks when looked at. */
static void test_deadline(void)
{
    struct bytes m = row_of_loops(300);
    struct wasm_error err;
    clock_ticks = 0;
    compile(&m, UINT64_MAX, &err);
    uint64_t looks = clock_ticks, ended = 0;
    size_t base = held;
    bool ok = true;
    for (uint64_t at = 1; at <= looks + 2; at++) {
        clock_ticks = 0;
        enum wasm_error_kind kind = compile(&m, at, &err);
        ok &= kind == (at < looks ? WASM_ERR_TIMEOUT : WASM_OK) && held == base;
        ok &= kind == WASM_OK || (strstr(err.message, "deadline") && clock_ticks == at + 1);
        ended += kind == WASM_ERR_TIMEOUT;
        if (!ok)
            printf("# deadline %llu of %llu, ended at %llu: kind %d, %s\n", (unsigned long long)at,
                   (unsigned long long)looks, (unsigned long long)clock_ticks, (int)kind,
                   kind ? err.message : "");
        if (!ok)
            break;
    }
    printf("# %llu looks at the clock\n", (unsigned long long)looks);
    check(ok && ended >= 20, "a deadline ends compiling at the first look after it");
    free(m.data);
}

/* Without an argument everything, else the shapes whose names begin so. */
int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        if (!strncmp(shapes[i].name, only, strlen(only)))
            test_growth(&shapes[i]);
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
        if (!strncmp(shapes[i].name, only, strlen(only)))
            test_whole(&shapes[i]);
    test_deadline();
    printf("1..%u\n", number);
    return failed != 0;
}
