;; A table that would take more memory than an extension may have.
;;expect refused
(module
  (table 4000000000 funcref))
