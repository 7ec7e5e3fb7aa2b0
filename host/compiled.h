/* Files of modules compiled ahead of time, as the sub-commands share them. */
#ifndef QUINCE_HOST_COMPILED_H
#define QUINCE_HOST_COMPILED_H

#include <stddef.h>
#include <stdint.h>

/* Replaces the file at PATH as a whole, or dies and leaves it as it was. */
void compiled_write(const char *path, const uint8_t *bytes, size_t size);
/* "sse4.1, popcnt", or "none"; the caller frees it. */
char *compiled_features(uint64_t features);

#endif
