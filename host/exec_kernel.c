/* Boots apps/exec with an initrd made for one run: the module, its directories, its standard input
 * (when that is a file or a pipe) and the arguments, which apps/exec/main.c reads with the same
 * parser as the host. Output comes through the serial port; behind it comes a line with the exit
 * code, which is taken out (the machine's own exit code holds 7 bits only). */
#define _GNU_SOURCE
#include "exec_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
        ok = asprintf(&dir, "--dir=%s%u::%s", EXEC_IMAGE_DIR, i, o->dirs[i].guest) >= 0 &&
             add_arg(args, dir);
        free(dir);
    }
    for (unsigned i = 0; ok && i < o->env_count; i++)
        ok = add_arg(args, "--env") && add_arg(args, o->env[i]);
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
    if (o->verbose)
        ok = ok && add_arg(args, "--verbose");
    if (o->invoke)
        ok = ok && add_arg(args, "--invoke") && add_arg(args, o->invoke);
    ok = ok && add_arg(args, o->module);
    for (int i = 0; ok && i < o->arg_count; i++)
        ok = add_arg(args, o->args[i]);
    return ok && !fflush(args);
}

/* Standard input, if reading it ends: a terminal or a device does not. */
static bool put_stdin(FILE *archive)
{
    struct stat st;
    if (fstat(0, &st) || !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)))
        return ustar_data(archive, EXEC_IMAGE_STDIN, "", 0, 0444);
    size_t used = 0, room = 65536;
    char *data = malloc(room);
    ssize_t n = 1;
    while (data && (n = read(0, data + used, room - used)) > 0) {
        used += (size_t)n;
        if (used == room) {
            char *more = realloc(data, room *= 2);
            if (!more)
                free(data);
            data = more;
        }
    }
    bool ok = data && n == 0 && ustar_data(archive, EXEC_IMAGE_STDIN, data, used, 0444);
    free(data);
    return ok;
}

static bool put_archive(FILE *archive, const struct exec_options *o)
{
    char *args = NULL, name[64];
    size_t size = 0;
    FILE *stream = open_memstream(&args, &size);
    bool ok = stream && put_args(stream, o);
    if (stream)
        fclose(stream);
    ok = ok && ustar_data(archive, EXEC_IMAGE_ARGS, args, size, 0444) &&
         ustar_tree(archive, EXEC_IMAGE_MODULE, o->module) && put_stdin(archive);
    free(args);
    for (unsigned i = 0; ok && i < o->dir_count; i++) {
        snprintf(name, sizeof(name), "%s%u", &EXEC_IMAGE_DIR[1], i);
        ok = ustar_tree(archive, name, o->dirs[i].host);
    }
    return ok && ustar_end(archive);
}

/* Copies the machine's output to ours but for the line with the exit code; that, or -1. */
static int pass_output(int from)
{
    static char buffer[65536];
    const size_t mark = strlen(EXEC_IMAGE_EXIT);
    size_t used = 0;
    int code = -1;
    ssize_t n;
    while ((n = read(from, buffer + used, sizeof(buffer) - used)) > 0 ||
           (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        used += (size_t)n;
        char *start = memchr(buffer, EXEC_IMAGE_EXIT[0], used);
        size_t clear = start ? (size_t)(start - buffer) : used;
        fwrite(buffer, 1, clear, stdout);
        fflush(stdout);
        memmove(buffer, buffer + clear, used - clear);
        used -= clear;
        char *newline = used ? memchr(buffer, '\n', used) : NULL;
        if (used >= mark && memcmp(buffer, EXEC_IMAGE_EXIT, mark)) {
            /* The program's own byte, not our mark. */
            fwrite(buffer, 1, 1, stdout);
            memmove(buffer, buffer + 1, --used);
        } else if (newline && used > mark) {
            code = atoi(buffer + mark);
            used = 0;
        }
    }
    fwrite(buffer, 1, code < 0 ? used : 0, stdout);
    fflush(stdout);
    return code;
}

static int boot(const char *image, const char *archive, uint64_t memory_mib)
{
    int pipes[2], status = 0;
    const char *options[] = {"loglevel=error", "ip=off"};
    const struct qemu_config config = {
        .image = image,
        .machine = "microvm",
        .memory_mib = (long)memory_mib,
        .initrd = archive,
        .control_fd = -1,
        .options = {.items = options, .count = 2},
    };
    char **command = qemu_command(&config);
    if (pipe2(pipes, O_CLOEXEC)) {
        warn("exec: %s", strerror(errno));
        return EXIT_MACHINE;
    }
    pid_t pid = fork();
    if (!pid) {
        int null = open("/dev/null", O_RDONLY);
        dup2(null, 0);
        dup2(pipes[1], 1);
        execvp(command[0], command);
        fprintf(stderr, "quince: exec: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    close(pipes[1]);
    if (pid < 0) {
        warn("exec: %s", strerror(errno));
        close(pipes[0]);
        return EXIT_MACHINE;
    }
    int code = pass_output(pipes[0]);
    close(pipes[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (code >= 0)
        return code;
    warn("exec: the machine ended without the program's exit code");
    return EXIT_MACHINE;
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
        char *image = home_path("apps/exec/exec.img");
        code = boot(image, path, memory);
        free(image);
    }
    fclose(archive);
    unlink(path);
    return code;
}
