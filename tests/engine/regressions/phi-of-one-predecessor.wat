;; Once the second branch is found never to be taken, the block's result has one source left, which
;; still has to get where the value is looked for.
(module
  (memory (export "memory") 1)
  (func (export "f") (param i32 i32) (result i64)
    (if
      (block (result i32)
        (drop
          (select
            (i64.load16_u offset=22 align=1 (i32.const 0))
            (i64.const 11391)
            (br_if 0 (i32.const 1) (local.get 0))))
        (drop (br_if 0 (i32.const -1) (i32.const 0)))
        (unreachable))
      (then (i32.store8 offset=2 (i32.const 15) (i32.const 1))))
    (i64.const 1)))
