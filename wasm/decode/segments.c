/* Element and data segments (spec 5.5.12 and 5.5.14). */
#include "decode/sections.h"
#include "limits.h"

#include <string.h>

/* The flags of a segment: bit 0 not active, bit 1 explicit index or declarative, bit 2 expressions
 * instead of function indices. */
enum { NOT_ACTIVE = 1, EXPLICIT = 2, EXPRESSIONS = 4 };

static bool read_elem_item(struct module_decoder *d, const struct module_elem *elem, uint32_t flags,
                           struct module_init *item)
{
    if (flags & EXPRESSIONS)
        return read_init(d, elem->type, item);
    uint32_t offset = reader_offset(&d->r);
    item->kind = INIT_REF_FUNC;
    item->type = WASM_FUNCREF;
    if (!read_u32(&d->r, &item->index))
        return false;
    if (item->index >= d->info->func_count)
        return reader_fail_at(&d->r, WASM_ERR_INVALID, offset, "unknown function %u", item->index);
    info_declare(d->info, item->index);
    return true;
}

static bool decode_elem(struct module_decoder *d, struct module_elem *elem)
{
    struct module_info *info = d->info;
    struct reader *r = &d->r;
    uint32_t start = reader_offset(r), flags;
    if (!read_u32(r, &flags))
        return false;
    if (flags > 7)
        return reader_fail_at(r, WASM_ERR_MALFORMED, start, "malformed elements segment kind %u",
                              flags);
    elem->mode = !(flags & NOT_ACTIVE) ? SEGMENT_ACTIVE
                 : flags & EXPLICIT    ? SEGMENT_DECLARATIVE
                                       : SEGMENT_PASSIVE;
    elem->type = WASM_FUNCREF;
    if (elem->mode == SEGMENT_ACTIVE) {
        if (flags & EXPLICIT && !read_u32(r, &elem->table))
            return false;
        if (elem->table >= info->table_count)
            return reader_fail_at(r, WASM_ERR_INVALID, start, "unknown table %u", elem->table);
        if (!read_init(d, WASM_I32, &elem->offset))
            return false;
    }
    if (flags & (NOT_ACTIVE | EXPLICIT)) {
        uint8_t kind;
        if (flags & EXPRESSIONS) {
            if (!read_reference_type(r, &elem->type))
                return false;
        } else if (!read_u8(r, &kind)) {
            return false;
        } else if (kind != 0) {
            r->p--;
            return reader_fail(r, WASM_ERR_MALFORMED, "malformed element kind 0x%02x", kind);
        }
    }
    if (elem->mode == SEGMENT_ACTIVE && info->tables[elem->table].type != elem->type)
        return reader_fail_at(
            r, WASM_ERR_INVALID, start, "type mismatch: segment of %s for a table of %s",
            wasm_type_name(elem->type), wasm_type_name(info->tables[elem->table].type));
    uint32_t count;
    if (!read_count(d, flags & EXPRESSIONS ? 3 : 1, 0, WASM_MAX_ELEM_ITEMS, "segment items",
                    &count))
        return false;
    elem->items = info_alloc(d, count, sizeof *elem->items);
    if (!elem->items)
        return false;
    for (; elem->count < count; elem->count++)
        if (!read_elem_item(d, elem, flags, &elem->items[elem->count]))
            return false;
    return true;
}

bool decode_elems(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 3, 0, WASM_MAX_ELEM_SEGMENTS, "element segments", &count))
        return false;
    info->elems = info_alloc(d, count, sizeof *info->elems);
    if (!info->elems)
        return false;
    for (; info->elem_count < count; info->elem_count++)
        if (!decode_elem(d, &info->elems[info->elem_count]))
            return false;
    return true;
}

static bool decode_data(struct module_decoder *d, struct module_data *data)
{
    struct reader *r = &d->r;
    uint32_t start = reader_offset(r), flags;
    const uint8_t *bytes;
    if (!read_u32(r, &flags))
        return false;
    if (flags > 2)
        return reader_fail_at(r, WASM_ERR_MALFORMED, start, "malformed data segment kind %u",
                              flags);
    data->mode = flags == 1 ? SEGMENT_PASSIVE : SEGMENT_ACTIVE;
    if (flags == 2 && !read_u32(r, &data->memory))
        return false;
    if (data->mode == SEGMENT_ACTIVE) {
        if (data->memory >= d->info->memory_count)
            return reader_fail_at(r, WASM_ERR_INVALID, start, "unknown memory %u", data->memory);
        if (!read_init(d, d->info->memories[data->memory].is64 ? WASM_I64 : WASM_I32,
                       &data->offset))
            return false;
    }
    if (!read_u32(r, &data->size))
        return false;
    data->start = reader_offset(r);
    if (data->size > reader_left(r))
        return reader_fail(r, WASM_ERR_MALFORMED,
                           "unexpected end of section or function: data segment of %u bytes",
                           data->size);
    return read_bytes(r, data->size, &bytes);
}

bool decode_datas(struct module_decoder *d)
{
    struct module_info *info = d->info;
    uint32_t count;
    if (!read_count(d, 2, 0, WASM_MAX_DATA_SEGMENTS, "data segments", &count))
        return false;
    info->datas = info_alloc(d, count, sizeof *info->datas);
    if (!info->datas)
        return false;
    for (; info->data_count < count; info->data_count++)
        if (!decode_data(d, &info->datas[info->data_count]))
            return false;
    return true;
}
