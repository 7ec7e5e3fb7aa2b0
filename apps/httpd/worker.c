/* Threads that serve connections, many each: an epoll set, a buffer for what came in and one for
 * what goes out per connection, and a deadline for whatever is awaited from the client. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "httpd.h"

enum { EVENTS = 64, INPUT_SIZE = REQUEST_MAX };

struct connection {
    struct connection *next, *previous; /* in the order of deadlines */
    int socket;
    uint64_t deadline; /* seconds */
    bool writing;      /* output waits; else input is awaited */
    bool closing;      /* after the output */
    uint64_t skip;     /* bytes of a body still to come */
    size_t used;       /* of input */
    char input[INPUT_SIZE];
    struct response response;
};
struct worker {
    int epoll;
    pthread_mutex_t lock;   /* guards the list: connections are added by the accepting thread */
    struct connection ring; /* its head */
};

unsigned connections;

static uint64_t now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

/* Deadlines are all the same time ahead, so the latest goes last. */
static void set_deadline(struct worker *worker, struct connection *connection)
{
    uint64_t deadline = now_seconds() + settings.idle_seconds;
    if (connection->deadline == deadline)
        return; /* its place in the order is good for this second */
    pthread_mutex_lock(&worker->lock);
    if (connection->next) {
        connection->next->previous = connection->previous;
        connection->previous->next = connection->next;
    }
    connection->deadline = deadline;
    connection->next = &worker->ring;
    connection->previous = worker->ring.previous;
    connection->previous->next = worker->ring.previous = connection;
    pthread_mutex_unlock(&worker->lock);
}

static void connection_close(struct worker *worker, struct connection *connection)
{
    pthread_mutex_lock(&worker->lock);
    connection->next->previous = connection->previous;
    connection->previous->next = connection->next;
    pthread_mutex_unlock(&worker->lock);
    response_end(&connection->response);
    close(connection->socket);
    free(connection);
    __atomic_sub_fetch(&connections, 1, __ATOMIC_RELAXED);
}

static bool watch(struct worker *worker, struct connection *connection, bool writing)
{
    if (connection->writing == writing)
        return true;
    struct epoll_event event = {.events = writing ? EPOLLOUT : EPOLLIN, .data.ptr = connection};
    connection->writing = writing;
    return epoll_ctl(worker->epoll, EPOLL_CTL_MOD, connection->socket, &event) == 0;
}

enum progress { DONE, BLOCKED, BROKEN };

/* Sends the response as far as the socket takes it. */
static enum progress send_response(struct connection *connection)
{
    struct response *response = &connection->response;
    for (;;) {
        while (response->sent < response->used) {
            ssize_t put = send(connection->socket, response->output + response->sent,
                               response->used - response->sent, MSG_NOSIGNAL);
            if (put < 0 && errno == EINTR)
                continue;
            if (put < 0)
                return errno == EAGAIN ? BLOCKED : BROKEN;
            response->sent += (size_t)put;
        }
        if (response->left == 0)
            return DONE;
        if (!response_refill(response))
            return BROKEN;
    }
}

/* Takes SIZE bytes off the front of the input. */
static void consume(struct connection *connection, size_t size)
{
    connection->used -= size;
    if (connection->used)
        memmove(connection->input, connection->input + size, connection->used);
}

/* Answers the next request of the input. false: it is not complete yet. */
static bool answer_next(struct connection *connection)
{
    if (connection->skip) {
        size_t size =
            connection->used < connection->skip ? connection->used : (size_t)connection->skip;
        consume(connection, size);
        connection->skip -= size;
    }
    /* An empty line before a request is tolerated. */
    size_t blank = 0;
    while (blank < connection->used &&
           (connection->input[blank] == '\r' || connection->input[blank] == '\n'))
        blank++;
    if (blank)
        consume(connection, blank);
    if (connection->skip || !connection->used)
        return false;
    size_t head = request_head(connection->input, connection->used);
    struct request request;
    if (!head) {
        if (connection->used < INPUT_SIZE)
            return false;
        response_error(&connection->response, 431, false, false);
        connection->closing = true;
        return true;
    }
    int status = request_parse(connection->input, head, &request);
    if (status != 200) {
        response_error(&connection->response, status, request.method == METHOD_HEAD, false);
        connection->closing = true;
        return true;
    }
    consume(connection, head);
    connection->skip = request.body_length;
    connection->closing = !request.keep_alive;
    response_make(&connection->response, &request);
    return true;
}

