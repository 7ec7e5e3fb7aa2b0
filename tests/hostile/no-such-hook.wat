;; Declares a hook point that does not exist.
;;! hook=disk.write
;;expect refused EINVAL there is no hook point 'disk.write'
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    nop
    i32.const 2))
