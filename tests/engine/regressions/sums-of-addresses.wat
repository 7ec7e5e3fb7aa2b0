;; Sums of addresses and constants: only behind an access that proves that they do not wrap may one be taken for
;; an offset (opt/address.c). 0xfffffff8 + 8 is 0, where there is memory, and 0xfffffff8 with offset 8 is none.
(module
  (memory (export "m") 1)
  (data (i32.const 0) "\01\02\03\04\05\06\07\08\09\0a\0b\0c\0d\0e\0f\10\11\12\13\14\15\16\17\18")
  ;; Nothing proves it: wraps.
  (func $alone (param i32) (result i32) (i32.load (i32.add (local.get 0) (i32.const 8))))
  ;; The access before it proves it, or traps.
  (func $behind (param i32) (result i32)
    (i32.add (i32.load (local.get 0)) (i32.load (i32.add (local.get 0) (i32.const 8)))))
  ;; The sum comes first: p + 8 may wrap and still be inside.
  (func $before (param i32) (result i32)
    (i32.add (i32.load (i32.add (local.get 0) (i32.const 8)))
             (i32.load (i32.add (local.get 0) (i32.const 12)))))
  ;; Backwards from what is proven: p + 12, then p + 8.
  (func $backwards (param i32) (result i32)
    (i32.add (i32.load (i32.add (local.get 0) (i32.const 12)))
             (i32.load (i32.add (local.get 0) (i32.const 8)))))
  ;; Only one way leads over the access.
  (func $maybe (param i32 i32) (result i32)
    (local i32)
    (if (local.get 1) (then (local.set 2 (i32.load (local.get 0)))))
    (i32.add (local.get 2) (i32.load (i32.add (local.get 0) (i32.const 8)))))
  ;; A store proves it as well; the loop's first round has proven nothing.
  (func $loop (param i32 i32) (result i32)
    (local i32)
    (loop
      (local.set 2 (i32.add (local.get 2) (i32.load8_u (i32.add (local.get 0) (i32.const 16)))))
      (i32.store8 (local.get 0) (local.get 2))
      (local.set 0 (i32.add (local.get 0) (i32.const 1)))
      (br_if 0 (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
    (local.get 2))
  ;; Two thirds of the memory away in one step, and more than a page in two.
  (func $far (param i32) (result i32)
    (i32.load (local.get 0))
    (i32.load (i32.add (local.get 0) (i32.const 40000)))
    (i32.load (i32.add (local.get 0) (i32.const 80000)))
    (i32.add) (i32.add))
  ;; A difference is a sum with a large number.
  (func $difference (param i32) (result i32)
    (i32.add (i32.load (local.get 0)) (i32.load (i32.sub (local.get 0) (i32.const 4)))))
  ;; Offsets add up behind the access, and their sum is not cut to 32 bits.
  (func $offsets (param i32) (result i32)
    (i32.add (i32.load offset=4 (local.get 0))
             (i32.load offset=8 (i32.add (local.get 0) (i32.const 4)))))
  (func $large (param i32) (result i32)
    (i32.add (i32.load (local.get 0))
             (i32.load offset=0xfffffff8 (i32.add (local.get 0) (i32.const 8)))))

  (func (export "alone") (result i32) (call $alone (i32.const 4)))
  (func (export "alone wraps") (result i32) (call $alone (i32.const -8)))
  (func (export "alone traps") (result i32) (call $alone (i32.const -12)))
  (func (export "behind") (result i32) (call $behind (i32.const 4)))
  (func (export "behind traps") (result i32) (call $behind (i32.const -8)))
  (func (export "behind traps at the end") (result i32) (call $behind (i32.const 65528)))
  (func (export "before") (result i32) (call $before (i32.const 4)))
  (func (export "before wraps") (result i32) (call $before (i32.const -8)))
  (func (export "before traps first") (result i32) (call $before (i32.const -12)))
  (func (export "backwards") (result i32) (call $backwards (i32.const 4)))
  (func (export "backwards traps second") (result i32) (call $backwards (i32.const -12)))
  (func (export "maybe 0") (result i32) (call $maybe (i32.const -8) (i32.const 0)))
  (func (export "maybe 1") (result i32) (call $maybe (i32.const -8) (i32.const 1)))
  (func (export "loop wraps") (result i32) (call $loop (i32.const -16) (i32.const 1)))
  (func (export "loop") (result i32) (call $loop (i32.const 1) (i32.const 9)))
  (func (export "far") (result i32) (call $far (i32.const 16)))
  (func (export "difference") (result i32) (call $difference (i32.const 8)))
  (func (export "difference traps") (result i32) (call $difference (i32.const 0)))
  (func (export "offsets") (result i32) (call $offsets (i32.const 8)))
  (func (export "offsets wrap not") (result i32) (call $offsets (i32.const -4)))
  (func (export "large") (result i32) (call $large (i32.const 8))))
