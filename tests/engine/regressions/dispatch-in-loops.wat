;; What loops around a dispatch make the code generator do: the block with the jump table is copied
;; behind each case that goes back to it, a switch of few values becomes comparisons, and locals
;; that change places on the loop's edge move through a free register or exchange.
(module
  (memory (export "memory") 1 1)
  (data (i32.const 64) "\01\02\03\04\05\02\01\06\03\03\02\01\04\05\00")
  (data (i32.const 128) "\06\05\04\03\02\01\01\02\03\04\05\06\09\ff")

  ;; Each byte at $p is an operation on $x; 0 and what is too large end. Without an end it traps at
  ;; the end of memory, in whichever copy that is.
  (func $run (export "run") (param $p i32) (param $x i32) (result i32)
    (local $op i32) (local $spare i32)
    (loop $next
      (local.set $op (i32.load8_u (local.get $p)))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
        (br_table $0 $1 $2 $3 $4 $5 $6 $0 (local.get $op)))
        (return (i32.xor (local.get $x) (local.get $spare))))
        (local.set $x (i32.add (local.get $x) (i32.const 7))) (br $next))
        (local.set $x (i32.mul (local.get $x) (i32.const 31))) (br $next))
        (local.set $op (local.get $x)) (local.set $x (local.get $spare))
        (local.set $spare (local.get $op)) (br $next))
        (local.set $spare (i32.sub (local.get $spare) (local.get $x))) (br $next))
        (local.set $x (i32.rotl (local.get $x) (local.get $spare))) (br $next))
      (local.set $x (i32.shr_u (local.get $x) (i32.const 1)))
      (br $next))
    (unreachable))
  (func (export "runs") (result i32)
    (i32.add (call $run (i32.const 64) (i32.const 1234567))
             (call $run (i32.const 128) (i32.const -99))))
  (func (export "runs_out") (result i32)
    (memory.fill (i32.const 32768) (i32.const 5) (i32.const 32768))
    (call $run (i32.const 65000) (i32.const 3)))

  ;; Two and three values of many.
  (func $few (param $x i32) (result i32)
    (block $other (block $b (block $a
      (br_table $a $other $other $b $other (local.get $x)))
      (return (i32.const 10)))
      (return (i32.const 20)))
    (i32.const 30))
  (func $three (param $x i32) (result i32)
    (block $other (block $c (block $b (block $a
      (br_table $other $a $other $b $c (local.get $x)))
      (return (i32.const 1)))
      (return (i32.const 2)))
      (return (i32.const 3)))
    (i32.const 4))
  (func (export "few") (result i32)
    (local $i i32) (local $sum i32)
    (local.set $i (i32.const -4))
    (loop $next
      (local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 7))
        (i32.add (call $few (local.get $i)) (call $three (local.get $i)))))
      (br_if $next (i32.lt_s (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 9))))
    (local.get $sum))

  ;; Locals that go round, with registers to spare and without.
  (func (export "turn") (param $n i32) (result i32)
    (local $a i32) (local $b i32) (local $c i32) (local $t i32)
    (local.set $a (i32.const 1)) (local.set $b (i32.const 20)) (local.set $c (i32.const 300))
    (local.set $n (i32.and (local.get $n) (i32.const 1023)))
    (loop $next
      (local.set $t (local.get $a))
      (local.set $a (local.get $b))
      (local.set $b (local.get $c))
      (local.set $c (local.get $t))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $next (i32.gt_s (i32.add (local.get $n) (i32.and (local.get $a) (i32.const 1)))
                             (i32.const 0))))
    (i32.add (local.get $a) (i32.mul (i32.const 1000)
      (i32.add (local.get $b) (i32.mul (i32.const 1000) (local.get $c))))))
  (func (export "turn_many") (param $n i32) (result i32)
    (local $a i32) (local $b i32) (local $c i32) (local $d i32) (local $e i32) (local $f i32)
    (local $g i32) (local $h i32) (local $i i32) (local $j i32) (local $k i32) (local $l i32)
    (local $t i32)
    (local.set $n (i32.and (local.get $n) (i32.const 1023)))
    (local.set $a (i32.const 3)) (local.set $e (i32.const 5)) (local.set $i (i32.const 7))
    (loop $next
      (local.set $t (i32.add (local.get $a) (i32.const 1)))
      (local.set $a (local.get $b)) (local.set $b (local.get $c)) (local.set $c (local.get $d))
      (local.set $d (i32.xor (local.get $e) (local.get $a)))
      (local.set $e (local.get $f)) (local.set $f (local.get $g)) (local.set $g (local.get $h))
      (local.set $h (i32.add (local.get $i) (local.get $c)))
      (local.set $i (local.get $j)) (local.set $j (local.get $k)) (local.set $k (local.get $l))
      (local.set $l (local.get $t))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.xor (i32.xor (i32.xor (local.get $a) (local.get $b)) (i32.xor (local.get $c) (local.get $d)))
      (i32.mul (i32.const 31) (i32.xor (i32.xor (i32.xor (local.get $e) (local.get $f))
        (i32.xor (local.get $g) (local.get $h)))
        (i32.mul (i32.const 31) (i32.xor (i32.xor (local.get $i) (local.get $j))
          (i32.xor (local.get $k) (local.get $l)))))))))
