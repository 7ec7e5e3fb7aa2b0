/* Jacobi relaxation in two dimensions, two grids (PolyBench jacobi-2d). */
#include "linear.h"

enum { N = 120 };
static double a[N][N], b[N][N];

static void relax(double (*to)[N], double (*from)[N])
{
    for (int i = 1; i < N - 1; i++)
        for (int j = 1; j < N - 1; j++)
            to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] + from[i + 1][j] +
                              from[i - 1][j]);
}

EXPORT
{
    FILL(a, N, N, ((double)i * (j + 2) + 2) / N);
    FILL(b, N, N, ((double)i * (j + 3) + 3) / N);
    while (rounds--) {
        relax(b, a);
        relax(a, b);
    }
    uint32_t sum = 0;
    SUM(sum, a, N, N);
    return sum;
}
