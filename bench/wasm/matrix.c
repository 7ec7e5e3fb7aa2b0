/* Integer matrices as CoreMark uses them: add a constant, multiply by constant, vector, matrix, and
 * bit fields of the product. */
#include "bench.h"

enum { N = 48 };
static int16_t a[N][N], b[N][N];
static int32_t c[N][N];

static uint32_t fold(void)
{
    int32_t total = 0, previous = 0;
    uint32_t result = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int32_t now = c[i][j];
            total += now & 0xffff;
            if (total > 40000) {
                result += 10;
                total = 0;
            } else {
                result += now > previous;
            }
            previous = now;
        }
    return result;
}

EXPORT
{
    random_seed(18);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i][j] = (int16_t)(random_next() & 0xff), b[i][j] = (int16_t)(random_next() & 0xff);
    uint32_t sum = 0;
    while (rounds--) {
        int16_t value = (int16_t)(rounds & 15);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                a[i][j] = (int16_t)(a[i][j] + value);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                c[i][j] = a[i][j] * value;
        sum = mix(sum, fold());
        for (int i = 0; i < N; i++) {
            c[i][0] = 0;
            for (int j = 0; j < N; j++)
                c[i][0] += a[i][j] * b[0][j];
        }
        sum = mix(sum, fold());
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int32_t dot = 0;
                for (int k = 0; k < N; k++)
                    dot += a[i][k] * b[k][j];
                c[i][j] = dot;
            }
        sum = mix(sum, fold());
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int32_t bits = 0;
                for (int k = 0; k < N; k++) {
                    int32_t product = a[i][k] * b[k][j];
                    bits += (product >> 2 & 15) * (product >> 5 & 127);
                }
                c[i][j] = bits;
            }
        sum = mix(sum, fold());
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                a[i][j] = (int16_t)(a[i][j] - value);
    }
    return sum;
}
