/* The multiplexer of the control channel: see mux.h. */
#include "mux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "command.h"
#include "frame.h"

enum {
    READ_CHUNK = 64 * 1024,
    ROUTES_PER_CLIENT = 64,
    END_PATIENCE_MS = 500, /* for clients to take their last answer */
};
/* A client that lets this much pile up is not reading: it goes, so that the others stay served. */
#define QUEUE_MAX ((size_t)128 << 20)

struct peer {
    int fd; /* -1: a free place */
    struct buffer in, out;
};

/* One request that is not answered to its end. */
struct route {
    uint32_t kernel_id;
    uint32_t client_id;
    int client; /* index; OWN: the supervisor's; GONE: nobody's any more */
    bool stream;
};
enum { OWN = -1, GONE = -2 };

struct mux {
    struct peer kernel;
    int listener;
    struct peer clients[MUX_CLIENTS];
    struct route *routes;
    size_t route_count, route_room;
    uint32_t next_id;
    void (*answered)(void *context, const cJSON *header);
    void *context;
};

struct mux *mux_new(int kernel, int listener, void (*answered)(void *context, const cJSON *header),
                    void *context)
{
    struct mux *mux = xcalloc(1, sizeof *mux);
    mux->kernel.fd = kernel;
    mux->listener = listener;
    mux->answered = answered;
    mux->context = context;
    for (int i = 0; i < MUX_CLIENTS; i++) {
        mux->clients[i].fd = -1;
    }
    return mux;
}

static void close_peer(struct peer *peer)
{
    if (peer->fd >= 0) {
        close(peer->fd);
        peer->fd = -1;
    }
    buffer_free(&peer->in);
    buffer_free(&peer->out);
}

