/* What compiled code calls for the rare and the large. Entered through target_helper_stubs, so
 * there is room on the stack; arguments are hostile; an i32 comes zero-extended, so one helper
 * serves memories of 32 and of 64 bits. */
#include "runtime/helpers.h"

#include <string.h>

#include "runtime/instance.h"

static inline bool outside(uint64_t start, uint64_t count, uint64_t size)
{
    return count > size || start > size - count;
}

uint64_t helper_memory_grow(struct wasm_instance *instance, uint64_t pages, uint32_t memory)
{
    return memory_grow(instance->memories[memory], pages);
}

void helper_memory_fill(struct wasm_instance *instance, uint64_t dst, uint32_t value, uint64_t n,
                        uint32_t memory)
{
    struct wasm_memory *m = instance->memories[memory];
    if (outside(dst, n, m->size))
        wasm_trap(instance, WASM_TRAP_MEMORY);
    memset(m->base + dst, (int)(value & 0xff), n);
}

void helper_memory_copy(struct wasm_instance *instance, uint64_t dst, uint64_t src, uint64_t n,
                        uint32_t dst_memory, uint32_t src_memory)
{
    struct wasm_memory *d = instance->memories[dst_memory], *s = instance->memories[src_memory];
    if (outside(dst, n, d->size) || outside(src, n, s->size))
        wasm_trap(instance, WASM_TRAP_MEMORY);
    memmove(d->base + dst, s->base + src, n);
}

bool memory_init(struct instance *instance, struct wasm_memory *memory, uint32_t segment,
                 uint64_t dst, uint64_t src, uint64_t count)
{
    const struct module_data *data = &instance->module->info.datas[segment];
    uint64_t size = instance->data_dropped[segment] ? 0 : data->size;
    if (outside(src, count, size) || outside(dst, count, memory->size))
        return false;
    if (count)
        memcpy(memory->base + dst, instance->module->info.bytes + data->start + src, (size_t)count);
    return true;
}

void helper_memory_init(struct wasm_instance *instance, uint64_t dst, uint32_t src, uint32_t n,
                        uint32_t segment, uint32_t memory)
{
    if (!memory_init(instance_of(instance), instance->memories[memory], segment, dst, src, n))
        wasm_trap(instance, WASM_TRAP_MEMORY);
}

void helper_data_drop(struct wasm_instance *instance, uint32_t segment)
{
    instance_of(instance)->data_dropped[segment] = 1;
}

void *helper_table_get(struct wasm_instance *instance, uint32_t i, uint32_t table)
{
    struct wasm_table *t = instance->tables[table];
    if (i >= t->size)
        wasm_trap(instance, WASM_TRAP_TABLE);
    return t->elements[i];
}

void helper_table_set(struct wasm_instance *instance, uint32_t i, void *reference, uint32_t table)
{
    struct wasm_table *t = instance->tables[table];
    if (i >= t->size)
        wasm_trap(instance, WASM_TRAP_TABLE);
    t->elements[i] = reference;
}

uint32_t helper_table_size(struct wasm_instance *instance, uint32_t table)
{
    return instance->tables[table]->size;
}

uint32_t helper_table_grow(struct wasm_instance *instance, void *reference, uint32_t n,
                           uint32_t table)
{
    return table_grow(instance->tables[table], n, reference);
}

void helper_table_fill(struct wasm_instance *instance, uint32_t i, void *reference, uint32_t n,
                       uint32_t table)
{
    struct wasm_table *t = instance->tables[table];
    if (outside(i, n, t->size))
        wasm_trap(instance, WASM_TRAP_TABLE);
    for (uint32_t k = 0; k < n; k++)
        t->elements[i + k] = reference;
}

void helper_table_copy(struct wasm_instance *instance, uint32_t dst, uint32_t src, uint32_t n,
                       uint32_t dst_table, uint32_t src_table)
{
    struct wasm_table *d = instance->tables[dst_table], *s = instance->tables[src_table];
    if (outside(dst, n, d->size) || outside(src, n, s->size))
        wasm_trap(instance, WASM_TRAP_TABLE);
    if (n)
        memmove(d->elements + dst, s->elements + src, (size_t)n * sizeof(void *));
}

