/* Radix-2 fast Fourier transform of 4,096 complex numbers, forth and back. */
#include "bench.h"

enum { N = 4096 };
static double re[N], im[N], cosine[N / 2], sine[N / 2];

static void transform(int back)
{
    for (uint32_t i = 1, j = 0; i < N; i++) {
        uint32_t bit = N >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            double t = re[i];
            re[i] = re[j], re[j] = t;
            t = im[i];
            im[i] = im[j], im[j] = t;
        }
    }
    for (uint32_t size = 2; size <= N; size *= 2) {
        uint32_t half = size / 2, step = N / size;
        for (uint32_t at = 0; at < N; at += size)
            for (uint32_t k = 0; k < half; k++) {
                double c = cosine[k * step], s = back ? sine[k * step] : -sine[k * step];
                double *r = &re[at + k], *m = &im[at + k];
                double tr = r[half] * c - m[half] * s, ti = r[half] * s + m[half] * c;
                r[half] = *r - tr, m[half] = *m - ti;
                *r += tr, *m += ti;
            }
    }
}

EXPORT
{
    /* Rotations by repeated multiplication: no library sine, the same bits everywhere. */
    double c = 1, s = 0;
    const double cs = 0.99999882345170188, sn = 0.0015339801862847656;
    for (int i = 0; i < N / 2; i++) {
        cosine[i] = c, sine[i] = s;
        double t = c * cs - s * sn;
        s = c * sn + s * cs;
        c = t;
    }
    random_seed(20);
    for (int i = 0; i < N; i++)
        re[i] = (double)(random_next() % 1000) / 1000, im[i] = 0;
    while (rounds--) {
        transform(0);
        transform(1);
        for (int i = 0; i < N; i++)
            re[i] /= N, im[i] /= N;
    }
    uint32_t sum = 0;
    for (int i = 0; i < N; i += 16)
        sum = mix_double(mix_double(sum, re[i]), im[i]);
    return sum;
}
