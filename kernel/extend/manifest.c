/* Reads manifests: see manifest.h. Every byte comes from the module and is hostile. */
#include "extend/manifest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A piece of the text; nothing here relies on a final NUL. */
struct span {
    const char *at;
    size_t len;
};

struct parser {
    struct manifest *manifest;
    struct manifest_error *err;
    struct span words; /* what is left of the line */
};

__attribute__((format(printf, 2, 3))) static bool fail(struct parser *p, const char *format, ...)
{
    int used = snprintf(p->err->message, sizeof p->err->message, "line %u: ", p->manifest->lines);
    va_list args;
    va_start(args, format);
    if (used > 0 && (size_t)used < sizeof p->err->message) {
        vsnprintf(p->err->message + used, sizeof p->err->message - (size_t)used, format, args);
    }
    va_end(args);
    p->err->line = p->manifest->lines;
    return false;
}

/* How much of a span is quoted in a message. */
static int shown(struct span s)
{
    return s.len > 40 ? 40 : (int)s.len;
}

static bool span_is(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.at, text, s.len) == 0;
}

/* Takes what stands before SEPARATOR off the front; the whole when there is none. */
static struct span take(struct span *s, char separator)
{
    const char *end = memchr(s->at, separator, s->len);
    struct span front = {s->at, end ? (size_t)(end - s->at) : s->len};
    size_t skip = end ? front.len + 1 : front.len;
    s->at += skip;
    s->len -= skip;
    return front;
}

/* The next word of the line; an empty span at its end. */
static struct span next_word(struct parser *p)
{
    struct span word = {p->words.at, 0};
    while (p->words.len && word.len == 0) {
        word = take(&p->words, ' ');
    }
    return word;
}

static bool name_char(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    return letter || (!first && (c == '-' || c == '.'));
}

static bool span_is_name(struct span s)
{
    if (s.len == 0 || s.len >= MANIFEST_NAME) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (!name_char(s.at[i], i == 0)) {
            return false;
        }
    }
    return true;
}

bool manifest_name_valid(const char *name)
{
    return span_is_name((struct span){name, strnlen(name, MANIFEST_NAME)});
}

static bool copy_name(struct parser *p, const char *what, struct span s, char out[MANIFEST_NAME])
{
    if (!span_is_name(s)) {
        return fail(p, "%s '%.*s' is not 1 to %d of a-z 0-9 _ - .", what, shown(s), s.at,
                    MANIFEST_NAME - 1);
    }
    memcpy(out, s.at, s.len);
    out[s.len] = 0;
    return true;
}

/* Decimal digits off the front of S; false when there are none or they exceed 2^63. */
static bool digits(struct span *s, uint64_t *value)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; n < s->len && s->at[n] >= '0' && s->at[n] <= '9'; n++) {
        unsigned digit = (unsigned)(s->at[n] - '0');
        if (v > ((uint64_t)INT64_MAX - digit) / 10) {
            return false;
        }
        v = v * 10 + digit;
    }
    s->at += n;
    s->len -= n;
    *value = v;
    return n != 0;
}

struct unit {
    const char *suffix;
    uint64_t factor;
};
static const struct unit size_units[] = {
    {"", 1}, {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30}, {NULL, 0}};
