/* `quince run`: boots an image in QEMU, in the foreground or with -d behind a supervisor. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "machine.h"
#include "options.h"
#include "supervisor.h"

enum { FORWARDS_MAX = 16 };

static struct {
    bool background, no_network, no_control;
    const char *name, *machine, *accel, *cpu, *gdb, *initrd, *ip;
    long memory;
    struct strings ports, options;
} options = {.machine = "microvm", .memory = 64};

static const struct option_spec specs[] = {
    {OPTION_FLAG, 'd', "background", NULL, "return when the machine is up", &options.background},
    {OPTION_ITEMS, 'p', "publish", "HOST:GUEST", "forward a port: [ADDRESS:]HOST:GUEST[/udp]",
     &options.ports},
    {OPTION_NUMBER, 'm', "memory", "MIB", "memory of the machine (64)", &options.memory},
    {OPTION_STRING, 'n', "name", "NAME", "what it is called (the image's name)", &options.name},
    {OPTION_STRING, 0, "machine", "TYPE", "microvm (default) or q35", &options.machine},
    {OPTION_STRING, 0, "accel", "NAME", "kvm or tcg (kvm where the CPU offers it)", &options.accel},
    {OPTION_STRING, 0, "cpu", "MODEL", "QEMU's CPU model (the best there is)", &options.cpu},
    {OPTION_STRING, 0, "ip", "HOW", "dhcp, off or ADDRESS/BITS,GATEWAY", &options.ip},
    {OPTION_FLAG, 0, "no-network", NULL, "no network card", &options.no_network},
    {OPTION_FLAG, 0, "no-control", NULL, "no control port: nobody can load anything",
     &options.no_control},
    {OPTION_STRING, 0, "initrd", "FILE", "a further archive of files to carry", &options.initrd},
    {OPTION_STRING, 0, "gdb", "DEVICE", "let gdb attach there, as QEMU's -gdb: tcp::1234",
     &options.gdb},
    {OPTION_ITEMS, 'o', "option", "NAME=VALUE", "an option of the kernel: loglevel=debug",
     &options.options},
    {.kind = OPTION_END},
};
static const struct usage usage = {
    "quince run [options] IMAGE [options] [--] [ARGUMENTS of the application]",
    "Boots IMAGE in QEMU. In the foreground its console is this terminal, its exit code the exit\n"
    "code of quince, and Ctrl-C asks it to end. With -d it goes on behind your back: see 'quince "
    "ps'.",
    specs, 1, false};

/* IMAGE's file name without its ending, as far as it makes a name. */
static char *name_of_image(const char *image)
{
    const char *base = strrchr(image, '/');
    char *name = xstrdup(base ? base + 1 : image);
    char *dot = strrchr(name, '.');
    if (dot && dot != name) {
        *dot = 0;
    }
    if (strlen(name) >= MACHINE_NAME - 4) {
        name[MACHINE_NAME - 4] = 0;
    }
    if (!machine_name_valid(name)) {
        free(name);
        return xstrdup("machine");
    }
    return name;
}

/* The name and its lock: as asked for, else the image's with a number when it is taken. */
static char *claim_name(const char *image, int *lock)
{
    if (options.name) {
        if (!machine_name_valid(options.name)) {
            usage_error(&usage, "'%s' is no name for a machine: letters, digits, _ - . only",
                        options.name);
        }
        *lock = machine_claim(options.name);
        if (*lock < 0) {
            die("a machine called '%s' runs already; choose another --name or 'quince stop %s'",
                options.name, options.name);
        }
        return xstrdup(options.name);
    }
    char *base = name_of_image(image);
    for (int number = 1;; number++) {
        char *name = number == 1 ? xstrdup(base) : xformat("%s-%d", base, number);
        *lock = machine_claim(name);
        if (*lock >= 0) {
            free(base);
            return name;
        }
        free(name);
    }
}

/* QEMU's own message for a file that is no image says little. */
static void check_image(const char *image)
{
    char head[4] = "";
    FILE *file = fopen(image, "re");
    if (!file) {
        warn("cannot open the image %s: %s; 'quince build' makes images", image, strerror(errno));
        exit(EXIT_MACHINE);
    }
    size_t got = fread(head, 1, sizeof head, file);
    fclose(file);
    if (got != sizeof head || memcmp(head, "\177ELF", sizeof head) != 0) {
        warn("%s is no image: it is not an ELF file; 'quince build' makes images", image);
        exit(EXIT_MACHINE);
    }
}

static void check_options(void)
{
    if (strcmp(options.machine, "microvm") != 0 && strcmp(options.machine, "q35") != 0) {
        usage_error(&usage, "--machine is microvm or q35, not '%s'", options.machine);
    }
    if (options.accel && strcmp(options.accel, "kvm") != 0 && strcmp(options.accel, "tcg") != 0) {
        usage_error(&usage, "--accel is kvm or tcg, not '%s'", options.accel);
    }
    if (options.memory < 1 || options.memory > 1 << 20) {
        usage_error(&usage, "-m %ld: the memory is 1 to %d MiB", options.memory, 1 << 20);
    }
    for (int i = 0; i < options.options.count; i++) {
        const char *item = options.options.items[i];
        if (!strchr(item, '=') || strpbrk(item, " \t\n")) {
            usage_error(&usage, "-o %s: an option of the kernel is NAME=VALUE without spaces",
                        item);
        }
    }
}

