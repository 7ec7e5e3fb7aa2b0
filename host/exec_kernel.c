/* Boots apps/exec with an initrd made for one run: the module and the arguments, which
 * apps/exec/main.c reads with the same parser as the host. Folders of the host are mounted by 9p,
 * listeners are ports that QEMU forwards, and the standard streams are ports of a virtio-serial
 * device, copied here. The console carries what the kernel itself has to say, and at the end a line
 * with the exit code (the machine's own has 7 bits only). */
#define _GNU_SOURCE
#include "exec_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "exec_image.h"
#include "qemu.h"
#include "ustar.h"

static bool add_arg(FILE *args, const char *text)
{
    return fwrite(text, strlen(text) + 1, 1, args) == 1;
}

/* The options again, with the files' names as they are in the image; NUL after each. */
static bool put_args(FILE *args, const struct exec_options *o)
{
    char number[64];
    bool ok = add_arg(args, "exec");
    for (unsigned i = 0; ok && i < o->dir_count; i++) {
        char *dir = NULL;
        ok = asprintf(&dir, "--%s=%s%u::%s", o->dirs[i].read_only ? "ro-dir" : "dir",
                      EXEC_IMAGE_DIR, i, o->dirs[i].guest) >= 0 &&
             add_arg(args, dir);
        free(dir);
    }
    for (unsigned i = 0; ok && i < o->env_count; i++)
        ok = add_arg(args, "--env") && add_arg(args, o->env[i]);
    for (unsigned i = 0; ok && i < o->listener_count; i++) {
        snprintf(number, sizeof(number), "--listen=0.0.0.0:%s", o->listeners[i].port);
        ok = add_arg(args, number);
    }
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {{"--budget", o->budget_ns / 1000000},
                   {"--max-memory", o->max_pages * 65536},
                   {"--stack", o->stack_size},
                   {"--repeat", o->repeat}};
    for (size_t i = 0; ok && i < sizeof(numbers) / sizeof(*numbers); i++) {
        snprintf(number, sizeof(number), "%s=%llu", numbers[i].name,
                 (unsigned long long)numbers[i].value);
        ok = !numbers[i].value || add_arg(args, number);
    }
    if (o->passes)
        ok = ok && add_arg(args, "--passes") && add_arg(args, o->passes);
    if (o->cpu)
        ok = ok && add_arg(args, "--cpu") && add_arg(args, o->cpu);
    if (o->key)
        ok = ok && add_arg(args, "--key") && add_arg(args, o->key);
    if (o->verbose)
        ok = ok && add_arg(args, "--verbose");
    if (o->invoke)
        ok = ok && add_arg(args, "--invoke") && add_arg(args, o->invoke);
    ok = ok && add_arg(args, o->module);
    for (int i = 0; ok && i < o->arg_count; i++)
        ok = add_arg(args, o->args[i]);
    return ok && !fflush(args);
}

static bool put_archive(FILE *archive, const struct exec_options *o)
{
    char *args = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&args, &size);
    bool ok = stream && put_args(stream, o);
    if (stream)
        fclose(stream);
    ok = ok && ustar_data(archive, EXEC_IMAGE_ARGS, args, size, 0444) &&
         ustar_tree(archive, EXEC_IMAGE_MODULE, o->module) &&
         (!o->key || ustar_tree(archive, EXEC_IMAGE_KEY, o->key)) && ustar_end(archive);
    free(args);
    return ok;
}

/* ---- while the machine runs: streams are copied, the console is listened to ---- */

enum { STREAMS = 3, CONSOLE = STREAMS, POLLED };

struct run {
    int fds[POLLED]; /* our ends of the standard streams, then the console; -1: closed */
    bool input_open;
    char input[65536]; /* read and not yet sent */
    size_t input_at, input_end;
    char line[1024]; /* of the console, as far as it came */
    size_t line_used;
    int code; /* -1: not told yet */
};

