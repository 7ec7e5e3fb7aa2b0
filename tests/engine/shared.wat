;; What threads do with a memory they share. Word 0 is a mutex: 0 free, 1 taken, 2 taken and waited
;; for; word 8 counts under it, word 16 without it.
(module
  (import "env" "memory" (memory 1 16 shared))
  (func $lock (local $seen i32)
    (local.set $seen (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (i32.const 1)))
    (if (local.get $seen)
      (then
        (loop $again
          (if (i32.atomic.rmw.xchg (i32.const 0) (i32.const 2))
            (then
              (drop (memory.atomic.wait32 (i32.const 0) (i32.const 2) (i64.const -1)))
              (br $again)))))))
  (func $unlock
    (if (i32.eq (i32.atomic.rmw.xchg (i32.const 0) (i32.const 0)) (i32.const 2))
      (then (drop (memory.atomic.notify (i32.const 0) (i32.const 1))))))
  (func (export "count") (param $n i32)
    (loop $next
      (call $lock)
      (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
      (call $unlock)
      (drop (i64.atomic.rmw.add (i32.const 16) (i64.const 1)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "wait32") (param $at i32) (param $expected i32) (param $timeout i64) (result i32)
    (memory.atomic.wait32 (local.get $at) (local.get $expected) (local.get $timeout)))
  (func (export "wait64") (param $at i32) (param $expected i64) (param $timeout i64) (result i32)
    (memory.atomic.wait64 (local.get $at) (local.get $expected) (local.get $timeout)))
  (func (export "notify") (param $at i32) (param $count i32) (result i32)
    (memory.atomic.notify (local.get $at) (local.get $count)))
  ;; Pages got, one at a time.
  (func (export "grow") (result i32) (local $got i32)
    (loop $more
      (if (i32.ne (memory.grow (i32.const 1)) (i32.const -1))
        (then
          (local.set $got (i32.add (local.get $got) (i32.const 1)))
          (br $more))))
    (local.get $got))
  (func (export "size") (result i32) (memory.size)))
