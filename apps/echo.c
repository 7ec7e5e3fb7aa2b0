/* echo: sends back what it receives, over TCP and UDP. Option: -p PORT (7). */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int bound_socket(int type, uint16_t port)
{
    int yes = 1, opened = socket(AF_INET, type, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    if (opened < 0)
        return -1;
    setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(opened, (struct sockaddr *)&address, sizeof address) == 0 &&
        (type != SOCK_STREAM || listen(opened, 64) == 0))
        return opened;
    close(opened);
    return -1;
}

static void *serve_udp(void *argument)
{
    int opened = (int)(intptr_t)argument;
    static char datagram[65536];
    for (;;) {
        struct sockaddr_storage from;
        socklen_t length = sizeof from;
        ssize_t got =
            recvfrom(opened, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &length);
        if (got >= 0)
            sendto(opened, datagram, (size_t)got, 0, (struct sockaddr *)&from, length);
    }
    return NULL;
}

static void *serve_connection(void *argument)
{
    int connection = (int)(intptr_t)argument;
    char bytes[8192];
    ssize_t got;
    while ((got = read(connection, bytes, sizeof bytes)) > 0) {
        for (ssize_t sent = 0; sent < got;) {
            ssize_t put = write(connection, bytes + sent, (size_t)(got - sent));
            if (put <= 0) {
                close(connection);
                return NULL;
            }
            sent += put;
        }
    }
    close(connection);
    return NULL;
}

static int start_thread(void *(*fn)(void *), int opened)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, fn, (void *)(intptr_t)opened);
    if (!error)
        pthread_detach(thread);
    return error;
}

int main(int argc, char **argv)
{
    uint16_t port = 7;
    int option;
    while ((option = getopt(argc, argv, "p:")) != -1) {
        if (option != 'p')
            return 2;
        port = (uint16_t)atoi(optarg);
    }
    signal(SIGPIPE, SIG_IGN);
    int tcp = bound_socket(SOCK_STREAM, port), udp = bound_socket(SOCK_DGRAM, port);
    if (tcp < 0 || udp < 0 || start_thread(serve_udp, udp) != 0) {
        fprintf(stderr, "echo: port %u: %s\n", port, strerror(errno));
        return 1;
    }
    printf("echo: TCP and UDP on port %u\n", port);
    for (;;) {
        int connection = accept(tcp, NULL, NULL);
        if (connection >= 0 && start_thread(serve_connection, connection) != 0)
            close(connection);
        else if (connection < 0 && errno != ECONNABORTED)
            usleep(10000);
    }
}
