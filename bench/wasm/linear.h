/* Arrays of the dense linear algebra and stencil programs, and their filling. */
#ifndef LINEAR_H
#define LINEAR_H
#include "bench.h"

#define FILL(a, rows, columns, expression)                                                         \
    for (int i = 0; i < (rows); i++)                                                               \
        for (int j = 0; j < (columns); j++)                                                        \
    (a)[i][j] = (expression)
#define SUM(sum, a, rows, columns)                                                                 \
    for (int i = 0; i < (rows); i++)                                                               \
        for (int j = 0; j < (columns); j++)                                                        \
    (sum) = mix_double((sum), (a)[i][j])
#endif
