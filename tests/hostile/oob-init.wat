;; Initialises from a segment beyond its end.
;;! hook=net.rx
;;expect fault quince_packet: out of bounds memory access
(module
  (data $d "12345678")
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (memory.init $d (i32.const 0) (i32.const 0) (i32.const 9))
    i32.const 2))
