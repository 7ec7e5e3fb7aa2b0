/* init.h for simulations on the host: entries register before main() and are run by it. */
#ifndef QUINCE_INIT_H
#define QUINCE_INIT_H

void init_register(int level, int (*fn)(void), const char *name);
#define INIT(level, fn)                                                                            \
    __attribute__((constructor)) static void init_entry_##fn(void)                                 \
    {                                                                                              \
        init_register(level, fn, #fn);                                                             \
    }

#endif