static const struct unit time_units[] = {
    {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
static const struct unit plain_units[] = {{"", 1}, {NULL, 0}};

/* A number with one of UNITS, within [min, max]. */
static bool number(struct parser *p, const char *key, struct span s, const struct unit *units,
                   uint64_t min, uint64_t max, uint64_t *out)
{
    struct span rest = s;
    uint64_t value;
    if (!digits(&rest, &value)) {
        return fail(p, "%s: '%.*s' is not a number", key, shown(s), s.at);
    }
    for (; units->suffix; units++) {
        if (!span_is(rest, units->suffix)) {
            continue;
        }
        if (value > max / units->factor || value * units->factor < min) {
            return fail(p, "%s: %.*s is not within %llu to %llu", key, shown(s), s.at,
                        (unsigned long long)min, (unsigned long long)max);
        }
        *out = value * units->factor;
        return true;
    }
    return fail(p, "%s: unknown unit '%.*s'", key, shown(rest), rest.at);
}

static bool number32(struct parser *p, const char *key, struct span s, const struct unit *units,
                     uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t value;
    if (!number(p, key, s, units, min, max, &value)) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

/* Splits WORD at its '='. */
static bool key_value(struct parser *p, struct span word, struct span *key, struct span *value)
{
    *value = word;
    *key = take(value, '=');
    if (key->len == word.len) {
        return fail(p, "'%.*s' is not key=value", shown(word), word.at);
    }
    return true;
}

static bool unknown(struct parser *p, const char *line, struct span key)
{
    return fail(p, "%s: unknown key '%.*s'", line, shown(key), key.at);
}

static bool parse_name(struct parser *p, struct span value)
{
    return copy_name(p, "name", value, p->manifest->name);
}

static bool parse_hook(struct parser *p, struct span points)
{
    struct manifest *m = p->manifest;
    struct hook_spec spec = {.snap = MANIFEST_SNAP_DEFAULT};
    for (struct span word = next_word(p); word.len; word = next_word(p)) {
        struct span key, value;
        if (!key_value(p, word, &key, &value)) {
            return false;
        }
        if (span_is(key, "prio")) {
            bool negative = value.len && value.at[0] == '-';
            struct span magnitude = {value.at + negative, value.len - negative};
            uint32_t prio;
            if (!number32(p, "prio", magnitude, plain_units, 0, 1000, &prio)) {
                return false;
            }
            spec.prio = negative ? -(int32_t)prio : (int32_t)prio;
        } else if (span_is(key, "snap")) {
            if (!number32(p, "snap", value, size_units, 0, MANIFEST_SNAP_MAX, &spec.snap)) {
                return false;
            }
        } else {
            return unknown(p, "hook", key);
        }
    }
    do {
        if (!copy_name(p, "hook point", take(&points, ','), spec.point)) {
            return false;
        }
        for (uint32_t i = 0; i < m->hook_count; i++) {
            if (strcmp(m->hooks[i].point, spec.point) == 0) {
                return fail(p, "hook point '%s' is given twice", spec.point);
            }
        }
        if (m->hook_count == MANIFEST_HOOKS) {
            return fail(p, "more than %d hook points", MANIFEST_HOOKS);
        }
        m->hooks[m->hook_count++] = spec;
    } while (points.len);
    return true;
}

static const char *const kinds[] = {"array", "hash", "lru", "counter"};

const char *map_kind_name(enum map_kind kind)
{
    return (unsigned)kind < sizeof kinds / sizeof *kinds ? kinds[kind] : "?";
}

static bool parse_map(struct parser *p, struct span name)
{
    struct manifest *m = p->manifest;
    struct map_spec spec = {.key = 0};
    if (!copy_name(p, "map", name, spec.name)) {
        return false;
    }
    for (uint32_t i = 0; i < m->map_count; i++) {
        if (strcmp(m->maps[i].name, spec.name) == 0) {
            return fail(p, "map '%s' is given twice", spec.name);
        }
    }
    if (m->map_count == MANIFEST_MAPS) {
        return fail(p, "more than %d maps", MANIFEST_MAPS);
    }
    struct span kind = next_word(p);
    unsigned k = 0;
    while (k < sizeof kinds / sizeof *kinds && !span_is(kind, kinds[k])) {
        k++;
    }
    if (k == sizeof kinds / sizeof *kinds) {
        return fail(p, "map %s: unknown kind '%.*s'", spec.name, shown(kind), kind.at);
    }
    spec.kind = (enum map_kind)k;
    for (struct span word = next_word(p); word.len; word = next_word(p)) {
        struct span key, value;
        bool good;
        if (!key_value(p, word, &key, &value)) {
            return false;
        }
        if (span_is(key, "key")) {
            good = number32(p, "key", value, plain_units, 1, MANIFEST_KEY_MAX, &spec.key);
        } else if (span_is(key, "value")) {
            good = number32(p, "value", value, size_units, 1, MANIFEST_VALUE_MAX, &spec.value);
        } else if (span_is(key, "max")) {
            good = number32(p, "max", value, size_units, 1, MANIFEST_ENTRIES_MAX, &spec.max);
        } else {
            good = unknown(p, "map", key);
        }
        if (!good) {
            return false;
        }
    }
    if (spec.kind == MAP_ARRAY && spec.key == 0) {
        spec.key = 4;
    }
    if (spec.kind == MAP_ARRAY && spec.key != 4) {
        return fail(p, "map %s: the key of an array is 4 bytes", spec.name);
    }
    if (spec.kind == MAP_COUNTER && spec.value == 0) {
        spec.value = 8;
    }
    if (spec.kind == MAP_COUNTER && spec.value != 8) {
        return fail(p, "map %s: the value of a counter is 8 bytes", spec.name);
    }
    if (spec.key == 0 || spec.value == 0 || spec.max == 0) {
        return fail(p, "map %s: %s= is missing", spec.name,
                    spec.key == 0     ? "key"
                    : spec.value == 0 ? "value"
                                      : "max");
    }
    m->maps[m->map_count++] = spec;
    return true;
}

static bool parse_ring(struct parser *p, struct span name)
{
    struct manifest *m = p->manifest;
    struct ring_spec spec;
    if (!copy_name(p, "ring", name, spec.name)) {
        return false;
    }
    for (uint32_t i = 0; i < m->ring_count; i++) {
        if (strcmp(m->rings[i].name, spec.name) == 0) {
            return fail(p, "ring '%s' is given twice", spec.name);
        }
    }
    if (m->ring_count == MANIFEST_RINGS) {
        return fail(p, "more than %d rings", MANIFEST_RINGS);
    }
    if (!number32(p, "ring size", next_word(p), size_units, MANIFEST_RING_MIN, MANIFEST_RING_MAX,
                  &spec.size)) {
        return false;
    }
    if (spec.size & (spec.size - 1)) {
        return fail(p, "ring %s: %u bytes is not a power of two", spec.name, spec.size);
    }
    m->rings[m->ring_count++] = spec;
    return true;
}

static bool parse_need(struct parser *p, struct span needs)
{
    struct manifest *m = p->manifest;
    do {
        char name[MANIFEST_NAME];
        if (!copy_name(p, "need", take(&needs, ','), name)) {
            return false;
        }
        if (m->need_count == MANIFEST_NEEDS) {
            return fail(p, "more than %d needs", MANIFEST_NEEDS);
        }
        memcpy(m->needs[m->need_count++], name, sizeof name);
    } while (needs.len);
    return true;
}

static bool parse_memory(struct parser *p, struct span value)
{
    return number(p, "memory", value, size_units, MANIFEST_MEMORY_MIN, MANIFEST_MEMORY_MAX,
                  &p->manifest->memory);
}

static bool parse_stack(struct parser *p, struct span value)
{
    return number32(p, "stack", value, size_units, MANIFEST_STACK_MIN, MANIFEST_STACK_MAX,
                    &p->manifest->stack);
}

static bool parse_budget(struct parser *p, struct span value)
{
    return number(p, "budget", value, time_units, MANIFEST_BUDGET_MIN, MANIFEST_BUDGET_MAX,
                  &p->manifest->budget_ns);
}

static bool parse_init_budget(struct parser *p, struct span value)
{
    return number(p, "init_budget", value, time_units, MANIFEST_INIT_BUDGET_MIN,
                  MANIFEST_INIT_BUDGET_MAX, &p->manifest->init_budget_ns);
}

static bool parse_on_fault(struct parser *p, struct span value)
{
    if (span_is(value, "pass")) {
        p->manifest->on_fault = ON_FAULT_PASS;
    } else if (span_is(value, "drop")) {
        p->manifest->on_fault = ON_FAULT_DROP;
    } else {
        return fail(p, "on_fault: '%.*s' is neither pass nor drop", shown(value), value.at);
    }
    return true;
}

/* WHOLE keys take the rest of their line; the others may share one. ONCE is the key's bit in
 * manifest.seen, 0 for those that may come again. */
static const struct key {
    const char *name;
    bool (*parse)(struct parser *p, struct span value);
    bool whole;
    uint32_t once;
} keys[] = {
    {"name", parse_name, false, 1},
    {"hook", parse_hook, true, 0},
    {"map", parse_map, true, 0},
    {"ring", parse_ring, true, 0},
    {"need", parse_need, false, 0},
    {"memory", parse_memory, false, 2},
    {"stack", parse_stack, false, 4},
    {"budget", parse_budget, false, 8},
    {"init_budget", parse_init_budget, false, 16},
    {"on_fault", parse_on_fault, false, 32},
};

static bool parse_line(struct parser *p)
{
    for (size_t i = 0; i < p->words.len; i++) {
        unsigned char c = (unsigned char)p->words.at[i];
        if (c < ' ' || c > '~') {
            return fail(p, "byte 0x%02x is not printable ASCII", c);
        }
    }
    for (struct span word = next_word(p); word.len; word = next_word(p)) {
        struct span name, value;
        if (!key_value(p, word, &name, &value)) {
            return false;
        }
        const struct key *key = keys, *end = keys + sizeof keys / sizeof *keys;
        while (key < end && !span_is(name, key->name)) {
            key++;
        }
        if (key == end) {
            return fail(p, "unknown key '%.*s'", shown(name), name.at);
        }
        if (p->manifest->seen & key->once) {
            return fail(p, "%s= is given twice", key->name);
        }
        p->manifest->seen |= key->once;
        if (!key->parse(p, value)) {
            return false;
        }
        if (key->whole && (word = next_word(p)).len) {
            return fail(p, "%s: unexpected '%.*s'", key->name, shown(word), word.at);
        }
    }
    return true;
}

void manifest_init(struct manifest *manifest)
{
    *manifest = (struct manifest){
        .memory = MANIFEST_MEMORY_DEFAULT,
        .stack = MANIFEST_STACK_DEFAULT,
        .budget_ns = MANIFEST_BUDGET_DEFAULT,
        .init_budget_ns = MANIFEST_INIT_BUDGET_DEFAULT,
    };
}

bool manifest_parse(struct manifest *manifest, const char *text, size_t len,
                    struct manifest_error *err)
{
    struct parser p = {.manifest = manifest, .err = err};
    while (len) {
        size_t n = 0;
        while (n < len && text[n] != '\n' && text[n] != '\r' && text[n] != 0) {
            n++;
        }
        manifest->lines++;
        p.words = (struct span){text, n};
        if (n && text[0] != '#' && !parse_line(&p)) {
            return false;
        }
        n += n < len;
        text += n;
        len -= n;
    }
    return true;
}

bool manifest_finish(struct manifest *manifest, struct manifest_error *err)
{
    uint64_t maps = 0, rings = 0;
    const char *wrong = NULL;
    for (uint32_t i = 0; i < manifest->map_count; i++) {
        const struct map_spec *spec = &manifest->maps[i];
        maps += (uint64_t)spec->max * (spec->key + spec->value);
    }
    for (uint32_t i = 0; i < manifest->ring_count; i++) {
        rings += manifest->rings[i].size;
    }
    if (manifest->lines == 0) {
        wrong = "the module has no custom section 'quince'";
    } else if (manifest->name[0] == 0) {
        wrong = "the manifest has no name=";
    } else if (maps > MANIFEST_STATE_MAX) {
        wrong = "the maps take more than 64M together";
    } else if (rings > MANIFEST_STATE_MAX) {
        wrong = "the rings take more than 64M together";
    }
    if (wrong) {
        err->line = 0;
        snprintf(err->message, sizeof err->message, "%s", wrong);
    }
    return wrong == NULL;
}
