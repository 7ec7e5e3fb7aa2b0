/* Module files as the operator names them, and their custom sections, read without the
 * engine: no byte of a module is trusted. */
#ifndef QUINCE_HOST_MODULE_H
#define QUINCE_HOST_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct module_file {
    char *path;
    char *bytes;
    size_t size;
};

/* The module itself: of a .qwo file the .wasm in it. */
const uint8_t *module_wasm(const struct module_file *file, size_t *size);

/* NAME as a path; else, when it has no slash, an extension that ships with Quince ("flows" or
 * "flows.wasm"). Dies when there is none. */
struct module_file module_find(const char *name);
void module_free(struct module_file *file);

/* One section; a custom one is called by its own name, the others by what they hold. */
struct module_section {
    uint8_t id;
    const char *name; /* not terminated */
    size_t name_length;
    const uint8_t *bytes;
    size_t size;
};
/* The section at *AT (0 at first), which moves behind it; false at the end. */
bool module_next(const uint8_t *bytes, size_t size, size_t *at, struct module_section *section);

/* The NTH custom section called NAME, or NULL. */
const uint8_t *module_section(const uint8_t *bytes, size_t size, const char *name, unsigned nth,
                              size_t *length);

#endif
