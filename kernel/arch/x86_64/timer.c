/* Time on a PC: the TSC counts, the local APIC interrupts.
 *
 * The frequency of the TSC comes from CPUID or the hypervisor where they tell it. QEMU's own
 * processor (TCG) tells nothing, but its local APIC counts at exactly 1 GHz, as KVM's does:
 * measured against that for a fraction of a millisecond. Other machines are measured against the
 * PIT. */
#include "x86.h"
#include <string.h>
#include "arch/timer.h"
#include "include/log.h"
#include "mm/frame.h"

#define NS_PER_SECOND 1000000000ull
enum {
    MSR_KVM_WALL_CLOCK = 0x4b564d00,
    MSR_KVM_SYSTEM_TIME = 0x4b564d01,
    MEASURE_NS = 250000,
    PIT_HZ = 1193182,
};

/* Time is base_ns at base_tsc, and goes on from there. Changed by interrupts, with an odd sequence
 * meanwhile. */
static volatile uint32_t sequence;
static uint64_t base_tsc, base_ns;
static uint64_t ns_per_tick; /* 32.32 fixed point */
static uint64_t tick_per_ns; /* 32.32 fixed point */
static uint64_t apic_hz = NS_PER_SECOND;
static bool deadline_mode;
static uint64_t realtime_at_boot;

static uint64_t scale(uint64_t value, uint64_t factor)
{
    return (uint64_t)((unsigned __int128)value * factor >> 32);
}

uint64_t timer_now_ns(void)
{
    for (;;) {
        uint32_t before = __atomic_load_n(&sequence, __ATOMIC_ACQUIRE);
        uint64_t now = base_ns + scale(cpu_cycles() - base_tsc, ns_per_tick);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(before & 1) && before == __atomic_load_n(&sequence, __ATOMIC_RELAXED))
            return now;
    }
}

static void set_frequency(uint64_t hz)
{
    uint64_t tsc = cpu_cycles();
    uint64_t ns = ns_per_tick ? base_ns + scale(tsc - base_tsc, ns_per_tick) : 0;
    __atomic_add_fetch(&sequence, 1, __ATOMIC_SEQ_CST);
    base_tsc = tsc;
    base_ns = ns;
    ns_per_tick = (NS_PER_SECOND << 32) / hz;
    tick_per_ns = (hz << 30) / NS_PER_SECOND << 2;
    __atomic_add_fetch(&sequence, 1, __ATOMIC_SEQ_CST);
}

/* While the frequency is being refined, waits of some length are made with the APIC timer in
 * periodic mode: it can be read beyond the interrupt, so each of them measures the TSC, to the
 * width of the two readings. Short ones stay one-shot: emulators that catch up with every missed
 * period would never end. */
enum { FINE_PPM = 20, REFINE_FROM = 1000000 };
static struct {
    bool active, periodic;
    uint32_t count; /* written at tsc; 0: not running */
    uint64_t tsc, width;
    uint64_t ppm; /* how good the frequency in use is */
} refinement;

/* The counter stands still while its mode changes. */
static void set_periodic(bool periodic)
{
    if (refinement.periodic == periodic)
        return;
    apic_timer_count(0);
    apic_timer_mode(periodic ? APIC_TIMER_PERIODIC : APIC_TIMER_ONE_SHOT);
    refinement.periodic = periodic;
}

static void refine_start(uint32_t count)
{
    set_periodic(true);
    uint64_t before = cpu_cycles();
    apic_timer_count(count);
    uint64_t after = cpu_cycles();
    refinement.count = count;
    refinement.tsc = before + (after - before) / 2;
    refinement.width = after - before;
}

/* The wait that began with refine_start() is over, or cut short. */
static void refine_end(void)
{
    if (!refinement.count)
        return;
    uint64_t before = cpu_cycles();
    uint32_t left = apic_timer_left();
    uint64_t after = cpu_cycles();
    uint64_t ticks = before + (after - before) / 2 - refinement.tsc;
    uint64_t period = refinement.count + 1ull;
    /* How many whole periods went by is plain from the frequency as far as it is known. */
    uint64_t within = refinement.count - left, about = scale(ticks, ns_per_tick);
    uint64_t periods = about > within ? (about - within + period / 2) / period : 0;
    uint64_t elapsed = periods * period + within;
    refinement.count = 0;
    if (elapsed < NS_PER_SECOND / 1000 || periods > 8 || ticks > UINT32_MAX * 8ull)
        return;
    uint64_t ppm = (after - before + refinement.width) * 1000000 / ticks;
    if (ppm > refinement.ppm / 4)
        return;
    refinement.ppm = ppm;
    set_frequency(ticks * (NS_PER_SECOND / 64) / elapsed * 64);
    if (ppm <= FINE_PPM) {
        refinement.active = false;
        set_periodic(false);
    }
}

