;; Fails validation: an i64 where an i32 is due.
;;! hook=net.rx
;;expect refused EINVAL type mismatch
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    i64.const 1
    i32.eqz
    drop
    i32.const 2))
