/* The kernel log: a ring of text that the control channel reads, and lines to the console. */
#include "include/log.h"
#include <string.h>
#include "include/boot.h"
#include "sched/sync.h"
#include "time/clock.h"

enum { RING_SIZE = 16384, LINE_SIZE = 256 };

static struct spinlock lock;
static char ring[RING_SIZE];
static uint64_t written; /* bytes ever; the ring holds the last RING_SIZE of them */
static int console_level = -1;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Read at the first line rather than by an init entry: the log works from the first moment. */
static enum log_level wanted_level(void)
{
    char value[8];
    console_level = LOG_WARN;
    if (boot_option("loglevel", value, sizeof value) > 0) {
        for (int i = 0; i <= LOG_DEBUG; i++) {
            if (strcmp(value, level_names[i]) == 0)
                console_level = i;
        }
    }
    return (enum log_level)console_level;
}

void klog(enum log_level level, const char *text, ...)
{
    char line[LINE_SIZE];
    uint64_t us = clock_now() / NS_PER_US;
    int head = format(line, sizeof line, "[%5llu.%06llu] %s: ", (unsigned long long)(us / 1000000),
                      (unsigned long long)(us % 1000000), level_names[level]);
    va_list arguments;
    va_start(arguments, text);
    int body = format_text(line + head, sizeof line - (size_t)head, text, arguments);
    va_end(arguments);
    size_t length = (size_t)(head + body);
    if (length > sizeof line - 2)
        length = sizeof line - 2;
    line[length++] = '\n';

    cpu_irq_state state = spin_lock(&lock);
    for (size_t i = 0; i < length; i++)
        ring[(written + i) % RING_SIZE] = line[i];
    written += length;
    bool shown = level <= (console_level < 0 ? wanted_level() : (enum log_level)console_level);
    if (shown)
        console_write(line, length);
    spin_unlock(&lock, state);
}

size_t klog_read(uint64_t *cursor, char *buffer, size_t size)
{
    cpu_irq_state state = spin_lock(&lock);
    uint64_t oldest = written > RING_SIZE ? written - RING_SIZE : 0;
    if (*cursor < oldest || *cursor > written) {
        /* Start with a whole line. */
        *cursor = oldest;
        while (oldest && *cursor < written && ring[(*cursor)++ % RING_SIZE] != '\n')
            ;
    }
    size_t count = 0;
    while (count < size && *cursor < written)
        buffer[count++] = ring[(*cursor)++ % RING_SIZE];
    spin_unlock(&lock, state);
    return count;
}