bool table_init(struct instance *instance, struct wasm_table *table, uint32_t segment, uint64_t dst,
                uint64_t src, uint64_t count)
{
    const struct module_elem *elem = &instance->module->info.elems[segment];
    uint64_t size = instance->elem_dropped[segment] ? 0 : elem->count;
    if (outside(src, count, size) || outside(dst, count, table->size))
        return false;
    for (uint64_t i = 0; i < count; i++)
        table->elements[dst + i] = init_eval(instance, &elem->items[src + i]).ref;
    return true;
}

void helper_table_init(struct wasm_instance *instance, uint32_t dst, uint32_t src, uint32_t n,
                       uint32_t segment, uint32_t table)
{
    if (!table_init(instance_of(instance), instance->tables[table], segment, dst, src, n))
        wasm_trap(instance, WASM_TRAP_TABLE);
}

void helper_elem_drop(struct wasm_instance *instance, uint32_t segment)
{
    instance_of(instance)->elem_dropped[segment] = 1;
}

void *helper_ref_func(struct wasm_instance *instance, uint32_t index)
{
    uint32_t imported = instance_of(instance)->module->info.imported_funcs;
    return index < imported ? instance->imports[index] : &instance->funcs[index - imported];
}

/* Rounding without libm: magnitudes from 2^23 (2^52) on are integers already, below that adding and
 * subtracting that power rounds to nearest even. Signs of zero and NaN bits are kept as hardware
 * does it (quiet NaN in, quiet NaN out). */
#define ROUNDING(T, U, LIMIT, SIGN)                                                                \
    static T nearest_##T(T x)                                                                      \
    {                                                                                              \
        U bits, sign;                                                                              \
        memcpy(&bits, &x, sizeof(x));                                                              \
        sign = bits & (SIGN);                                                                      \
        bits &= ~(SIGN);                                                                           \
        T a;                                                                                       \
        memcpy(&a, &bits, sizeof(a));                                                              \
        if (!(a < (LIMIT)))                                                                        \
            return x + 0;                                                                          \
        volatile T sum = a + (LIMIT);                                                              \
        a = sum - (LIMIT);                                                                         \
        memcpy(&bits, &a, sizeof(a));                                                              \
        bits |= sign;                                                                              \
        memcpy(&a, &bits, sizeof(a));                                                              \
        return a;                                                                                  \
    }                                                                                              \
    static T with_sign_##T(T value, T of)                                                          \
    {                                                                                              \
        U bits, sign;                                                                              \
        memcpy(&bits, &value, sizeof(value));                                                      \
        memcpy(&sign, &of, sizeof(of));                                                            \
        bits = (bits & ~(SIGN)) | (sign & (SIGN));                                                 \
        memcpy(&value, &bits, sizeof(value));                                                      \
        return value;                                                                              \
    }                                                                                              \
    static T ceil_##T(T x)                                                                         \
    {                                                                                              \
        T n = nearest_##T(x);                                                                      \
        return n < x ? with_sign_##T(n + 1, x) : n;                                                \
    }                                                                                              \
    static T floor_##T(T x)                                                                        \
    {                                                                                              \
        T n = nearest_##T(x);                                                                      \
        return n > x ? n - 1 : n;                                                                  \
    }                                                                                              \
    static T trunc_##T(T x)                                                                        \
    {                                                                                              \
        return x < 0 ? ceil_##T(x) : x > 0 ? floor_##T(x) : x + x;                                 \
    }
ROUNDING(float, uint32_t, 8388608.0f, 0x80000000u)
ROUNDING(double, uint64_t, 4503599627370496.0, 0x8000000000000000u)

#define ROUND_HELPER(name, T, fn)                                                                  \
    T helper_##name(struct wasm_instance *instance, T x)                                           \
    {                                                                                              \
        (void)instance;                                                                            \
        return fn(x);                                                                              \
    }
ROUND_HELPER(f32_ceil, float, ceil_float)
ROUND_HELPER(f32_floor, float, floor_float)
ROUND_HELPER(f32_trunc, float, trunc_float)
ROUND_HELPER(f32_nearest, float, nearest_float)
ROUND_HELPER(f64_ceil, double, ceil_double)
ROUND_HELPER(f64_floor, double, floor_double)
ROUND_HELPER(f64_trunc, double, trunc_double)
ROUND_HELPER(f64_nearest, double, nearest_double)
