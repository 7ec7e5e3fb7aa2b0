/* LU decomposition without pivoting of a diagonally dominant matrix (PolyBench lu). */
#include "linear.h"

enum { N = 100 };
static double a[N][N];

EXPORT
{
    uint32_t sum = 0;
    while (rounds--) {
        FILL(a, N, N, i == j ? N : (double)((i * 7 + j * 3 + (int)rounds) % 11) / 11);
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < i; j++) {
                for (int k = 0; k < j; k++)
                    a[i][j] -= a[i][k] * a[k][j];
                a[i][j] /= a[j][j];
            }
            for (int j = i; j < N; j++)
                for (int k = 0; k < i; k++)
                    a[i][j] -= a[i][k] * a[k][j];
        }
        sum = mix_double(sum, a[N - 1][N - 1]);
    }
    SUM(sum, a, N, N);
    return sum;
}
