;; Writes beyond the end of memory, at every width.
;;! hook=net.rx
;;each store
;;expect fault quince_packet: out of bounds memory access
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (${OP} (i32.const ${LAST}) (${TYPE}.const 1))
    i32.const 2))
