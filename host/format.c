/* Formats of map entries: see format.h. */
#include "format.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"

enum shape {
    UNSIGNED,
    SIGNED,
    BIG,
    HEX,
    IP4,
    IP6,
    IP46,
    MAC,
    BYTES,
    TEXT,
    TIME,
    DATE,
    SIZE,
    PROTO,
    FLAGS,
    ENUM
};

static const struct type {
    const char *name;
    enum shape shape;
    size_t size; /* 0: said behind the name */
} types[] = {
    {"u8", UNSIGNED, 1}, {"u16", UNSIGNED, 2},   {"u32", UNSIGNED, 4}, {"u64", UNSIGNED, 8},
    {"i8", SIGNED, 1},   {"i16", SIGNED, 2},     {"i32", SIGNED, 4},   {"i64", SIGNED, 8},
    {"be16", BIG, 2},    {"be32", BIG, 4},       {"be64", BIG, 8},     {"x8", HEX, 1},
    {"x16", HEX, 2},     {"x32", HEX, 4},        {"x64", HEX, 8},      {"ip4", IP4, 4},
    {"ip6", IP6, 16},    {"ip46", IP46, 16},     {"mac", MAC, 6},      {"bytes", BYTES, 0},
    {"text", TEXT, 0},   {"time", TIME, 8},      {"date", DATE, 8},    {"size", SIZE, 8},
    {"proto", PROTO, 1}, {"tcpflags", FLAGS, 1}, {"enum", ENUM, 1},
};

enum { FIELDS_MAX = 64 };

struct field {
    char *name;
    const struct type *type;
    size_t offset, size;
    char *names; /* ENUM: zero|one|two */
    bool shown;
    char op; /* 0: bytes of the entry; '=', '+', '-', '?' */
    int operands[3];
};

struct format {
    struct field fields[FIELDS_MAX];
    int count;
    int version; /* the field that tells IPv4 from IPv6; -1 */
    size_t size;
    const char *titles[FIELDS_MAX + 1];
};

/* A field's value: a number, or bytes. */
struct value {
    uint64_t number;
    const uint8_t *bytes;
};

static bool is_number(enum shape shape)
{
    return shape != IP4 && shape != IP6 && shape != IP46 && shape != MAC && shape != BYTES &&
           shape != TEXT;
}

static int find_field(const struct format *format, const char *name, size_t length)
{
    for (int i = 0; i < format->count; i++) {
        if (strlen(format->fields[i].name) == length &&
            memcmp(format->fields[i].name, name, length) == 0) {
            return i;
        }
    }
    return -1;
}

/* EXPR of a computed field. */
static bool parse_expression(const struct format *format, struct field *field, const char *text)
{
    static const char operators[] = "+-?:";
    int used = 0;
    field->op = '=';
    while (used < 3) {
        size_t length = strcspn(text, operators);
        int operand = find_field(format, text, length);
        if (operand < 0) {
            return false;
        }
        field->operands[used++] = operand;
        text += length;
        char c = *text;
        if (c == 0) {
            return used == (field->op == '=' ? 1 : field->op == '?' ? 3 : 2);
        }
        if (used == 1 && c != ':') {
            field->op = c;
        } else if (used != 2 || c != ':' || field->op != '?') {
            return false;
        }
        text++;
    }
    return false;
}

static bool parse_type(struct field *field, const char *text, char error[128])
{
    size_t length = strcspn(text, ":");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct type *type = &types[i];
        if (strlen(type->name) != length || memcmp(type->name, text, length) != 0) {
            continue;
        }
        const char *more = text[length] ? text + length + 1 : NULL;
        field->type = type;
        field->size = type->size;
        if (type->size == 0) {
            field->size = more ? strtoul(more, NULL, 10) : 0;
            if (field->size == 0 || field->size > 65536) {
                snprintf(error, 128, "%s: how many bytes? %s:N", field->name, type->name);
                return false;
            }
        } else if (type->shape == ENUM && more) {
            field->names = xstrdup(more);
        } else if (type->shape == ENUM || more) {
            snprintf(error, 128, "%s: %s", field->name,
                     more ? "this type takes nothing behind it" : "which names? enum:zero|one");
            return false;
        }
        return true;
    }
    snprintf(error, 128, "%.40s: there is no type '%.40s'", field->name, text);
    return false;
}

