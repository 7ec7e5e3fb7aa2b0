;; Asks for more memory than the machine has.
;;! memory=1G
;;machine only
;;expect refused ENOMEM
(module (memory 16384))
