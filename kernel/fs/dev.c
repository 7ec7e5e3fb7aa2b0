/* Devices in /dev: null, zero, full, random, urandom and the console. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include "fs/tree.h"
#include "init.h"
#include "log.h"
#include "posix/file.h"
#include "posix/internal.h"

static ssize_t null_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)file, (void)iov, (void)count, (void)offset;
    return 0;
}

static ssize_t null_write(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)file, (void)offset;
    return (ssize_t)iov_length(iov, count);
}

static ssize_t full_write(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)file, (void)iov, (void)count, (void)offset;
    return -ENOSPC;
}

static ssize_t zero_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)file, (void)offset;
    for (int i = 0; i < count; i++)
        memset(iov[i].iov_base, 0, iov[i].iov_len);
    return (ssize_t)iov_length(iov, count);
}

static ssize_t random_read(struct file *file, const struct iovec *iov, int count, off_t offset)
{
    (void)file, (void)offset;
    ssize_t done = 0;
    for (int i = 0; i < count; i++) {
        long got = posix_random(iov[i].iov_base, iov[i].iov_len);
        if (got < 0)
            return done ? done : got;
        done += got;
    }
    return done;
}

static int device_stat(struct file *file, struct stat *out)
{
    return node_stat(file->object, out);
}

static void device_release(struct file *file)
{
    node_release(file->object);
}

/* Console input: what the serial line brought since it was last read. */
enum { INPUT_SIZE = 256, END_OF_INPUT = 4 };
static struct {
    struct spinlock lock;
    struct wait_queue readers;
    char data[INPUT_SIZE];
    size_t used;
    struct file *file; /* the console that was opened first: who polls it is told */
} input = {.readers = {{0}, {&input.readers.waiters, &input.readers.waiters}}};

/* Interrupt context. Bytes beyond the buffer are lost, as on any serial line nobody reads. */
static void input_arrived(void)
{
    char bytes[16];
    size_t got;
    while ((got = console_read(bytes, sizeof bytes)) != 0) {
        cpu_irq_state state = spin_lock(&input.lock);
        for (size_t i = 0; i < got && input.used < INPUT_SIZE; i++)
            input.data[input.used++] = bytes[i] == '\r' ? '\n' : bytes[i];
        spin_unlock(&input.lock, state);
    }
    wait_wake(&input.readers, UINT32_MAX);
    if (input.file)
        file_notify(input.file);
}

void console_announce(struct file *file)
{
    input.file = file;
}

static bool input_waits(void *context)
{
    (void)context;
    return input.used != 0;
}

static ssize_t console_file_read(struct file *file, const struct iovec *iov, int count,
                                 off_t offset)
{
    (void)offset;
    size_t want = iov_length(iov, count);
    while (want) {
        char bytes[INPUT_SIZE];
        cpu_irq_state state = spin_lock(&input.lock);
        size_t n = input.used < want ? input.used : want;
        /* Control-D ends input where it stands first, as a terminal's line discipline has it. */
        char *end = memchr(input.data, END_OF_INPUT, n);
        bool ended = end == input.data;
        if (end && !ended)
            n = (size_t)(end - input.data);
        memcpy(bytes, input.data, n);
        size_t taken = ended ? 1 : n;
        input.used -= taken;
        memmove(input.data, input.data + taken, input.used);
        spin_unlock(&input.lock, state);
        if (ended)
            return 0;
        if (n)
            return (ssize_t)iov_fill(iov, count, 0, bytes, n);
        if (file->flags & O_NONBLOCK)
            return -EAGAIN;
        wait_until(&input.readers, input_waits, NULL, WAIT_FOREVER);
    }
    return 0;
}

static ssize_t console_file_write(struct file *file, const struct iovec *iov, int count,
                                  off_t offset)
{
    (void)file, (void)offset;
    for (int i = 0; i < count; i++)
        console_write(iov[i].iov_base, iov[i].iov_len);
    return (ssize_t)iov_length(iov, count);
}

static unsigned console_poll(struct file *file)
{
    (void)file;
    return POLLOUT | POLLWRNORM | (input.used ? POLLIN | POLLRDNORM : 0);
}

static int console_ioctl(struct file *file, unsigned long request, unsigned long argument)
{
    (void)file;
    switch (request) {
    case TIOCGWINSZ: *(struct winsize *)argument = (struct winsize){24, 80, 0, 0}; return 0;
    case TCGETS:
        memset((void *)argument, 0, offsetof(struct termios, c_cc));
        ((struct termios *)argument)->c_iflag = ICRNL;
        ((struct termios *)argument)->c_cflag = CS8 | CREAD;
        return 0;
    case TCSETS:
    case TCSETSW:
    case TCSETSF: return 0;
    case FIONREAD: *(int *)argument = (int)input.used; return 0;
    default: return -ENOTTY;
    }
}

const struct file_ops console_ops = {.name = "console",
                                     .read = console_file_read,
                                     .write = console_file_write,
                                     .stat = device_stat,
                                     .ioctl = console_ioctl,
                                     .poll = console_poll,
                                     .release = device_release};

#define DEVICE_OPS(reader, writer)                                                                 \
    {                                                                                              \
        .name = "device", .read = reader, .write = writer, .stat = device_stat,                    \
        .release = device_release                                                                  \
    }
static const struct file_ops null_ops = DEVICE_OPS(null_read, null_write);
static const struct file_ops zero_ops = DEVICE_OPS(zero_read, null_write);
static const struct file_ops full_ops = DEVICE_OPS(zero_read, full_write);
static const struct file_ops random_ops = DEVICE_OPS(random_read, null_write);

/* Names and numbers are Linux's. */
static const struct {
    const char *path;
    const struct file_ops *ops;
    uint32_t device;
} devices[] = {
    {"dev/null", &null_ops, 0x103},      {"dev/zero", &zero_ops, 0x105},
    {"dev/full", &full_ops, 0x107},      {"dev/random", &random_ops, 0x108},
    {"dev/urandom", &random_ops, 0x109}, {"dev/console", &console_ops, 0x501},
    {"dev/tty", &console_ops, 0x500},
};

static int devices_init(void)
{
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        struct node *node;
        int error = tree_make(devices[i].path, NODE_DEVICE, 0666, &node);
        if (error)
            return error;
        node->ops = devices[i].ops;
        node->device = devices[i].device;
    }
    return console_on_input(input_arrived);
}
INIT(3, devices_init);
