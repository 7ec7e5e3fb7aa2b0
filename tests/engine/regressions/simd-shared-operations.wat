;; Which vector operations are the same: the lane, the lanes of a shuffle (both halves of them), the
;; upper half of a constant and the order of operands count, but for those that commute.
(module
  (func (export "lanes") (param i64 i64) (result i64 i64 i64)
    (local v128)
    (local.set 2 (i64x2.replace_lane 1 (i64x2.splat (local.get 0)) (local.get 1)))
    (i64x2.extract_lane 0 (local.get 2))
    (i64x2.extract_lane 1 (local.get 2))
    (i64x2.extract_lane 1 (local.get 2)))
  (func (export "shuffles") (param i64 i64) (result i64 i64)
    (local v128)
    (local.set 2 (i64x2.replace_lane 1 (i64x2.splat (local.get 0)) (local.get 1)))
    (i64x2.extract_lane 1
      (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get 2) (local.get 2)))
    (i64x2.extract_lane 1
      (i8x16.shuffle 0 1 2 3 4 5 6 7 15 14 13 12 11 10 9 8 (local.get 2) (local.get 2))))
  (func (export "constants") (result i64 i64)
    (i64x2.extract_lane 1 (i8x16.add (v128.const i64x2 1 2) (v128.const i64x2 1 3)))
    (i64x2.extract_lane 1 (i8x16.add (v128.const i64x2 1 2) (v128.const i64x2 1 2))))
  (func (export "order") (param i64 i64) (result i64 i64 i64 i64)
    (local v128 v128)
    (local.set 2 (i64x2.splat (local.get 0)))
    (local.set 3 (i64x2.splat (local.get 1)))
    (i64x2.extract_lane 0 (i64x2.sub (local.get 2) (local.get 3)))
    (i64x2.extract_lane 0 (i64x2.sub (local.get 3) (local.get 2)))
    (i64x2.extract_lane 0 (i64x2.add (local.get 2) (local.get 3)))
    (i64x2.extract_lane 0 (i64x2.add (local.get 3) (local.get 2)))))
