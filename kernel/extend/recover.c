/* What happens when an extension faults: its copy is taken out at once, a fresh one comes after a
 * pause, and after three strikes it is quarantined.
 *
 * A strike is taken back when the extension has then run well for long enough. Time-outs are taken
 * back sooner: the clock goes on while the machine itself is not running (another guest has the
 * processor), which is not the extension's fault, and one that loops times out on every call. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "extend/extension.h"
#include "extend/hook.h"
#include "extend/worker.h"
#include "log.h"
#include "mm/heap.h"
#include "time/clock.h"

#define FORGIVEN_AFTER (600 * NS_PER_S)
enum { FORGIVEN_RUNS = 1000 };

static const uint64_t pauses[EXTENSION_STRIKES] = {0, 50 * NS_PER_MS, 250 * NS_PER_MS};

enum verdict extension_fault_verdict(const struct extension *ext)
{
    return ext->manifest.on_fault == ON_FAULT_DROP ? VERDICT_DROP : VERDICT_PASS;
}

void extension_note(struct extension *ext, const char *fault, const char *backtrace)
{
    cpu_irq_state state = spin_lock(&ext->note_lock);
    if (fault) {
        snprintf(ext->last_fault, sizeof ext->last_fault, "%s", fault);
    }
    if (backtrace) {
        snprintf(ext->backtrace, sizeof ext->backtrace, "%s", backtrace);
    }
    spin_unlock(&ext->note_lock, state);
}

/* Counts a fault: sets when to try again, or quarantines. */
static void strike(struct extension *ext, bool timeout)
{
    uint64_t now = clock_now();
    ext->faults++;
    bool forgiven =
        now - ext->last_fault_at > FORGIVEN_AFTER || (timeout && ext->clean_runs >= FORGIVEN_RUNS);
    ext->strikes = forgiven ? 1 : ext->strikes + 1;
    ext->last_fault_at = now;
    ext->clean_runs = 0;
    if (ext->strikes >= EXTENSION_STRIKES) {
        ext->state = EXTENSION_QUARANTINED;
        klog(LOG_WARN, "%s: quarantined after %llu strikes", ext->name,
             (unsigned long long)ext->strikes);
    } else {
        ext->state = EXTENSION_RESTARTING;
    }
    /* A quarantined one has its copy freed by the same thread. */
    uint64_t pause = ext->state == EXTENSION_RESTARTING ? pauses[ext->strikes] : 0;
    __atomic_store_n(&ext->restart_at, now + pause, __ATOMIC_RELEASE);
    timekeeper_kick();
}

void extension_fault(struct extension *ext, enum wasm_trap trap, const char *where)
{
    struct running *running = ext->running;
    /* Behind the gate there is one call at a time, so the texts of the last one stay whole. */
    char note[EXTENSION_REASON];
    snprintf(note, sizeof note, "%s: %s", where, wasm_trap_name(trap));
    klog(LOG_WARN, "%s: %s", ext->name, note);
    if (running) {
        char *trace = kmalloc(EXTENSION_BACKTRACE);
        if (trace) {
            trace[0] = 0;
            wasm_backtrace(running->instance, trace, EXTENSION_BACKTRACE);
        }
        extension_note(ext, note, trace ? trace : "");
        kfree(trace);
        ext->running = NULL;
        ext->broken = running;
    }
    for (unsigned i = 0; i < EXTENSION_TIMERS; i++) {
        __atomic_store_n(&ext->timers[i], 0, __ATOMIC_RELEASE);
    }
    strike(ext, trap == WASM_TRAP_TIMEOUT);
}

struct swap {
    struct extension *ext;
    struct running *fresh;
};

static void put_in(void *context)
{
    struct swap *swap = context;
    swap->ext->running = swap->fresh;
    swap->ext->state = EXTENSION_ATTACHED;
}

void extension_restart(struct extension *ext)
{
    /* Nobody is inside: `running` is NULL, and only this function changes that. */
    __atomic_store_n(&ext->restart_at, 0, __ATOMIC_RELEASE);
    running_stop(ext->broken);
    ext->broken = NULL;
    if (ext->state != EXTENSION_RESTARTING) {
        return;
    }
    struct swap swap = {ext, NULL};
    char reason[EXTENSION_REASON];
    int error = running_start(ext, &swap.fresh, reason, sizeof reason);
    if (error == 0) {
        error = extension_gate(ext, put_in, &swap);
        if (error) {
            snprintf(reason, sizeof reason, "the network does not answer");
            running_stop(swap.fresh);
        }
    }
    if (error) {
        klog(LOG_WARN, "%s: restart: %s", ext->name, reason);
        extension_note(ext, reason, NULL);
        strike(ext, false);
    }
}
