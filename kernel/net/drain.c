/* The end of the machine: what programs have sent is with their peers before it goes, as on a
 * system that outlives its programs. */
#include <lwip/priv/tcp_priv.h>
#include "net/stack.h"
#include "sched/thread.h"
#include "time/clock.h"

static bool is_sending(void)
{
    bool sending = false;
    net_lock();
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb && !sending; pcb = pcb->next)
        sending = pcb->unsent || pcb->unacked;
    net_unlock();
    return sending;
}

void net_drain(uint64_t deadline)
{
    while (is_sending() && clock_now() < deadline)
        thread_sleep_until(clock_now() + NS_PER_MS);
}
