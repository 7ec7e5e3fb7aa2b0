/* Random numbers. Fast key erasure: a block of ChaCha20 gives the next key and the output. */
#include "drivers/random.h"

#include <string.h>
#include "arch/cpu.h"
#include "init.h"
#include "log.h"
#include "sched/sync.h"
#include "time/clock.h"

enum { KEY_WORDS = 8, BLOCK_WORDS = 16, BATCH_WORDS = 32 };

static struct spinlock lock;
static uint32_t key[KEY_WORDS];
static uint64_t nonce;
static bool seeded;
static uint32_t batch[BATCH_WORDS]; /* ready words for random_u32() */
static unsigned batch_left;

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate(*d ^ *a, 16);
    *c += *d;
    *b = rotate(*b ^ *c, 12);
    *a += *b;
    *d = rotate(*d ^ *a, 8);
    *c += *d;
    *b = rotate(*b ^ *c, 7);
}

static void chacha20_block(const uint32_t k[KEY_WORDS], uint64_t counter, uint64_t iv,
                           uint32_t out[BLOCK_WORDS])
{
    uint32_t input[BLOCK_WORDS] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(input + 4, k, KEY_WORDS * sizeof *k);
    memcpy(input + 12, &counter, sizeof counter);
    memcpy(input + 14, &iv, sizeof iv);
    uint32_t x[BLOCK_WORDS];
    memcpy(x, input, sizeof x);
    for (unsigned i = 0; i < 10; i++) {
        quarter(&x[0], &x[4], &x[8], &x[12]);
        quarter(&x[1], &x[5], &x[9], &x[13]);
        quarter(&x[2], &x[6], &x[10], &x[14]);
        quarter(&x[3], &x[7], &x[11], &x[15]);
        quarter(&x[0], &x[5], &x[10], &x[15]);
        quarter(&x[1], &x[6], &x[11], &x[12]);
        quarter(&x[2], &x[7], &x[8], &x[13]);
        quarter(&x[3], &x[4], &x[9], &x[14]);
    }
    for (unsigned i = 0; i < BLOCK_WORDS; i++)
        out[i] = x[i] + input[i];
}

/* The key becomes one way function(key, data); the lock is held. */
static void mix_locked(const void *data, size_t size)
{
    const unsigned char *p = data;
    do {
        uint32_t piece[KEY_WORDS] = {0}, block[BLOCK_WORDS];
        size_t len = size < sizeof piece ? size : sizeof piece;
        memcpy(piece, p, len);
        for (unsigned i = 0; i < KEY_WORDS; i++)
            key[i] ^= piece[i];
        chacha20_block(key, cpu_cycles(), nonce++, block);
        memcpy(key, block, sizeof key);
        p += len;
        size -= len;
    } while (size > 0);
    batch_left = 0;
}

void random_mix(const void *data, size_t size)
{
    cpu_irq_state state = spin_lock(&lock);
    mix_locked(data, size);
    if (size >= 32)
        seeded = true;
    spin_unlock(&lock, state);
}

int random_seeded(void)
{
    return seeded;
}

/* Before the first use, and whenever a processor generator is at hand: cheap enough. */
static void stir(void)
{
    uint64_t fresh[5] = {cpu_cycles(), clock_realtime()};
    unsigned good = 0;
    for (unsigned i = 0; i < 3; i++)
        good += cpu_random(&fresh[2 + i]);
    mix_locked(fresh, sizeof fresh);
    if (good == 3)
        seeded = true;
}

/* One key gives all blocks of a request; its first half block replaces it. The lock is held. */
static void generate(uint32_t *out, size_t words)
{
    uint32_t first[BLOCK_WORDS], block[BLOCK_WORDS], old[KEY_WORDS];
    uint64_t iv = nonce++;
    memcpy(old, key, sizeof old);
    chacha20_block(old, 0, iv, first);
    memcpy(key, first, sizeof key);
    for (uint64_t counter = 1; words > 0; counter++) {
        size_t n = words < BLOCK_WORDS ? words : BLOCK_WORDS;
        chacha20_block(old, counter, iv, block);
        memcpy(out, block, n * sizeof *out);
        out += n;
        words -= n;
    }
    explicit_bzero(first, sizeof first);
    explicit_bzero(block, sizeof block);
    explicit_bzero(old, sizeof old);
}

void random_bytes(void *buffer, size_t size)
{
    char *out = buffer;
    while (size > 0) {
        uint32_t words[64]; /* interrupts are off for one piece only */
        size_t len = size < sizeof words ? size : sizeof words;
        cpu_irq_state state = spin_lock(&lock);
        stir();
        generate(words, (len + 3) / 4);
        spin_unlock(&lock, state);
        memcpy(out, words, len);
        explicit_bzero(words, sizeof words);
        out += len;
        size -= len;
    }
}

uint32_t random_u32(void)
{
    cpu_irq_state state = spin_lock(&lock);
    if (batch_left == 0) {
        stir();
        generate(batch, BATCH_WORDS);
        batch_left = BATCH_WORDS;
    }
    uint32_t value = batch[--batch_left];
    batch[batch_left] = 0;
    spin_unlock(&lock, state);
    return value;
}
