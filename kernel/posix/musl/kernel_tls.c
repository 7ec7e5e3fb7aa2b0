/* The thread area of kernel threads. The C library's functions that the kernel uses (snprintf,
 * strerror, …) reach errno and the locale through the thread pointer, so every kernel thread points
 * here (and to one errno that nobody reads). */
#include "pthread_impl.h"
#include "libc.h"

struct pthread posix_kernel_tls = {
    .self = &posix_kernel_tls,
    .prev = &posix_kernel_tls,
    .next = &posix_kernel_tls,
    .detach_state = DT_DETACHED,
    .canceldisable = 1,
    .locale = &libc.global_locale,
    .robust_list = {.head = &posix_kernel_tls.robust_list.head},
};
