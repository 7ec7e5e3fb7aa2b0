;; Grows its memory until it is refused, and uses all of it.
;;! memory=1M
;;! init_budget=2s
;;expect attached
(module
  (memory (export "memory") 1)
  (func (export "_initialize")
    (loop $again
      (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
    (if (i32.ne (memory.size) (i32.const 16)) (then unreachable))
    (memory.fill (i32.const 0) (i32.const 0x5a) (i32.const 1048576))))
