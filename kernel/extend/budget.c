/* Limits in time: see budget.h. */
#include "extend/budget.h"

struct budget budget_decide(const struct manifest *manifest, uint64_t limit_ns)
{
    struct budget budget = {manifest->budget_ns, manifest->init_budget_ns};
    if (limit_ns && limit_ns < budget.call_ns) {
        budget.call_ns = limit_ns > MANIFEST_BUDGET_MIN ? limit_ns : MANIFEST_BUDGET_MIN;
    }
    return budget;
}

bool log_bucket_take(struct log_bucket *bucket, uint64_t now)
{
    const uint64_t per_line = 1000000000ull / LOG_RATE;
    uint64_t refill = (now - bucket->filled_at) / per_line;
    if (bucket->filled_at == 0 || refill >= LOG_BURST) {
        bucket->lines = LOG_BURST;
        bucket->filled_at = now;
    } else if (refill) {
        uint32_t lines = bucket->lines + (uint32_t)refill;
        bucket->lines = lines > LOG_BURST ? LOG_BURST : lines;
        bucket->filled_at += refill * per_line;
    }
    if (bucket->lines == 0) {
        bucket->dropped++;
        return false;
    }
    bucket->lines--;
    return true;
}