/* Sends what it can; false: the peer is gone. */
static bool flush_peer(struct peer *peer)
{
    while (buffer_size(&peer->out)) {
        ssize_t sent = send(peer->fd, buffer_data(&peer->out), buffer_size(&peer->out),
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        buffer_drop(&peer->out, (size_t)sent);
    }
    return true;
}

/* Reads what is there; false: the peer is gone. */
static bool fill_peer(struct peer *peer)
{
    uint8_t chunk[READ_CHUNK];
    ssize_t got = recv(peer->fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (got > 0) {
        buffer_add(&peer->in, chunk, (size_t)got);
    }
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

static struct route *find_route(struct mux *mux, uint32_t kernel_id)
{
    for (size_t i = 0; i < mux->route_count; i++) {
        if (mux->routes[i].kernel_id == kernel_id) {
            return &mux->routes[i];
        }
    }
    return NULL;
}

static struct route *find_client_route(struct mux *mux, int client, uint32_t client_id)
{
    for (size_t i = 0; i < mux->route_count; i++) {
        if (mux->routes[i].client == client && mux->routes[i].client_id == client_id) {
            return &mux->routes[i];
        }
    }
    return NULL;
}

static uint32_t add_route(struct mux *mux, int client, uint32_t client_id, bool stream)
{
    do {
        mux->next_id = mux->next_id == UINT32_MAX ? 1 : mux->next_id + 1;
    } while (find_route(mux, mux->next_id));
    if (mux->route_count == mux->route_room) {
        mux->route_room = mux->route_room ? 2 * mux->route_room : 16;
        mux->routes = xrealloc(mux->routes, mux->route_room * sizeof *mux->routes);
    }
    mux->routes[mux->route_count++] = (struct route){mux->next_id, client_id, client, stream};
    return mux->next_id;
}

static void drop_route(struct mux *mux, struct route *route)
{
    *route = mux->routes[--mux->route_count];
}

static void refuse(struct peer *peer, uint32_t id, const char *error, const char *reason)
{
    cJSON *header = cJSON_CreateObject();
    cJSON_AddNumberToObject(header, "id", id);
    cJSON_AddFalseToObject(header, "ok");
    cJSON_AddStringToObject(header, "error", error);
    cJSON_AddStringToObject(header, "reason", reason);
    frame_add(&peer->out, header, NULL, 0);
    cJSON_Delete(header);
}

void mux_ask(struct mux *mux, cJSON *request)
{
    frame_set_id(request, add_route(mux, OWN, 0, false));
    frame_add(&mux->kernel.out, request, NULL, 0);
    cJSON_Delete(request);
}

static void cancel_stream(struct mux *mux, uint32_t kernel_id)
{
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "op", "cancel");
    cJSON_AddNumberToObject(request, "stream", kernel_id);
    mux_ask(mux, request);
}

static void drop_client(struct mux *mux, int client)
{
    close_peer(&mux->clients[client]);
    for (size_t i = 0; i < mux->route_count; i++) {
        if (mux->routes[i].client == client) {
            mux->routes[i].client = GONE;
            if (mux->routes[i].stream) {
                cancel_stream(mux, mux->routes[i].kernel_id); /* appends a route: use the index */
            }
        }
    }
}

/* `cancel` names a request by the client's number: gives it the kernel's. */
static bool translate_cancel(struct mux *mux, int client, cJSON *header)
{
    const char *op = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(header, "op"));
    cJSON *stream = cJSON_GetObjectItemCaseSensitive(header, "stream");
    if (!op || strcmp(op, "cancel") != 0 || !cJSON_IsNumber(stream)) {
        return true;
    }
    bool sane = stream->valuedouble >= 1 && stream->valuedouble <= UINT32_MAX;
    struct route *route =
        sane ? find_client_route(mux, client, (uint32_t)stream->valuedouble) : NULL;
    if (!route) {
        return false;
    }
    cJSON_SetNumberValue(stream, route->kernel_id);
    return true;
}

static unsigned open_routes(const struct mux *mux, int client)
{
    unsigned count = 0;
    for (size_t i = 0; i < mux->route_count; i++) {
        count += mux->routes[i].client == client;
    }
    return count;
}

static void forward_request(struct mux *mux, int client, struct frame *frame)
{
    struct peer *peer = &mux->clients[client];
    uint32_t id = frame_id(frame->header);
    if (mux->kernel.fd < 0) {
        refuse(peer, id, "EPIPE", "the control channel to the kernel is closed");
    } else if (id == 0) {
        refuse(peer, 0, "EINVAL", "id: not a number from 1 to 4294967295");
    } else if (find_client_route(mux, client, id)) {
        refuse(peer, id, "EINVAL", "id: a request of that number is still open");
    } else if (open_routes(mux, client) >= ROUTES_PER_CLIENT) {
        refuse(peer, id, "EBUSY", "too many open requests on this connection");
    } else if (!translate_cancel(mux, client, frame->header)) {
        refuse(peer, id, "ENOENT", "stream: no such request");
    } else {
        bool follow = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(frame->header, "follow"));
        frame_set_id(frame->header, add_route(mux, client, id, follow));
        frame_add(&mux->kernel.out, frame->header, frame->body, frame->body_len);
    }
}

static void forward_answer(struct mux *mux, struct frame *frame)
{
    struct route *route = find_route(mux, frame_id(frame->header));
    if (!route) {
        explain("the kernel answered a request nobody made");
        return;
    }
    if (route->client >= 0) {
        frame_set_id(frame->header, route->client_id);
        frame_add(&mux->clients[route->client].out, frame->header, frame->body, frame->body_len);
    } else if (route->client == OWN) {
        mux->answered(mux->context, frame->header);
    }
    if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(frame->header, "more"))) {
        drop_route(mux, route);
    }
}

static void read_client(struct mux *mux, int client)
{
    struct peer *peer = &mux->clients[client];
    bool alive = fill_peer(peer);
    struct frame frame;
    enum frame_state state;
    while ((state = frame_peek(&peer->in, &frame)) == FRAME_WHOLE) {
        forward_request(mux, client, &frame);
        buffer_drop(&peer->in, frame.size);
        cJSON_Delete(frame.header);
    }
    if (!alive || state == FRAME_BROKEN) {
        drop_client(mux, client);
    }
}

static void answer_all(struct mux *mux, const char *reason)
{
    for (size_t i = 0; i < mux->route_count; i++) {
        if (mux->routes[i].client >= 0) {
            refuse(&mux->clients[mux->routes[i].client], mux->routes[i].client_id, "EPIPE", reason);
        }
    }
    mux->route_count = 0;
}

