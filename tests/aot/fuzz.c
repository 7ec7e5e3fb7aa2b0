/* Mutated .qwo files for the reader alone, as if their signature held: under sanitizers, no number
 * in a file may lead outside of it or of what is made of it. */
#include <stdlib.h>

#include "aot.h"
#include "host.h"

static uint64_t state = 88172645463325252u;

static uint32_t draw(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % below;
}

static uint32_t interesting(uint32_t old, uint32_t size)
{
    const uint32_t values[] = {0,         1,          old + 1,    old - 1,        size,
                               size - 1,  0x7fffffff, 0x80000000, UINT32_MAX,     UINT32_MAX - 3,
                               old * 2,   old ^ 4,    old + 4,    0x40000000 - 1, draw(UINT32_MAX),
                               draw(size)};
    return values[draw(sizeof values / sizeof *values)];
}

static void change_word(uint8_t *file, uint64_t at, uint32_t size)
{
    uint32_t value;
    memcpy(&value, file + at, sizeof value);
    value = interesting(value, size);
    memcpy(file + at, &value, sizeof value);
}

/* One more row, or one less, with the count that says so. */
static uint8_t *change_rows(uint8_t *file, size_t *size, struct qwo_header *header,
                            const struct qwo_layout *layout)
{
    enum qwo_table table = draw(QWO_TABLE_COUNT);
    size_t row = qwo_row_size(table);
    bool more = draw(2) || !header->counts[table];
    struct qwo_header changed = *header;
    changed.counts[table] += more ? 1u : UINT32_MAX;
    struct qwo_layout after;
    qwo_layout(&changed, &after);
    uint8_t *fresh = calloc(1, after.end);
    size_t head =
        layout->tables[table] + (more ? header->counts[table] : changed.counts[table]) * row;
    memcpy(fresh, file, head);
    size_t from = more ? head : head + row, to = more ? head + row : head;
    uint64_t end = layout->tables[QWO_TABLE_COUNT - 1] +
                   header->counts[QWO_TABLE_COUNT - 1] * qwo_row_size(QWO_TABLE_COUNT - 1);
    memcpy(fresh + to, file + from, end - from);
    if (more)
        for (size_t k = 0; k < row; k++)
            fresh[head + k] = head >= row ? file[head - row + k] : 0;
    struct qwo_cursor c = {fresh, QWO_MAGIC_SIZE, true};
    qwo_header(&c, &changed);
    *header = changed;
    *size = after.end;
    free(file);
    return fresh;
}

unsigned fuzz_parser(const uint8_t *original, size_t original_size, unsigned rounds)
{
    unsigned taken = 0;
    for (unsigned n = 0; n < rounds; n++) {
        size_t size = original_size;
        uint8_t *file = malloc(size);
        memcpy(file, original, size);
        struct qwo_header header = {0};
        struct qwo_layout layout;
        struct qwo_cursor c = {file, QWO_MAGIC_SIZE, false};
        qwo_header(&c, &header);
        qwo_layout(&header, &layout);
        if (!draw(3)) {
            file = change_rows(file, &size, &header, &layout);
            qwo_layout(&header, &layout);
        }
        uint64_t rows = (layout.trailer - layout.tables[0]) / 4;
        for (unsigned k = draw(4); k; k--) {
            switch (draw(6)) {
            case 0: change_word(file, 8 + 4 * draw(2), header.code_size); break;
            case 1: change_word(file, 88 + 4 * draw(10), header.code_size); break;
            case 2:
                file[layout.module + draw(header.module_size)] ^= (uint8_t)(1u << draw(8));
                break;
            default:
                change_word(file, layout.tables[0] + 4 * (uint64_t)draw((uint32_t)rows),
                            header.code_size);
            }
        }
        struct wasm_error err;
        struct wasm_module *module = wasm_module_load_compiled(file, size, NULL, &err);
        taken += module != NULL;
        wasm_module_release(module);
        free(file);
    }
    return taken;
}
