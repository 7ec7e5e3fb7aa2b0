;; Imports a memory under the name of a host function.
;;! need=log
;;expect refused ENOENT unknown import 'quince1.log'
(module
  (import "quince1" "log" (memory 1)))
