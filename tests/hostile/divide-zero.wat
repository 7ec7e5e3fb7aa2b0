;; Division by zero.
;;! hook=net.rx
;;expect fault quince_packet: integer divide by zero
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (i32.div_u (i32.const 1) (i32.load (i32.const 0))))
    i32.const 2))
