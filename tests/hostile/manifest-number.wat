;; A manifest with a number that does not fit any integer.
;;! memory=99999999999999999999G
;;expect refused EINVAL manifest: line 2: memory: '99999999999999999999G' is not a number
(module)
