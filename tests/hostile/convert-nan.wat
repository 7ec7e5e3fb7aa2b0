;; Not a number, as an integer.
;;! hook=net.rx
;;expect fault quince_packet: invalid conversion to integer
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (i32.trunc_f64_s (f64.div (f64.const 0) (f64.convert_i32_s (i32.load (i32.const 0))))))
    i32.const 2))
