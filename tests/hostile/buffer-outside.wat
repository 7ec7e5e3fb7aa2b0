;; A packet buffer at the end of the address space.
;;! hook=net.rx snap=128
;;expect refused EFAULT packet buffer of 160 bytes
(module
  (memory 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const -16)
  (func (export "quince_packet") (param i32 i32) (result i32) i32.const 2))