static bool parse_field(struct format *format, char *text, char error[128])
{
    char *type = strchr(text, ':');
    if (!type || type == text) {
        snprintf(error, 128, "'%.60s' is not NAME:TYPE", text);
        return false;
    }
    *type++ = 0;
    if (strcmp(text, "_") == 0) {
        unsigned long skip = strtoul(type, NULL, 10);
        format->size += skip <= 65536 ? skip : 0;
        return true;
    }
    if (format->count == FIELDS_MAX) {
        snprintf(error, 128, "more than %d fields", FIELDS_MAX);
        return false;
    }
    struct field *field = &format->fields[format->count];
    field->shown = text[0] != '-';
    field->name = xstrdup(text + !field->shown);
    char *expression = strchr(type, '=');
    if (expression) {
        *expression++ = 0;
    }
    if (!parse_type(field, type, error)) {
        free(field->name);
        return false;
    }
    if (expression) {
        if (!parse_expression(format, field, expression)) {
            snprintf(error, 128, "%.24s: '%.40s' is not A, A+B, A-B or S?A:B of earlier fields",
                     field->name, expression);
            free(field->name);
            free(field->names);
            return false;
        }
    } else {
        field->offset = format->size;
        format->size += field->size;
    }
    format->count++;
    return true;
}

static void make_titles(struct format *format)
{
    int columns = 0;
    for (int i = 0; i < format->count; i++) {
        const struct field *field = &format->fields[i];
        if (!field->shown) {
            continue;
        }
        bool right = is_number(field->type->shape) && field->type->shape != ENUM &&
                     field->type->shape != PROTO && field->type->shape != FLAGS &&
                     field->type->shape != DATE;
        char *title = xformat("%s%s", right ? ">" : "", field->name);
        for (char *p = title; *p; p++) {
            *p = *p == '_' ? ' ' : (char)toupper((unsigned char)*p);
        }
        format->titles[columns++] = title;
    }
    format->titles[columns] = NULL;
}

struct format *format_parse(const char *text, char error[128])
{
    struct format *format = xcalloc(1, sizeof *format);
    char *copy = xstrdup(text), *save = NULL;
    bool good = true;
    for (char *item = strtok_r(copy, ",", &save); item && good; item = strtok_r(NULL, ",", &save)) {
        good = parse_field(format, item, error);
    }
    free(copy);
    format->version = find_field(format, "version", strlen("version"));
    if (good && format->count == 0) {
        snprintf(error, 128, "a format without fields");
        good = false;
    }
    if (!good) {
        format_free(format);
        return NULL;
    }
    make_titles(format);
    return format;
}

void format_free(struct format *format)
{
    for (int i = 0; i < format->count; i++) {
        free(format->fields[i].name);
        free(format->fields[i].names);
    }
    for (int i = 0; format->titles[i]; i++) {
        free((char *)format->titles[i]);
    }
    free(format);
}

size_t format_size(const struct format *format)
{
    return format->size;
}

const char *const *format_titles(const struct format *format)
{
    return format->titles;
}

int format_column(const struct format *format, const char *name)
{
    int index = find_field(format, name, strlen(name));
    return index >= 0 && format->fields[index].shown ? index : -1;
}

static struct value read_bytes(const struct field *field, const uint8_t *entry)
{
    struct value value = {0, entry + field->offset};
    if (!is_number(field->type->shape)) {
        return value;
    }
    for (size_t i = 0; i < field->size; i++) {
        size_t shift = field->type->shape == BIG ? field->size - 1 - i : i;
        value.number |= (uint64_t)value.bytes[i] << 8 * shift;
    }
    if (field->type->shape == SIGNED && field->size < 8) {
        unsigned up = 64 - 8 * (unsigned)field->size;
        value.number = (uint64_t)((int64_t)(value.number << up) >> up);
    }
    return value;
}

/* Operands stand before the field, so this ends. */
static struct value evaluate(const struct format *format, int index, const uint8_t *entry)
{
    const struct field *field = &format->fields[index];
    if (!field->op) {
        return read_bytes(field, entry);
    }
    struct value a = evaluate(format, field->operands[0], entry);
    if (field->op == '=') {
        return a;
    }
    if (field->op == '?') {
        return evaluate(format, field->operands[a.number ? 1 : 2], entry);
    }
    struct value b = evaluate(format, field->operands[1], entry);
    a.number = field->op == '+' ? a.number + b.number : a.number - b.number;
    return a;
}

static const char *protocol_name(uint64_t number)
{
    static char text[24];
    switch (number) {
    case 1: return "icmp";
    case 2: return "igmp";
    case 6: return "tcp";
    case 17: return "udp";
    case 58: return "icmp6";
    case 132: return "sctp";
    default: snprintf(text, sizeof text, "%llu", (unsigned long long)number); return text;
    }
}

/* The NUMBER-th of zero|one|two. */
static void name_of(const char *names, uint64_t number, char *out, size_t size)
{
    const char *at = names;
    for (uint64_t i = 0; i < number && at; i++) {
        at = strchr(at, '|');
        at = at ? at + 1 : NULL;
    }
    if (at) {
        snprintf(out, size, "%.*s", (int)strcspn(at, "|"), at);
    } else {
        snprintf(out, size, "%llu", (unsigned long long)number);
    }
}

