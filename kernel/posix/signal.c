/* Signals, as far as one process with threads needs them: dispositions and masks are kept; a signal
 * that a thread sends to itself (raise(), abort()) runs its handler at once or ends the machine, as
 * its default says. Signals to other threads are not delivered; the C library's own cancellation
 * request is accepted, since its effect is the flag that is seen at the next cancellation point. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include "log.h"
#include "posix/internal.h"

enum { SIGNALS = 64, SIGNAL_CANCEL = 33, SIGNAL_SET_SIZE = 8 };

/* Layout of the system call, not of libc's struct sigaction. */
struct kernel_action {
    void *handler;
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static struct kernel_action actions[SIGNALS + 1];
static struct spinlock lock;

static const char *const default_ends[] = {
    [SIGHUP] = "hangup",
    [SIGINT] = "interrupt",
    [SIGQUIT] = "quit",
    [SIGILL] = "illegal instruction",
    [SIGTRAP] = "trace trap",
    [SIGABRT] = "aborted",
    [SIGBUS] = "bus error",
    [SIGFPE] = "arithmetic error",
    [SIGKILL] = "killed",
    [SIGUSR1] = "user signal 1",
    [SIGSEGV] = "segmentation fault",
    [SIGUSR2] = "user signal 2",
    [SIGPIPE] = "broken pipe",
    [SIGALRM] = "alarm clock",
    [SIGTERM] = "terminated",
    [SIGSYS] = "bad system call",
};

static bool ignored_by_default(int signal)
{
    return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH ||
           signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

void posix_killed(int signal)
{
    const char *what =
        signal < (int)(sizeof default_ends / sizeof default_ends[0]) ? default_ends[signal] : NULL;
    klog(LOG_ERROR, "application ended by signal %d (%s) in thread %u '%s'", signal,
         what ? what : "?", posix_tid(), thread_current()->name);
    posix_exit(128 + signal);
}

/* Delivers to the running thread. */
static void deliver(int signal)
{
    cpu_irq_state state = spin_lock(&lock);
    struct kernel_action action = actions[signal];
    if (action.flags & SA_RESETHAND)
        actions[signal].handler = (void *)SIG_DFL;
    spin_unlock(&lock, state);
    if (action.handler == (void *)SIG_IGN ||
        (action.handler == (void *)SIG_DFL && ignored_by_default(signal)))
        return;
    if (action.handler == (void *)SIG_DFL)
        posix_killed(signal);
    struct posix_thread *self = posix_thread();
    uint64_t mask = self->signal_mask;
    self->signal_mask |= action.mask;
    if (action.flags & SA_SIGINFO) {
        siginfo_t info = {.si_signo = signal, .si_code = SI_TKILL};
        static const char no_context[1024]; /* a ucontext_t of zeros */
        ((void (*)(int, siginfo_t *, void *))action.handler)(signal, &info,
                                                             (void *)(uintptr_t)no_context);
    } else {
        ((void (*)(int))action.handler)(signal);
    }
    self->signal_mask = mask;
}

static bool thread_exists(struct thread *thread, void *context)
{
    long *id = context;
    if ((long)thread->id != *id)
        return true;
    *id = 0;
    return false;
}

static long send_signal(long tid, long signal)
{
    if (signal < 0 || signal > SIGNALS)
        return -EINVAL;
    if (tid == (long)posix_tid()) {
        if (signal)
            deliver((int)signal);
        return 0;
    }
    long found = tid;
    thread_for_each(thread_exists, &found);
    if (found)
        return -ESRCH;
    if (signal == 0 || signal == SIGNAL_CANCEL)
        return 0;
    /* The default of most signals ends the process, whichever thread gets it. */
    if (actions[signal].handler == (void *)SIG_DFL && !ignored_by_default((int)signal))
        posix_killed((int)signal);
    static bool said;
    if (!said)
        klog(LOG_WARN, "signal %ld to another thread is not delivered (ENOSYS)", signal);
    said = true;
    return -ENOSYS;
}

SYSCALL(tkill)
{
    return send_signal(a, b);
}

SYSCALL(tgkill)
{
    return a == POSIX_PID ? send_signal(b, c) : -ESRCH;
}

SYSCALL(kill)
{
    if (a != POSIX_PID && a != 0 && a != -1 && a != -POSIX_PID)
        return -ESRCH;
    return send_signal(posix_tid(), b);
}

SYSCALL(rt_sigaction)
{
    const struct kernel_action *next = (const struct kernel_action *)b;
    struct kernel_action *old = (struct kernel_action *)c;
    if (a < 1 || a > SIGNALS || d != SIGNAL_SET_SIZE || (next && (a == SIGKILL || a == SIGSTOP)))
        return -EINVAL;
    cpu_irq_state state = spin_lock(&lock);
    struct kernel_action before = actions[a];
    if (next)
        actions[a] = *next;
    spin_unlock(&lock, state);
    if (old)
        *old = before;
    return 0;
}

SYSCALL(rt_sigprocmask)
{
    struct posix_thread *self = posix_thread();
    uint64_t before = self->signal_mask;
    if (d != SIGNAL_SET_SIZE)
        return -EINVAL;
    if (b) {
        uint64_t set = *(const uint64_t *)b;
        switch (a) {
        case SIG_BLOCK: self->signal_mask |= set; break;
        case SIG_UNBLOCK: self->signal_mask &= ~set; break;
        case SIG_SETMASK: self->signal_mask = set; break;
        default: return -EINVAL;
        }
    }
    if (c)
        *(uint64_t *)c = before;
    return 0;
}

SYSCALL(rt_sigpending)
{
    if (b != SIGNAL_SET_SIZE)
        return -EINVAL;
    *(uint64_t *)a = 0;
    return 0;
}

SYSCALL(sigaltstack)
{
    if (b) {
        stack_t *old = (stack_t *)b;
        memset(old, 0, sizeof *old);
        old->ss_flags = SS_DISABLE;
    }
    return 0;
}
