/* Time: how long a call of an extension may take, and how long its calls took. The engine ends a
 * call that is over its limit (the timer interrupt rewrites where it goes on); this decides limits
 * and keeps the books. */
#ifndef QUINCE_EXTEND_BUDGET_H
#define QUINCE_EXTEND_BUDGET_H

#include "extend/manifest.h"

struct budget {
    uint64_t call_ns; /* a packet, a timer, the farewell */
    uint64_t init_ns; /* instantiation and _initialize together */
};
struct usage {
    uint64_t runs, time_ns, longest_ns;
};

/* What the manifest asks for, cut to the operator's limit (0: none). */
struct budget budget_decide(const struct manifest *manifest, uint64_t limit_ns);
static inline void usage_add(struct usage *usage, uint64_t ns)
{
    usage->runs++;
    usage->time_ns += ns;
    if (ns > usage->longest_ns) {
        usage->longest_ns = ns;
    }
}

/* Lines an extension may log: a bucket of LOG_BURST that refills with LOG_RATE per second, so that
 * no extension floods the console. */
enum { LOG_BURST = 100, LOG_RATE = 20 };
struct log_bucket {
    uint64_t filled_at;
    uint32_t lines;
    uint32_t dropped; /* since the last line that went through */
};
/* Takes one line out of the bucket; false: it is empty. */
bool log_bucket_take(struct log_bucket *bucket, uint64_t now);

#endif
