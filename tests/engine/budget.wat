;; The module that budget.c drives.
(module
  (import "env" "stop" (func $stop))
  (import "env" "nap" (func $nap))
  (import "env" "read" (func $read (result i32)))
  (import "env" "inner" (func $inner (result i32)))
  (memory (export "memory") 1 1 shared)
  (func (export "spin") (loop $l (br $l)))
  (func (export "stops") (param i32)
    (loop $l
      (call $stop)
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  ;; Until the first word of memory is not 0.
  (func (export "look") (loop $l (br_if $l (i32.eqz (i32.atomic.load (i32.const 0))))))
  (func (export "naps") (loop $l (call $nap) (br $l)))
  (func (export "waits")
    (loop $l
      (drop (memory.atomic.wait32 (i32.const 64) (i32.const 1) (i64.const -1)))
      (br $l)))
  (func (export "sleeps") (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1))))
  (func (export "read") (result i32) (call $read))
  ;; The sum of what that many calls of the other instance answer.
  (func (export "outer") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (i32.add (local.get 1) (call $inner)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1)))