static void read_kernel(struct mux *mux)
{
    bool alive = fill_peer(&mux->kernel);
    struct frame frame;
    enum frame_state state;
    while ((state = frame_peek(&mux->kernel.in, &frame)) == FRAME_WHOLE) {
        forward_answer(mux, &frame);
        buffer_drop(&mux->kernel.in, frame.size);
        cJSON_Delete(frame.header);
    }
    if (!alive || state == FRAME_BROKEN) {
        close_peer(&mux->kernel);
        if (alive) { /* else the machine ended, which the supervisor will say with its exit code */
            answer_all(mux, "the kernel sent something that is no frame; its channel is closed");
        }
    }
}

static void accept_client(struct mux *mux)
{
    int fd = accept4(mux->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return;
    }
    for (int i = 0; i < MUX_CLIENTS; i++) {
        if (mux->clients[i].fd < 0) {
            mux->clients[i].fd = fd;
            return;
        }
    }
    close(fd);
}

int mux_poll(struct mux *mux, struct pollfd *fds)
{
    int count = 0;
    fds[count++] = (struct pollfd){.fd = mux->listener, .events = POLLIN};
    struct peer *kernel = &mux->kernel;
    fds[count++] = (struct pollfd){
        .fd = kernel->fd, .events = (short)(POLLIN | (buffer_size(&kernel->out) ? POLLOUT : 0))};
    for (int i = 0; i < MUX_CLIENTS; i++) {
        struct peer *peer = &mux->clients[i];
        /* A kernel that does not read (it is still booting) is no reason to collect without end. */
        bool listen = buffer_size(&kernel->out) < QUEUE_MAX;
        fds[count++] = (struct pollfd){
            .fd = peer->fd,
            .events = (short)((listen ? POLLIN : 0) | (buffer_size(&peer->out) ? POLLOUT : 0))};
    }
    return count;
}

void mux_handle(struct mux *mux, const struct pollfd *fds, int count)
{
    const short readable = POLLIN | POLLHUP | POLLERR;
    if (mux->kernel.fd >= 0 && (fds[1].revents & readable)) {
        read_kernel(mux);
    }
    for (int i = 0; i < count - 2; i++) {
        if (mux->clients[i].fd >= 0 && (fds[i + 2].revents & readable)) {
            read_client(mux, i);
        }
    }
    if (fds[0].revents & POLLIN) {
        accept_client(mux);
    }
    if (mux->kernel.fd >= 0) {
        flush_peer(&mux->kernel); /* its end is seen by reading */
    }
    for (int i = 0; i < MUX_CLIENTS; i++) {
        struct peer *peer = &mux->clients[i];
        if (peer->fd >= 0 && (!flush_peer(peer) || buffer_size(&peer->out) > QUEUE_MAX)) {
            drop_client(mux, i);
        }
    }
}

void mux_end(struct mux *mux, const char *reason)
{
    /* What the kernel said last is still worth passing on. */
    size_t before;
    do {
        before = buffer_size(&mux->kernel.in);
    } while (mux->kernel.fd >= 0 && fill_peer(&mux->kernel) &&
             buffer_size(&mux->kernel.in) > before);
    struct frame frame;
    while (frame_peek(&mux->kernel.in, &frame) == FRAME_WHOLE) {
        forward_answer(mux, &frame);
        buffer_drop(&mux->kernel.in, frame.size);
        cJSON_Delete(frame.header);
    }
    answer_all(mux, reason);
    for (int i = 0; i < MUX_CLIENTS; i++) {
        struct peer *peer = &mux->clients[i];
        struct pollfd wait = {.fd = peer->fd, .events = POLLOUT};
        while (peer->fd >= 0 && flush_peer(peer) && buffer_size(&peer->out) &&
               poll(&wait, 1, END_PATIENCE_MS) > 0) {
        }
        close_peer(peer);
    }
    close_peer(&mux->kernel);
    close(mux->listener);
    free(mux->routes);
    free(mux);
}
