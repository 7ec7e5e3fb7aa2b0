;; Uses a right that it neither declares nor was given.
;;! hook=net.rx
;;grant net.rx log
;;expect refused EPERM import 'quince1.log' needs the grant 'log'
(module
  (import "quince1" "log" (func (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    nop
    i32.const 2))
