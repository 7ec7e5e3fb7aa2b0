;; Starts with more memory than its manifest allows.
;;! memory=1M
;;expect refused
(module (memory 17))
