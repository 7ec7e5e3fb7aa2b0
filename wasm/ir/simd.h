/* The vector operations: one table for the front end, the optimiser and the code generators.
 *
 * Each is carried by IR_SIMD1, IR_SIMD2 or IR_SIMD3 (by its number of operands) with its number in
 * aux: that of the instruction after the prefix 0xfd (spec 5.4.9; from 0x100 on relaxed SIMD).
 * Loads and stores of vectors and parts of vectors are not here: the front end composes them of
 * LOAD, STORE and these. */
#ifndef QUINCE_IR_SIMD_H
#define QUINCE_IR_SIMD_H

#include <stdint.h>

/* X(number, NAME, text, types, flags). Types: the result, then the operands: v V128, i I32, l I64,
 * S F32, D F64. Flags: C commutative; L has a lane number, in imm. The shuffle has its sixteen lane
 * numbers in imm and imm2, the first in the lowest byte. Shift counts are taken modulo the lane's
 * width, as in Wasm. */
enum { SIMD_C = 1, SIMD_L = 2 };
/* clang-format off */
#define SIMD_OPS(X)                                                                                \
    X(13, I8X16_SHUFFLE, "i8x16.shuffle", "vvv", 0)                                                \
    X(14, I8X16_SWIZZLE, "i8x16.swizzle", "vvv", 0)                                                \
    X(15, I8X16_SPLAT, "i8x16.splat", "vi", 0)                                                     \
    X(16, I16X8_SPLAT, "i16x8.splat", "vi", 0)                                                     \
    X(17, I32X4_SPLAT, "i32x4.splat", "vi", 0)                                                     \
    X(18, I64X2_SPLAT, "i64x2.splat", "vl", 0)                                                     \
    X(19, F32X4_SPLAT, "f32x4.splat", "vS", 0)                                                     \
    X(20, F64X2_SPLAT, "f64x2.splat", "vD", 0)                                                     \
    X(21, I8X16_EXTRACT_LANE_S, "i8x16.extract_lane_s", "iv", SIMD_L)                              \
    X(22, I8X16_EXTRACT_LANE_U, "i8x16.extract_lane_u", "iv", SIMD_L)                              \
    X(23, I8X16_REPLACE_LANE, "i8x16.replace_lane", "vvi", SIMD_L)                                 \
    X(24, I16X8_EXTRACT_LANE_S, "i16x8.extract_lane_s", "iv", SIMD_L)                              \
    X(25, I16X8_EXTRACT_LANE_U, "i16x8.extract_lane_u", "iv", SIMD_L)                              \
    X(26, I16X8_REPLACE_LANE, "i16x8.replace_lane", "vvi", SIMD_L)                                 \
    X(27, I32X4_EXTRACT_LANE, "i32x4.extract_lane", "iv", SIMD_L)                                  \
    X(28, I32X4_REPLACE_LANE, "i32x4.replace_lane", "vvi", SIMD_L)                                 \
    X(29, I64X2_EXTRACT_LANE, "i64x2.extract_lane", "lv", SIMD_L)                                  \
    X(30, I64X2_REPLACE_LANE, "i64x2.replace_lane", "vvl", SIMD_L)                                 \
    X(31, F32X4_EXTRACT_LANE, "f32x4.extract_lane", "Sv", SIMD_L)                                  \
    X(32, F32X4_REPLACE_LANE, "f32x4.replace_lane", "vvS", SIMD_L)                                 \
    X(33, F64X2_EXTRACT_LANE, "f64x2.extract_lane", "Dv", SIMD_L)                                  \
    X(34, F64X2_REPLACE_LANE, "f64x2.replace_lane", "vvD", SIMD_L)                                 \
    X(35, I8X16_EQ, "i8x16.eq", "vvv", SIMD_C)                                                     \
    X(36, I8X16_NE, "i8x16.ne", "vvv", SIMD_C)                                                     \
    X(37, I8X16_LT_S, "i8x16.lt_s", "vvv", 0)                                                      \
    X(38, I8X16_LT_U, "i8x16.lt_u", "vvv", 0)                                                      \
    X(39, I8X16_GT_S, "i8x16.gt_s", "vvv", 0)                                                      \
    X(40, I8X16_GT_U, "i8x16.gt_u", "vvv", 0)                                                      \
    X(41, I8X16_LE_S, "i8x16.le_s", "vvv", 0)                                                      \
    X(42, I8X16_LE_U, "i8x16.le_u", "vvv", 0)                                                      \
    X(43, I8X16_GE_S, "i8x16.ge_s", "vvv", 0)                                                      \
    X(44, I8X16_GE_U, "i8x16.ge_u", "vvv", 0)                                                      \
    X(45, I16X8_EQ, "i16x8.eq", "vvv", SIMD_C)                                                     \
    X(46, I16X8_NE, "i16x8.ne", "vvv", SIMD_C)                                                     \
    X(47, I16X8_LT_S, "i16x8.lt_s", "vvv", 0)                                                      \
    X(48, I16X8_LT_U, "i16x8.lt_u", "vvv", 0)                                                      \
    X(49, I16X8_GT_S, "i16x8.gt_s", "vvv", 0)                                                      \
    X(50, I16X8_GT_U, "i16x8.gt_u", "vvv", 0)                                                      \
    X(51, I16X8_LE_S, "i16x8.le_s", "vvv", 0)                                                      \
    X(52, I16X8_LE_U, "i16x8.le_u", "vvv", 0)                                                      \
    X(53, I16X8_GE_S, "i16x8.ge_s", "vvv", 0)                                                      \
    X(54, I16X8_GE_U, "i16x8.ge_u", "vvv", 0)                                                      \
    X(55, I32X4_EQ, "i32x4.eq", "vvv", SIMD_C)                                                     \
    X(56, I32X4_NE, "i32x4.ne", "vvv", SIMD_C)                                                     \
    X(57, I32X4_LT_S, "i32x4.lt_s", "vvv", 0)                                                      \
    X(58, I32X4_LT_U, "i32x4.lt_u", "vvv", 0)                                                      \
    X(59, I32X4_GT_S, "i32x4.gt_s", "vvv", 0)                                                      \
    X(60, I32X4_GT_U, "i32x4.gt_u", "vvv", 0)                                                      \
    X(61, I32X4_LE_S, "i32x4.le_s", "vvv", 0)                                                      \
    X(62, I32X4_LE_U, "i32x4.le_u", "vvv", 0)                                                      \
    X(63, I32X4_GE_S, "i32x4.ge_s", "vvv", 0)                                                      \
    X(64, I32X4_GE_U, "i32x4.ge_u", "vvv", 0)                                                      \
    X(65, F32X4_EQ, "f32x4.eq", "vvv", SIMD_C)                                                     \
    X(66, F32X4_NE, "f32x4.ne", "vvv", SIMD_C)                                                     \
    X(67, F32X4_LT, "f32x4.lt", "vvv", 0)                                                          \
    X(68, F32X4_GT, "f32x4.gt", "vvv", 0)                                                          \
    X(69, F32X4_LE, "f32x4.le", "vvv", 0)                                                          \
    X(70, F32X4_GE, "f32x4.ge", "vvv", 0)                                                          \
    X(71, F64X2_EQ, "f64x2.eq", "vvv", SIMD_C)                                                     \
    X(72, F64X2_NE, "f64x2.ne", "vvv", SIMD_C)                                                     \
    X(73, F64X2_LT, "f64x2.lt", "vvv", 0)                                                          \
    X(74, F64X2_GT, "f64x2.gt", "vvv", 0)                                                          \
    X(75, F64X2_LE, "f64x2.le", "vvv", 0)                                                          \
    X(76, F64X2_GE, "f64x2.ge", "vvv", 0)                                                          \
    X(77, V128_NOT, "v128.not", "vv", 0)                                                           \
    X(78, V128_AND, "v128.and", "vvv", SIMD_C)                                                     \
    X(79, V128_ANDNOT, "v128.andnot", "vvv", 0)                                                    \
    X(80, V128_OR, "v128.or", "vvv", SIMD_C)                                                       \
    X(81, V128_XOR, "v128.xor", "vvv", SIMD_C)                                                     \
    X(82, V128_BITSELECT, "v128.bitselect", "vvvv", 0)                                             \
    X(83, V128_ANY_TRUE, "v128.any_true", "iv", 0)                                                 \
    X(94, F32X4_DEMOTE_F64X2_ZERO, "f32x4.demote_f64x2_zero", "vv", 0)                             \
    X(95, F64X2_PROMOTE_LOW_F32X4, "f64x2.promote_low_f32x4", "vv", 0)                             \
    X(96, I8X16_ABS, "i8x16.abs", "vv", 0)                                                         \
    X(97, I8X16_NEG, "i8x16.neg", "vv", 0)                                                         \
    X(98, I8X16_POPCNT, "i8x16.popcnt", "vv", 0)                                                   \
    X(99, I8X16_ALL_TRUE, "i8x16.all_true", "iv", 0)                                               \
    X(100, I8X16_BITMASK, "i8x16.bitmask", "iv", 0)                                                \
    X(101, I8X16_NARROW_I16X8_S, "i8x16.narrow_i16x8_s", "vvv", 0)                                 \
    X(102, I8X16_NARROW_I16X8_U, "i8x16.narrow_i16x8_u", "vvv", 0)                                 \
    X(103, F32X4_CEIL, "f32x4.ceil", "vv", 0)                                                      \
    X(104, F32X4_FLOOR, "f32x4.floor", "vv", 0)                                                    \
    X(105, F32X4_TRUNC, "f32x4.trunc", "vv", 0)                                                    \
    X(106, F32X4_NEAREST, "f32x4.nearest", "vv", 0)                                                \
    X(107, I8X16_SHL, "i8x16.shl", "vvi", 0)                                                       \
    X(108, I8X16_SHR_S, "i8x16.shr_s", "vvi", 0)                                                   \
    X(109, I8X16_SHR_U, "i8x16.shr_u", "vvi", 0)                                                   \
    X(110, I8X16_ADD, "i8x16.add", "vvv", SIMD_C)                                                  \
    X(111, I8X16_ADD_SAT_S, "i8x16.add_sat_s", "vvv", SIMD_C)                                      \
    X(112, I8X16_ADD_SAT_U, "i8x16.add_sat_u", "vvv", SIMD_C)                                      \
    X(113, I8X16_SUB, "i8x16.sub", "vvv", 0)                                                       \
    X(114, I8X16_SUB_SAT_S, "i8x16.sub_sat_s", "vvv", 0)                                           \
    X(115, I8X16_SUB_SAT_U, "i8x16.sub_sat_u", "vvv", 0)                                           \
    X(116, F64X2_CEIL, "f64x2.ceil", "vv", 0)                                                      \
    X(117, F64X2_FLOOR, "f64x2.floor", "vv", 0)                                                    \
    X(118, I8X16_MIN_S, "i8x16.min_s", "vvv", SIMD_C)                                              \
    X(119, I8X16_MIN_U, "i8x16.min_u", "vvv", SIMD_C)                                              \
    X(120, I8X16_MAX_S, "i8x16.max_s", "vvv", SIMD_C)                                              \
    X(121, I8X16_MAX_U, "i8x16.max_u", "vvv", SIMD_C)                                              \
    X(122, F64X2_TRUNC, "f64x2.trunc", "vv", 0)                                                    \
    X(123, I8X16_AVGR_U, "i8x16.avgr_u", "vvv", SIMD_C)                                            \
    X(124, I16X8_EXTADD_PAIRWISE_I8X16_S, "i16x8.extadd_pairwise_i8x16_s", "vv", 0)                \
    X(125, I16X8_EXTADD_PAIRWISE_I8X16_U, "i16x8.extadd_pairwise_i8x16_u", "vv", 0)                \
    X(126, I32X4_EXTADD_PAIRWISE_I16X8_S, "i32x4.extadd_pairwise_i16x8_s", "vv", 0)                \
    X(127, I32X4_EXTADD_PAIRWISE_I16X8_U, "i32x4.extadd_pairwise_i16x8_u", "vv", 0)                \
    X(128, I16X8_ABS, "i16x8.abs", "vv", 0)                                                        \
    X(129, I16X8_NEG, "i16x8.neg", "vv", 0)                                                        \
    X(130, I16X8_Q15MULR_SAT_S, "i16x8.q15mulr_sat_s", "vvv", SIMD_C)                              \
    X(131, I16X8_ALL_TRUE, "i16x8.all_true", "iv", 0)                                              \
    X(132, I16X8_BITMASK, "i16x8.bitmask", "iv", 0)                                                \
    X(133, I16X8_NARROW_I32X4_S, "i16x8.narrow_i32x4_s", "vvv", 0)                                 \
    X(134, I16X8_NARROW_I32X4_U, "i16x8.narrow_i32x4_u", "vvv", 0)                                 \
    X(135, I16X8_EXTEND_LOW_I8X16_S, "i16x8.extend_low_i8x16_s", "vv", 0)                          \
    X(136, I16X8_EXTEND_HIGH_I8X16_S, "i16x8.extend_high_i8x16_s", "vv", 0)                        \
    X(137, I16X8_EXTEND_LOW_I8X16_U, "i16x8.extend_low_i8x16_u", "vv", 0)                          \
    X(138, I16X8_EXTEND_HIGH_I8X16_U, "i16x8.extend_high_i8x16_u", "vv", 0)                        \
    X(139, I16X8_SHL, "i16x8.shl", "vvi", 0)                                                       \
    X(140, I16X8_SHR_S, "i16x8.shr_s", "vvi", 0)                                                   \
    X(141, I16X8_SHR_U, "i16x8.shr_u", "vvi", 0)                                                   \
    X(142, I16X8_ADD, "i16x8.add", "vvv", SIMD_C)                                                  \
    X(143, I16X8_ADD_SAT_S, "i16x8.add_sat_s", "vvv", SIMD_C)                                      \
    X(144, I16X8_ADD_SAT_U, "i16x8.add_sat_u", "vvv", SIMD_C)                                      \
    X(145, I16X8_SUB, "i16x8.sub", "vvv", 0)                                                       \
    X(146, I16X8_SUB_SAT_S, "i16x8.sub_sat_s", "vvv", 0)                                           \
    X(147, I16X8_SUB_SAT_U, "i16x8.sub_sat_u", "vvv", 0)                                           \
    X(148, F64X2_NEAREST, "f64x2.nearest", "vv", 0)                                                \
    X(149, I16X8_MUL, "i16x8.mul", "vvv", SIMD_C)                                                  \
    X(150, I16X8_MIN_S, "i16x8.min_s", "vvv", SIMD_C)                                              \
    X(151, I16X8_MIN_U, "i16x8.min_u", "vvv", SIMD_C)                                              \
    X(152, I16X8_MAX_S, "i16x8.max_s", "vvv", SIMD_C)                                              \
    X(153, I16X8_MAX_U, "i16x8.max_u", "vvv", SIMD_C)                                              \
    X(155, I16X8_AVGR_U, "i16x8.avgr_u", "vvv", SIMD_C)                                            \
    X(156, I16X8_EXTMUL_LOW_I8X16_S, "i16x8.extmul_low_i8x16_s", "vvv", SIMD_C)                    \
    X(157, I16X8_EXTMUL_HIGH_I8X16_S, "i16x8.extmul_high_i8x16_s", "vvv", SIMD_C)                  \
    X(158, I16X8_EXTMUL_LOW_I8X16_U, "i16x8.extmul_low_i8x16_u", "vvv", SIMD_C)                    \
    X(159, I16X8_EXTMUL_HIGH_I8X16_U, "i16x8.extmul_high_i8x16_u", "vvv", SIMD_C)                  \
    X(160, I32X4_ABS, "i32x4.abs", "vv", 0)                                                        \
    X(161, I32X4_NEG, "i32x4.neg", "vv", 0)                                                        \
    X(163, I32X4_ALL_TRUE, "i32x4.all_true", "iv", 0)                                              \
    X(164, I32X4_BITMASK, "i32x4.bitmask", "iv", 0)                                                \
    X(167, I32X4_EXTEND_LOW_I16X8_S, "i32x4.extend_low_i16x8_s", "vv", 0)                          \
    X(168, I32X4_EXTEND_HIGH_I16X8_S, "i32x4.extend_high_i16x8_s", "vv", 0)                        \
    X(169, I32X4_EXTEND_LOW_I16X8_U, "i32x4.extend_low_i16x8_u", "vv", 0)                          \
    X(170, I32X4_EXTEND_HIGH_I16X8_U, "i32x4.extend_high_i16x8_u", "vv", 0)                        \
    X(171, I32X4_SHL, "i32x4.shl", "vvi", 0)                                                       \
    X(172, I32X4_SHR_S, "i32x4.shr_s", "vvi", 0)                                                   \
    X(173, I32X4_SHR_U, "i32x4.shr_u", "vvi", 0)                                                   \
    X(174, I32X4_ADD, "i32x4.add", "vvv", SIMD_C)                                                  \
    X(177, I32X4_SUB, "i32x4.sub", "vvv", 0)                                                       \
    X(181, I32X4_MUL, "i32x4.mul", "vvv", SIMD_C)                                                  \
    X(182, I32X4_MIN_S, "i32x4.min_s", "vvv", SIMD_C)                                              \
    X(183, I32X4_MIN_U, "i32x4.min_u", "vvv", SIMD_C)                                              \
    X(184, I32X4_MAX_S, "i32x4.max_s", "vvv", SIMD_C)                                              \
    X(185, I32X4_MAX_U, "i32x4.max_u", "vvv", SIMD_C)                                              \
    X(186, I32X4_DOT_I16X8_S, "i32x4.dot_i16x8_s", "vvv", SIMD_C)                                  \
    X(188, I32X4_EXTMUL_LOW_I16X8_S, "i32x4.extmul_low_i16x8_s", "vvv", SIMD_C)                    \
    X(189, I32X4_EXTMUL_HIGH_I16X8_S, "i32x4.extmul_high_i16x8_s", "vvv", SIMD_C)                  \
    X(190, I32X4_EXTMUL_LOW_I16X8_U, "i32x4.extmul_low_i16x8_u", "vvv", SIMD_C)                    \
    X(191, I32X4_EXTMUL_HIGH_I16X8_U, "i32x4.extmul_high_i16x8_u", "vvv", SIMD_C)                  \
    X(192, I64X2_ABS, "i64x2.abs", "vv", 0)                                                        \
    X(193, I64X2_NEG, "i64x2.neg", "vv", 0)                                                        \
    X(195, I64X2_ALL_TRUE, "i64x2.all_true", "iv", 0)                                              \
    X(196, I64X2_BITMASK, "i64x2.bitmask", "iv", 0)                                                \
    X(199, I64X2_EXTEND_LOW_I32X4_S, "i64x2.extend_low_i32x4_s", "vv", 0)                          \
    X(200, I64X2_EXTEND_HIGH_I32X4_S, "i64x2.extend_high_i32x4_s", "vv", 0)                        \
    X(201, I64X2_EXTEND_LOW_I32X4_U, "i64x2.extend_low_i32x4_u", "vv", 0)                          \
    X(202, I64X2_EXTEND_HIGH_I32X4_U, "i64x2.extend_high_i32x4_u", "vv", 0)                        \
    X(203, I64X2_SHL, "i64x2.shl", "vvi", 0)                                                       \
    X(204, I64X2_SHR_S, "i64x2.shr_s", "vvi", 0)                                                   \
    X(205, I64X2_SHR_U, "i64x2.shr_u", "vvi", 0)                                                   \
    X(206, I64X2_ADD, "i64x2.add", "vvv", SIMD_C)                                                  \
    X(209, I64X2_SUB, "i64x2.sub", "vvv", 0)                                                       \
    X(213, I64X2_MUL, "i64x2.mul", "vvv", SIMD_C)                                                  \
    X(214, I64X2_EQ, "i64x2.eq", "vvv", SIMD_C)                                                    \
    X(215, I64X2_NE, "i64x2.ne", "vvv", SIMD_C)                                                    \
    X(216, I64X2_LT_S, "i64x2.lt_s", "vvv", 0)                                                     \
    X(217, I64X2_GT_S, "i64x2.gt_s", "vvv", 0)                                                     \
    X(218, I64X2_LE_S, "i64x2.le_s", "vvv", 0)                                                     \
    X(219, I64X2_GE_S, "i64x2.ge_s", "vvv", 0)                                                     \
    X(220, I64X2_EXTMUL_LOW_I32X4_S, "i64x2.extmul_low_i32x4_s", "vvv", SIMD_C)                    \
    X(221, I64X2_EXTMUL_HIGH_I32X4_S, "i64x2.extmul_high_i32x4_s", "vvv", SIMD_C)                  \
    X(222, I64X2_EXTMUL_LOW_I32X4_U, "i64x2.extmul_low_i32x4_u", "vvv", SIMD_C)                    \
    X(223, I64X2_EXTMUL_HIGH_I32X4_U, "i64x2.extmul_high_i32x4_u", "vvv", SIMD_C)                  \
    X(224, F32X4_ABS, "f32x4.abs", "vv", 0)                                                        \
    X(225, F32X4_NEG, "f32x4.neg", "vv", 0)                                                        \
    X(227, F32X4_SQRT, "f32x4.sqrt", "vv", 0)                                                      \
    X(228, F32X4_ADD, "f32x4.add", "vvv", SIMD_C)                                                  \
    X(229, F32X4_SUB, "f32x4.sub", "vvv", 0)                                                       \
    X(230, F32X4_MUL, "f32x4.mul", "vvv", SIMD_C)                                                  \
    X(231, F32X4_DIV, "f32x4.div", "vvv", 0)                                                       \
    X(232, F32X4_MIN, "f32x4.min", "vvv", 0)                                                       \
    X(233, F32X4_MAX, "f32x4.max", "vvv", 0)                                                       \
    X(234, F32X4_PMIN, "f32x4.pmin", "vvv", 0)                                                     \
    X(235, F32X4_PMAX, "f32x4.pmax", "vvv", 0)                                                     \
    X(236, F64X2_ABS, "f64x2.abs", "vv", 0)                                                        \
    X(237, F64X2_NEG, "f64x2.neg", "vv", 0)                                                        \
    X(239, F64X2_SQRT, "f64x2.sqrt", "vv", 0)                                                      \
    X(240, F64X2_ADD, "f64x2.add", "vvv", SIMD_C)                                                  \
    X(241, F64X2_SUB, "f64x2.sub", "vvv", 0)                                                       \
    X(242, F64X2_MUL, "f64x2.mul", "vvv", SIMD_C)                                                  \
    X(243, F64X2_DIV, "f64x2.div", "vvv", 0)                                                       \
    X(244, F64X2_MIN, "f64x2.min", "vvv", 0)                                                       \
    X(245, F64X2_MAX, "f64x2.max", "vvv", 0)                                                       \
    X(246, F64X2_PMIN, "f64x2.pmin", "vvv", 0)                                                     \
    X(247, F64X2_PMAX, "f64x2.pmax", "vvv", 0)                                                     \
    X(248, I32X4_TRUNC_SAT_F32X4_S, "i32x4.trunc_sat_f32x4_s", "vv", 0)                            \
    X(249, I32X4_TRUNC_SAT_F32X4_U, "i32x4.trunc_sat_f32x4_u", "vv", 0)                            \
    X(250, F32X4_CONVERT_I32X4_S, "f32x4.convert_i32x4_s", "vv", 0)                                \
    X(251, F32X4_CONVERT_I32X4_U, "f32x4.convert_i32x4_u", "vv", 0)                                \
    X(252, I32X4_TRUNC_SAT_F64X2_S_ZERO, "i32x4.trunc_sat_f64x2_s_zero", "vv", 0)                  \
    X(253, I32X4_TRUNC_SAT_F64X2_U_ZERO, "i32x4.trunc_sat_f64x2_u_zero", "vv", 0)                  \
    X(254, F64X2_CONVERT_LOW_I32X4_S, "f64x2.convert_low_i32x4_s", "vv", 0)                        \
    X(255, F64X2_CONVERT_LOW_I32X4_U, "f64x2.convert_low_i32x4_u", "vv", 0)                        \
    X(256, I8X16_RELAXED_SWIZZLE, "i8x16.relaxed_swizzle", "vvv", 0)                               \
    X(257, I32X4_RELAXED_TRUNC_F32X4_S, "i32x4.relaxed_trunc_f32x4_s", "vv", 0)                    \
    X(258, I32X4_RELAXED_TRUNC_F32X4_U, "i32x4.relaxed_trunc_f32x4_u", "vv", 0)                    \
    X(259, I32X4_RELAXED_TRUNC_F64X2_S_ZERO, "i32x4.relaxed_trunc_f64x2_s_zero", "vv", 0)          \
    X(260, I32X4_RELAXED_TRUNC_F64X2_U_ZERO, "i32x4.relaxed_trunc_f64x2_u_zero", "vv", 0)          \
    X(261, F32X4_RELAXED_MADD, "f32x4.relaxed_madd", "vvvv", 0)                                    \
    X(262, F32X4_RELAXED_NMADD, "f32x4.relaxed_nmadd", "vvvv", 0)                                  \
    X(263, F64X2_RELAXED_MADD, "f64x2.relaxed_madd", "vvvv", 0)                                    \
    X(264, F64X2_RELAXED_NMADD, "f64x2.relaxed_nmadd", "vvvv", 0)                                  \
    X(265, I8X16_RELAXED_LANESELECT, "i8x16.relaxed_laneselect", "vvvv", 0)                        \
    X(266, I16X8_RELAXED_LANESELECT, "i16x8.relaxed_laneselect", "vvvv", 0)                        \
    X(267, I32X4_RELAXED_LANESELECT, "i32x4.relaxed_laneselect", "vvvv", 0)                        \
    X(268, I64X2_RELAXED_LANESELECT, "i64x2.relaxed_laneselect", "vvvv", 0)                        \
    X(269, F32X4_RELAXED_MIN, "f32x4.relaxed_min", "vvv", 0)                                       \
    X(270, F32X4_RELAXED_MAX, "f32x4.relaxed_max", "vvv", 0)                                       \
    X(271, F64X2_RELAXED_MIN, "f64x2.relaxed_min", "vvv", 0)                                       \
    X(272, F64X2_RELAXED_MAX, "f64x2.relaxed_max", "vvv", 0)                                       \
    X(273, I16X8_RELAXED_Q15MULR_S, "i16x8.relaxed_q15mulr_s", "vvv", 0)                           \
    X(274, I16X8_RELAXED_DOT_I8X16_I7X16_S, "i16x8.relaxed_dot_i8x16_i7x16_s", "vvv", 0)           \
    X(275, I32X4_RELAXED_DOT_I8X16_I7X16_ADD_S, "i32x4.relaxed_dot_i8x16_i7x16_add_s", "vvvv", 0)
/* clang-format on */

enum simd_op {
#define X(number, name, text, types, flags) SIMD_##name = (number),
    SIMD_OPS(X)
#undef X
        SIMD_OP_COUNT
};

struct simd_op_info {
    const char *name, *types; /* NULL: no such operation */
    uint8_t flags;
};
extern const struct simd_op_info simd_op_info[SIMD_OP_COUNT]; /* ops.c */
/* How many lanes an operation has whose name starts with a shape, such as i16x8. */
uint32_t simd_lanes(uint32_t op);

#endif
