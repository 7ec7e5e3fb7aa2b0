/* What each vector operation is to compute, in plain C. */
#ifndef QUINCE_TEST_SIMD_MODEL_H
#define QUINCE_TEST_SIMD_MODEL_H

#include "ir/simd.h"
#include "target/target.h"

union vec {
    uint8_t u8[16];
    uint16_t u16[8];
    uint32_t u32[4];
    uint64_t u64[2];
    float f32[4];
    double f64[2];
};

struct simd_case {
    unsigned op;           /* enum simd_op */
    union vec operands[3]; /* scalars in the first lane */
    uint64_t imm, imm2;    /* lane; of the shuffle, lanes */
    /* Relaxed operations do what the code generator does on this CPU. */
    struct target_features cpu;
};

/* The result; scalars in the first lane, the rest 0. */
union vec simd_model(const struct simd_case *test);
/* Whether GOT is a right result: WANT, or another NaN where the specification leaves that open. */
bool simd_equal(const struct simd_case *test, const union vec *want, const union vec *got);

#endif
