/* The Linux peer's init: a static program that is all of user space. Prints the line that ends the
 * boot measurement; with "serve" on the kernel's command line it loads the modules the initramfs
 * lists, brings the network up and becomes the HTTP server; with "compute" it runs what /commands
 * holds, a command a line, and switches off. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void load_modules(void)
{
    FILE *list = fopen("/modules", "r");
    if (!list)
        return;
    char path[256];
    while (fgets(path, sizeof path, list)) {
        path[strcspn(path, "\n")] = 0;
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || syscall(SYS_finit_module, fd, "", 0) != 0)
            perror(path);
        if (fd >= 0)
            close(fd);
    }
    fclose(list);
}

static void set_address(int sock, unsigned long request, const char *name, const char *address)
{
    struct ifreq req = {0};
    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
    struct sockaddr_in in = {.sin_family = AF_INET};
    inet_pton(AF_INET, address, &in.sin_addr);
    memcpy(&req.ifr_addr, &in, sizeof in);
    if (ioctl(sock, request, &req) != 0)
        perror(address);
}

static void interface_up(int sock, const char *name)
{
    struct ifreq req = {0};
    snprintf(req.ifr_name, sizeof req.ifr_name, "%s", name);
    if (ioctl(sock, SIOCGIFFLAGS, &req) == 0) {
        req.ifr_flags = (short)(req.ifr_flags | IFF_UP | IFF_RUNNING);
        if (ioctl(sock, SIOCSIFFLAGS, &req) != 0)
            perror(name);
    }
}

/* QEMU's user networking always hands out this address. */
static void network_up(void)
{
    int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    interface_up(sock, "lo");
    set_address(sock, SIOCSIFADDR, "eth0", "10.0.2.15");
    set_address(sock, SIOCSIFNETMASK, "eth0", "255.255.255.0");
    interface_up(sock, "eth0");
    struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};
    struct sockaddr_in gateway = {.sin_family = AF_INET}, any = {.sin_family = AF_INET};
    inet_pton(AF_INET, "10.0.2.2", &gateway.sin_addr);
    memcpy(&route.rt_gateway, &gateway, sizeof gateway);
    memcpy(&route.rt_dst, &any, sizeof any);
    memcpy(&route.rt_genmask, &any, sizeof any);
    if (ioctl(sock, SIOCADDRT, &route) != 0)
        perror("default route");
    close(sock);
}

/* Each command's line is printed before what it prints. */
static void run_commands(void)
{
    FILE *list = fopen("/commands", "r");
    char line[256];
    while (list && fgets(line, sizeof line, list)) {
        char *args[16], *rest = line;
        int count = 0;
        line[strcspn(line, "\n")] = 0;
        dprintf(1, "== %s\n", line);
        while (count < 15 && (args[count] = strtok_r(rest, " ", &rest)))
            count++;
        args[count] = NULL;
        pid_t child = fork();
        if (child == 0) {
            execv(args[0], args);
            perror(args[0]);
            _exit(127);
        }
        int status = 0;
        if (child < 0 || waitpid(child, &status, 0) < 0 || status)
            dprintf(1, "failed: status 0x%x\n", (unsigned)status);
    }
    dprintf(1, "== done\n");
}

int main(int argc, char **argv)
{
    /* The kernel opens no console for us without a /dev/console in the initramfs. */
    mount("devtmpfs", "/dev", "devtmpfs", 0, "");
    int console = open("/dev/ttyS0", O_RDWR);
    for (int fd = 0; console >= 0 && fd < 3; fd++)
        dup2(console, fd);
    if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        load_modules();
        network_up();
        char *args[] = {"/httpd", NULL};
        execv(args[0], args);
        perror(args[0]);
    } else if (argc > 1 && strcmp(argv[1], "compute") == 0) {
        run_commands();
    } else {
        (void)!write(1, "hello from Linux\n", 17);
    }
    reboot(RB_AUTOBOOT);
    return 1;
}
