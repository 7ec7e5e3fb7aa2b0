/* Initialisation in levels, registered where the code lives: the linker collects the entries, and
 * an image holds only those of the parts linked into it. A failing entry is logged and boot goes
 * on. */
#ifndef QUINCE_INIT_H
#define QUINCE_INIT_H

enum init_level {
    INIT_EARLY = 1, /* memory and console work, no threads */
    INIT_BUS = 2,   /* threads and timers work */
    INIT_DRIVER = 3,
    INIT_NET = 4,
    INIT_FS = 5,
    INIT_EXTEND = 6, /* all up but the application */
};
struct init_entry {
    int (*fn)(void); /* 0 or -errno */
    const char *name;
};
/* The section name sorts by level. */
#define INIT(level, fn) INIT_(level, fn)
#define INIT_(level, fn)                                                                           \
    static const struct init_entry init_entry_##fn                                                 \
        __attribute__((used, section(".init." #level), aligned(8))) = {fn, #fn}
/* Usage: INIT(4, net_start); with the number of the level. */

/* init.c, entered from arch/<name>/boot.c on the boot stack with memory, interrupt controller and
 * clock set up and interrupts off. */
_Noreturn void kernel_start(void);
/* Starts the application on a thread of its own, after all levels, and returns; the machine ends
 * with the application's result. Supplied by posix/ (or a test image); without it the machine exits
 * with 0. */
void application_start(void);

#endif
