/* What the rest of the kernel knows of the application's side. */
#ifndef QUINCE_POSIX_POSIX_H
#define QUINCE_POSIX_POSIX_H

/* Thread area for kernel threads: thread->tls (and the CPU's thread pointer before threads exist)
 * must be (uintptr_t)posix_kernel_tls, since libc functions the kernel uses reach errno and the
 * locale through it. Lives in libc.a. */
extern char posix_kernel_tls[];

/* Starts the application's main() with the arguments after " -- " of the command line, on a thread
 * of its own; returns. The machine ends with main's result. Called once, after the last init level. */
void application_start(void);

#endif
