;; An endless loop in the start function.
;;expect refused ETIMEDOUT time budget exceeded
(module
  (func $start (loop $again (br $again)))
  (start $start))
