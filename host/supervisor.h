/* The owner of one machine: starts its QEMU, holds its control channel, keeps its console, cleans
 * up behind it. */
#ifndef QUINCE_HOST_SUPERVISOR_H
#define QUINCE_HOST_SUPERVISOR_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "qemu.h"

struct supervisor_config {
    const char *name;
    struct qemu_config qemu;
    cJSON *meta;     /* what `quince ps` shows; the supervisor adds to it */
    bool foreground; /* console on standard input and output */
    bool control;    /* whether to give the machine a control port */
    int ready;       /* in the background: where to tell that it is up; else -1 */
    int lock;        /* of the machine's name; kept open */
};

/* Runs the machine to its end; returns its exit code, or EXIT_MACHINE when QEMU could not start. */
int supervise(struct supervisor_config *config);

/* What is written to `ready`, one byte, then text. */
enum { READY_UP = 'U', READY_ENDED = 'E' };

#endif
