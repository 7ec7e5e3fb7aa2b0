;; Unbounded recursion in the packet hook.
;;! hook=net.rx
;;expect fault quince_packet: call stack exhausted
(module
  (func $deeper (param i32) (result i32) (i32.add (i32.const 1) (call $deeper (local.get 0))))
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (call $deeper (i32.const 0)))
    i32.const 2))
