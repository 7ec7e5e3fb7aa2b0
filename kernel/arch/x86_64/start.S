/* The PVH entry point: a 32-bit machine without paging becomes a 64-bit one on temporary page tables
 * that map the first GiB one to one, then boot.c takes over.
 *
 * At entry (Xen's PVH boot protocol): ebx = physical address of struct hvm_start_info, flat segments,
 * interrupts off, no stack. */

    .section .note.Xen, "a", @note
    .balign 4
    .long 4           /* name size */
    .long 8           /* descriptor size */
    .long 18          /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad pvh_start

    .section .text.start, "ax", @progbits
    .code32
    .globl pvh_start
    .type pvh_start, @function
pvh_start:
    cld
    movl %ebx, %ebp

    /* The tables are not in .bss, which is cleared later: level 4 and 3 need one entry each, level 2
     * is filled with 2 MiB pages. */
    xorl %eax, %eax
    movl $boot_pml4, %edi
    movl $2048, %ecx  /* boot_pml4 and boot_pdpt */
    rep stosl
    movl $(boot_pdpt + 3), boot_pml4
    movl $(boot_pd + 3), boot_pdpt
    movl $boot_pd, %edi
    movl $0x83, %eax  /* present, writable, large */
1:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $8, %edi
    addl $0x200000, %eax
    cmpl $(0x40000000 + 0x83), %eax
    jne 1b

    movl $boot_pml4, %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0x620, %eax  /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $0xc0000080, %ecx /* EFER */
    rdmsr
    orl $0x901, %eax  /* SCE, LME, NXE; every x86-64 CPU since 2005 has NX */
    wrmsr
    movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
    movl %eax, %cr0
    lgdtl boot_gdt_pointer
    ljmpl $0x08, $start64

    .code64
start64:
    movl $0x10, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movl $boot_stack_top, %esp

    movl $__bss_start, %edi
    movl $__bss_end, %ecx
    subl %edi, %ecx
    shrl $3, %ecx     /* the linker script aligns both to 8 */
    rep stosq

    movl %ebp, %edi   /* zero-extends: the address of hvm_start_info */
    xorl %ebp, %ebp   /* backtraces end here */
    call x86_boot
    ud2
    .size pvh_start, . - pvh_start

    .section .data.boot_gdt, "aw", @progbits
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 0x08: code, 64 bit */
    .quad 0x008f93000000ffff /* 0x10: data, see cpu.c */
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt

    /* Not cleared at start, given to the frame allocator once the kernel's own tables stand. */
    .section .boot_tables, "aw", @nobits
    .balign 4096
    .globl boot_pml4
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pd:
    .skip 4096

    /* The boot stack stays: it becomes the idle thread's. */
    .section .boot_stack, "aw", @nobits
    .balign 16
    .globl boot_stack, boot_stack_top
boot_stack:
    .skip 8192
boot_stack_top:

    .section .note.GNU-stack, "", @progbits
