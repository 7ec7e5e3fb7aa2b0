/* The QEMU command line of a machine. */
#ifndef QUINCE_HOST_QEMU_H
#define QUINCE_HOST_QEMU_H

#include <stdbool.h>

#include "options.h"

struct qemu_forward {
    char address[48]; /* on the host */
    unsigned host_port, guest_port;
    bool udp;
};

struct qemu_share { /* a folder of the host, as a virtio-9p device */
    const char *path, *tag;
    bool read_only;
};

struct qemu_port { /* a virtio-serial port with a connected socket behind it */
    const char *name;
    int fd;
};

struct qemu_config {
    const char *image;
    const char *machine; /* "microvm" or "q35" */
    const char *accel;   /* NULL: KVM where it can be, else TCG */
    const char *cpu;     /* NULL: the best there is */
    long memory_mib;
    const char *initrd; /* NULL: none; a further archive */
    bool network;
    const struct qemu_forward *forwards;
    int forward_count;
    int control_fd; /* a connected socket for the port org.quince.control; -1: no such port */
    const struct qemu_share *shares;
    int share_count;
    const struct qemu_port *ports; /* beside the control port */
    int port_count;
    const char *gdb;        /* NULL: none; as QEMU's -gdb */
    struct strings options; /* of the kernel, name=value */
    char **args;            /* of the application */
    int arg_count;
};

/* "kvm" or "tcg", and why with --verbose. */
const char *qemu_accelerator(void);
/* ADDRESS:HOST:GUEST/udp, all but HOST:GUEST may be missing; false when TEXT is not that. */
bool qemu_parse_forward(const char *text, struct qemu_forward *forward);
/* The kernel's command line for OPTIONS and ARGS; the caller frees it. */
char *qemu_kernel_line(const struct qemu_config *config);
/* NULL-terminated; made to be handed to execvp() and never freed. */
char **qemu_command(const struct qemu_config *config);

#define QEMU_PROGRAM "qemu-system-x86_64"
/* The guest writes its exit code to a debug port, upon which QEMU ends with (code << 1) | 1. */
static inline int qemu_guest_code(int status)
{
    return status & 1 ? status >> 1 : status;
}

#endif
