/* Switching stacks between threads. */

    .text
/* void x86_switch(uintptr_t *save_sp (rdi), uintptr_t sp (rsi)) */
    .globl x86_switch
    .type x86_switch, @function
x86_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $8, %rsp
    stmxcsr (%rsp)    /* control bits belong to the callee-saved state */
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size x86_switch, . - x86_switch

/* Where a new thread's first switch returns to: entry in r12, its argument in r13 (thread.c). */
    .globl x86_thread_entry
    .type x86_thread_entry, @function
x86_thread_entry:
    xorl %ebp, %ebp   /* backtraces end here */
    call schedule_thread_started
    movq %r13, %rdi
    call *%r12
    call thread_exit
    ud2
    .size x86_thread_entry, . - x86_thread_entry

    .section .note.GNU-stack, "", @progbits
