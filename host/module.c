/* Module files: see module.h. */
#include "module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "wasm.h"

struct module_file module_find(const char *name)
{
    struct module_file file = {.path = xstrdup(name)};
    file.bytes = read_file(name, &file.size);
    int first = errno;
    for (size_t i = 0; !file.bytes && !strchr(name, '/') && i < 2; i++) {
        char *below = xformat("extensions/%s%s", name, i == 0 ? "" : ".wasm");
        free(file.path);
        file.path = home_path(below);
        free(below);
        file.bytes = read_file(file.path, &file.size);
    }
    if (!file.bytes) {
        die("cannot read %s: %s%s", name, strerror(first),
            strchr(name, '/') ? "" : ", and no extension of that name ships with Quince");
    }
    return file;
}

const uint8_t *module_wasm(const struct module_file *file, size_t *size)
{
    const uint8_t *bytes = (const uint8_t *)file->bytes;
    struct wasm_compiled compiled;
    if (wasm_is_compiled(bytes, file->size) &&
        wasm_compiled_open(bytes, file->size, &compiled, NULL)) {
        *size = compiled.module_len;
        return compiled.module;
    }
    *size = file->size;
    return bytes;
}

void module_free(struct module_file *file)
{
    free(file->path);
    free(file->bytes);
    *file = (struct module_file){0};
}

/* An unsigned LEB128 number of 32 bits at *AT; false when it does not end or is too large. */
static bool read_number(const uint8_t *bytes, size_t size, size_t *at, uint32_t *value)
{
    uint64_t result = 0;
    for (int shift = 0; shift < 35 && *at < size; shift += 7) {
        uint8_t byte = bytes[(*at)++];
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *value = (uint32_t)result;
            return result <= UINT32_MAX;
        }
    }
    return false;
}

bool module_next(const uint8_t *bytes, size_t size, size_t *at, struct module_section *section)
{
    static const char *const names[] = {"custom", "type",   "import",     "function", "table",
                                        "memory", "global", "export",     "start",    "element",
                                        "code",   "data",   "data count", "tag"};
    uint32_t length, name_length;
    *at = *at < 8 ? 8 : *at;
    if (*at >= size) {
        return false;
    }
    uint8_t id = bytes[(*at)++];
    if (!read_number(bytes, size, at, &length) || length > size - *at) {
        return false;
    }
    size_t start = *at, end = start + length;
    *section = (struct module_section){id, id < sizeof names / sizeof *names ? names[id] : "?", 0,
                                       bytes + start, length};
    section->name_length = strlen(section->name);
    if (id == 0 && read_number(bytes, end, &start, &name_length) && name_length <= end - start) {
        section->name = (const char *)bytes + start;
        section->name_length = name_length;
        section->bytes = bytes + start + name_length;
        section->size = end - start - name_length;
    }
    *at = end;
    return true;
}

const uint8_t *module_section(const uint8_t *bytes, size_t size, const char *name, unsigned nth,
                              size_t *length)
{
    struct module_section section;
    for (size_t at = 0; module_next(bytes, size, &at, &section);) {
        if (section.id == 0 && section.name_length == strlen(name) &&
            memcmp(section.name, name, section.name_length) == 0 && nth-- == 0) {
            *length = section.size;
            return section.bytes;
        }
    }
    return NULL;
}
