/* The port: what the engine asks of whoever embeds it. The host build implements it over POSIX
 * (host/port.c), the kernel over its own memory management (kernel/extend/port.c). All functions
 * may be called from any thread; none may be called from an interrupt. */
#ifndef QUINCE_WASM_HOST_H
#define QUINCE_WASM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wasm_instance;

/* Heap: 16-byte aligned; NULL when out of memory. realloc and free take NULL. */
void *wasm_host_alloc(size_t size);
void *wasm_host_realloc(void *p, size_t size);
void wasm_host_free(void *p);

/* Address space: page granular (4096). Reserve gives inaccessible addresses aligned to ALIGN (a
 * power of two, at least 4096); commit makes zeroed readable and writable pages of a part of it;
 * decommit gives them back; release ends the reservation and everything in it. */
void *wasm_host_reserve(size_t size, size_t align);
bool wasm_host_commit(void *addr, size_t size);
void wasm_host_decommit(void *addr, size_t size);
void wasm_host_release(void *addr, size_t size);

/* Code: copies SIZE bytes to fresh executable pages, never writable while executable. The code may
 * refer to itself only by relative addresses: *where* it will stand is told by RELOCATE, called
 * once (unless NULL) with the writable bytes and their final address before they are published. */
void *wasm_host_publish(const void *code, size_t size,
                        void (*relocate)(void *context, uint8_t *bytes, uintptr_t address),
                        void *context);
void wasm_host_unpublish(void *code, size_t size);

/* Monotonic time in nanoseconds. */
uint64_t wasm_host_now(void);

/* Time budgets. While a thread runs calls that have one it is interrupted by *ticks*, and each tick
 * counts as the time between two of them, however long ago the last one was: what a call is charged
 * is the time that it ran, not that for which the machine's host or another thread had the CPU.
 *
 * The port keeps one of these for each thread, at first all zero and written by the engine alone.
 * wasm_host_thread() finds that of the calling thread. */
struct wasm_thread {
    /* The instance whose call runs, the innermost one, 0: none; plus 1 once a tick has seen that
     * call. */
    uintptr_t running;
    struct wasm_outer_call *outer; /* the calls around it */
    uint64_t charged;              /* ns charged to the innermost call */
    uint32_t frequency;            /* ticks per second to come; 0: none */
    bool spent;                    /* a call is over its budget and has still to be ended */
};
struct wasm_thread *wasm_host_thread(void);
/* Interrupts the calling thread in NS from now, wherever it then stands, to call
 * wasm_handle_tick(); what that answers is the time to the next one, counted from then. Replaces
 * what was asked for before. An interrupted host function goes on as if nothing had happened; only
 * when .spent is set a system call that it is blocked in may come back. Time for which the thread
 * sleeps in a host function counts as well. */
void wasm_host_tick(uint64_t ns);

/* Sleeps while *WORD is VALUE, until wasm_host_wake() or UNTIL (wasm_host_now() scale; UINT64_MAX:
 * for ever); may come back for no reason. Wakes whoever sleeps on WORD, which is not read. */
void wasm_host_wait(uint32_t *word, uint32_t value, uint64_t until);
void wasm_host_wake(uint32_t *word);

/* One lock for what the engine has process-wide (canonical types, code ranges, who waits at shared
 * memories) and for growing those. Held briefly; not recursive. */
void wasm_host_lock(void);
void wasm_host_unlock(void);

/* One line for the operator. */
void wasm_host_log(const char *line);

#endif
