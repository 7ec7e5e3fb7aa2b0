;; Reads beyond the end of memory, at every width: the last byte is one too many.
;;! hook=net.rx
;;each load
;;expect fault quince_packet: out of bounds memory access
(module
  (memory (export "memory") 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func $decide (export "quince_packet") (param $packet i32) (param $captured i32) (result i32)
    (drop (${OP} (i32.const ${LAST})))
    i32.const 2))
