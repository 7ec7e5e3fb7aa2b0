;; A timer that never returns.
;;! need=timer
;;expect fault quince_timer: time budget exceeded
(module
  (import "quince1" "timer_set" (func $set (param i32 i64) (result i32)))
  (memory (export "memory") 1)
  (func (export "_initialize") (drop (call $set (i32.const 0) (i64.const 1000000))))
  (func (export "quince_timer") (param i32) (loop $again (br $again))))
