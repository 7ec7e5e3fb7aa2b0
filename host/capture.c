/* `quince capture`: packets of a machine, as the extension `pcap` sees them in the kernel. */
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "command.h"
#include "machine.h"
#include "module.h"
#include "options.h"
#include "pcapng.h"

#define EXTENSION "pcap"
#define RING      "packets"
enum { RECORD_HEADER = 16, LOAD_SNAP_MAX = 2048 };

static const char *file_name;
static long snap, count_limit, seconds;
static bool as_pcap;
static const struct option_spec specs[] = {
    {OPTION_STRING, 'w', "write", "FILE", "where to; - is standard output", &file_name},
    {OPTION_NUMBER, 's', "snap", "BYTES", "keep at most this much of a packet", &snap},
    {OPTION_NUMBER, 'c', "count", "N", "end after N packets", &count_limit},
    {OPTION_NUMBER, 't', "time", "SECONDS", "end after this time", &seconds},
    {OPTION_FLAG, 0, "pcap", NULL, "the old format, not pcapng (default for FILE.pcap)", &as_pcap},
    {.kind = OPTION_END},
};
static const struct usage usage = {
    "quince capture [options] [MACHINE] [FILTER…]",
    "Packets a machine receives and sends, as pcapng. Loads the extension pcap if it is not "
    "there,\n"
    "and unloads it again at the end. FILTER is an expression as tcpdump takes it. For example:\n"
    "    quince capture -w trace.pcapng tcp port 80\n"
    "    quince capture | wireshark -k -i -",
    specs, -1, true};

struct capture {
    struct client *client;
    const char *machine;
    bool loaded; /* by us */
    struct packet_writer *writer;
    FILE *out;
    pcap_t *dead;
    struct bpf_program filter;
    bool filtered;
    long packets;
    double lost;
};

/* Whether the extension is there already. */
static bool is_loaded(struct client *client)
{
    struct answer answer = client_call(client, client_request("list"));
    bool found = false;
    const cJSON *e;
    cJSON_ArrayForEach(e, cJSON_GetObjectItemCaseSensitive(answer.header, "extensions"))
    {
        found = found || (strcmp(meta_string(e, "name", ""), EXTENSION) == 0 &&
                          strcmp(meta_string(e, "state", ""), "failed") != 0);
    }
    answer_free(&answer);
    return found;
}

static void load(struct capture *c)
{
    struct module_file file = module_find(EXTENSION);
    cJSON *request = client_request("load");
    cJSON_AddStringToObject(request, "file", EXTENSION ".wasm");
    cJSON *grants = cJSON_AddArrayToObject(request, "grant");
    cJSON_AddItemToArray(grants, cJSON_CreateString("net.rx"));
    cJSON_AddItemToArray(grants, cJSON_CreateString("net.tx"));
    if (snap > 0 && snap < LOAD_SNAP_MAX) {
        char *text = xformat("%ld", snap);
        cJSON_AddStringToObject(cJSON_AddObjectToObject(request, "config"), "snaplen", text);
        free(text);
    }
    struct answer answer;
    if (!client_try(c->client, request, file.bytes, (uint32_t)file.size, CLIENT_LOAD_TIMEOUT_MS,
                    &answer)) {
        die("cannot load %s: %s", file.path, answer_reason(&answer));
    }
    c->loaded = true;
    answer_free(&answer);
    module_free(&file);
}

static void unload(struct capture *c)
{
    cJSON *request = client_request("unload");
    cJSON_AddStringToObject(request, "name", EXTENSION);
    struct answer answer;
    if (!client_try(c->client, request, NULL, 0, CLIENT_TIMEOUT_MS, &answer)) {
        warn("%s could not be unloaded: %s", EXTENSION, answer_reason(&answer));
    }
    answer_free(&answer);
}

static void compile_filter(struct capture *c, int words, char **argv)
{
    char *text = xstrdup("");
    for (int i = 0; i < words; i++) {
        char *longer = xformat("%s%s%s", text, i ? " " : "", argv[i]);
        free(text);
        text = longer;
    }
    c->dead = pcap_open_dead(DLT_EN10MB, 65535);
    if (words && pcap_compile(c->dead, &c->filter, text, 1, PCAP_NETMASK_UNKNOWN) != 0) {
        warn("'%s' is no filter: %s", text, pcap_geterr(c->dead));
        exit(EXIT_USAGE);
    }
    c->filtered = words > 0;
    free(text);
}

