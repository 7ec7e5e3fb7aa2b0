/* What the runtime needs and C cannot say on x86-64: checked entries to the helpers, the jump to an
 * instance's exit stub, and the way out of it for wasm/entry.h. */
#include <stddef.h>

#include "runtime/helpers.h"
#include "target/target.h"
#include "target/x86_64/encode.h"

_Static_assert(offsetof(struct wasm_instance, exec) == 8, "used below");
_Static_assert(offsetof(struct wasm_instance, exit_stub) == 16, "used below");
_Static_assert(offsetof(struct wasm_exec, host_limit) == 8, "used below");
_Static_assert(WASM_TRAP_STACK == 10, "used below");
_Static_assert(offsetof(struct wasm_exec, owner) == 80, "used below");
_Static_assert(offsetof(struct wasm_instance, entry_stack) == 24, "used below");

__asm__(".pushsection .text.wasm_stubs,\"ax\",@progbits\n"
        "wasm_stub_overflow:\n"
        "    movl $10, %edi\n"
        "    jmp *16(%r15)\n"
        ".globl target_exit\n"
        ".type target_exit,@function\n"
        "target_exit:\n"
        "    movq %rdi, %r15\n"
        "    movl %esi, %edi\n"
        "    jmp *16(%r15)\n"
        ".globl target_resume\n"
        ".type target_resume,@function\n"
        "target_resume:\n"
        "    movq %rsi, %rsp\n"
        "    movq %rdx, %r15\n"
        "    movq %rcx, %r14\n"
        "    jmp *%rdi\n"
        ".globl target_leave_entry\n"
        ".type target_leave_entry,@function\n"
        "target_leave_entry:\n"
        "    movq 80(%rax), %rsp\n"
        "    movq 24(%rsp), %rsp\n"
        "    movq (%rsp), %rbx\n"
        "    movq 8(%rsp), %rbp\n"
        "    movq 16(%rsp), %r12\n"
        "    movq 24(%rsp), %r13\n"
        "    xorl %r15d, %r15d\n"
        "    movl %edi, %eax\n"
        "    jmp *32(%rsp)\n"
        ".popsection\n");

/* rax is free at a call. Nothing is pushed before the check, the call's own return address is
 * pushed by compiled code, whose fault in the guard is handled. */
#define X(name)                                                                                    \
    void helper_stub_##name(void);                                                                 \
    __asm__(".pushsection .text.wasm_stubs,\"ax\",@progbits\n"                                     \
            ".globl helper_stub_" #name "\n"                                                       \
            ".hidden helper_stub_" #name "\n"                                                      \
            ".type helper_stub_" #name ",@function\n"                                              \
            "helper_stub_" #name ":\n"                                                             \
            "    movq 8(%rdi), %rax\n"                                                             \
            "    cmpq 8(%rax), %rsp\n"                                                             \
            "    jb wasm_stub_overflow\n"                                                          \
            "    jmp helper_" #name "\n"                                                           \
            ".popsection\n");
WASM_HELPERS(X)
#undef X

const uintptr_t target_helper_stubs[WASM_HELPER_COUNT] = {
#define X(name) (uintptr_t) helper_stub_##name,
    WASM_HELPERS(X)
#undef X
};

const uint32_t target_entry_fp = X86_ENTRY_FP;
const uint32_t target_float_control = X86_DEFAULT_MXCSR;
