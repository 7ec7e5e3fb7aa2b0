/* A Dhrystone-like mix: records and pointers, string copy and comparison, enumerations, small
 * calls. */
#include "bench.h"

enum choice { FIRST, SECOND, THIRD, FOURTH };
struct record {
    struct record *partner;
    enum choice kind, component;
    int32_t number;
    char text[31];
};
static struct record one, two;
static int32_t grid[50][50], row[50], counter;
static char letter_1, letter_2;

static int same_text(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a - *b;
}
static void copy_text(char *to, const char *from)
{
    while ((*to++ = *from++))
        ;
}
static enum choice compare_letters(char a, char b)
{
    if (a != b)
        return FIRST;
    letter_1 = a;
    return SECOND;
}
static int later(const char *a, const char *b)
{
    int at = 2;
    char found = 0;
    while (at <= 2)
        if (compare_letters(a[at], b[at + 1]) == FIRST) {
            found = 'A';
            at++;
        }
    if (found >= 'W' && found < 'Z')
        at = 7;
    if (found == 'R')
        return 1;
    if (same_text(a, b) > 0) {
        counter = at + 7;
        return 1;
    }
    return 0;
}
static enum choice successor(enum choice c)
{
    switch (c) {
    case FIRST: return SECOND;
    case SECOND: return counter > 100 ? FIRST : FOURTH;
    case THIRD: return SECOND;
    default: return THIRD;
    }
}
static void update_grid(int32_t *r, int32_t (*g)[50], int32_t at, int32_t value)
{
    int32_t i = at + 5;
    r[i] = value;
    r[i + 1] = r[i];
    r[i + 30 - at] = i;
    for (int32_t j = i; j <= i + 1; j++)
        g[i][j] = i;
    g[i][i - 1] += 1;
    g[i + 20][i] = r[i];
    counter = 5;
}
static void exchange(struct record *r)
{
    struct record *next = r->partner;
    *next = one;
    r->number = 5;
    next->number = r->number;
    next->partner = r->partner;
    if (next->kind == FIRST) {
        next->number = 6;
        next->component = successor(r->component);
        next->number += counter;
    } else {
        *r = *next;
    }
}

EXPORT
{
    uint32_t sum = 0;
    one = (struct record){&two, FIRST, THIRD, 40, "RECORDS, SOME STRING"};
    two = (struct record){0};
    counter = letter_1 = letter_2 = 0;
    for (int i = 0; i < 50; i++) { /* every run starts from the same state */
        row[i] = 0;
        for (int j = 0; j < 50; j++)
            grid[i][j] = 0;
    }
    for (uint32_t run = 1; run <= rounds * 1000; run++) {
        char first[31], second[31];
        letter_1 = 'A';
        letter_2 = 'B';
        copy_text(first, "RECORDS PROGRAM, 1'ST STRING");
        copy_text(second, "RECORDS PROGRAM, 2'ND STRING");
        int32_t a = 2, b = 3, c = 0;
        enum choice kind = SECOND;
        int earlier = !later(first, second);
        while (a < b) {
            c = 5 * a - b;
            a++;
        }
        update_grid(row, grid, a, c);
        exchange(&one);
        for (char l = 'A'; l <= letter_2; l++)
            if (kind == compare_letters(l, 'C'))
                kind = FIRST;
        b = b * a;
        a = b / c;
        b = 7 * (b - c) - a;
        sum = mix(sum, (uint32_t)(a + b * 3 + c * 5 + earlier + two.number + (int32_t)kind));
    }
    return mix(sum, (uint32_t)(counter + letter_1 + grid[8][7]));
}
