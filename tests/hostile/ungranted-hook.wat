;; Declares a hook that the operator does not grant.
;;! hook=net.rx,net.tx
;;grant net.rx
;;expect refused EPERM hook 'net.tx' is declared but not granted
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    nop
    i32.const 2))
