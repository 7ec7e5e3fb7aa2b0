/* C = alpha·A·B + beta·C, as PolyBench's gemm defines it. */
#include "linear.h"

enum { N = 96 };
static double a[N][N], b[N][N], c[N][N];

EXPORT
{
    FILL(a, N, N, (double)((i * j + 1) % N) / N);
    FILL(b, N, N, (double)(i * (j + 1) % N) / N);
    FILL(c, N, N, (double)(i * (j + 2) % N) / N);
    while (rounds--)
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++)
                c[i][j] *= 0.3;
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N; j++)
                    c[i][j] += 0.7 * a[i][k] * b[k][j];
        }
    uint32_t sum = 0;
    SUM(sum, c, N, N);
    return sum;
}
