;; A packet buffer of which the last bytes lie beyond memory.
;;! hook=net.rx snap=128
;;expect refused EFAULT packet buffer of 160 bytes
(module
  (memory 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 65400)
  (func (export "quince_packet") (param i32 i32) (result i32) i32.const 2))
