;; Exports a packet function of another type than it is called with.
;;! hook=net.rx
;;expect refused EINVAL export 'quince_packet' is not a function of 2 i32 to 1 i32
(module
  (memory 1)
  (func (export "quince_packet_buffer") (param i32) (result i32) i32.const 1024)
  (func (export "quince_packet") (param i64) (result f64) f64.const 0))
