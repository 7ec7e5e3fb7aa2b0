;; Calls an element beyond the table.
;;! hook=net.rx
;;expect fault quince_packet: undefined element
(module
  (type $v (func))
  (table $t 4 funcref)
  (func $f (param i64) (result i64) local.get 0)
  (elem (i32.const 1) $f)
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (call_indirect (type $v) (i32.const 4))
    i32.const 2))