void x86_timer_interrupt(void)
{
    if (refinement.active) {
        refine_end();
        apic_timer_count(0);
    }
}

void timer_program(uint64_t deadline)
{
    if (refinement.active)
        refine_end();
    if (deadline == UINT64_MAX) {
        if (deadline_mode)
            x86_wrmsr(MSR_TSC_DEADLINE, 0);
        else
            apic_timer_count(0);
        return;
    }
    if (deadline_mode) {
        if (deadline < base_ns)
            deadline = base_ns;
        /* 292 years ahead the product would not fit; no deadline is that far. */
        x86_wrmsr(MSR_TSC_DEADLINE, base_tsc + scale(deadline - base_ns, tick_per_ns) + 1);
        return;
    }
    uint64_t now = timer_now_ns();
    uint64_t wait = deadline > now ? deadline - now : 0;
    uint64_t count = wait > 4 * NS_PER_SECOND ? 4 * NS_PER_SECOND : wait;
    if (apic_hz != NS_PER_SECOND)
        count = count * (apic_hz / 1000) / (NS_PER_SECOND / 1000);
    /* Longer waits than the counter holds end early; time/timer.c programs the rest. */
    uint32_t ticks = count < 1 ? 1 : count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    if (refinement.active && ticks >= REFINE_FROM) {
        refine_start(ticks);
    } else {
        set_periodic(false);
        apic_timer_count(ticks);
    }
}

/* Pairs of counter values read as close together as they get: the tightest of a few tries. */
static uint64_t paired(uint32_t (*read)(void), uint32_t *other)
{
    uint64_t best = UINT64_MAX, tsc = 0;
    *other = 0;
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = cpu_cycles();
        uint32_t value = read();
        uint64_t after = cpu_cycles();
        if (after - before < best) {
            best = after - before;
            tsc = before + best / 2;
            *other = value;
        }
    }
    return tsc;
}

/* The TSC's frequency by the APIC timer, which counts down at apic_hz. */
static uint64_t measure_by_apic(void)
{
    uint32_t first, last;
    apic_timer_count(UINT32_MAX);
    uint64_t from = paired(apic_timer_left, &first);
    while (first - apic_timer_left() < MEASURE_NS)
        cpu_relax();
    uint64_t to = paired(apic_timer_left, &last);
    apic_timer_count(0);
    /* Within a millisecond or so the product stays below 2^64. */
    return (to - from) * apic_hz / (first - last);
}

/* A machine that says nothing: TSC and APIC timer against 1 ms of the PIT's second channel. */
static uint64_t measure_by_pit(void)
{
    const unsigned count = PIT_HZ / 1000;
    x86_outb(0x61, (uint8_t)((x86_inb(0x61) & ~2u) | 1u)); /* gate on, speaker off */
    x86_outb(0x43, 0xb0);                                  /* channel 2, mode 0 */
    x86_outb(0x42, count & 0xff);
    x86_outb(0x42, count >> 8);
    apic_timer_count(UINT32_MAX);
    uint64_t from = cpu_cycles();
    while (!(x86_inb(0x61) & 0x20) && cpu_cycles() - from < 100000000)
        cpu_relax();
    uint64_t ticks = cpu_cycles() - from;
    apic_hz = (uint64_t)(UINT32_MAX - apic_timer_left()) * 1000;
    apic_timer_count(0);
    return ticks * 1000;
}

struct kvm_clock {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t tsc_to_system_mul;
    int8_t tsc_shift;
    uint8_t flags, pad[2];
} __attribute__((aligned(32)));
struct kvm_wall_clock {
    uint32_t version, seconds, nanoseconds;
} __attribute__((aligned(32)));

