/* Where the processor enters on exceptions and interrupts, and the entry of a stray `syscall`.
 *
 * All general registers and the sixteen XMM registers are saved, so that handlers may be any C code;
 * what else the FPU holds is left alone by C code and saved only when the thread is preempted. */

    .text

/* Vectors at which the processor pushes an error code: 8 10-14 17 21 29 30. */
#define ERROR_CODE_VECTORS 0x60227d00

    .balign 16
    .globl x86_vector_stubs
    .type x86_vector_stubs, @function
x86_vector_stubs:
    .set vector, 0
    .rept 96
    .balign 16
    .if vector < 32
    .if (ERROR_CODE_VECTORS >> vector) & 1
    .else
    pushq $0
    .endif
    pushq $vector
    jmp exception_entry
    .else
    pushq $0
    pushq $vector
    jmp interrupt_entry
    .endif
    .set vector, vector + 1
    .endr
    .size x86_vector_stubs, . - x86_vector_stubs

    .macro save_registers
    pushq %rax
    pushq %rbx
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %rbp
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    subq $272, %rsp
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movaps %xmm\n, (16*\n)(%rsp)
    .endr
    stmxcsr 256(%rsp)
    cld
    movq %rsp, %rdi
    .endm

    .macro restore_registers
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movaps (16*\n)(%rsp), %xmm\n
    .endr
    ldmxcsr 256(%rsp)
    addq $272, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rbp
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rbx
    popq %rax
    addq $16, %rsp
    movq $0x10, 32(%rsp) /* %ss: the interrupted thread's may be null, see cpu.c */
    iretq
    .endm

    .type exception_entry, @function
exception_entry:
    save_registers
    call x86_exception
    restore_registers
    .size exception_entry, . - exception_entry

    .type interrupt_entry, @function
interrupt_entry:
    save_registers
    call x86_interrupt
    restore_registers
    .size interrupt_entry, . - interrupt_entry

/* `syscall` left the return address in rcx and the flags in r11, and the stack alone. Linux keeps all
 * registers but rax, rcx and r11, vectors included; the 128 bytes below rsp may be the caller's red
 * zone. The number is in rax, arguments in rdi rsi rdx r10 r8 r9. */
    .globl x86_syscall_entry
    .type x86_syscall_entry, @function
x86_syscall_entry:
    leaq -128(%rsp), %rsp
    pushq %rcx        /* with rbp, a frame as of a call */
    pushq %rbp
    movq %rsp, %rbp
    pushq %r11
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %r8
    pushq %r9
    pushq %r10
    movl $0x10, %ecx
    movl %ecx, %ss    /* one of B = 0, see cpu.c */
    andq $-16, %rsp
    subq $272, %rsp
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movaps %xmm\n, (16*\n + 16)(%rsp)
    .endr
    movq %r9, (%rsp)  /* seventh argument */
    movq %r8, %r9
    movq %r10, %r8
    movq %rdx, %rcx
    movq %rsi, %rdx
    movq %rdi, %rsi
    movq %rax, %rdi
    call quince_syscall
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
    movaps (16*\n + 16)(%rsp), %xmm\n
    .endr
    leaq -56(%rbp), %rsp
    popq %r10
    popq %r9
    popq %r8
    popq %rdx
    popq %rsi
    popq %rdi
    popfq             /* r11 */
    popq %rbp
    popq %rcx
    leaq 128(%rsp), %rsp
    jmp *%rcx         /* not sysret, which would go to ring 3 */
    .size x86_syscall_entry, . - x86_syscall_entry

    .weak quince_syscall
    .section .note.GNU-stack, "", @progbits
