;; A module that says nothing about itself.
;;!none
;;expect refused EINVAL the module has no custom section 'quince'
(module)
