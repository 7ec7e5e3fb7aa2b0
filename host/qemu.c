/* QEMU's command line: see qemu.h. Nothing is there by default; every device is named. */
#include "qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

/* No ACPI, no option ROMs, no PIT or PIC: less to emulate and less to boot. The devices are told on
 * the kernel's command line. */
#define MICROVM "microvm,acpi=off,x-option-roms=off,pit=off,pic=off,rtc=on,auto-kernel-cmdline=on"

static bool cpu_virtualizes(void)
{
    size_t size;
    char *text = read_file("/proc/cpuinfo", &size);
    bool found = false;
    for (char *line = text; line && !found; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "flags", 5) == 0) {
            size_t length = strcspn(line, "\n");
            char *flags = xformat(" %.*s ", (int)length, line);
            found = strstr(flags, " vmx ") || strstr(flags, " svm ");
            free(flags);
            break;
        }
    }
    free(text);
    return found;
}

const char *qemu_accelerator(void)
{
    if (!cpu_virtualizes()) {
        explain("using TCG: the CPU shows neither vmx nor svm");
        return "tcg";
    }
    if (access("/dev/kvm", R_OK | W_OK) != 0) {
        explain("using TCG: the CPU can virtualize, but /dev/kvm cannot be opened by this user");
        return "tcg";
    }
    explain("using KVM: the CPU shows vmx or svm, and /dev/kvm is open to this user");
    return "kvm";
}

static bool parse_port(const char *text, unsigned *port)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *port = (unsigned)value;
    return end != text && *end == 0 && text[0] >= '0' && text[0] <= '9' && value >= 1 &&
           value <= 65535;
}

bool qemu_parse_forward(const char *text, struct qemu_forward *forward)
{
    char copy[96];
    if (strlen(text) >= sizeof copy) {
        return false;
    }
    strcpy(copy, text);
    *forward = (struct qemu_forward){.address = "127.0.0.1"};
    char *slash = strchr(copy, '/');
    if (slash) {
        *slash++ = 0;
        forward->udp = strcmp(slash, "udp") == 0;
        if (!forward->udp && strcmp(slash, "tcp") != 0) {
            return false;
        }
    }
    char *guest = strrchr(copy, ':');
    if (!guest) {
        return false;
    }
    *guest++ = 0;
    char *host = strrchr(copy, ':');
    if (host) {
        *host++ = 0;
        /* It goes into an option of QEMU's, where a comma or colon would mean something. */
        if (strspn(copy, "0123456789.") != strlen(copy) ||
            strlen(copy) >= sizeof forward->address) {
            return false;
        }
        strcpy(forward->address, copy);
    }
    return parse_port(host ? host : copy, &forward->host_port) &&
           parse_port(guest, &forward->guest_port);
}

/* One argument of the application; quoted when the kernel would split it. */
static char *add_argument(char *line, const char *arg)
{
    bool plain = *arg && strcspn(arg, " \t\"\\'") == strlen(arg);
    size_t used = strlen(line);
    line = xrealloc(line, used + 2 * strlen(arg) + 4);
    char *out = line + used;
    *out++ = ' ';
    if (!plain) {
        *out++ = '"';
    }
    for (; *arg; arg++) {
        if (*arg == '"' || *arg == '\\') {
            *out++ = '\\';
        }
        *out++ = *arg;
    }
    if (!plain) {
        *out++ = '"';
    }
    *out = 0;
    return line;
}

char *qemu_kernel_line(const struct qemu_config *config)
{
    char *line = xstrdup("");
    for (int i = 0; i < config->options.count; i++) {
        char *longer = xformat("%s%s%s", line, i ? " " : "", config->options.items[i]);
        free(line);
        line = longer;
    }
    if (config->arg_count) {
        char *longer = xformat("%s%s--", line, *line ? " " : "");
        free(line);
        line = longer;
    }
    for (int i = 0; i < config->arg_count; i++) {
        line = add_argument(line, config->args[i]);
    }
    return line;
}

struct words {
    char **items;
    size_t count;
};

/* Takes TEXT over. */
static void add(struct words *words, char *text)
{
    words->items = xrealloc(words->items, (words->count + 2) * sizeof *words->items);
    words->items[words->count++] = text;
    words->items[words->count] = NULL;
}

static void add_pair(struct words *words, const char *option, char *value)
{
    add(words, xstrdup(option));
    add(words, value);
}

