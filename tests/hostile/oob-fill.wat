;; Fills beyond the end.
;;! hook=net.rx
;;expect fault quince_packet: out of bounds memory access
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (memory.fill (i32.const 65535) (i32.const 0) (i32.const 2))
    i32.const 2))
