;; Unbounded recursion in _initialize, through a table.
;;expect refused EFAULT _initialize: call stack exhausted
(module
  (table 1 funcref)
  (elem (i32.const 0) $init)
  (memory (export "memory") 1)
  (func $init (export "_initialize")
    (call_indirect (i32.const 0))))
