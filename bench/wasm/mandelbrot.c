/* Escape times over a 128 × 128 piece of the Mandelbrot set. */
#include "bench.h"

EXPORT
{
    uint32_t sum = 0;
    while (rounds--)
        for (int py = 0; py < 128; py++)
            for (int px = 0; px < 128; px++) {
                double cx = px * 3.0 / 128 - 2.0, cy = py * 2.4 / 128 - 1.2, x = 0, y = 0;
                uint32_t n = 0;
                while (n < 200 && x * x + y * y < 4) {
                    double t = x * x - y * y + cx;
                    y = 2 * x * y + cy;
                    x = t;
                    n++;
                }
                sum = mix(sum, n);
            }
    return sum;
}