/* Closing with unread input makes TCP reset the connection, which may destroy the answer on its
 * way; so what waits is read first. */
static void linger(struct connection *connection)
{
    shutdown(connection->socket, SHUT_WR);
    char rest[1024];
    for (int i = 0; i < 16; i++)
        if (recv(connection->socket, rest, sizeof rest, MSG_DONTWAIT) <= 0)
            break;
}

/* Answers what is there, in order, until input is missing or the socket is full. false: over. */
static bool serve(struct worker *worker, struct connection *connection)
{
    for (;;) {
        switch (send_response(connection)) {
        case BLOCKED: set_deadline(worker, connection); return watch(worker, connection, true);
        case BROKEN: return false;
        case DONE: break;
        }
        if (connection->closing) {
            linger(connection);
            return false;
        }
        if (!answer_next(connection)) {
            /* A request that has begun keeps its deadline, however slowly it trickles in. */
            if (connection->used == 0)
                set_deadline(worker, connection);
            return watch(worker, connection, false);
        }
    }
}

static bool on_event(struct worker *worker, struct connection *connection, uint32_t events)
{
    if (connection->writing)
        return events & EPOLLOUT && serve(worker, connection);
    ssize_t got = recv(connection->socket, connection->input + connection->used,
                       INPUT_SIZE - connection->used, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    if (got == 0)
        return false;
    connection->used += (size_t)got;
    return serve(worker, connection);
}

static void close_late(struct worker *worker)
{
    uint64_t now = now_seconds();
    for (;;) {
        pthread_mutex_lock(&worker->lock);
        struct connection *first = worker->ring.next;
        pthread_mutex_unlock(&worker->lock);
        if (first == &worker->ring || first->deadline > now)
            return;
        connection_close(worker, first);
    }
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    struct epoll_event events[EVENTS];
    uint64_t checked = 0;
    for (;;) {
        int count = epoll_wait(worker->epoll, events, EVENTS, 1000);
        for (int i = 0; i < count; i++)
            if (!on_event(worker, events[i].data.ptr, events[i].events))
                connection_close(worker, events[i].data.ptr);
        uint64_t now = now_seconds();
        if (now != checked) {
            close_late(worker);
            checked = now;
        }
    }
    return NULL;
}

bool worker_take(struct worker *worker, int socket)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return false;
    connection->socket = socket;
    connection->response.file = -1;
    __atomic_add_fetch(&connections, 1, __ATOMIC_RELAXED);
    set_deadline(worker, connection);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, socket, &event) == 0)
        return true;
    pthread_mutex_lock(&worker->lock);
    connection->next->previous = connection->previous;
    connection->previous->next = connection->next;
    pthread_mutex_unlock(&worker->lock);
    free(connection);
    __atomic_sub_fetch(&connections, 1, __ATOMIC_RELAXED);
    return false;
}

struct worker *worker_start(void)
{
    struct worker *worker = calloc(1, sizeof *worker);
    pthread_t thread;
    if (!worker)
        return NULL;
    worker->ring.next = worker->ring.previous = &worker->ring;
    pthread_mutex_init(&worker->lock, NULL);
    worker->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (worker->epoll < 0 || pthread_create(&thread, NULL, run, worker) != 0) {
        if (worker->epoll >= 0)
            close(worker->epoll);
        free(worker);
        return NULL;
    }
    pthread_detach(thread);
    return worker;
}
