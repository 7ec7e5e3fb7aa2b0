;; A file of which the second half is missing.
;;mutate truncate
;;expect refused EINVAL offset 0x
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    nop
    i32.const 2))
