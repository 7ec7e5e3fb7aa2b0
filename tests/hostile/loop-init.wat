;; An endless loop in _initialize.
;;expect refused ETIMEDOUT _initialize: time budget exceeded
(module
  (memory (export "memory") 1)
  (func $init (export "_initialize")
    (loop $again (br $again))))
