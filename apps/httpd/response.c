/* Making responses: a file of the tree below the root, or an error with a line of text. Head and
 * body leave in the same write whenever they fit. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "httpd.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {416, "Range Not Satisfiable"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

static const char *reason_of(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

static const char *type_of(const char *path)
{
    static const char *const types[][2] = {
        {"html", "text/html; charset=utf-8"},
        {"htm", "text/html; charset=utf-8"},
        {"css", "text/css; charset=utf-8"},
        {"js", "text/javascript; charset=utf-8"},
        {"mjs", "text/javascript; charset=utf-8"},
        {"json", "application/json"},
        {"txt", "text/plain; charset=utf-8"},
        {"md", "text/markdown; charset=utf-8"},
        {"xml", "application/xml"},
        {"svg", "image/svg+xml"},
        {"png", "image/png"},
        {"jpg", "image/jpeg"},
        {"jpeg", "image/jpeg"},
        {"gif", "image/gif"},
        {"webp", "image/webp"},
        {"ico", "image/x-icon"},
        {"wasm", "application/wasm"},
        {"pdf", "application/pdf"},
        {"woff2", "font/woff2"},
    };
    const char *dot = strrchr(path, '.');
    if (dot && !strchr(dot, '/'))
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (strcasecmp(dot + 1, types[i][0]) == 0)
                return types[i][1];
    return "application/octet-stream";
}

/* The time of day as HTTP writes it, made once per second and thread. */
static const char *date(void)
{
    static _Thread_local time_t last;
    static _Thread_local char text[32];
    time_t now = time(NULL);
    if (now != last || !*text) {
        struct tm parts;
        gmtime_r(&now, &parts);
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        last = now;
    }
    return text;
}

static void append(struct response *response, const char *text)
{
    size_t length = strlen(text);
    if (length <= OUTPUT_SIZE - response->used) {
        memcpy(response->output + response->used, text, length);
        response->used += length;
    }
}

static void append_number(struct response *response, uint64_t value)
{
    char digits[21], *at = digits + sizeof digits - 1;
    *at = '\0';
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    append(response, at);
}

static void begin(struct response *response, int status, const char *type, uint64_t length,
                  bool keep_alive)
{
    response->used = response->sent = 0;
    response->file = -1;
    response->left = 0;
    append(response, "HTTP/1.1 ");
    append_number(response, (uint64_t)status);
    append(response, " ");
    append(response, reason_of(status));
    append(response, "\r\nServer: quince-httpd\r\nDate: ");
    append(response, date());
    append(response, "\r\nContent-Type: ");
    append(response, type);
    append(response, "\r\nContent-Length: ");
    append_number(response, length);
    if (!keep_alive)
        append(response, "\r\nConnection: close");
    append(response, "\r\n");
}

void response_error(struct response *response, int status, bool head_only, bool keep_alive)
{
    char body[96];
    int length = snprintf(body, sizeof body, "%d %s\n", status, reason_of(status));
    begin(response, status, "text/plain; charset=utf-8", (uint64_t)length, keep_alive);
    if (status == 405)
        append(response, "Allow: GET, HEAD\r\n");
    append(response, "\r\n");
    if (!head_only)
        append(response, body);
}

/* A folder without its slash: relative links of its index would go wrong. */
static void redirect(struct response *response, const struct request *request)
{
    static const char safe[] = "-._~/!$&'()*+,;=:@";
    begin(response, 301, "text/plain; charset=utf-8", 0, request->keep_alive);
    append(response, "Location: ");
    for (const char *c = request->path; *c; c++) {
        bool plain = (*c >= '0' && *c <= '9') || ((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z') ||
                     strchr(safe, *c);
        char encoded[4];
        snprintf(encoded, sizeof encoded, plain ? "%c" : "%%%02X", (unsigned char)*c);
        append(response, encoded);
    }
    append(response, "/\r\n\r\n");
}

/* The open file behind a path, or -1 with errno; a folder's is its index.html. */
static int open_path(const char *path, struct stat *status, bool *folder)
{
    char full[2 * PATH_LIMIT];
    size_t length = strlen(path);
    *folder = false;
    bool index = path[length - 1] == '/';
    if (snprintf(full, sizeof full, "%s%s%s", settings.root, path, index ? "index.html" : "") >=
        (int)sizeof full) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int file = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return -1;
    if (fstat(file, status) == 0 && S_ISREG(status->st_mode))
        return file;
    *folder = S_ISDIR(status->st_mode);
    close(file);
    errno = ENOENT;
    return -1;
}

/* false: the range lies outside of the file. */
static bool cut_range(const struct request *request, uint64_t size, uint64_t *start,
                      uint64_t *length)
{
    uint64_t end = request->range_end;
    if (request->range_start == UINT64_MAX) {
        *start = end < size ? size - end : 0;
        *length = size - *start;
        return end > 0 && size > 0;
    }
    *start = request->range_start;
    if (*start >= size)
        return false;
    *length = (end < size - 1 ? end : size - 1) - *start + 1;
    return true;
}

void response_make(struct response *response, const struct request *request)
{
    bool head_only = request->method == METHOD_HEAD, folder;
    struct stat status;
    if (request->method == METHOD_OTHER) {
        response_error(response, 405, false, request->keep_alive);
        return;
    }
    int file = open_path(request->path, &status, &folder);
    if (file < 0 && folder) {
        redirect(response, request);
        return;
    }
    if (file < 0) {
        int code = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG || errno == ELOOP
                       ? 404
                   : errno == EACCES ? 403
                                     : 500;
        response_error(response, code, head_only, request->keep_alive);
        return;
    }
    uint64_t size = (uint64_t)status.st_size, start = 0, length = size;
    bool partial = request->has_range && request->method == METHOD_GET;
    if (partial && !cut_range(request, size, &start, &length)) {
        close(file);
        response_error(response, 416, head_only, request->keep_alive);
        return;
    }
    const char *name = request->path[strlen(request->path) - 1] == '/' ? "i.html" : request->path;
    begin(response, partial ? 206 : 200, type_of(name), length, request->keep_alive);
    if (partial) {
        append(response, "Content-Range: bytes ");
        append_number(response, start);
        append(response, "-");
        append_number(response, start + length - 1);
        append(response, "/");
        append_number(response, size);
        append(response, "\r\n");
    }
    append(response, "Accept-Ranges: bytes\r\n\r\n");
    if (head_only || length == 0) {
        close(file);
        return;
    }
    response->file = file;
    response->offset = start;
    response->left = length;
    if (!response_refill(response)) {
        response_end(response);
        response_error(response, 500, false, false);
    }
}

bool response_refill(struct response *response)
{
    if (response->sent && response->sent == response->used)
        response->used = response->sent = 0;
    size_t room = OUTPUT_SIZE - response->used;
    if (room > response->left)
        room = (size_t)response->left;
    if (room == 0)
        return true;
    ssize_t got =
        pread(response->file, response->output + response->used, room, (off_t)response->offset);
    if (got <= 0)
        return false; /* it shrank: the promised length cannot be kept */
    response->used += (size_t)got;
    response->offset += (uint64_t)got;
    response->left -= (uint64_t)got;
    if (response->left == 0)
        response_end(response);
    return true;
}

void response_end(struct response *response)
{
    if (response->file >= 0)
        close(response->file);
    response->file = -1;
    response->left = 0;
}
