;; A number too large for the integer it shall become.
;;! hook=net.rx
;;expect fault quince_packet: integer overflow
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (i32.trunc_f64_s (f64.const 1e300)))
    i32.const 2))
