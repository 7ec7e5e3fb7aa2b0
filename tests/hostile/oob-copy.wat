;; Copies so many bytes that the end wraps around.
;;! hook=net.rx
;;expect fault quince_packet: out of bounds memory access
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (memory.copy (i32.const 16) (i32.const 0) (i32.const -1))
    i32.const 2))
