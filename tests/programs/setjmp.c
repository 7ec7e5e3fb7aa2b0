/* What clang's lowering of setjmp() calls (LLVM's WebAssemblyLowerEmscriptenEHSjLj.cpp documents
 * it): every function that calls setjmp() keeps a table of the places where it did; a longjmp()
 * throws, each such function catches, looks whether the place is in its table, and throws on when
 * it is not. */
#include <setjmp.h>
#include <stdlib.h>

struct place {
    unsigned long id; /* 0: the end of the table */
    unsigned long label;
};

static unsigned long last_id;
static int second_result; /* LLVM's way to return two numbers */

void setTempRet0(int value)
{
    second_result = value;
}

int getTempRet0(void)
{
    return second_result;
}

/* Records that ENV now leads to LABEL; the table, which may have moved, and its size. */
struct place *saveSetjmp(jmp_buf env, unsigned long label, struct place *table, int size)
{
    int i = 0;
    unsigned long id = ++last_id;
    while (i < size && table[i].id && table[i].label != label)
        i++;
    if (i + 1 >= size) {
        table = realloc(table, sizeof(*table) * (unsigned)(size *= 2));
        if (!table)
            abort();
    }
    if (!table[i].id)
        table[i + 1].id = 0;
    env->id = id;
    table[i] = (struct place){id, label};
    second_result = size;
    return table;
}

/* The label that setjmp() number ID belongs to; 0: not one of this function's. */
unsigned long testSetjmp(unsigned long id, const struct place *table, int size)
{
    for (int i = 0; i < size && table[i].id; i++)
        if (table[i].id == id)
            return table[i].label;
    return 0;
}

_Noreturn void __wasm_longjmp(jmp_buf env, int value)
{
    enum { C_LONGJMP = 1 };
    env->thrown.env = env;
    env->thrown.value = value ? value : 1;
    __builtin_wasm_throw(C_LONGJMP, &env->thrown);
}
