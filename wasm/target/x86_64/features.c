/* What the CPU offers beyond x86-64 as it began, as names and as bits. */
#include <string.h>

#include "target/target.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif

static const struct feature {
    const char *name;
    size_t offset; /* of its bool in struct target_features */
} known[] = {
#define X(name, text) {text, offsetof(struct target_features, name)},
    TARGET_FEATURES(X)
#undef X
};
enum { KNOWN = sizeof known / sizeof *known };
_Static_assert(KNOWN <= 64, "they are bits of a 64-bit number");

void target_detect(struct target_features *features)
{
    memset(features, 0, sizeof *features);
#ifdef __x86_64__
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return;
    features->sse41 = c & bit_SSE4_1 && c & bit_SSSE3;
    features->popcnt = c & bit_POPCNT;
    bool vex = false;
    if (c & bit_OSXSAVE && c & bit_AVX) {
        uint32_t low, high;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        vex = (low & 6) == 6;
    }
    features->avx = vex;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        features->bmi1 = b & bit_BMI;
        features->bmi2 = b & bit_BMI2;
        features->avx2 = vex && b & bit_AVX2;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d))
        features->lzcnt = c & (1u << 5);
#endif
}

uint64_t target_features_bits(const struct target_features *features)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < KNOWN; i++)
        if (*(const bool *)((const char *)features + known[i].offset))
            bits |= 1ull << i;
    return bits;
}

const char *target_feature_name(unsigned bit)
{
    return bit < KNOWN ? known[bit].name : NULL;
}

bool target_features_parse(const char *cpu, struct target_features *features, const char **wrong)
{
    if (!cpu || strcmp(cpu, "native") == 0) {
        target_detect(features);
        return true;
    }
    memset(features, 0, sizeof *features);
    if (strcmp(cpu, "baseline") == 0)
        return true;
    for (const char *word = cpu;;) {
        size_t length = strcspn(word, ",");
        unsigned i = 0;
        while (i < KNOWN &&
               (strlen(known[i].name) != length || memcmp(word, known[i].name, length)))
            i++;
        if (i == KNOWN) {
            *wrong = word;
            return false;
        }
        *(bool *)((char *)features + known[i].offset) = true;
        if (!word[length])
            break;
        word += length + 1;
    }
    features->avx |= features->avx2;
    features->sse41 |= features->avx;
    return true;
}
