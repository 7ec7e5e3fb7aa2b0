;; An address whose sum with the offset overflows 64 bits traps, also where it comes out as one that
;; has just been read.
(module
  (memory i64 1)
  (func (export "same") (result i64)
    (i64.add (i64.load offset=8 (i64.const 0)) (i64.load offset=8 (i64.const 0))))
  (func (export "beyond") (result i64)
    (i64.add (i64.load offset=8 (i64.const 0)) (i64.load offset=16 (i64.const -8)))))