static void open_output(struct capture *c)
{
    bool standard = !file_name || strcmp(file_name, "-") == 0;
    if (!file_name && isatty(STDOUT_FILENO)) {
        usage_error(&usage, "where to? -w FILE, or pipe the output into wireshark or tshark");
    }
    c->out = standard ? stdout : fopen(file_name, "we");
    if (!c->out) {
        die("cannot write %s: %s", file_name, strerror(errno));
    }
    size_t length = standard ? 0 : strlen(file_name);
    bool old = as_pcap || (length > 5 && strcmp(file_name + length - 5, ".pcap") == 0);
    c->writer = packet_writer_new(c->out, !old, c->machine);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* One record of the ring: a record of a pcap file. */
static void write_record(struct capture *c, const uint8_t *record, uint32_t size)
{
    if (size < RECORD_HEADER || get32(record + 8) > size - RECORD_HEADER) {
        return; /* not one of pcap.c's; the kernel is not to be trusted blindly */
    }
    struct captured packet = {(uint64_t)get32(record) * 1000000000u + get32(record + 4),
                              get32(record + 8), get32(record + 12), record + RECORD_HEADER};
    struct pcap_pkthdr header = {.caplen = packet.captured, .len = packet.length};
    if (c->filtered && !pcap_offline_filter(&c->filter, &header, packet.bytes)) {
        return;
    }
    if (snap > 0 && packet.captured > (uint32_t)snap) {
        packet.captured = (uint32_t)snap;
    }
    if (count_limit == 0 || c->packets < count_limit) {
        packet_write(c->writer, &packet);
        c->packets++;
    }
}

static void write_records(struct capture *c, const struct answer *answer)
{
    for (uint32_t at = 0; answer->body_len - at >= 4;) {
        uint32_t size = get32(answer->body + at);
        at += 4;
        if (size > answer->body_len - at) {
            break;
        }
        write_record(c, answer->body + at, size);
        at += size;
    }
    c->lost += meta_number(answer->header, "lost", 0);
}

/* Signals that end the capture, as a descriptor. */
static int end_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool enough(const struct capture *c, double start)
{
    return (count_limit && c->packets >= count_limit) ||
           (seconds && now() - start >= (double)seconds);
}

/* Takes records until something ends it; false when the machine went away. */
static bool stream(struct capture *c)
{
    int signals = end_signals();
    cJSON *request = client_request("ring.read");
    cJSON_AddStringToObject(request, "name", EXTENSION);
    cJSON_AddStringToObject(request, "ring", RING);
    cJSON_AddTrueToObject(request, "follow");
    uint32_t id = client_send(c->client, request, NULL, 0);
    double start = now();
    bool open = true, cancelled = false;
    while (open) {
        struct answer answer;
        int wait = cancelled ? CLIENT_TIMEOUT_MS
                   : seconds ? (int)((start + (double)seconds - now()) * 1000) + 1
                             : CLIENT_FOREVER;
        int got =
            client_receive(c->client, &answer, wait < -1 ? 0 : wait, cancelled ? -1 : signals);
        if (got < 0 || (got == 0 && cancelled)) {
            return false;
        }
        bool end = got == 0;
        if (got == 1) {
            if (answer.id == id && !answer_ok(&answer)) {
                warn("%s", answer_reason(&answer));
                open = false;
            } else if (answer.id == id) {
                write_records(c, &answer);
                open = answer_more(&answer);
                end = !packet_writer_flush(c->writer) || enough(c, start);
            }
            answer_free(&answer);
        }
        if (open && end && !cancelled) {
            request = client_request("cancel");
            cJSON_AddNumberToObject(request, "stream", id);
            client_send(c->client, request, NULL, 0);
            cancelled = true;
        }
    }
    close(signals);
    return true;
}

int cmd_capture(int argc, char **argv)
{
    struct capture c = {0};
    int words = parse_options(&usage, argc, argv);
    bool named =
        words > 0 && !chosen_machine && machine_name_valid(argv[0]) && machine_running(argv[0]);
    compile_filter(&c, words - named, argv + named);
    c.machine = machine_choose(named ? argv[0] : NULL);
    c.client = client_open(c.machine);
    open_output(&c); /* what can fail, before anything is loaded */
    if (!is_loaded(c.client)) {
        load(&c);
    }
    packet_writer_flush(c.writer);
    fprintf(stderr, "quince: capturing on %s%s%s; Ctrl-C ends\n", c.machine,
            file_name ? " to " : "", file_name ? file_name : "");
    bool alive = stream(&c);
    bool written = packet_writer_flush(c.writer);
    if (alive && c.loaded) {
        unload(&c);
    }
    packet_writer_free(c.writer);
    fprintf(stderr, "quince: %ld packets captured", c.packets);
    fprintf(stderr, c.lost > 0 ? ", %.0f came too fast and were lost\n" : "\n", c.lost);
    if (!alive) {
        warn("%s ended, or closed its control channel", c.machine);
        return EXIT_MACHINE;
    }
    if (!written && file_name && strcmp(file_name, "-") != 0) {
        die("%s could not be written to its end: %s", file_name, strerror(errno));
    }
    return 0;
}
