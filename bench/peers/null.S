/* The null kernel: enters by PVH, writes one line to the serial port, ends the machine. What it takes
 * is the floor under every boot time on the same machine. */
    .section .note.pvh, "a", @note
    .long 4, 4, 18              /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long entry

    .text
    .code32
    .globl entry
entry:
    mov $line, %esi
    mov $(line_end - line), %ecx
    mov $0x3f8, %edx
    rep outsb
    xor %eax, %eax
    mov $0xf4, %edx             /* isa-debug-exit */
    out %eax, %dx
1:  hlt
    jmp 1b

line:
    .ascii "hello from the null kernel\n"
line_end:
    .section .note.GNU-stack, "", @progbits
