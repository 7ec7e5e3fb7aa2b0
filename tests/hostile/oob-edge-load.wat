;; Reads at the edge of 4 GiB: address and offset are as large as they can be.
;;! hook=net.rx
;;each load
;;expect fault quince_packet: out of bounds memory access
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (${OP} offset=4294967295 (i32.sub (i32.load (i32.const 0)) (i32.const 1))))
    i32.const 2))
