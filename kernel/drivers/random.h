/* The kernel's random numbers: a ChaCha20 generator keyed from the processor, the host's virtio-rng
 * and timing; each call erases what could reveal earlier output. Threads and interrupts. */
#ifndef QUINCE_DRIVERS_RANDOM_H
#define QUINCE_DRIVERS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *buffer, size_t size);
uint32_t random_u32(void);
/* Adds what an observer cannot know (or can: it never harms). */
void random_mix(const void *data, size_t size);
/* Bits of entropy credited so far are enough for keys: virtio-rng or the processor's generator. */
int random_seeded(void);

#endif
