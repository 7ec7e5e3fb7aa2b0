;; Imports a host function with a type that is not its own.
;;! need=log
;;expect refused EINVAL import 'quince1.log' has another type
(module
  (import "quince1" "log" (func (param i64) (result i32))))
