/* Regular expressions: compiled to an NFA (Thompson) and simulated state set by state set. */
#include "bench.h"

enum { STATES = 128, SIZE = 8192 };
enum { ANY = 256, CLASS, SPLIT, MATCH };
struct state {
    uint32_t kind, out, out2;
    uint32_t set[8];
};
static struct state states[STATES];
static uint32_t count;
static const char *source;
static uint8_t text[SIZE];

struct piece {
    uint32_t start, end; /* end: a state whose out dangles */
};
static uint32_t state_new(uint32_t kind, uint32_t out, uint32_t out2)
{
    states[count] = (struct state){.kind = kind, .out = out, .out2 = out2};
    return count++;
}
static struct piece alternatives(void);

static struct piece atom(void)
{
    struct piece p;
    char c = *source++;
    if (c == '(') {
        p = alternatives();
        source++;
        return p;
    }
    if (c == '[') {
        uint32_t s = state_new(CLASS, 0, 0);
        while (*source != ']') {
            uint32_t low = (uint8_t)*source++, high = low;
            if (*source == '-') {
                high = (uint8_t)source[1];
                source += 2;
            }
            for (uint32_t b = low; b <= high; b++)
                states[s].set[b / 32] |= 1u << b % 32;
        }
        source++;
        return (struct piece){s, s};
    }
    uint32_t s = state_new(c == '.' ? ANY : (uint8_t)c, 0, 0);
    return (struct piece){s, s};
}
static struct piece repetition(void)
{
    struct piece p = atom();
    for (; *source == '*' || *source == '+' || *source == '?'; source++) {
        uint32_t join = state_new(SPLIT, 0, ~0u);
        uint32_t split = state_new(SPLIT, p.start, join);
        states[p.end].out = *source == '?' ? join : split;
        p = (struct piece){*source == '+' ? p.start : split, join};
    }
    return p;
}
static struct piece sequence(void)
{
    struct piece p = repetition();
    while (*source && *source != '|' && *source != ')') {
        struct piece next = repetition();
        states[p.end].out = next.start;
        p.end = next.end;
    }
    return p;
}
static struct piece alternatives(void)
{
    struct piece p = sequence();
    while (*source == '|') {
        source++;
        struct piece other = sequence();
        uint32_t join = state_new(SPLIT, 0, ~0u);
        uint32_t split = state_new(SPLIT, p.start, other.start);
        states[p.end].out = join;
        states[other.end].out = join;
        p = (struct piece){split, join};
    }
    return p;
}

static uint32_t marks[STATES], stamp, list[2][STATES], sizes[2];
static void follow(int which, uint32_t s)
{
    uint32_t stack[STATES], top = 0;
    stack[top++] = s;
    while (top) {
        s = stack[--top];
        if (marks[s] == stamp)
            continue;
        marks[s] = stamp;
        if (states[s].kind == SPLIT) {
            stack[top++] = states[s].out;
            if (states[s].out2 != ~0u)
                stack[top++] = states[s].out2;
        } else {
            list[which][sizes[which]++] = s;
        }
    }
}
/* The number of positions at which a match ends. */
static uint32_t matches(const char *pattern)
{
    count = 0;
    source = pattern;
    struct piece p = alternatives();
    states[p.end].out = state_new(MATCH, 0, 0);
    uint32_t hits = 0;
    int now = 0;
    sizes[0] = 0;
    stamp++;
    for (size_t i = 0; i < SIZE; i++) {
        follow(now, p.start); /* a match may start anywhere */
        int next = !now;
        sizes[next] = 0;
        stamp++;
        uint8_t c = text[i];
        for (uint32_t n = 0; n < sizes[now]; n++) {
            const struct state *s = &states[list[now][n]];
            if (s->kind == c || s->kind == ANY ||
                (s->kind == CLASS && s->set[c / 32] >> c % 32 & 1))
                follow(next, s->out);
        }
        now = next;
        for (uint32_t n = 0; n < sizes[now]; n++)
            hits += states[list[now][n]].kind == MATCH;
    }
    return hits;
}

EXPORT
{
    static const char *const patterns[] = {"a(b|c)*d", "[0-9]+x[a-f]?y", "(ab|ba|cc)+d.e",
                                           "a.*b.c"};
    random_seed(16);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (uint8_t)("abcdefxy0123"[random_next() % 12]);
    uint32_t sum = 0;
    while (rounds--)
        for (size_t i = 0; i < 4; i++)
            sum = mix(sum, matches(patterns[i]));
    return sum;
}