/* KVM's paravirtual clock is asked once, for the TSC's frequency and the time of day. */
static uint64_t ask_kvm(void)
{
    static volatile struct kvm_clock clock;
    static volatile struct kvm_wall_clock wall;
    struct cpuid leaf = x86_cpuid(0x40000001, 0);
    if (!(leaf.eax >> 3 & 1))
        return 0;
    x86_wrmsr(MSR_KVM_SYSTEM_TIME, (uintptr_t)&clock | 1);
    x86_wrmsr(MSR_KVM_WALL_CLOCK, (uintptr_t)&wall);
    uint64_t hz = 0;
    if (clock.tsc_to_system_mul) {
        hz = (NS_PER_SECOND << 32) / clock.tsc_to_system_mul;
        hz = clock.tsc_shift < 0 ? hz << -clock.tsc_shift : hz >> clock.tsc_shift;
        /* Wall time is that of system time 0, which lies system_time before tsc_timestamp. */
        if (wall.seconds)
            realtime_at_boot = wall.seconds * NS_PER_SECOND + wall.nanoseconds + clock.system_time;
    }
    x86_wrmsr(MSR_KVM_SYSTEM_TIME, 0);
    return hz;
}

static uint64_t ask_cpuid(void)
{
    uint32_t highest = x86_cpuid(0, 0).eax;
    if (x86_features.hypervisor && x86_cpuid(0x40000000, 0).eax >= 0x40000010) {
        struct cpuid leaf = x86_cpuid(0x40000010, 0);
        if (leaf.ebx)
            apic_hz = leaf.ebx * 1000ull;
        if (leaf.eax)
            return leaf.eax * 1000ull;
    }
    if (highest >= 0x15) {
        struct cpuid leaf = x86_cpuid(0x15, 0);
        if (leaf.eax && leaf.ebx && leaf.ecx) {
            if (!x86_features.hypervisor)
                apic_hz = leaf.ecx;
            return (uint64_t)leaf.ecx * leaf.ebx / leaf.eax;
        }
    }
    return 0;
}

void x86_timer_init(void)
{
    deadline_mode = x86_features.tsc_deadline;
    apic_timer_mode(APIC_TIMER_ONE_SHOT);
    uint64_t hz = x86_features.kvm ? ask_kvm() : 0;
    if (!hz)
        hz = ask_cpuid();
    bool rough = !hz && (x86_features.kvm || x86_features.tcg);
    if (!hz)
        hz = rough ? measure_by_apic() : measure_by_pit();
    if (!hz)
        panic("no clock");
    set_frequency(hz);
    if (rough && !deadline_mode && apic_hz == NS_PER_SECOND) {
        refinement.active = true;
        refinement.ppm = 10000;
    }
    if (deadline_mode)
        apic_timer_mode(APIC_TIMER_DEADLINE);
}

static uint8_t rtc_read(uint8_t index)
{
    x86_outb(0x70, index);
    return x86_inb(0x71);
}

static unsigned from_bcd(uint8_t value, bool binary)
{
    return binary ? value : (value >> 4) * 10u + (value & 15u);
}

/* Seconds since 1970 by the battery clock; 0: there is none. */
static uint64_t rtc_seconds(void)
{
    static const uint8_t registers[] = {0, 2, 4, 7, 8, 9}; /* s m h day month year */
    uint8_t now[6], before[6] = {0};
    /* Twice the same: no update in between. */
    for (unsigned tries = 0;; tries++) {
        for (unsigned i = 0; i < 6; i++)
            now[i] = rtc_read(registers[i]);
        if (tries > 0 && memcmp(now, before, sizeof now) == 0)
            break;
        if (tries == 100)
            return 0;
        memcpy(before, now, sizeof now);
    }
    uint8_t mode = rtc_read(11);
    bool binary = mode & 4;
    bool afternoon = !(mode & 2) && (now[2] & 0x80);
    unsigned hour = from_bcd(now[2] & 0x7f, binary);
    if (!(mode & 2))
        hour = hour % 12 + (afternoon ? 12 : 0);
    unsigned day = from_bcd(now[3], binary), month = from_bcd(now[4], binary);
    unsigned year = 2000 + from_bcd(now[5], binary);
    if (month < 1 || month > 12 || day < 1 || day > 31 || year > 2099)
        return 0;
    /* Days since 1970 with years that begin in March. */
    unsigned y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    uint64_t days = (uint64_t)y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1;
    days -= 719468;
    return ((days * 24 + hour) * 60 + from_bcd(now[1], binary)) * 60 + from_bcd(now[0], binary);
}

/* Asked for at the first use: the battery clock takes longer to read than much of the boot. */
uint64_t timer_realtime_at_boot_ns(void)
{
    if (!realtime_at_boot) {
        uint64_t seconds = rtc_seconds();
        uint64_t now = timer_now_ns();
        realtime_at_boot = seconds * NS_PER_SECOND > now ? seconds * NS_PER_SECOND - now : 1;
    }
    return realtime_at_boot;
}
