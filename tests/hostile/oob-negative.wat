;; Reads right before memory, as C would with a negative index.
;;! hook=net.rx
;;expect fault quince_packet: out of bounds memory access
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (i32.load (i32.const -4)))
    i32.const 2))
