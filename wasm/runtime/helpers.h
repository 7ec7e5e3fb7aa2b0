/* The helpers' C functions, as target/<name>/stubs.c jumps to them. Compiled code never enters them
 * directly: the stubs check the stack first. */
#ifndef QUINCE_WASM_RUNTIME_HELPERS_H
#define QUINCE_WASM_RUNTIME_HELPERS_H

#include "runtime/abi.h"

uint32_t helper_memory_grow(struct wasm_instance *instance, uint32_t pages, uint32_t memory);
void helper_memory_fill(struct wasm_instance *instance, uint32_t dst, uint32_t value, uint32_t n,
                        uint32_t memory);
void helper_memory_copy(struct wasm_instance *instance, uint32_t dst, uint32_t src, uint32_t n,
                        uint32_t dst_memory, uint32_t src_memory);
void helper_memory_init(struct wasm_instance *instance, uint32_t dst, uint32_t src, uint32_t n,
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
float helper_f32_ceil(struct wasm_instance *instance, float x);
float helper_f32_floor(struct wasm_instance *instance, float x);
float helper_f32_trunc(struct wasm_instance *instance, float x);
float helper_f32_nearest(struct wasm_instance *instance, float x);
double helper_f64_ceil(struct wasm_instance *instance, double x);
double helper_f64_floor(struct wasm_instance *instance, double x);
double helper_f64_trunc(struct wasm_instance *instance, double x);
double helper_f64_nearest(struct wasm_instance *instance, double x);

#endif
