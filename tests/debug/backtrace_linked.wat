;; A second instance: called by the first through its table, and calling back.
(module
  (type $void (func))
  (import "a" "table" (table 8 funcref))
  (import "a" "memory" (func $memory))
  (import "env" "fail" (global $fail i32))
  (elem (i32.const 0) $direct $return)
  (func $crash unreachable)
  (func $direct (call $crash))
  (func $return (call $memory))
  (func $begin (if (global.get $fail) (then (call $crash))))
  (start $begin))
