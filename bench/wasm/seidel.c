/* Gauss-Seidel relaxation in place: every point waits for its neighbours (PolyBench seidel-2d). */
#include "linear.h"

enum { N = 120 };
static double a[N][N];

EXPORT
{
    FILL(a, N, N, ((double)i * (j + 2) + 2) / N);
    while (rounds--)
        for (int i = 1; i < N - 1; i++)
            for (int j = 1; j < N - 1; j++)
                a[i][j] = (a[i - 1][j - 1] + a[i - 1][j] + a[i - 1][j + 1] + a[i][j - 1] + a[i][j] +
                           a[i][j + 1] + a[i + 1][j - 1] + a[i + 1][j] + a[i + 1][j + 1]) /
                          9.0;
    uint32_t sum = 0;
    SUM(sum, a, N, N);
    return sum;
}
