/* Reading requests and sending answers: see control.h. The host is trusted to own the machine, but
 * not to send well-formed bytes. */
#include "extend/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "drivers/port.h"
#include "extend/report.h"
#include "extend/wire.h"
#include "init.h"
#include "log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"

enum { CONTROL_STACK = 64 * 1024 };

static struct port *port;
static struct mutex send_lock; /* frames are written whole */

static int read_port(void *context, void *buffer, size_t size)
{
    (void)context;
    return port_read(port, buffer, size, WAIT_FOREVER);
}

static const struct wire wire = {read_port, NULL};

void control_request_free(struct control_request *request)
{
    cJSON_Delete(request->header);
    kfree(request->body);
    kfree(request);
}

cJSON *control_answer(uint32_t id)
{
    cJSON *header = cJSON_CreateObject();
    report_number(header, "id", id);
    cJSON_AddTrueToObject(header, "ok");
    return header;
}

static bool send(const char *header, const void *body, uint32_t body_len)
{
    size_t len = strlen(header);
    uint8_t prefix[WIRE_PREFIX];
    wire_prefix(prefix, (uint32_t)len, body_len);
    mutex_lock(&send_lock);
    int result = port_write(port, prefix, sizeof prefix);
    if (result >= 0) {
        result = port_write(port, header, len);
    }
    if (result >= 0 && body_len) {
        result = port_write(port, body, body_len);
    }
    mutex_unlock(&send_lock);
    return result >= 0;
}

bool control_send(uint32_t id, cJSON *header, const void *body, uint32_t body_len)
{
    char *text = header ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    if (text) {
        bool sent = send(text, body, body_len);
        cJSON_free(text);
        return sent;
    }
    char fallback[96];
    snprintf(fallback, sizeof fallback,
             "{\"id\":%u,\"ok\":false,\"error\":\"ENOMEM\",\"reason\":\"out of memory\"}", id);
    return send(fallback, NULL, 0);
}

void control_refuse(uint32_t id, int error, const char *format, ...)
{
    char reason[EXTENSION_REASON];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    cJSON *header = cJSON_CreateObject();
    report_number(header, "id", id);
    cJSON_AddFalseToObject(header, "ok");
    cJSON_AddStringToObject(header, "error", report_errno(error));
    cJSON_AddStringToObject(header, "reason", reason);
    control_send(id, header, NULL, 0);
}

/* The body of a request: in *BODY, or read to its end and refused. 0, or -EPIPE. */
static int read_body(uint32_t id, uint32_t len, uint8_t **body)
{
    *body = NULL;
    if (len == 0) {
        return 0;
    }
    /* What is to be done with it takes as much again, and the application must go on. */
    struct frame_stats frames;
    frame_stats(&frames);
    uint64_t room = frames.free * PAGE_SIZE / 2;
    *body = len <= room ? kmalloc(len) : NULL;
    int error = *body ? wire_read_all(&wire, *body, len) : wire_drain(&wire, len);
    if (error) {
        kfree(*body);
    } else if (!*body) {
        control_refuse(id, -ENOMEM, "a body of %u bytes does not fit into memory: %llu bytes free",
                       len, (unsigned long long)(frames.free * PAGE_SIZE));
    }
    return error;
}

/* What the request is called; 0: it has no usable number. */
static uint32_t request_id(const cJSON *header)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(header, "id");
    bool good = cJSON_IsNumber(id) && id->valuedouble >= 1 && id->valuedouble <= UINT32_MAX;
    return good ? (uint32_t)id->valuedouble : 0;
}

/* Reads one request and has it handled. 0, -EPIPE or -EPROTO. */
static int serve(char *text)
{
    uint32_t header_len, body_len;
    int error = wire_read_prefix(&wire, &header_len, &body_len);
    if (error == 0) {
        error = wire_read_all(&wire, text, header_len);
    }
    if (error) {
        return error;
    }
    cJSON *header = cJSON_ParseWithLength(text, header_len);
    uint32_t id = request_id(header);
    struct control_request *request = kmalloc(sizeof *request);
    const char *wrong = !request                  ? "out of memory"
                        : !header                 ? "the header is not JSON"
                        : !cJSON_IsObject(header) ? "the header is not an object"
                        : !id                     ? "id: not a number from 1 to 4294967295"
                                                  : NULL;
    if (wrong) {
        error = wire_drain(&wire, body_len);
        if (error == 0) {
            control_refuse(id, request ? -EINVAL : -ENOMEM, "%s", wrong);
        }
        cJSON_Delete(header);
        kfree(request);
        return error;
    }
    *request = (struct control_request){id, header, NULL, body_len};
    error = read_body(id, body_len, &request->body);
    if (error || (body_len && !request->body)) {
        control_request_free(request);
    } else {
        control_handle(request);
    }
    return error;
}

static void control_main(void *arg)
{
    char *text = arg;
    port = port_find("org.quince.control");
    if (!port || stream_start() != 0) {
        klog(port ? LOG_ERROR : LOG_DEBUG, "control: %s", port ? "out of memory" : "no such port");
        kfree(text);
        return;
    }
    for (;;) {
        int error = serve(text);
        if (error == -EPROTO) {
            klog(LOG_WARN, "control: not a frame; ignoring the host until it reconnects");
            char bin[256];
            while (read_port(NULL, bin, sizeof bin) > 0) {
            }
        }
        if (error) {
            stream_cancel_all();
        }
    }
}

static int control_start(void)
{
    cJSON_Hooks hooks = {kmalloc, kfree};
    cJSON_InitHooks(&hooks);
    char *text = kmalloc(WIRE_HEADER_MAX);
    struct thread *thread =
        text ? thread_create("control", control_main, text, CONTROL_STACK, THREAD_PRIORITY_DEFAULT)
             : NULL;
    if (!thread) {
        kfree(text);
        return -ENOMEM;
    }
    thread_detach(thread);
    return 0;
}
INIT(6, control_start);