static void write_all(int fd, const char *data, size_t size)
{
    while (size) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* whoever read it is gone */
        data += n;
        size -= (size_t)n;
    }
}

/* The kernel's own words are not the program's: they go to standard error. */
static void console_line(struct run *run)
{
    const size_t mark = strlen(EXEC_IMAGE_EXIT);
    if (run->line_used > mark && !memcmp(run->line, EXEC_IMAGE_EXIT, mark))
        run->code = atoi(run->line + mark);
    else
        write_all(2, run->line, run->line_used);
    run->line_used = 0;
}

static void console_bytes(struct run *run, const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        run->line[run->line_used++] = data[i];
        if (data[i] == '\n' || run->line_used == sizeof(run->line) - 1) {
            run->line[run->line_used] = '\0';
            console_line(run);
        }
    }
}

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What stream (or console) WHICH brought; at its end it is closed. */
static void copy_out(struct run *run, int which)
{
    static char buffer[65536];
    ssize_t n = read(run->fds[which], buffer, sizeof(buffer));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0)
        shut(&run->fds[which]);
    else if (which == CONSOLE)
        console_bytes(run, buffer, (size_t)n);
    else
        write_all(which, buffer, (size_t)n);
}

/* Half-closed, not closed: QEMU would not hand on what it has not read when both directions end. */
static void end_input(struct run *run)
{
    run->input_open = false;
    if (run->fds[0] >= 0 && run->input_at == run->input_end)
        shutdown(run->fds[0], SHUT_WR);
}

static void take_input(struct run *run)
{
    ssize_t n = read(0, run->input, sizeof(run->input));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    run->input_at = 0;
    run->input_end = n > 0 ? (size_t)n : 0;
    if (n <= 0)
        end_input(run);
}

static void send_input(struct run *run)
{
    ssize_t n = send(run->fds[0], run->input + run->input_at, run->input_end - run->input_at,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        shut(&run->fds[0]);
    else if (n > 0)
        run->input_at += (size_t)n;
}

/* Until the machine is gone: its console and streams have ended then. */
static void pass_streams(struct run *run)
{
    while (run->fds[1] >= 0 || run->fds[2] >= 0 || run->fds[CONSOLE] >= 0) {
        bool unsent = run->input_at < run->input_end;
        struct pollfd polls[] = {
            {run->fds[0], unsent ? POLLOUT : 0, 0},
            {run->fds[1], POLLIN, 0},
            {run->fds[2], POLLIN, 0},
            {run->fds[CONSOLE], POLLIN, 0},
            {run->input_open && !unsent && run->fds[0] >= 0 ? 0 : -1, POLLIN, 0},
        };
        if (poll(polls, sizeof(polls) / sizeof(*polls), -1) < 0)
            continue;
        if (polls[0].revents & POLLOUT)
            send_input(run);
        else if (polls[0].revents)
            shut(&run->fds[0]);
        for (int i = 1; i < POLLED; i++)
            if (polls[i].revents)
                copy_out(run, i);
        if (polls[4].revents)
            take_input(run);
    }
    console_bytes(run, "\n", run->line_used ? 1 : 0);
}

_Noreturn static void become_qemu(const struct qemu_config *config, int console)
{
    char **command = qemu_command(config);
    for (int i = 0; i < config->port_count; i++)
        fcntl(config->ports[i].fd, F_SETFD, 0);
    dup2(open("/dev/null", O_RDONLY), 0);
    dup2(console, 1);
    signal(SIGPIPE, SIG_DFL);
    execvp(command[0], command);
    fprintf(stderr, "quince: exec: %s: %s\n", command[0], strerror(errno));
    _exit(127);
}

static int boot(struct qemu_config *config)
{
    static struct run run = {.fds = {-1, -1, -1, -1}, .input_open = true, .code = -1};
    static const char *const names[] = {EXEC_IMAGE_STREAM "0", EXEC_IMAGE_STREAM "1",
                                        EXEC_IMAGE_STREAM "2"};
    struct qemu_port ports[STREAMS];
    int console[2], status = 0;
    bool ok = !pipe2(console, O_CLOEXEC);
    for (int i = 0; ok && i < STREAMS; i++) {
        int pair[2];
        ok = !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
        run.fds[i] = ok ? pair[0] : -1;
        ports[i] = (struct qemu_port){names[i], ok ? pair[1] : -1};
    }
    config->ports = ports;
    config->port_count = STREAMS;
    pid_t pid = ok ? fork() : -1;
    if (!pid)
        become_qemu(config, console[1]);
    if (pid < 0) {
        warn("exec: %s", strerror(errno));
        return EXIT_MACHINE;
    }
    close(console[1]);
    run.fds[CONSOLE] = console[0];
    for (int i = 0; i < STREAMS; i++)
        close(ports[i].fd);
    pass_streams(&run);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (run.code >= 0)
        return run.code;
    warn("exec: the machine ended without the program's exit code");
    return EXIT_MACHINE;
}

static bool is_folder(const char *path)
{
    struct stat st;
    if (stat(path, &st))
        return false;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode);
}

