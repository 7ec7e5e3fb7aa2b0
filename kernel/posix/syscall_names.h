/* Names of Linux's x86-64 system calls, for messages about those that are missing. */
#ifndef QUINCE_POSIX_SYSCALL_NAMES_H
#define QUINCE_POSIX_SYSCALL_NAMES_H

const char *syscall_name(unsigned number); /* "?" where there is none */

#endif
