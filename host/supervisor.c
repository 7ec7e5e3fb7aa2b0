/* One machine's life: see supervisor.h. */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "machine.h"
#include "mux.h"

enum {
    POLL_SIGNALS,
    POLL_STDIN,
    POLL_CONSOLE,
    POLL_ERRORS,
    POLL_MUX, /* and those after it */
    POLL_COUNT = POLL_MUX + MUX_POLL_MAX,
};
enum {
    UP_AFTER_MS = 3000,       /* a machine that lives this long is up, control channel or not */
    UP_AFTER_OUTPUT_MS = 700, /* or this long after its first output */
    GRACE_MS = 3000,          /* between asking for an end and insisting */
    CONSOLE_LOG_MAX = 8 << 20,
    ERRORS_KEPT = 4096,
};

struct supervisor {
    struct supervisor_config *config;
    struct mux *mux; /* NULL: no control port */
    pid_t qemu;
    int signals, input, console, errors; /* -1: closed; input is QEMU's standard input */
    int console_log;
    off_t console_size;
    bool read_stdin, told_ready, answered;
    char error_text[ERRORS_KEPT];
    size_t error_size;
    long long started, first_output, insist_at; /* ms; 0: not (yet) */
    int stops;                                  /* times an end was asked for */
    int stop_signal;                            /* how it was asked for first */
};

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int listen_control(const char *name)
{
    char *path = machine_path(name, "control.sock");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        die("%s is too long for a socket's name; set XDG_RUNTIME_DIR to a shorter folder", path);
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, MUX_CLIENTS) != 0) {
        die("cannot listen on %s: %s", path, strerror(errno));
    }
    free(path);
    return fd;
}

/* The child's side: becomes QEMU with IN, OUT, ERR as its standard streams. */
_Noreturn static void become_qemu(char **command, int in, int out, int err, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_MACHINE); /* the supervisor was gone before the line above */
    }
    setpgid(0, 0); /* Ctrl-C is the supervisor's to handle */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    execvp(command[0], command);
    dprintf(STDERR_FILENO, "qemu: cannot run %s: %s%s\n", command[0], strerror(errno),
            errno == ENOENT ? "; install Debian's package qemu-system-x86" : "");
    _exit(EXIT_MACHINE);
}

static void start_qemu(struct supervisor *s)
{
    struct qemu_config *qemu = &s->config->qemu;
    int pair[2] = {-1, -1}, in[2], out[2], err[2];
    if ((s->config->control && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) ||
        pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
        die("cannot make pipes: %s", strerror(errno));
    }
    qemu->control_fd = pair[1];
    char **command = qemu_command(qemu);
    pid_t self = getpid();
    s->qemu = fork();
    if (s->qemu < 0) {
        die("cannot start QEMU: %s", strerror(errno));
    }
    if (s->qemu == 0) {
        if (pair[1] >= 0) {
            fcntl(pair[1], F_SETFD, 0);
        }
        become_qemu(command, in[0], out[1], err[1], self);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    s->input = in[1];
    s->console = out[0];
    s->errors = err[0];
    if (pair[0] >= 0) {
        close(pair[1]);
        fcntl(pair[0], F_SETFL, O_NONBLOCK);
    }
    s->config->qemu.control_fd = pair[0];
}

static void tell_ready(struct supervisor *s, char what)
{
    if (s->config->ready >= 0 && !s->told_ready) {
        (void)!write(s->config->ready, &what, 1);
        close(s->config->ready);
        s->config->ready = -1;
    }
    s->told_ready = true;
}

/* The kernel answered the supervisor's hello. */
static void on_answer(void *context, const cJSON *header)
{
    struct supervisor *s = context;
    const char *version = meta_string(header, "version", NULL);
    if (!version || s->answered) {
        return;
    }
    s->answered = true;
    cJSON_AddStringToObject(s->config->meta, "kernel", version);
    machine_write_meta(s->config->name, s->config->meta);
    tell_ready(s, READY_UP);
}

static void write_all(int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t written = write(fd, text, size);
        if (written < 0 && errno != EINTR) {
            return;
        }
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        }
    }
}

