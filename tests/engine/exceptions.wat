;; The module that exceptions.c drives: what host functions between a throw and a catch do with it.
(module
  (import "env" "call" (func $host (param i32 i32) (result i32)))
  (tag $e (param i32 i64 f64 externref))
  (tag $other)
  (func $throw (export "throw") (param i32) (result i32)
    (throw $e (local.get 0) (i64.const -2) (f64.const 0.5) (ref.null extern)))
  (func (export "throw_other") (param i32) (result i32) (throw $other))
  (func (export "trap") (param i32) (result i32) (unreachable))
  (func (export "value") (param i32) (result i32) (local.get 0))
  (func $caught (export "caught") (param i32) (result i32)
    (try (result i32)
      (do (call $throw (local.get 0)))
      (catch $e (drop) (drop) (drop))))

  ;; The host function is told what to do (first argument) and does it with the second.
  (func $through (export "through") (param $how i32) (param $x i32) (result i32)
    (local $kept i32)
    (local.set $kept (i32.const 1000))
    (try (result i32)
      (do (i32.add (local.get $kept) (call $host (local.get $how) (local.get $x))))
      (catch $e
        (drop) (drop)
        (if (i64.ne (i64.const -2)) (then (unreachable)))
        (i32.add (local.get $kept))
        (i32.add (i32.const 100000)))
      (catch_all (i32.const 200000))))
  ;; The same without a try of its own, and two calls deep.
  (func $plain (export "plain") (param $how i32) (param $x i32) (result i32)
    (call $host (local.get $how) (local.get $x)))
  (func (export "outer") (param $how i32) (param $x i32) (result i32)
    (try (result i32)
      (do (i32.add (i32.const 1) (call $plain (local.get $how) (local.get $x))))
      (catch $e (drop) (drop) (drop) (i32.add (i32.const 300000)))))
  ;; A second call in the same try after one of the host.
  (func (export "twice") (param $how i32) (param $x i32) (result i32)
    (try (result i32)
      (do
        (drop (call $host (local.get $how) (local.get $x)))
        (call $caught (i32.const 5)))
      (catch_all (i32.const -1))))
  ;; Throws until time is up.
  (func (export "forever")
    (loop $l (drop (call $caught (i32.const 1))) (br $l)))
)
