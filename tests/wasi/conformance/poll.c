/* poll_oneoff: clocks and descriptors. The runner gives standard input "typed" and ends it. */
#include <string.h>

#include "wasi1.h"

static const u64 MS = 1000000;

static struct subscription clock_of(u64 userdata, u32 id, u64 timeout, uint16_t flags)
{
    struct subscription s = {.userdata = userdata, .tag = 0};
    s.clock.id = id;
    s.clock.timeout = timeout;
    s.clock.flags = flags;
    return s;
}

static struct subscription on(u64 userdata, uint8_t tag, u32 fd)
{
    struct subscription s = {.userdata = userdata, .tag = tag};
    s.fd = fd;
    return s;
}

static u64 monotonic(void)
{
    u64 t = 0;
    clock_time_get(1, 0, P(&t));
    return t;
}

void test_poll(void)
{
    enum { ABSOLUTE = 1, READ = 1, WRITE = 2 };
    struct event e[8];
    struct subscription s[8];
    u32 n = 77;
    u64 start = monotonic(), now = 0;
    s[0] = clock_of(5, 1, 20 * MS, 0);
    is(poll_oneoff(P(s), P(e), 1, P(&n)), SUCCESS, "poll_oneoff: 20 ms");
    is(monotonic() - start >= 20 * MS, 1, "  have gone");
    is(n == 1 && e[0].userdata == 5 && e[0].error == 0 && e[0].type == 0, 1,
       "  one event: the clock");
    start = monotonic();
    s[0] = clock_of(6, 1, start + 20 * MS, ABSOLUTE);
    is(poll_oneoff(P(s), P(e), 1, P(&n)), SUCCESS, "poll_oneoff: until then");
    is(monotonic() >= start + 20 * MS, 1, "  it is then");
    clock_time_get(0, 0, P(&now));
    s[0] = clock_of(7, 0, now + 20 * MS, ABSOLUTE);
    is(poll_oneoff(P(s), P(e), 1, P(&n)), SUCCESS, "poll_oneoff: until then by the wall's clock");
    is(n == 1 && e[0].userdata == 7, 1, "  one event");
    s[0] = clock_of(8, 1, 1, ABSOLUTE);
    s[1] = clock_of(9, 1, 3600000 * MS, 0);
    is(poll_oneoff(P(s), P(e), 2, P(&n)), SUCCESS, "poll_oneoff: one long past, one far off");
    is(n == 1 && e[0].userdata == 8, 1, "  the first");
    s[0] = clock_of(1, 2, MS, 0);
    is(poll_oneoff(P(s), P(e), 1, P(&n)), SUCCESS,
       "poll_oneoff: a clock that stands still meanwhile");
    is(n == 1 && e[0].error == NOTSUP, 1, "  is an event that says so");
    s[0] = clock_of(1, 9, MS, 0);
    is(poll_oneoff(P(s), P(e), 1, P(&n)), SUCCESS, "poll_oneoff: no such clock");
    is(n == 1 && e[0].error == INVAL, 1, "  is an event that says so");

    u32 file = opened("file.txt", 0, R_READ | R_POLL | R_SEEK | R_TELL, 0);
    s[0] = on(1, READ, file);
    s[1] = clock_of(2, 1, 3600000 * MS, 0);
    is(poll_oneoff(P(s), P(e), 2, P(&n)), SUCCESS, "poll_oneoff: a file");
    is(n == 1 && e[0].userdata == 1 && e[0].type == READ && e[0].error == 0, 1, "  can be read");
    s[0] = on(3, READ, 77);
    s[1] = clock_of(2, 1, 3600000 * MS, 0);
    is(poll_oneoff(P(s), P(e), 2, P(&n)), SUCCESS, "poll_oneoff: a descriptor that is not open");
    is(n == 1 && e[0].userdata == 3 && e[0].error == BADF, 1, "  is an event that says so");
    s[0] = on(3, WRITE, file);
    is(poll_oneoff(P(s), P(e), 2, P(&n)), SUCCESS, "poll_oneoff: to write what can only be read");
    is(n == 1 && e[0].error == NOTCAPABLE, 1, "  is an event that says so");
    is(fd_fdstat_set_rights(file, R_READ, 0), SUCCESS, "without the right to wait");
    s[0] = on(3, READ, file);
    is(poll_oneoff(P(s), P(e), 2, P(&n)), SUCCESS, "  waited all the same");
    is(n == 1 && e[0].error == NOTCAPABLE, 1, "  is an event that says so");
    is(fd_close(file), SUCCESS, "closed");

    s[0] = on(10, READ, 0);
    s[1] = clock_of(11, 1, 5000 * MS, 0);
    is(poll_oneoff(P(s), P(e), 2, P(&n)), SUCCESS, "poll_oneoff: standard input");
    is(n == 1 && e[0].userdata == 10 && e[0].bytes == 5, 1, "  has five bytes");
    char text[16];
    is(read_text(0, text, sizeof(text)), SUCCESS, "  read");
    is(same(text, "typed", 6), 1, "  they are");
    is(poll_oneoff(P(s), P(e), 2, P(&n)), SUCCESS, "poll_oneoff: at its end");
    is(n == 1 && e[0].userdata == 10 && (e[0].flags & 1), 1, "  it has hung up");
    is(read_text(0, text, sizeof(text)), SUCCESS, "  reads");
    is(text[0], 0, "  nothing");
    is(read_text(0, text, sizeof(text)), SUCCESS, "  and again");
    is(text[0], 0, "  nothing");
    s[0] = on(12, WRITE, 1);
    s[1] = on(13, WRITE, 2);
    s[2] = clock_of(14, 1, 0, 0);
    is(poll_oneoff(P(s), P(e), 3, P(&n)), SUCCESS, "poll_oneoff: three at once");
    is(n, 3, "  are three events");
    is(e[0].userdata == 12 && e[1].userdata == 13 && e[2].userdata == 14, 1, "  in their order");
    s[0] = on(15, READ, LISTENER);
    s[1] = clock_of(16, 1, 20 * MS, 0);
    is(poll_oneoff(P(s), P(e), 2, P(&n)), SUCCESS, "poll_oneoff: a listener nobody calls");
    is(n == 1 && e[0].userdata == 16, 1, "  times out");

    is(poll_oneoff(P(s), P(e), 0, P(&n)), INVAL, "poll_oneoff: nothing");
    s[0].tag = 3;
    is(poll_oneoff(P(s), P(e), 1, P(&n)), INVAL, "poll_oneoff: no such kind");
    s[0] = clock_of(1, 1, 0, 0);
    is(poll_oneoff(OUTSIDE, P(e), 1, P(&n)), FAULT, "poll_oneoff: subscriptions outside");
    is(poll_oneoff(P(s), OUTSIDE, 1, P(&n)), FAULT, "poll_oneoff: events outside");
    is(poll_oneoff(P(s), P(e), 1, OUTSIDE), FAULT, "poll_oneoff: count outside");
    is(poll_oneoff(P(s), P(e), 0x05555556, P(&n)) != SUCCESS, 1,
       "poll_oneoff: a count that overflows");
}
