;; Imports from WASI, which extensions of the kernel are not given.
;;expect refused ENOENT unknown import 'wasi_snapshot_preview1.fd_write'
(module
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))))