/* Boots with the folders and listeners of O beside ARCHIVE. */
static int boot_with(const struct exec_options *o, const char *archive, uint64_t memory_mib)
{
    const char *options[] = {"loglevel=error", "ip=off"};
    struct qemu_share shares[EXEC_MAX_DIRS];
    struct qemu_forward forwards[EXEC_MAX_LISTENERS];
    char *image = home_path("apps/exec/exec.img");
    struct qemu_config config = {
        .image = image,
        .machine = "microvm",
        .memory_mib = (long)memory_mib,
        .initrd = archive,
        .control_fd = -1,
        .network = o->listener_count != 0,
        .shares = shares,
        .share_count = (int)o->dir_count,
        .forwards = forwards,
        .forward_count = (int)o->listener_count,
        .options = {.items = options, .count = o->listener_count ? 1 : 2},
    };
    int code = EXEC_EXIT_LOAD;
    for (unsigned i = 0; i < o->dir_count; i++) {
        shares[i] = (struct qemu_share){.path = o->dirs[i].host, .read_only = o->dirs[i].read_only};
        shares[i].tag = xformat(EXEC_IMAGE_TAG "%u", i);
        if (!is_folder(o->dirs[i].host)) {
            fprintf(stderr, "quince: --dir %s: %s\n", o->dirs[i].host, strerror(errno));
            goto out;
        }
    }
    for (unsigned i = 0; i < o->listener_count; i++) {
        const struct exec_listener *l = &o->listeners[i];
        char *text = xformat("%s:%s:%s", l->address, l->port, l->port);
        bool ok = qemu_parse_forward(text, &forwards[i]);
        free(text);
        if (!ok) {
            warn("exec: --listen %s:%s: in ring 0 the address is an IPv4 one of the host's",
                 l->address, l->port);
            goto out;
        }
    }
    code = boot(&config);
out:
    free(image);
    return code;
}

int exec_in_kernel(const struct exec_options *o)
{
    char path[] = "/tmp/quince-exec-XXXXXX";
    int fd = mkstemp(path);
    FILE *archive = fd < 0 ? NULL : fdopen(fd, "wb");
    if (!archive) {
        warn("exec: %s: %s", path, strerror(errno));
        return EXIT_MACHINE;
    }
    int code = EXIT_MACHINE;
    if (access(o->module, R_OK) || !put_archive(archive, o)) {
        warn("exec: %s: %s", o->module, strerror(errno));
        code = EXEC_EXIT_LOAD;
    } else {
        /* Archive, memory of the program, and room for both compilers' work. */
        uint64_t memory = 256 + (uint64_t)ftell(archive) * 4 / (1024 * 1024);
        if (o->max_pages)
            memory += o->max_pages / 16;
        fflush(archive);
        code = boot_with(o, path, memory);
    }
    fclose(archive);
    unlink(path);
    return code;
}
