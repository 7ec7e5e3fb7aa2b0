/* All-pairs shortest paths in integers (PolyBench floyd-warshall). */
#include "bench.h"

enum { N = 100 };
static int32_t path[N][N];

EXPORT
{
    uint32_t sum = 0;
    while (rounds--) {
        random_seed(12 + rounds);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++)
                path[i][j] = random_next() % 5 ? 1 + (int32_t)(random_next() % 997) : 99999;
        for (int k = 0; k < N; k++)
            for (int i = 0; i < N; i++)
                for (int j = 0; j < N; j++) {
                    int32_t through = path[i][k] + path[k][j];
                    path[i][j] = path[i][j] < through ? path[i][j] : through;
                }
        for (int i = 0; i < N; i++)
            sum = mix(sum, (uint32_t)path[i][N - 1 - i]);
    }
    return sum;
}
