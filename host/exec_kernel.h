/* `quince exec --in-kernel`: the exec image in QEMU with the module in its initrd. */
#ifndef QUINCE_HOST_EXEC_KERNEL_H
#define QUINCE_HOST_EXEC_KERNEL_H

#include "exec.h"

/* The program's exit code, or EXIT_MACHINE when the machine gave none. */
int exec_in_kernel(const struct exec_options *options);

#endif
