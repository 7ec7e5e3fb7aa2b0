;; Wants packets but exports nothing to call.
;;! hook=net.rx
;;expect refused EINVAL needs the export 'quince_packet'
(module (memory 1))
