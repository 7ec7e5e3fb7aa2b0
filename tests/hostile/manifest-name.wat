;; A manifest whose name would climb out of a directory.
;;!name name=../../etc/passwd
;;expect refused EINVAL manifest: line 1: name
(module)