static void add_network(struct words *words, const struct qemu_config *config, const char *bus,
                        const char *modern)
{
    char *netdev = xstrdup("user,id=net0");
    for (int i = 0; i < config->forward_count; i++) {
        const struct qemu_forward *f = &config->forwards[i];
        char *longer = xformat("%s,hostfwd=%s:%s:%u-:%u", netdev, f->udp ? "udp" : "tcp",
                               f->address, f->host_port, f->guest_port);
        free(netdev);
        netdev = longer;
    }
    add_pair(words, "-netdev", netdev);
    add_pair(words, "-device",
             xformat("virtio-net-%s,netdev=net0%s%s", bus, modern, *modern ? ",romfile=" : ""));
}

/* A comma in a path means itself when it is doubled. */
static char *escape_commas(const char *path)
{
    char *out = xcalloc(2 * strlen(path) + 1, 1), *p = out;
    for (; *path; path++) {
        *p++ = *path;
        if (*path == ',') {
            *p++ = ',';
        }
    }
    return out;
}

static void add_ports(struct words *words, const struct qemu_config *config, const char *bus,
                      const char *modern)
{
    int count = config->port_count + (config->control_fd >= 0);
    if (count == 0) {
        return;
    }
    /* The first of a device's ports is a console's, which nobody wants. */
    add_pair(words, "-device",
             xformat("virtio-serial-%s,max_ports=%d%s", bus, count < 4 ? 4 : count + 1, modern));
    if (config->control_fd >= 0) {
        add_pair(words, "-chardev", xformat("socket,id=control,fd=%d", config->control_fd));
        add_pair(words, "-device",
                 xstrdup("virtserialport,chardev=control,name=org.quince.control"));
    }
    for (int i = 0; i < config->port_count; i++) {
        const struct qemu_port *port = &config->ports[i];
        add_pair(words, "-chardev", xformat("socket,id=port%d,fd=%d", i, port->fd));
        add_pair(words, "-device", xformat("virtserialport,chardev=port%d,name=%s", i, port->name));
    }
}

char **qemu_command(const struct qemu_config *config)
{
    bool pci = strcmp(config->machine, "q35") == 0;
    const char *bus = pci ? "pci" : "device", *modern = pci ? ",disable-legacy=on" : "";
    const char *accel = config->accel ? config->accel : qemu_accelerator();
    const char *cpu = config->cpu ? config->cpu : strcmp(accel, "kvm") == 0 ? "host" : "max";
    struct words words = {NULL, 0};
    add(&words, xstrdup(QEMU_PROGRAM));
    add_pair(&words, "-M", xstrdup(pci ? "q35" : MICROVM));
    add_pair(&words, "-accel", xstrdup(accel));
    add_pair(&words, "-cpu", xstrdup(cpu));
    add_pair(&words, "-m", xformat("%ldM", config->memory_mib));
    add(&words, xstrdup("-nodefaults"));
    add(&words, xstrdup("-no-user-config"));
    add(&words, xstrdup("-no-reboot"));
    add_pair(&words, "-display", xstrdup("none"));
    add_pair(&words, "-chardev", xstrdup("stdio,id=console,signal=off"));
    add_pair(&words, "-serial", xstrdup("chardev:console"));
    add_pair(&words, "-device", xstrdup("isa-debug-exit,iobase=0xf4,iosize=4"));
    if (!pci) {
        add_pair(&words, "-global", xstrdup("virtio-mmio.force-legacy=false"));
    }
    add_pair(&words, "-device", xformat("virtio-rng-%s%s", bus, modern));
    add_ports(&words, config, bus, modern);
    for (int i = 0; i < config->share_count; i++) {
        const struct qemu_share *share = &config->shares[i];
        char *path = escape_commas(share->path);
        add_pair(&words, "-fsdev",
                 xformat("local,id=share%d,path=%s,security_model=none,multidevs=remap%s", i, path,
                         share->read_only ? ",readonly=on" : ""));
        free(path);
        add_pair(&words, "-device",
                 xformat("virtio-9p-%s,fsdev=share%d,mount_tag=%s%s", bus, i, share->tag, modern));
    }
    if (config->network) {
        add_network(&words, config, bus, modern);
    }
    if (config->gdb) {
        add_pair(&words, "-gdb", xstrdup(config->gdb));
    }
    add_pair(&words, "-kernel", xstrdup(config->image));
    if (config->initrd) {
        add_pair(&words, "-initrd", escape_commas(config->initrd));
    }
    char *line = qemu_kernel_line(config);
    if (*line) {
        add_pair(&words, "-append", line);
    }
    if (verbose) {
        fputs("quince: running", stderr);
        for (size_t i = 0; i < words.count; i++) {
            bool plain = strcspn(words.items[i], " \"'\\") == strlen(words.items[i]);
            fprintf(stderr, plain ? " %s" : " '%s'", words.items[i]);
        }
        fputc('\n', stderr);
    }
    return words.items;
}