static void read_console(struct supervisor *s)
{
    char chunk[16384];
    ssize_t got = read(s->console, chunk, sizeof chunk);
    if (got <= 0) {
        close(s->console);
        s->console = -1;
        return;
    }
    if (!s->first_output) {
        s->first_output = now_ms();
    }
    if (s->config->foreground) {
        write_all(STDOUT_FILENO, chunk, (size_t)got);
    }
    if (s->console_size + got > CONSOLE_LOG_MAX) {
        static const char note[] = "[earlier output was dropped]\n";
        s->console_size = sizeof note - 1;
        (void)!ftruncate(s->console_log, 0);
        write_all(s->console_log, note, sizeof note - 1);
    }
    write_all(s->console_log, chunk, (size_t)got);
    s->console_size += got;
}

/* QEMU's complaints: kept for the reason of a failed start, shown in the foreground at the end. */
static void read_errors(struct supervisor *s)
{
    char chunk[1024];
    ssize_t got = read(s->errors, chunk, sizeof chunk);
    if (got <= 0) {
        close(s->errors);
        s->errors = -1;
        return;
    }
    size_t room = sizeof s->error_text - 1 - s->error_size;
    size_t kept = (size_t)got < room ? (size_t)got : room;
    memcpy(s->error_text + s->error_size, chunk, kept);
    s->error_size += kept;
}

static void read_stdin(struct supervisor *s)
{
    char chunk[4096];
    ssize_t got = read(STDIN_FILENO, chunk, sizeof chunk);
    if (got <= 0) {
        s->read_stdin = false;
        close(s->input);
        s->input = -1;
        return;
    }
    write_all(s->input, chunk, (size_t)got);
}

/* Somebody wants the machine to end: first it is asked, then told, then killed. */
static void stop(struct supervisor *s, int signal)
{
    if (s->stops++ == 0) {
        s->stop_signal = signal;
    }
    if (s->stops == 1 && signal == SIGINT && s->answered) {
        cJSON *request = cJSON_CreateObject();
        cJSON_AddStringToObject(request, "op", "shutdown");
        cJSON_AddNumberToObject(request, "code", 0);
        mux_ask(s->mux, request);
        s->insist_at = now_ms() + GRACE_MS;
    } else {
        kill(s->qemu, s->stops <= 2 ? SIGTERM : SIGKILL);
        s->insist_at = now_ms() + GRACE_MS;
    }
}

/* Returns whether QEMU ended, with *STATUS as waitpid() gives it. */
static bool handle_signals(struct supervisor *s, int *status)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo != SIGCHLD) {
            stop(s, (int)info.ssi_signo);
        }
    }
    return waitpid(s->qemu, status, WNOHANG) == s->qemu;
}

static int poll_timeout(const struct supervisor *s)
{
    long long now = now_ms(), due = -1;
    if (!s->told_ready) {
        due = s->started + UP_AFTER_MS;
        if (s->first_output && s->first_output + UP_AFTER_OUTPUT_MS < due) {
            due = s->first_output + UP_AFTER_OUTPUT_MS;
        }
    }
    if (s->insist_at && (due < 0 || s->insist_at < due)) {
        due = s->insist_at;
    }
    return due < 0 ? -1 : due <= now ? 0 : (int)(due - now);
}

static void check_times(struct supervisor *s)
{
    long long now = now_ms();
    if (!s->told_ready && (now >= s->started + UP_AFTER_MS ||
                           (s->first_output && now >= s->first_output + UP_AFTER_OUTPUT_MS))) {
        tell_ready(s, READY_UP);
    }
    if (s->insist_at && now >= s->insist_at) {
        stop(s, SIGTERM);
    }
}

