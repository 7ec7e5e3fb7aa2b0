;; The paper's smallest program: an empty call in a loop. Calls between functions of one module cost this.
(module
  (func $foo (export "foo"))
  (func (export "run") (param $rounds i32) (result i32)
    (local $done i32)
    (local.set $rounds (i32.mul (local.get $rounds) (i32.const 1000)))
    (block $end
      (loop $again
        (br_if $end (i32.ge_u (local.get $done) (local.get $rounds)))
        (call $foo)
        (local.set $done (i32.add (local.get $done) (i32.const 1)))
        (br $again)))
    (local.get $done)))
