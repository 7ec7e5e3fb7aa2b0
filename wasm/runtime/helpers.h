/* The helpers' C functions, as target/<name>/stubs.c jumps to them. Compiled code never enters them
 * directly: the stubs check the stack first. */
#ifndef QUINCE_WASM_RUNTIME_HELPERS_H
#define QUINCE_WASM_RUNTIME_HELPERS_H

#include "runtime/abi.h"

uint64_t helper_memory_grow(struct wasm_instance *instance, uint64_t pages, uint32_t memory);
void helper_memory_fill(struct wasm_instance *instance, uint64_t dst, uint32_t value, uint64_t n,
                        uint32_t memory);
void helper_memory_copy(struct wasm_instance *instance, uint64_t dst, uint64_t src, uint64_t n,
                        uint32_t dst_memory, uint32_t src_memory);
void helper_memory_init(struct wasm_instance *instance, uint64_t dst, uint32_t src, uint32_t n,
                        uint32_t segment, uint32_t memory);
void helper_data_drop(struct wasm_instance *instance, uint32_t segment);
void *helper_table_get(struct wasm_instance *instance, uint32_t i, uint32_t table);
void helper_table_set(struct wasm_instance *instance, uint32_t i, void *reference, uint32_t table);
uint32_t helper_table_size(struct wasm_instance *instance, uint32_t table);
uint32_t helper_table_grow(struct wasm_instance *instance, void *reference, uint32_t n,
                           uint32_t table);
void helper_table_fill(struct wasm_instance *instance, uint32_t i, void *reference, uint32_t n,
                       uint32_t table);
void helper_table_copy(struct wasm_instance *instance, uint32_t dst, uint32_t src, uint32_t n,
                       uint32_t dst_table, uint32_t src_table);
void helper_table_init(struct wasm_instance *instance, uint32_t dst, uint32_t src, uint32_t n,
                       uint32_t segment, uint32_t table);
void helper_elem_drop(struct wasm_instance *instance, uint32_t segment);
void *helper_ref_func(struct wasm_instance *instance, uint32_t index);
uint32_t helper_atomic_notify(struct wasm_instance *instance, uint64_t address, uint64_t offset,
                              uint32_t count, uint32_t memory);
uint32_t helper_atomic_wait32(struct wasm_instance *instance, uint64_t address, uint64_t offset,
                              uint32_t expected, int64_t timeout, uint32_t memory);
uint32_t helper_atomic_wait64(struct wasm_instance *instance, uint64_t address, uint64_t offset,
                              uint64_t expected, int64_t timeout, uint32_t memory);
struct wasm_exception *helper_exception_new(struct wasm_instance *instance, uint32_t tag);
_Noreturn void helper_exception_throw(struct wasm_instance *instance,
                                      struct wasm_exception *exception);
float helper_f32_ceil(struct wasm_instance *instance, float x);
float helper_f32_floor(struct wasm_instance *instance, float x);
float helper_f32_trunc(struct wasm_instance *instance, float x);
float helper_f32_nearest(struct wasm_instance *instance, float x);
double helper_f64_ceil(struct wasm_instance *instance, double x);
double helper_f64_floor(struct wasm_instance *instance, double x);
double helper_f64_trunc(struct wasm_instance *instance, double x);
double helper_f64_nearest(struct wasm_instance *instance, double x);

#endif
