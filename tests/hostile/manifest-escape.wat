;; A manifest with a control sequence for the operator's terminal.
;;! on_fault=[2J
;;expect refused EINVAL byte 0x1b is not printable ASCII
(module)
