/* /etc/resolv.conf, where the C library looks for name servers: made from what DHCP or the command
 * line gave, each time it is read, so that a program which starts before the answer came waits for
 * it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include "fs/tree.h"
#include "init.h"
#include "net/stack.h"
#include "posix/file.h"
#include "time/clock.h"

#include "lwip/dns.h"

enum { WAIT_S = 5, TEXT_MAX = DNS_MAX_SERVERS * (sizeof "nameserver \n" + IPADDR_STRLEN_MAX) };

static size_t make_text(char *text)
{
    static const char keyword[] = "nameserver ";
    size_t len = 0;
    net_wait_configured(clock_now() + WAIT_S * NS_PER_S);
    net_lock();
    for (u8_t i = 0; i < DNS_MAX_SERVERS; i++) {
        const ip_addr_t *server = dns_getserver(i);
        if (ip_addr_isany(server))
            continue;
        memcpy(text + len, keyword, sizeof keyword - 1);
        len += sizeof keyword - 1;
        ipaddr_ntoa_r(server, text + len, IPADDR_STRLEN_MAX);
        len += strlen(text + len);
        text[len++] = '\n';
    }
    net_unlock();
    return len;
}

static ssize_t resolver_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)file;
    char text[TEXT_MAX];
    size_t len = make_text(text), from = offset < 0 ? 0 : (size_t)offset, done = 0;
    for (int i = 0; i < count && from + done < len; i++) {
        size_t piece = len - from - done;
        if (piece > iov[i].iov_len)
            piece = iov[i].iov_len;
        memcpy(iov[i].iov_base, text + from + done, piece);
        done += piece;
    }
    return (ssize_t)done;
}

static off_t resolver_seek(struct file *file, off_t offset, int whence)
{
    if (whence == SEEK_CUR)
        offset += file->offset;
    else if (whence != SEEK_SET)
        return -EINVAL;
    return offset < 0 ? -EINVAL : offset;
}

static int resolver_stat(struct file *file, struct stat *out)
{
    return node_stat(file->object, out);
}

static void resolver_release(struct file *file)
{
    node_release(file->object);
}

static const struct file_ops resolver_ops = {
    .name = "resolv.conf",
    .read = resolver_read,
    .seek = resolver_seek,
    .stat = resolver_stat,
    .release = resolver_release,
};

static int resolver_start(void)
{
    struct node *node;
    int error = tree_make("etc/resolv.conf", NODE_DEVICE, 0444, &node);
    if (error == -EEXIST)
        return 0; /* the image brings its own */
    if (error < 0)
        return error;
    node->ops = &resolver_ops;
    return 0;
}
INIT(6, resolver_start);
