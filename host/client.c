/* A client of the control channel: see client.h. */
#include "client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "machine.h"

struct client *client_open(const char *machine)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = machine_path(machine, "control.sock");
    if (strlen(path) >= sizeof address.sun_path) {
        die("%s is too long for a socket's name; set XDG_RUNTIME_DIR to a shorter folder", path);
    }
    strcpy(address.sun_path, path);
    free(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        if (errno == ENOENT) {
            warn("%s was started with --no-control: it cannot be asked anything", machine);
        } else {
            warn("cannot reach %s: %s", machine, strerror(errno));
        }
        exit(EXIT_MACHINE);
    }
    struct client *client = xcalloc(1, sizeof *client);
    client->machine = machine;
    client->fd = fd;
    client->next_id = 1;
    return client;
}

void client_close(struct client *client)
{
    close(client->fd);
    buffer_free(&client->in);
    free(client);
}

cJSON *client_request(const char *op)
{
    cJSON *request = cJSON_CreateObject();
    cJSON_AddStringToObject(request, "op", op);
    return request;
}

uint32_t client_send(struct client *client, cJSON *request, const void *body, uint32_t body_len)
{
    uint32_t id = client->next_id++;
    frame_set_id(request, id);
    struct buffer out = {0};
    frame_add(&out, request, body, body_len);
    cJSON_Delete(request);
    while (buffer_size(&out)) {
        ssize_t sent = send(client->fd, buffer_data(&out), buffer_size(&out), MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR) {
            break; /* its end is seen by receiving */
        }
        if (sent > 0) {
            buffer_drop(&out, (size_t)sent);
        }
    }
    buffer_free(&out);
    return id;
}

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* 1: an answer was taken out of the buffer; 0: not yet; -1: broken. */
static int take(struct client *client, struct answer *answer)
{
    struct frame frame;
    enum frame_state state = frame_peek(&client->in, &frame);
    if (state != FRAME_WHOLE) {
        return state == FRAME_PARTIAL ? 0 : -1;
    }
    *answer = (struct answer){frame_id(frame.header), frame.header, NULL, frame.body_len};
    if (frame.body_len) {
        answer->body = xcalloc(1, frame.body_len);
        memcpy(answer->body, frame.body, frame.body_len);
    }
    buffer_drop(&client->in, frame.size);
    return 1;
}

int client_receive(struct client *client, struct answer *answer, int timeout_ms, int wake)
{
    long long end = now_ms() + timeout_ms;
    for (;;) {
        int taken = take(client, answer);
        if (taken) {
            return taken;
        }
        long long left = timeout_ms == CLIENT_FOREVER ? -1 : end - now_ms();
        struct pollfd fds[2] = {{.fd = client->fd, .events = POLLIN},
                                {.fd = wake, .events = POLLIN}};
        int ready = poll(fds, 2, left < 0 ? (timeout_ms == CLIENT_FOREVER ? -1 : 0) : (int)left);
        if (ready == 0 || (ready > 0 && fds[1].revents && !fds[0].revents)) {
            return 0;
        }
        if (ready < 0) {
            if (errno == EINTR) {
                continue;
            }
            return -1;
        }
        uint8_t chunk[64 * 1024];
        ssize_t got = recv(client->fd, chunk, sizeof chunk, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return -1;
        }
        if (got > 0) {
            buffer_add(&client->in, chunk, (size_t)got);
        }
    }
}

void answer_free(struct answer *answer)
{
    cJSON_Delete(answer->header);
    free(answer->body);
    *answer = (struct answer){0};
}

bool answer_ok(const struct answer *answer)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer->header, "ok"));
}

bool answer_more(const struct answer *answer)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer->header, "more"));
}

const char *answer_reason(const struct answer *answer)
{
    return meta_string(answer->header, "reason", "refused without a reason");
}

bool client_try(struct client *client, cJSON *request, const void *body, uint32_t body_len,
                int timeout_ms, struct answer *answer)
{
    uint32_t id = client_send(client, request, body, body_len);
    for (;;) {
        int got = client_receive(client, answer, timeout_ms, -1);
        if (got == 0) {
            warn("%s does not answer: it is still booting, hangs, or its image was built without "
                 "the extension system",
                 client->machine);
            exit(EXIT_MACHINE);
        }
        if (got < 0) {
            warn("%s ended, or closed its control channel", client->machine);
            exit(EXIT_MACHINE);
        }
        if (answer->id == id) {
            return answer_ok(answer);
        }
        answer_free(answer); /* of a stream that was given up */
    }
}

static void die_refused(const struct answer *answer)
{
    const char *error = meta_string(answer->header, "error", "EIO");
    warn("%s (%s)", answer_reason(answer), error);
    exit(strcmp(error, "EPIPE") == 0 ? EXIT_MACHINE : 1);
}

struct answer client_call(struct client *client, cJSON *request)
{
    struct answer answer;
    if (!client_try(client, request, NULL, 0, CLIENT_TIMEOUT_MS, &answer)) {
        die_refused(&answer);
    }
    return answer;
}

struct answer client_collect(struct client *client, cJSON *request)
{
    struct answer whole = client_call(client, request);
    while (answer_more(&whole)) {
        struct answer next;
        int got = client_receive(client, &next, CLIENT_TIMEOUT_MS, -1);
        if (got != 1) {
            warn("%s ended in the middle of an answer", client->machine);
            exit(EXIT_MACHINE);
        }
        if (next.id != whole.id) {
            answer_free(&next);
            continue;
        }
        if (!answer_ok(&next)) {
            die_refused(&next);
        }
        if (next.body_len) {
            whole.body = xrealloc(whole.body, (size_t)whole.body_len + next.body_len);
            memcpy(whole.body + whole.body_len, next.body, next.body_len);
            whole.body_len += next.body_len;
        }
        cJSON_Delete(whole.header);
        free(next.body);
        whole.header = next.header;
    }
    return whole;
}
