;; Reads what memory.grow would have given had it not been refused.
;;! hook=net.rx
;;expect fault quince_packet: out of bounds memory access
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (memory.grow (i32.const 65535)))
    (drop (i32.load (i32.const 65536)))
    i32.const 2))
