;; An endless loop that is mostly inside a host function when the time is up.
;;! hook=net.rx
;;! map=m array value=64K max=4
;;expect fault quince_packet: time budget exceeded
(module
  (import "quince1" "map_get" (func $get (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (loop $again (drop (call $get (i32.const 0) (i32.const 0) (i32.const 16))) (br $again))
    i32.const 2))
