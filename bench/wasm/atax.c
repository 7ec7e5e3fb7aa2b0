/* y = Aᵀ·(A·x) and the two products of bicg: matrix by vector along both axes. */
#include "linear.h"

enum { N = 200 };
static double a[N][N], x[N], y[N], s[N], q[N];

EXPORT
{
    FILL(a, N, N, (double)((i + j) % N) / (5 * N));
    for (int i = 0; i < N; i++)
        x[i] = 1 + (double)i / N, y[i] = 0;
    while (rounds--) {
        for (int i = 0; i < N; i++)
            y[i] = s[i] = 0;
        for (int i = 0; i < N; i++) {
            double t = 0;
            for (int j = 0; j < N; j++)
                t += a[i][j] * x[j];
            for (int j = 0; j < N; j++)
                y[j] += a[i][j] * t;
        }
        for (int i = 0; i < N; i++) {
            q[i] = 0;
            for (int j = 0; j < N; j++) {
                s[j] += x[i] * a[i][j];
                q[i] += a[i][j] * y[j];
            }
        }
        for (int i = 0; i < N; i++)
            x[i] = 1 / (1 + q[i] * q[i] + s[i]);
    }
    uint32_t sum = 0;
    for (int i = 0; i < N; i++)
        sum = mix_double(mix_double(sum, y[i]), x[i]);
    return sum;
}
