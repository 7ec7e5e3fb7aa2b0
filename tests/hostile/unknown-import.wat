;; Imports what nobody offers.
;;expect refused ENOENT unknown import 'quince1.reboot'
(module
  (import "quince1" "reboot" (func (param i32))))