static int read_forwards(struct qemu_forward *forwards)
{
    for (int i = 0; i < options.ports.count; i++) {
        if (i == FORWARDS_MAX || !qemu_parse_forward(options.ports.items[i], &forwards[i])) {
            usage_error(&usage,
                        i == FORWARDS_MAX ? "-p %s: too many ports"
                                          : "-p %s: not [ADDRESS:]HOST:GUEST[/udp]",
                        options.ports.items[i]);
        }
    }
    return options.ports.count;
}

static cJSON *describe(const char *name, const struct qemu_config *qemu)
{
    cJSON *meta = cJSON_CreateObject();
    char path[PATH_MAX];
    cJSON_AddStringToObject(meta, "name", name);
    cJSON_AddStringToObject(meta, "image", realpath(qemu->image, path) ? path : qemu->image);
    cJSON_AddStringToObject(meta, "machine", qemu->machine);
    cJSON_AddStringToObject(meta, "accel", qemu->accel);
    cJSON_AddNumberToObject(meta, "memory_mib", (double)qemu->memory_mib);
    cJSON_AddNumberToObject(meta, "started", (double)time(NULL));
    cJSON_AddBoolToObject(meta, "background", options.background);
    cJSON *ports = cJSON_AddArrayToObject(meta, "ports");
    for (int i = 0; i < qemu->forward_count; i++) {
        const struct qemu_forward *f = &qemu->forwards[i];
        cJSON *port = cJSON_CreateObject();
        cJSON_AddStringToObject(port, "address", f->address);
        cJSON_AddNumberToObject(port, "host", f->host_port);
        cJSON_AddNumberToObject(port, "guest", f->guest_port);
        cJSON_AddStringToObject(port, "protocol", f->udp ? "udp" : "tcp");
        cJSON_AddItemToArray(ports, port);
    }
    return meta;
}

/* The background's end of a fork: no terminal, no standard streams. */
static void detach(void)
{
    setsid();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2; fd++) {
        dup2(null, fd);
    }
    (void)!chdir("/");
}

static int exit_code(const char *name)
{
    int count, code = EXIT_MACHINE;
    struct machine *machines = machine_all(&count);
    for (int i = 0; i < count; i++) {
        if (strcmp(machines[i].name, name) == 0) {
            code = (int)meta_number(machines[i].meta, "exit", EXIT_MACHINE);
        }
    }
    machine_free_all(machines, count);
    return code;
}

static void print_console(const char *name)
{
    char *path = machine_path(name, "console.log");
    size_t size;
    char *text = read_file(path, &size);
    if (text && size) {
        fwrite(text, 1, size, stdout);
        if (text[size - 1] != '\n') {
            putchar('\n');
        }
    }
    free(text);
    free(path);
}

static int run_in_background(struct supervisor_config *config)
{
    int ready[2];
    if (pipe(ready) != 0) {
        die("cannot make a pipe: %s", strerror(errno));
    }
    fcntl(ready[1], F_SETFD, FD_CLOEXEC);
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) {
        die("cannot fork: %s", strerror(errno));
    }
    if (pid == 0) {
        close(ready[0]);
        detach();
        config->ready = ready[1];
        exit(supervise(config));
    }
    close(ready[1]);
    close(config->lock); /* the supervisor's copy holds it */
    char what = 0;
    ssize_t got;
    while ((got = read(ready[0], &what, 1)) < 0 && errno == EINTR) {
    }
    if (got == 1 && what == READY_UP) {
        printf("%s runs", config->name);
        for (int i = 0; i < config->qemu.forward_count; i++) {
            const struct qemu_forward *f = &config->qemu.forwards[i];
            printf("%s %s:%u -> %u%s", i ? "," : ":", f->address, f->host_port, f->guest_port,
                   f->udp ? "/udp" : "");
        }
        putchar('\n');
        return 0;
    }
    int code = exit_code(config->name);
    print_console(config->name);
    if (code == EXIT_MACHINE) {
        warn("%s did not start", config->name);
    } else {
        warn("%s ended at once with exit code %d", config->name, code);
    }
    return code;
}

int cmd_run(int argc, char **argv)
{
    static struct qemu_forward forwards[FORWARDS_MAX];
    int words = parse_options(&usage, argc, argv);
    if (words < 1) {
        usage_error(&usage, "which image?");
    }
    check_options();
    check_image(argv[0]);
    if (options.ip) {
        strings_add(&options.options, xformat("ip=%s", options.ip));
    }
    struct supervisor_config config = {
        .qemu = {.image = argv[0],
                 .machine = options.machine,
                 .accel = options.accel ? options.accel : qemu_accelerator(),
                 .cpu = options.cpu,
                 .memory_mib = options.memory,
                 .initrd = options.initrd,
                 .gdb = options.gdb,
                 .network = !options.no_network,
                 .forwards = forwards,
                 .forward_count = read_forwards(forwards),
                 .control_fd = -1,
                 .options = options.options,
                 .args = argv + 1,
                 .arg_count = words - 1},
        .foreground = !options.background,
        .control = !options.no_control,
        .ready = -1,
    };
    /* The background leaves this folder. */
    char image[PATH_MAX], initrd[PATH_MAX];
    if (realpath(argv[0], image)) {
        config.qemu.image = image;
    }
    if (options.initrd && !realpath(options.initrd, initrd)) {
        die("--initrd %s: %s", options.initrd, strerror(errno));
    }
    if (options.initrd) {
        config.qemu.initrd = initrd;
    }
    config.name = claim_name(argv[0], &config.lock);
    config.meta = describe(config.name, &config.qemu);
    return options.background ? run_in_background(&config) : supervise(&config);
}
