;; Nested calls for gdb and perf: frames with saved registers, spill slots and stack arguments.
(module
  (memory 1)
  (func $inner (param i32) (result i32) (i32.load (local.get 0)))
  (func $wide (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
    (i32.add (call $inner (local.get 0)) (i32.add (local.get 6) (local.get 7))))
  (func $middle (param i32 i32) (result i32)
    (local i32)
    (loop $again
      (local.set 2 (i32.add (local.get 2)
        (call $wide (local.get 1) (local.get 0) (local.get 2) (i32.const 4) (i32.const 5)
                    (i32.const 6) (local.get 0) (local.get 2))))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 2))
  (func $outer (export "outer") (param i32) (result i32)
    (i32.add (call $middle (i32.const 2) (local.get 0)) (i32.const 1))))
