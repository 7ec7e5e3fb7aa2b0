/* httpd: serves the files below a folder. Options: -p PORT (80), -d FOLDER (/srv), -c connections
 * (256), -t threads (2), -i idle seconds (15). */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpd.h"

enum { THREADS_MAX = 16, BACKLOG = 128 };

struct settings settings = {
    .root = "/srv", .port = 80, .connections_max = 256, .threads = 2, .idle_seconds = 15};

static unsigned option_number(const char *text, unsigned low, unsigned high)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*end || !*text || value < low || value > high) {
        fprintf(stderr, "httpd: '%s' is not a number from %u to %u\n", text, low, high);
        exit(2);
    }
    return (unsigned)value;
}

static void read_options(int argc, char **argv)
{
    int option;
    while ((option = getopt(argc, argv, "p:d:c:t:i:")) != -1) {
        switch (option) {
        case 'p': settings.port = (uint16_t)option_number(optarg, 1, 65535); break;
        case 'd': settings.root = optarg; break;
        case 'c': settings.connections_max = option_number(optarg, 1, 4000); break;
        case 't': settings.threads = option_number(optarg, 1, THREADS_MAX); break;
        case 'i': settings.idle_seconds = option_number(optarg, 1, 3600); break;
        default: exit(2);
        }
    }
}

static int listening_socket(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(settings.port),
                                  .sin_addr.s_addr = htonl(INADDR_ANY)};
    if (listener < 0)
        return -1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(listener, BACKLOG) < 0) {
        close(listener);
        return -1;
    }
    return listener;
}

static void refuse(int socket)
{
    static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                 "Retry-After: 1\r\nConnection: close\r\n\r\n";
    send(socket, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(socket);
}

int main(int argc, char **argv)
{
    struct worker *workers[THREADS_MAX];
    read_options(argc, argv);
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (unsigned i = 0; i < settings.threads; i++) {
        if (!(workers[i] = worker_start())) {
            perror("httpd: thread");
            return 1;
        }
    }
    int listener = listening_socket();
    if (listener < 0) {
        fprintf(stderr, "httpd: port %u: %s\n", settings.port, strerror(errno));
        return 1;
    }
    printf("httpd: serving %s on port %u\n", settings.root, settings.port);
    for (unsigned next = 0;;) {
        int socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), yes = 1;
        if (socket < 0) {
            /* Out of descriptors or memory: clients that leave give some back. */
            if (errno != EINTR && errno != ECONNABORTED && errno != EAGAIN)
                usleep(10000);
            continue;
        }
        setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (__atomic_load_n(&connections, __ATOMIC_RELAXED) >= settings.connections_max ||
            !worker_take(workers[next++ % settings.threads], socket))
            refuse(socket);
    }
}
