/* A state machine as CoreMark uses it: classify comma-separated tokens as integer, float,
 * scientific or invalid, one byte at a time. */
#include "bench.h"

enum state { START, INVALID, SIGN, INTEGER, FLOAT, EXPONENT, EXPONENT_SIGN, SCIENTIFIC, STATES };
enum { SIZE = 4096 };
static uint8_t text[SIZE + 1];

static int digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static const uint8_t *token(const uint8_t *p, uint32_t *transitions, enum state *result)
{
    enum state s = START;
    for (; *p && s != INVALID; p++) {
        uint8_t c = *p;
        if (c == ',') {
            p++;
            break;
        }
        switch (s) {
        case START:
            s = digit(c) ? INTEGER : c == '+' || c == '-' ? SIGN : c == '.' ? FLOAT : INVALID;
            transitions[START]++;
            transitions[INVALID] += s == INVALID;
            break;
        case SIGN:
            s = digit(c) ? INTEGER : c == '.' ? FLOAT : INVALID;
            transitions[SIGN]++;
            break;
        case INTEGER:
            if (c == '.') {
                s = FLOAT;
                transitions[INTEGER]++;
            } else if (!digit(c)) {
                s = INVALID;
                transitions[INTEGER]++;
            }
            break;
        case FLOAT:
            if (c == 'e' || c == 'E') {
                s = EXPONENT;
                transitions[FLOAT]++;
            } else if (!digit(c)) {
                s = INVALID;
                transitions[FLOAT]++;
            }
            break;
        case EXPONENT:
            s = c == '+' || c == '-' ? EXPONENT_SIGN : INVALID;
            transitions[EXPONENT]++;
            break;
        case EXPONENT_SIGN:
            s = digit(c) ? SCIENTIFIC : INVALID;
            transitions[EXPONENT_SIGN]++;
            break;
        case SCIENTIFIC:
            if (!digit(c)) {
                s = INVALID;
                transitions[INVALID]++;
            }
            break;
        default: break;
        }
    }
    *result = s;
    return p;
}

EXPORT
{
    static const char *const tokens[] = {"5012",     "1234",     "-874",     "+122",
                                         "35.54400", ".1234500", "-110.700", "+0.64400",
                                         "5.500e+3", "-.123e-2", "-87e+832", "+0.6e-12",
                                         "T0.3e-1F", "-T.T++Tq", "1T3.4e4z", "34.0e-T^"};
    random_seed(19);
    size_t n = 0;
    while (n + 12 < SIZE) {
        for (const char *t = tokens[random_next() % 16]; *t;)
            text[n++] = (uint8_t)*t++;
        text[n++] = ',';
    }
    text[n] = 0;
    uint32_t sum = 0;
    while (rounds--) {
        uint32_t transitions[STATES] = {0}, finals[STATES] = {0};
        for (const uint8_t *p = text; *p;) {
            enum state final;
            p = token(p, transitions, &final);
            finals[final]++;
        }
        for (size_t i = rounds & 7; i < n; i += 61) /* damage, as CoreMark does, then repair */
            if (text[i] != ',')
                text[i] ^= (uint8_t)(rounds & 1);
        for (int i = 0; i < STATES; i++)
            sum = mix(sum, transitions[i] * 31 + finals[i]);
    }
    return sum;
}
