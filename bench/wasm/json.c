/* A JSON parser: tokens, nesting, numbers, strings with escapes; sums what it reads. */
#include "bench.h"

enum { SIZE = 60000 };
static char text[SIZE + 512];
static size_t length;

static void put(const char *s)
{
    while (*s)
        text[length++] = *s++;
}
static void put_number(uint32_t n)
{
    char digits[10];
    int count = 0;
    do
        digits[count++] = (char)('0' + n % 10);
    while (n /= 10);
    while (count)
        text[length++] = digits[--count];
}
static void make_text(void)
{
    random_seed(14);
    length = 0;
    put("[");
    for (uint32_t id = 0; length < SIZE; id++) {
        put(id ? ",\n {\"id\": " : "\n {\"id\": ");
        put_number(id);
        put(", \"name\": \"item \\\"");
        put_number(random_next() % 1000);
        put("\\\" \\u00e9\", \"price\": -");
        put_number(random_next() % 10000);
        put(".");
        put_number(10 + random_next() % 90);
        put("e-1, \"tags\": [\"a\", \"bc\", null, true, false], \"deep\": {\"x\": {\"y\": [[1], "
            "[2, 3]]}}}");
    }
    put("]");
    text[length] = 0;
}

struct parser {
    const char *at;
    uint32_t sum, depth, bad;
};
static void skip_space(struct parser *p)
{
    while (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r')
        p->at++;
}
static void parse_string(struct parser *p)
{
    for (p->at++; *p->at && *p->at != '"'; p->at++) {
        uint32_t c = (uint8_t)*p->at;
        if (c == '\\') {
            c = (uint8_t) * ++p->at;
            switch (c) {
            case 'n': c = '\n'; break;
            case 't': c = '\t'; break;
            case 'u':
                c = 0;
                for (int i = 0; i < 4; i++) {
                    uint32_t d = (uint8_t) * ++p->at;
                    c = c * 16 + (d <= '9' ? d - '0' : (d | 32) - 'a' + 10);
                }
                break;
            default: break;
            }
        }
        p->sum = mix(p->sum, c);
    }
    p->bad += *p->at != '"';
    p->at++;
}
static void parse_number(struct parser *p)
{
    double value = 0, scale = 1;
    int negative = *p->at == '-', exponent = 0, minus = 0;
    p->at += negative;
    while (*p->at >= '0' && *p->at <= '9')
        value = value * 10 + (*p->at++ - '0');
    if (*p->at == '.')
        for (p->at++; *p->at >= '0' && *p->at <= '9'; p->at++)
            value += (*p->at - '0') * (scale /= 10);
    if ((*p->at | 32) == 'e') {
        p->at++;
        if (*p->at == '-' || *p->at == '+')
            minus = *p->at++ == '-';
        while (*p->at >= '0' && *p->at <= '9')
            exponent = exponent * 10 + (*p->at++ - '0');
        while (exponent--)
            value = minus ? value / 10 : value * 10;
    }
    p->sum = mix_double(p->sum, negative ? -value : value);
}
static void parse_value(struct parser *p)
{
    skip_space(p);
    char open = *p->at;
    if (open == '{' || open == '[') {
        p->depth++;
        char close = open == '{' ? '}' : ']';
        p->at++;
        skip_space(p);
        while (*p->at && *p->at != close) {
            if (open == '{') {
                skip_space(p);
                parse_string(p);
                skip_space(p);
                p->bad += *p->at++ != ':';
            }
            parse_value(p);
            skip_space(p);
            if (*p->at == ',')
                p->at++;
            skip_space(p);
        }
        p->at++;
        p->sum = mix(p->sum, p->depth--);
    } else if (open == '"') {
        parse_string(p);
    } else if (open == '-' || (open >= '0' && open <= '9')) {
        parse_number(p);
    } else {
        while (*p->at >= 'a' && *p->at <= 'z')
            p->sum = mix(p->sum, (uint8_t)*p->at++);
    }
}

EXPORT
{
    make_text();
    struct parser p = {0};
    while (rounds--) {
        p.at = text;
        parse_value(&p);
    }
    return mix(p.sum, p.bad);
}
