;; Declares maps that do not fit into the machine.
;;! map=a hash key=8 value=64 max=512K
;;! map=b array value=8K max=3K
;;machine only
;;expect refused ENOMEM out of memory for map
(module)
