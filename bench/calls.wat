;; What bench/calls.c and bench/peers/calls.mjs call, and what calls them.
(module
  (import "env" "host0" (func $host0))
  (import "env" "host4" (func $host4 (param i32 i32 i32 i32) (result i32)))
  (func (export "wasm0"))
  (func (export "wasm4") (param i32 i32 i32 i32) (result i32)
    (i32.add (i32.add (local.get 0) (local.get 1)) (i32.add (local.get 2) (local.get 3))))
  (func (export "loop0") (param i32)
    (loop $l
      (call $host0)
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "loop4") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (i32.add (local.get 1)
        (call $host4 (local.get 0) (i32.const 2) (i32.const 3) (local.get 1))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1)))
