/* The guest of port_test.py, a kernel without C program: echoes what arrives at the port
 * org.quince.control, and sends without end to whoever connects to the port flood. */
#include <string.h>
#include "arch/cpu.h"
#include "drivers/port.h"
#include "include/init.h"
#include "include/log.h"
#include "sched/thread.h"
#include "sched/sync.h"
#include "time/clock.h"

enum { STACK = 32 << 10 };

static void echo(void *unused)
{
    (void)unused;
    struct port *port = port_find("org.quince.control");
    static char buffer[5000];
    klog(LOG_WARN, port ? "port found" : "port missing");
    while (port) {
        int n = port_read(port, buffer, sizeof buffer, WAIT_FOREVER);
        if (n == 0)
            klog(LOG_WARN, "hung up");
        else if (n >= 4 && memcmp(buffer, "exit", 4) == 0)
            cpu_exit(0);
        else if (n > 0)
            port_write(port, buffer, (size_t)n);
    }
}

/* The host may stop reading, or leave in the middle: neither may hurt anybody else. */
static void flood(void *unused)
{
    (void)unused;
    struct port *port = port_find("flood");
    static char data[20000];
    memset(data, 'f', sizeof data);
    while (port) {
        if (port_write(port, data, sizeof data) < 0)
            thread_sleep_until(clock_now() + 10 * NS_PER_MS);
    }
}

void application_start(void)
{
    klog(LOG_WARN, port_find("nobody") ? "a port that is not there" : "no such port");
    thread_create("echo", echo, NULL, STACK, THREAD_PRIORITY_DEFAULT);
    thread_create("flood", flood, NULL, STACK, THREAD_PRIORITY_DEFAULT);
}