static int watch(struct supervisor *s)
{
    for (;;) {
        struct pollfd fds[POLL_COUNT];
        fds[POLL_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
        fds[POLL_STDIN] =
            (struct pollfd){.fd = s->read_stdin ? STDIN_FILENO : -1, .events = POLLIN};
        fds[POLL_CONSOLE] = (struct pollfd){.fd = s->console, .events = POLLIN};
        fds[POLL_ERRORS] = (struct pollfd){.fd = s->errors, .events = POLLIN};
        int mux_count = s->mux ? mux_poll(s->mux, fds + POLL_MUX) : 0;
        if (poll(fds, (nfds_t)(POLL_MUX + mux_count), poll_timeout(s)) < 0 && errno != EINTR) {
            die("poll: %s", strerror(errno));
        }
        if (fds[POLL_CONSOLE].revents) {
            read_console(s);
        }
        if (fds[POLL_ERRORS].revents) {
            read_errors(s);
        }
        if (fds[POLL_STDIN].revents && s->input >= 0) {
            read_stdin(s);
        }
        if (mux_count) {
            mux_handle(s->mux, fds + POLL_MUX, mux_count);
        }
        int status;
        if (fds[POLL_SIGNALS].revents && handle_signals(s, &status)) {
            return status;
        }
        check_times(s);
    }
}

/* QEMU's own exit code 1 is also a guest's 0: a machine that said nothing while QEMU complained did
 * not start. */
static bool failed_to_start(const struct supervisor *s, int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 && !s->first_output && !s->answered &&
           strncmp(s->error_text, "qemu", 4) == 0 &&
           !strstr(s->error_text, "terminating on signal");
}

static void explain_failure(struct supervisor *s)
{
    s->error_text[strcspn(s->error_text, "\n")] = 0;
    const char *text = strstr(s->error_text, ": ");
    warn("QEMU did not start: %s%s", text ? text + 2 : s->error_text,
         strstr(s->error_text, "host forwarding")
             ? "; is the port taken? choose another with -p HOST:GUEST"
             : "");
}

/* After QEMU: its exit code as the guest meant it, and what is left in its pipes. */
static int conclude(struct supervisor *s, int status)
{
    while (s->console >= 0) {
        read_console(s);
    }
    while (s->errors >= 0) {
        read_errors(s);
    }
    bool dead = failed_to_start(s, status);
    int code = dead                  ? EXIT_MACHINE
               : WIFSIGNALED(status) ? 128 + WTERMSIG(status)
               : s->stops            ? 128 + s->stop_signal
                                     : qemu_guest_code(WEXITSTATUS(status));
    if (s->config->foreground) {
        if (dead) {
            explain_failure(s);
        } else if (s->error_size && !s->stops) {
            fputs(s->error_text, stderr);
        }
    } else if (dead) {
        write_all(s->console_log, s->error_text, s->error_size);
    }
    return code;
}

int supervise(struct supervisor_config *config)
{
    struct supervisor s = {.config = config,
                           .told_ready = config->ready < 0,
                           .read_stdin = config->foreground,
                           .started = now_ms()};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    s.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    char *log = machine_path(config->name, "console.log");
    s.console_log = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    free(log);
    int listener = config->control ? listen_control(config->name) : -1;
    start_qemu(&s);
    cJSON_AddNumberToObject(config->meta, "supervisor", getpid());
    cJSON_AddNumberToObject(config->meta, "qemu", s.qemu);
    machine_write_meta(config->name, config->meta);
    if (config->control) {
        s.mux = mux_new(config->qemu.control_fd, listener, on_answer, &s);
        cJSON *hello = cJSON_CreateObject();
        cJSON_AddStringToObject(hello, "op", "hello");
        mux_ask(s.mux, hello);
    }
    int code = conclude(&s, watch(&s));
    if (config->foreground) {
        machine_remove(config->name);
    } else {
        cJSON_AddNumberToObject(config->meta, "exit", code);
        cJSON_AddNumberToObject(config->meta, "ended", (double)time(NULL));
        machine_write_meta(config->name, config->meta);
        char *socket = machine_path(config->name, "control.sock");
        unlink(socket);
        free(socket);
    }
    close(config->lock);
    /* Only now is it told: whoever hears of the end finds it on record. */
    if (s.mux) {
        char *reason = xformat("the machine ended with exit code %d", code);
        mux_end(s.mux, reason);
        free(reason);
    }
    tell_ready(&s, READY_ENDED);
    return code;
}
