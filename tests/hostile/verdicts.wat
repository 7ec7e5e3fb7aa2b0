;; Gives verdicts that do not exist: counted as aborted, the packet is dropped; it answers
;; every second one with PASS so that the machine stays reachable.
;;! hook=net.rx
;;expect attached
(module
  (memory 1)
  (global $n (mut i32) (i32.const 0))
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func (export "quince_packet") (param i32 i32) (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (select (i32.const 0xdeadbeef) (i32.const 2) (i32.eqz (i32.and (global.get $n) (i32.const 63))))))
