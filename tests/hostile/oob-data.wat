;; A data segment that lies outside of memory: found when the module is linked.
;;expect refused EFAULT out of bounds memory access
(module
  (memory 1)
  (data (i32.const 65533) "beyond"))