static void hex(const uint8_t *bytes, size_t count, const char *separator, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    for (size_t i = 0; i < count && used + 4 < size; i++) {
        used += (size_t)snprintf(out + used, size - used, "%s%02x", i ? separator : "", bytes[i]);
    }
}

static void date(uint64_t ns, char *out, size_t size)
{
    time_t seconds = (time_t)(ns / 1000000000u);
    struct tm tm;
    char text[32] = "?";
    if (localtime_r(&seconds, &tm)) {
        strftime(text, sizeof text, "%F %T", &tm);
    }
    snprintf(out, size, "%s.%03u", text, (unsigned)(ns / 1000000u % 1000u));
}

static void tcp_flags(uint64_t flags, char *out, size_t size)
{
    static const char letters[] = "FSRPAUEC";
    size_t used = 0;
    for (int i = 0; i < 8 && used + 1 < size; i++) {
        if (flags & 1u << i) {
            out[used++] = letters[i];
        }
    }
    out[used] = 0;
}

/* Text of a value that is not a plain number. */
static void show(const struct format *format, const struct field *field, struct value v,
                 const uint8_t *entry, char *out, size_t size)
{
    enum shape shape = field->type->shape;
    if (shape == IP46) {
        bool four = format->version >= 0 && evaluate(format, format->version, entry).number == 4;
        shape = four ? IP4 : IP6;
    }
    switch (shape) {
    case IP4: inet_ntop(AF_INET, v.bytes, out, (socklen_t)size); break;
    case IP6:
    case IP46: inet_ntop(AF_INET6, v.bytes, out, (socklen_t)size); break;
    case MAC: hex(v.bytes, 6, ":", out, size); break;
    case BYTES: hex(v.bytes, field->size, "", out, size); break;
    case TEXT: snprintf(out, size, "%.*s", (int)field->size, (const char *)v.bytes); break;
    case TIME: snprintf(out, size, "%s", human_time((double)v.number)); break;
    case SIZE: snprintf(out, size, "%s", human_bytes((double)v.number)); break;
    case DATE: date(v.number, out, size); break;
    case PROTO: snprintf(out, size, "%s", protocol_name(v.number)); break;
    case FLAGS: tcp_flags(v.number, out, size); break;
    case ENUM: name_of(field->names, v.number, out, size); break;
    case HEX: snprintf(out, size, "%llx", (unsigned long long)v.number); break;
    case SIGNED: snprintf(out, size, "%lld", (long long)v.number); break;
    case UNSIGNED:
    case BIG: snprintf(out, size, "%llu", (unsigned long long)v.number); break;
    }
}

enum { SHOWN_MAX = 1024 };

void format_row(const struct format *format, const uint8_t *entry, struct table *table)
{
    for (int i = 0; i < format->count; i++) {
        if (format->fields[i].shown) {
            char text[SHOWN_MAX];
            show(format, &format->fields[i], evaluate(format, i, entry), entry, text, sizeof text);
            table_cell(table, "%s", text);
        }
    }
}

cJSON *format_object(const struct format *format, const uint8_t *entry)
{
    cJSON *object = cJSON_CreateObject();
    for (int i = 0; i < format->count; i++) {
        const struct field *field = &format->fields[i];
        enum shape shape = field->type->shape;
        if (!field->shown) {
            continue;
        }
        struct value value = evaluate(format, i, entry);
        if (is_number(shape) && shape != PROTO && shape != ENUM && shape != FLAGS) {
            cJSON_AddNumberToObject(object, field->name,
                                    shape == SIGNED ? (double)(int64_t)value.number
                                                    : (double)value.number);
        } else {
            char text[SHOWN_MAX];
            show(format, field, value, entry, text, sizeof text);
            cJSON_AddStringToObject(object, field->name, text);
        }
    }
    return object;
}

int format_compare(const struct format *format, int column, const uint8_t *a, const uint8_t *b)
{
    const struct field *field = &format->fields[column];
    struct value x = evaluate(format, column, a), y = evaluate(format, column, b);
    if (!is_number(field->type->shape)) {
        return memcmp(x.bytes, y.bytes, field->size);
    }
    if (field->type->shape == SIGNED) {
        return (int64_t)x.number < (int64_t)y.number   ? 1
               : (int64_t)x.number > (int64_t)y.number ? -1
                                                       : 0;
    }
    return x.number < y.number ? 1 : x.number > y.number ? -1 : 0;
}

char *format_find(const char *text, size_t size, const char *map)
{
    size_t wanted = strlen(map);
    const char *end = text + size;
    while (text < end) {
        const char *stop = text;
        while (stop < end && *stop != '\n' && *stop != 0) {
            stop++;
        }
        size_t length = (size_t)(stop - text);
        if (length > wanted + 1 && memcmp(text, map, wanted) == 0 && text[wanted] == '=') {
            return xformat("%.*s", (int)(length - wanted - 1), text + wanted + 1);
        }
        text = stop + 1;
    }
    return NULL;
}
