/* Calls by wasm/entry.h on x86-64. */
#ifndef QUINCE_WASM_TARGET_X86_64_ENTRY_INLINE_H
#define QUINCE_WASM_TARGET_X86_64_ENTRY_INLINE_H

/* The callee keeps rbx, rbp, r12, r13 and r15. target_leave_entry (stubs.c) comes back with those
 * as they are in the frame, but r15 = 0. */
static inline __attribute__((always_inline)) struct wasm_entry_head *
wasm_entry_switch(struct wasm_entry *entry, struct wasm_entry_head *instance, unsigned count,
                  uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t *value)
{
    uint64_t rax = instance->entry_stack, rsi, rdx, rcx;
    register uint64_t r8 __asm__("r8");
    register uint64_t r9 __asm__("r9");
    register struct wasm_entry_head *r15 __asm__("r15") = instance;
    /* What is not passed may be anything: not an instruction. */
    __asm__ volatile("" : "=S"(rsi), "=d"(rdx), "=c"(rcx), "=r"(r8), "=r"(r9));
    if (count > 0)
        rsi = a & entry->masks[0];
    if (count > 1)
        rdx = b & entry->masks[1];
    if (count > 2)
        rcx = c & entry->masks[2];
    if (count > 3)
        r8 = d & entry->masks[3];
    if (count > 4)
        r9 = e & entry->masks[4];
    __asm__ volatile("ldmxcsr %[control]\n\t"
                     "movq %%rsp, %%rbx\n\t"
                     "movq %%rsp, (%[stack])\n\t"
                     "movq %%rbp, 8(%[stack])\n\t"
                     "movq %%r12, 16(%[stack])\n\t"
                     "movq %%r13, 24(%[stack])\n\t"
                     "leaq 1f(%%rip), %%r14\n\t"
                     "movq %%r14, 32(%[stack])\n\t"
                     "movq %[stack], %%rsp\n\t"
                     "movq (%%r15), %%r14\n\t"
                     "callq *%[code]\n"
                     "1:\n\t"
                     "movq %%rbx, %%rsp"
                     : [stack] "+a"(rax), "+S"(rsi), "+d"(rdx), "+c"(rcx), "+r"(r8), "+r"(r9),
                       "+r"(r15)
                     : [control] "m"(entry->float_control), [code] "m"(entry->code)
                     : "rdi", "r10", "r11", "rbx", "r14", "cc", "memory", "xmm0", "xmm1", "xmm2",
                       "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                       "xmm12", "xmm13", "xmm14", "xmm15");
    *value = rax;
    return r15;
}

#endif
