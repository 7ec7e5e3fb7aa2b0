/* setjmp() and longjmp() for wasm32-wasi, whose C library has none: clang -mllvm -wasm-enable-sjlj
 * turns them into throws and catches of Wasm exceptions, with the help of setjmp.c. */
#ifndef QUINCE_PROGRAMS_SETJMP_H
#define QUINCE_PROGRAMS_SETJMP_H

typedef struct {
    unsigned long id; /* of the last setjmp() on it; 0: none */
    struct {
        void *env;
        int value;
    } thrown;
} jmp_buf[1];

int setjmp(jmp_buf env) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf env, int value);

#endif
