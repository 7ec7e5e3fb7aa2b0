;; Chains of operations that a loop's rounds hand on to each other (opt/reassociate.c): whatever is moved, the
;; numbers stay.
(module
  (memory (export "m") 1)
  (data (i32.const 0) "\9e\37\79\b9\7f\4a\7c\15\f3\9c\c0\60\5c\ed\c8\34\10\20\30\40\50\60\70\80\90\a0\b0\c0\d0\e0\f0\ff")
  (func (export "carry") (result i64)
    (local $carry i64) (local $i i32) (local $all i64)
    (loop
      (local.set $carry
        (i64.add (i64.mul (i64.load32_u (local.get $i)) (i64.const 0xfffffffb))
                 (i64.add (i64.load32_u offset=4 (local.get $i)) (local.get $carry))))
      (local.set $all (i64.xor (i64.rotl (local.get $all) (i64.const 7)) (local.get $carry)))
      (local.set $carry (i64.shr_u (local.get $carry) (i64.const 32)))
      (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 24))))
    (local.get $all))
  (func (export "mixed") (result i32)
    (local $h i32) (local $i i32)
    (loop
      (local.set $h (i32.xor (i32.xor (i32.rotl (local.get $h) (i32.const 5)) (i32.load8_u (local.get $i)))
                             (i32.shl (local.get $i) (i32.const 9))))
      (local.set $h (i32.mul (i32.mul (i32.or (local.get $h) (i32.const 1)) (i32.load8_u offset=1 (local.get $i)))
                             (i32.add (local.get $i) (i32.const 3))))
      (local.set $h (i32.and (i32.or (local.get $h) (i32.load8_u offset=2 (local.get $i)))
                             (i32.or (i32.load16_u (local.get $i)) (i32.const 0xfff0f0f0))))
      (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 28))))
    (local.get $h))
  ;; The inner sum has another user; the last round's value stands on both sides.
  (func (export "shared") (result i32 i32)
    (local $a i32) (local $b i32) (local $t i32) (local $i i32)
    (local.set $a (i32.const 77))
    (loop
      (local.set $t (i32.add (i32.shr_u (local.get $a) (i32.const 3)) (i32.load (local.get $i))))
      (local.set $b (i32.xor (local.get $b) (local.get $t)))
      (local.set $a (i32.add (i32.add (local.get $t) (i32.load8_u (local.get $i)))
                             (i32.add (i32.rotl (local.get $a) (i32.const 11)) (local.get $i))))
      (br_if 0 (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 2))) (i32.const 26))))
    (local.get $a) (local.get $b)))
