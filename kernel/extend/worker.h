/* Two threads of the extension system: one loads and unloads, one after another, on a stack deep
 * enough for the compiler; the other runs timers and restarts when they are due. */
#ifndef QUINCE_EXTEND_WORKER_H
#define QUINCE_EXTEND_WORKER_H

#include <stdint.h>
#include "sched/list.h"

struct work {
    struct list_node node;
    void (*fn)(struct work *work); /* may free WORK */
};
void loader_submit(struct work *work);
/* Runs FN(CONTEXT) on the loader's thread and waits for it. */
void loader_run(void (*fn)(void *context), void *context);
/* A timer or restart_at was changed: look again. From any thread. */
void timekeeper_kick(void);

#endif
