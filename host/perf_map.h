/* The map from which perf tells compiled functions: /tmp/perf-PID.map, as described in the kernel
 * tree's tools/perf/Documentation/jit-interface.txt. */
#ifndef QUINCE_HOST_PERF_MAP_H
#define QUINCE_HOST_PERF_MAP_H

#include "wasm.h"

/* Adds MODULE's code to this process's map. false, after a complaint, when it cannot be written. */
bool perf_map_write(const struct wasm_module *module);

#endif
