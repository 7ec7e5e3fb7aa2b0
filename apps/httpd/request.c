/* Parsing requests. Everything comes from strangers: lengths are checked, nothing is copied unless
 * it fits, and what is not HTTP is refused rather than guessed at. */
#include <string.h>
#include <strings.h>

#include "httpd.h"

size_t request_head(const char *data, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        const char *end = memchr(data + i, '\n', size - i - 1);
        if (!end)
            return 0;
        i = (size_t)(end - data);
        if (end[1] == '\n')
            return i + 2;
        if (end[1] == '\r' && i + 2 < size && end[2] == '\n')
            return i + 3;
    }
    return 0;
}

static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Digits only, no sign; false: something else or beyond 2^63. */
static bool number(const char *text, size_t length, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || *value > (UINT64_MAX >> 1) / 10 - 1)
            return false;
        *value = *value * 10 + (uint64_t)(text[i] - '0');
    }
    return length > 0;
}

/* The path of a request's target: decoded, "." and empty parts dropped, ".." taken back. */
static int parse_target(const char *target, size_t length, char path[PATH_LIMIT])
{
    if (length > 7 && strncasecmp(target, "http://", 7) == 0) { /* as sent to a proxy */
        const char *slash = memchr(target + 7, '/', length - 7);
        length = slash ? length - (size_t)(slash - target) : 0;
        target = slash;
        if (!slash) {
            target = "/";
            length = 1;
        }
    }
    if (length == 0 || target[0] != '/')
        return 400;
    size_t used = 0, part = 0; /* PART: where the current component starts, after its slash */
    for (size_t i = 0; i <= length; i++) {
        char c = i < length ? target[i] : '/';
        bool end = i == length;
        if (c == '?' || c == '#')
            end = true;
        if (c == '%' && !end) {
            int high = i + 2 < length ? hex(target[i + 1]) : -1;
            int low = i + 2 < length ? hex(target[i + 2]) : -1;
            if (high < 0 || low < 0)
                return 400;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if ((unsigned char)c < ' ' || c == 0x7f)
            return 400;
        if (c == '/' || end) {
            size_t size = used - part;
            if (size == 1 && path[part] == '.') {
                used = part;
            } else if (size == 2 && path[part] == '.' && path[part + 1] == '.') {
                if (part < 2)
                    return 400; /* out of the tree */
                used = part - 1;
                while (used > 0 && path[used - 1] != '/')
                    used--;
            }
            if (end)
                break;
            if (used > 0 && path[used - 1] == '/') {
                part = used;
                continue;
            }
        }
        if (used + 1 >= PATH_LIMIT)
            return 414;
        path[used++] = c;
        if (c == '/')
            part = used;
    }
    path[used] = '\0';
    return 200;
}

/* "bytes=A-B", one range; others are ignored, as the standard allows. */
static void parse_range(const char *value, size_t length, struct request *request)
{
    if (length < 8 || strncasecmp(value, "bytes=", 6) != 0)
        return;
    value += 6;
    length -= 6;
    const char *dash = memchr(value, '-', length);
    if (!dash)
        return;
    size_t first = (size_t)(dash - value), second = length - first - 1;
    uint64_t start = UINT64_MAX, end = UINT64_MAX;
    if (first && !number(value, first, &start))
        return;
    if (second && !number(dash + 1, second, &end))
        return;
    if ((!first && !second) || (first && second && end < start))
        return;
    request->has_range = true;
    request->range_start = start;
    request->range_end = end;
}

/* Whether a comma-separated list has WORD. */
static bool list_has(const char *list, size_t length, const char *word)
{
    size_t size = strlen(word);
    while (length) {
        while (length && (*list == ' ' || *list == ',' || *list == '\t')) {
            list++;
            length--;
        }
        size_t item = 0;
        while (item < length && list[item] != ',')
            item++;
        size_t trimmed = item;
        while (trimmed && (list[trimmed - 1] == ' ' || list[trimmed - 1] == '\t'))
            trimmed--;
        if (trimmed == size && strncasecmp(list, word, size) == 0)
            return true;
        list += item;
        length -= item;
    }
    return false;
}

struct seen {
    bool host, length;
};

static int parse_field(const char *line, size_t length, struct request *request, struct seen *seen)
{
    size_t name = 0;
    while (name < length && is_token(line[name]))
        name++;
    if (name == 0 || name == length || line[name] != ':')
        return 400; /* continuation lines too: long forbidden */
    const char *value = line + name + 1;
    size_t size = length - name - 1;
    while (size && (*value == ' ' || *value == '\t')) {
        value++;
        size--;
    }
    while (size && (value[size - 1] == ' ' || value[size - 1] == '\t'))
        size--;
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
            return 400;
#define FIELD(text) (name == sizeof(text) - 1 && strncasecmp(line, text, name) == 0)
    if (FIELD("host")) {
        if (seen->host)
            return 400;
        seen->host = true;
    } else if (FIELD("content-length")) {
        uint64_t body;
        if (!number(value, size, &body) || (seen->length && body != request->body_length))
            return 400;
        request->body_length = body;
        seen->length = true;
    } else if (FIELD("transfer-encoding")) {
        return 501; /* a body whose end we would have to guess */
    } else if (FIELD("connection")) {
        if (list_has(value, size, "close"))
            request->keep_alive = false;
        else if (list_has(value, size, "keep-alive"))
            request->keep_alive = true;
    } else if (FIELD("range")) {
        parse_range(value, size, request);
    }
#undef FIELD
    return 200;
}

static int parse_line(const char *line, size_t length, struct request *request, bool *is_1_1)
{
    size_t method = 0;
    while (method < length && is_token(line[method]))
        method++;
    if (method == 0 || method == length || line[method] != ' ')
        return 400;
    request->method = METHOD_OTHER;
    if (method == 3 && memcmp(line, "GET", 3) == 0)
        request->method = METHOD_GET;
    else if (method == 4 && memcmp(line, "HEAD", 4) == 0)
        request->method = METHOD_HEAD;

    const char *target = line + method + 1;
    size_t rest = length - method - 1;
    const char *space = memchr(target, ' ', rest);
    if (!space)
        return 400; /* HTTP/0.9 is not spoken */
    size_t target_length = (size_t)(space - target);
    const char *version = space + 1;
    if (rest - target_length - 1 != 8 || memcmp(version, "HTTP/", 5) != 0 || version[6] != '.' ||
        version[5] < '0' || version[5] > '9' || version[7] < '0' || version[7] > '9')
        return 400;
    if (version[5] != '1')
        return 505;
    *is_1_1 = version[7] != '0';
    request->keep_alive = *is_1_1;
    if (request->method == METHOD_OTHER && target_length == 1 && *target == '*') {
        strcpy(request->path, "/"); /* OPTIONS * */
        return 200;
    }
    return parse_target(target, target_length, request->path);
}

int request_parse(const char *head, size_t length, struct request *request)
{
    struct seen seen = {0};
    bool first = true, is_1_1 = false;
    /* The path is written by its parser; clearing a kilobyte for each request would be waste. */
    request->keep_alive = request->has_range = false;
    request->body_length = 0;
    request->method = METHOD_OTHER;
    while (length) {
        const char *end = memchr(head, '\n', length);
        if (!end)
            return 400;
        size_t line = (size_t)(end - head), taken = line + 1;
        if (line && head[line - 1] == '\r')
            line--;
        if (line == 0 && !first)
            break;
        int status = first ? parse_line(head, line, request, &is_1_1)
                           : parse_field(head, line, request, &seen);
        if (status != 200)
            return status;
        first = false;
        head += taken;
        length -= taken;
    }
    if (first || (is_1_1 && !seen.host))
        return 400;
    return request->body_length > BODY_MAX ? 413 : 200;
}
