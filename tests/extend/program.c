/* <quince.h> from a program in the image: loads extensions that it carries as files. Prints TAP. */
#include <quince.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int tests, failures;

static void check(bool good, const char *name)
{
    tests++;
    failures += !good;
    printf("%sok %d - %s\n", good ? "" : "not ", tests, name);
}

static void *read_file(const char *path, size_t *len)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        printf("Bail out! %s: %s\n", path, strerror(errno));
        exit(1);
    }
    *len = (size_t)st.st_size;
    void *bytes = malloc(*len);
    if (!bytes || read(fd, bytes, *len) != (ssize_t)*len) {
        printf("Bail out! %s: %s\n", path, strerror(errno));
        exit(1);
    }
    close(fd);
    return bytes;
}

/* Something that leaves the machine. */
static void send_datagrams(int count)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(7), .sin_addr.s_addr = htonl(0x0a000202)};
    for (int i = 0; i < count; i++) {
        sendto(fd, "hello", 5, 0, (struct sockaddr *)&to, sizeof to);
        usleep(1000);
    }
    close(fd);
}

static void firewall(void)
{
    size_t len;
    void *bytes = read_file("/firewall.wasm", &len);
    struct quince_setting rules[] = {{"rule.1", "drop out udp dport 7"}};
    struct quince_options options = {
        .grants = "net.rx,net.tx,log", .settings = rules, .setting_count = 1};
    char why[QUINCE_REASON] = "";
    int handle = quince_load(bytes, len, &options, why, sizeof why);
    check(handle > 0, "a firewall with a rule is loaded");
    if (handle < 0) {
        printf("# %s\n", why);
    }
    send_datagrams(20);
    uint32_t rule = 1;
    uint64_t dropped = 0;
    check(quince_map_get("firewall", "matches", &rule, sizeof rule, &dropped, sizeof dropped) ==
                  0 &&
              dropped >= 20,
          "it dropped what the program sent");
    uint64_t zero = 0;
    check(quince_map_put("firewall", "matches", &rule, sizeof rule, &zero, sizeof zero) == 0 &&
              quince_map_get("firewall", "matches", &rule, sizeof rule, &dropped, sizeof dropped) ==
                  0 &&
              dropped == 0,
          "its counters can be set");
    check(quince_map_get("firewall", "matches", &rule, 2, &dropped, sizeof dropped) == -EINVAL &&
              quince_map_get("firewall", "rules", &rule, 4, &dropped, 8) == -ENOENT &&
              quince_map_get("nobody", "matches", &rule, 4, &dropped, 8) == -ENOENT,
          "wrong sizes and names are refused");
    struct quince_info infos[2];
    int count = quince_list(infos, 2);
    check(count == 1 && strcmp(infos[0].name, "firewall") == 0 &&
              infos[0].state == QUINCE_ATTACHED && infos[0].handle == handle &&
              infos[0].verdicts[1] >= 20 && infos[0].runs > 0 && infos[0].faults == 0,
          "it is listed with its verdicts");
    check(quince_load(bytes, len, &options, why, sizeof why) == -EEXIST &&
              strcmp(why, "'firewall' is loaded already") == 0,
          "a second one of its name is refused");
    options.name = "wall";
    check(quince_load(bytes, len, &options, why, sizeof why) > 0 && quince_list(NULL, 0) == 2,
          "under another name it is another one");
    check(quince_unload("wall") > 0 && quince_unload("firewall") > 0 &&
              quince_unload("firewall") == -ENOENT && quince_list(infos, 2) == 0,
          "both are unloaded once");
    free(bytes);
}

static void refusals(void)
{
    char why[QUINCE_REASON] = "";
    size_t len;
    void *bytes = read_file("/flows.wasm", &len);
    check(quince_load(bytes, len, NULL, why, sizeof why) == -EPERM &&
              strcmp(why, "hook 'net.rx' is declared but not granted: load with --grant net.rx") ==
                  0,
          "nothing is granted by default");
    check(quince_load(bytes, len / 2, NULL, why, sizeof why) == -EINVAL, "half a module");
    check(quince_load("no module", 9, NULL, NULL, 0) == -EINVAL, "no module, no reason wanted");
    struct quince_options options = {.grants = "net.rx,world"};
    check(quince_load(bytes, len, &options, why, sizeof why) == -EINVAL &&
              strcmp(why, "there is no grant 'world'") == 0,
          "an unknown grant");
    options = (struct quince_options){.grants = "all", .memory = 1};
    check(quince_load(bytes, len, &options, why, sizeof why) < 0, "too little memory");
    free(bytes);
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    firewall();
    refusals();
    printf("1..%d\n", tests);
    return failures != 0;
}
