/* What the rest of the kernel knows of the application's side. (Its start is application_start() of
 * init.h, open files are file.h.) */
#ifndef QUINCE_POSIX_POSIX_H
#define QUINCE_POSIX_POSIX_H

/* Thread area for kernel threads: thread->tls (and the CPU's thread pointer before threads exist)
 * must be (uintptr_t)posix_kernel_tls, since libc functions the kernel uses reach errno and the
 * locale through it. Lives in libc.a. */
extern char posix_kernel_tls[];

#endif
