;; Will not let go when it is told to.
;;! hook=net.rx
;;expect attached
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    nop
    i32.const 2)
  (func (export "quince_fini") (loop $again (br $again))))
