;; The one quotient that does not fit.
;;! hook=net.rx
;;expect fault quince_packet: integer overflow
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (i32.div_s (i32.const 0x80000000) (i32.sub (i32.load (i32.const 0)) (i32.const 1))))
    i32.const 2))
