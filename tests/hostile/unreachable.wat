;; The instruction that says: never here.
;;! hook=net.rx
;;expect fault quince_packet: unreachable
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    unreachable
    i32.const 2))
