;; Traps when it is asked for its packet buffer.
;;! hook=net.rx
;;expect refused EFAULT quince_packet_buffer: unreachable
(module
  (memory 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) unreachable)
  (func (export "quince_packet") (param i32 i32) (result i32) i32.const 2))
