;; Grows a table until it is refused, which must come.
;;! init_budget=2s
;;expect attached
(module
  (table $t 0 funcref)
  (func (export "_initialize")
    (loop $again
      (br_if $again (i32.ne (table.grow $t (ref.null func) (i32.const 10000)) (i32.const -1))))
    (if (i32.gt_u (table.size $t) (i32.const 65536)) (then unreachable))))
