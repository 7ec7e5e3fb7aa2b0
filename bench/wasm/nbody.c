/* Five bodies under gravity, symplectic steps in double precision. */
#include "bench.h"

struct body {
    double x, y, z, vx, vy, vz, mass;
};
static struct body bodies[5];

static void step(double dt)
{
    for (int i = 0; i < 5; i++)
        for (int j = i + 1; j < 5; j++) {
            struct body *a = &bodies[i], *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double square = dx * dx + dy * dy + dz * dz + 0.01;
            double pull = dt / (square * __builtin_sqrt(square));
            a->vx -= dx * b->mass * pull, a->vy -= dy * b->mass * pull,
                a->vz -= dz * b->mass * pull;
            b->vx += dx * a->mass * pull, b->vy += dy * a->mass * pull,
                b->vz += dz * a->mass * pull;
        }
    for (int i = 0; i < 5; i++) {
        struct body *b = &bodies[i];
        b->x += dt * b->vx, b->y += dt * b->vy, b->z += dt * b->vz;
    }
}

EXPORT
{
    random_seed(7);
    for (int i = 0; i < 5; i++) {
        double v[7];
        for (int j = 0; j < 7; j++)
            v[j] = (double)(random_next() % 2000) / 100.0 - 10.0;
        bodies[i] = (struct body){v[0], v[1], v[2], v[3] / 9, v[4] / 9, v[5] / 9, 1 + i};
    }
    for (uint32_t n = 0; n < rounds * 1000; n++)
        step(0.001);
    uint32_t sum = 0;
    for (int i = 0; i < 5; i++)
        sum = mix_double(mix_double(sum, bodies[i].x), bodies[i].vz);
    return sum;
}
