/* Threads: creation and end, preemption with all registers intact, priorities, accounting. */
#include "test.h"
#include <string.h>
#include "arch/cpu.h"
#include "mm/frame.h"
#include "sched/sync.h"
#include "sched/thread.h"
#include "time/clock.h"

static uint64_t free_frames(void)
{
    struct frame_stats stats;
    frame_stats(&stats);
    return stats.free;
}

static void count_up(void *argument)
{
    __atomic_add_fetch((unsigned *)argument, 1, __ATOMIC_SEQ_CST);
}

TEST(thread_join_frees_everything)
{
    uint64_t frames = free_frames();
    unsigned runs = 0;
    struct thread *threads[20];
    for (unsigned i = 0; i < 20; i++) {
        threads[i] = thread_create("worker", count_up, &runs, 8192, THREAD_PRIORITY_DEFAULT);
        CHECK(threads[i] != NULL);
    }
    for (unsigned i = 0; i < 20; i++)
        thread_join(threads[i]);
    CHECK_EQ(runs, 20);
    CHECK_EQ(free_frames(), frames);
}

TEST(thread_detached_are_freed)
{
    uint64_t frames = free_frames();
    unsigned runs = 0;
    for (unsigned i = 0; i < 500; i++) {
        struct thread *thread = thread_create("d", count_up, &runs, 8192, THREAD_PRIORITY_DEFAULT);
        CHECK(thread != NULL);
        if (!thread)
            break;
        thread_detach(thread);
        if (i % 10 == 0)
            thread_yield();
    }
    thread_sleep_until(clock_now() + 20 * NS_PER_MS);
    CHECK_EQ(runs, 500);
    CHECK_EQ(free_frames(), frames);
}

/* Spins on arithmetic of every kind of register and compares with what it gave undisturbed. */
struct numbers {
    double scalar;
    long double extended;
    uint64_t mixed;
};

static void calculate(struct numbers *n, unsigned seed)
{
    n->scalar = seed;
    n->extended = seed;
    n->mixed = seed;
    for (unsigned i = 1; i < 3000; i++) {
        n->scalar = n->scalar * 1.0001 + 1.0 / i;
        n->extended = n->extended * 1.0002L - 1.0L / i;
        n->mixed = n->mixed * 6364136223846793005ull + i;
    }
}

struct calculation {
    unsigned seed, rounds, errors;
    uint64_t until;
};

static void calculate_often(void *argument)
{
    struct calculation *c = argument;
    struct numbers expected, got;
    calculate(&expected, c->seed);
    while (clock_now() < c->until) {
        calculate(&got, c->seed);
        c->errors += got.scalar != expected.scalar || got.extended != expected.extended ||
                     got.mixed != expected.mixed;
        c->rounds++;
    }
}

TEST(thread_preemption_keeps_floating_point)
{
    struct calculation c[3];
    struct thread *threads[3];
    uint64_t switches = cpu_percpu()->switches;
    for (unsigned i = 0; i < 3; i++) {
        c[i] = (struct calculation){.seed = i + 1, .until = clock_now() + 200 * NS_PER_MS};
        threads[i] = thread_create("fpu", calculate_often, &c[i], 16384, THREAD_PRIORITY_DEFAULT);
        CHECK(threads[i] != NULL);
    }
    for (unsigned i = 0; i < 3; i++) {
        thread_join(threads[i]);
        CHECK(c[i].rounds > 0);
        CHECK_EQ(c[i].errors, 0);
    }
    CHECK(cpu_percpu()->switches - switches >= 4); /* the host may be busy */
}

#if defined(__x86_64__)
/* Whole vector registers, those that no C code of the kernel uses included. */
static void hold_vectors(void *argument)
{
    struct calculation *c = argument;
    uint64_t pattern[4], got[4];
    for (unsigned i = 0; i < 4; i++)
        pattern[i] = 0x1111111111111111ull * (c->seed + i);
    while (clock_now() < c->until) {
        __asm__ volatile("vmovdqu (%0), %%ymm0\n\tvmovdqu (%0), %%ymm13\n\t"
                         "movl $200000, %%ecx\n\t"
                         "1: decl %%ecx\n\tjnz 1b\n\t"
                         "vpxor %%ymm0, %%ymm13, %%ymm1\n\tvmovdqu %%ymm1, (%1)\n\t"
                         "vptest %%ymm1, %%ymm1\n\t"
                         "vmovdqu %%ymm13, (%1)\n\tvzeroupper"
                         :
                         : "r"(pattern), "r"(got)
                         : "rcx", "xmm0", "xmm1", "xmm13", "memory", "cc");
        c->errors += memcmp(pattern, got, sizeof got) != 0;
        c->rounds++;
    }
}

TEST(thread_preemption_keeps_vectors)
{
    uint32_t a = 7, b, cx = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(cx), "=d"(d));
    if (!(b >> 5 & 1)) {
        test_skip("no AVX2");
        return;
    }
    struct calculation c[2];
    struct thread *threads[2];
    for (unsigned i = 0; i < 2; i++) {
        c[i] = (struct calculation){.seed = i + 3, .until = clock_now() + 100 * NS_PER_MS};
        threads[i] = thread_create("ymm", hold_vectors, &c[i], 16384, THREAD_PRIORITY_DEFAULT);
    }
    for (unsigned i = 0; i < 2; i++) {
        thread_join(threads[i]);
        CHECK(c[i].rounds > 0);
        CHECK_EQ(c[i].errors, 0);
    }
}

/* Code with a red zone, on a stack one push away from its end: interrupts must not touch either. */
static void use_red_zone(void *argument)
{
    struct calculation *c = argument;
    while (clock_now() < c->until) {
        uint64_t changed;
        __asm__ volatile("movq $0x1234, -8(%%rsp)\n\tmovq $0x5678, -128(%%rsp)\n\t"
                         "movl $200000, %%ecx\n\t"
                         "1: decl %%ecx\n\tjnz 1b\n\t"
                         "movq -8(%%rsp), %0\n\txorq $0x1234, %0\n\t"
                         "movq -128(%%rsp), %%rcx\n\txorq $0x5678, %%rcx\n\torq %%rcx, %0"
                         : "=&r"(changed)
                         :
                         : "rcx", "memory", "cc");
        c->errors += changed != 0;
        c->rounds++;
    }
}

TEST(thread_interrupts_leave_the_stack_alone)
{
    struct calculation c[2];
    struct thread *threads[2];
    for (unsigned i = 0; i < 2; i++) {
        c[i] = (struct calculation){.until = clock_now() + 100 * NS_PER_MS};
        threads[i] = thread_create("red", use_red_zone, &c[i], 16384, THREAD_PRIORITY_DEFAULT);
    }
    for (unsigned i = 0; i < 2; i++) {
        thread_join(threads[i]);
        CHECK(c[i].rounds > 0);
        CHECK_EQ(c[i].errors, 0);
    }
}
#endif

static volatile bool stop_spinning;
static void spin(void *argument)
{
    uint64_t *rounds = argument;
    while (!stop_spinning)
        ++*(volatile uint64_t *)rounds;
}

TEST(thread_round_robin_shares_the_cpu)
{
    uint64_t rounds[3] = {0};
    struct thread *threads[3];
    stop_spinning = false;
    for (unsigned i = 0; i < 3; i++)
        threads[i] = thread_create("spin", spin, &rounds[i], 8192, THREAD_PRIORITY_DEFAULT);
    thread_sleep_until(clock_now() + 300 * NS_PER_MS);
    uint64_t spent[3];
    for (unsigned i = 0; i < 3; i++)
        spent[i] = thread_cpu_ns(threads[i]);
    stop_spinning = true;
    for (unsigned i = 0; i < 3; i++) {
        thread_join(threads[i]);
        CHECK(rounds[i] > 0);
        CHECK(spent[i] > 20 * NS_PER_MS && spent[i] < 1000 * NS_PER_MS);
    }
}

static void wake_soon(void *argument)
{
    *(volatile uint64_t *)argument = clock_now();
}

TEST(thread_priority_runs_first)
{
    uint64_t rounds = 0, urgent = 0, idle = 0;
    stop_spinning = false;
    struct thread *spinner = thread_create("spin", spin, &rounds, 8192, THREAD_PRIORITY_DEFAULT);
    struct thread *low = thread_create("low", wake_soon, &idle, 8192, THREAD_PRIORITIES - 1);
    uint64_t before = clock_now();
    struct thread *high = thread_create("high", wake_soon, &urgent, 8192, THREAD_PRIORITY_NET);
    /* It ran before thread_create() returned. */
    CHECK(urgent >= before);
    thread_sleep_until(clock_now() + 60 * NS_PER_MS);
    CHECK_EQ(idle, 0);
    stop_spinning = true;
    thread_join(spinner);
    thread_join(low);
    thread_join(high);
    CHECK(idle != 0);
}

static void sleeper(void *argument)
{
    thread_sleep_until(clock_now() + 30 * NS_PER_MS);
    *(volatile uint64_t *)argument = clock_now();
}

TEST(thread_urgent_sleeper_preempts)
{
    uint64_t woke = 0, rounds = 0;
    stop_spinning = false;
    struct thread *high = thread_create("high", sleeper, &woke, 8192, THREAD_PRIORITY_NET);
    uint64_t due = clock_now() + 30 * NS_PER_MS;
    struct thread *spinner = thread_create("spin", spin, &rounds, 8192, THREAD_PRIORITY_DEFAULT);
    /* Generous, since the host may keep the machine from running. */
    thread_sleep_until(due + 300 * NS_PER_MS);
    CHECK(woke != 0 && woke < due + 200 * NS_PER_MS);
    stop_spinning = true;
    thread_join(spinner);
    thread_join(high);
}

TEST(thread_preempt_disable_holds)
{
    uint64_t rounds = 0;
    stop_spinning = false;
    struct thread *spinner = thread_create("spin", spin, &rounds, 8192, THREAD_PRIORITY_DEFAULT);
    thread_yield();
    preempt_disable();
    uint64_t before = *(volatile uint64_t *)&rounds, until = clock_now() + 50 * NS_PER_MS;
    while (clock_now() < until)
        cpu_relax();
    CHECK(*(volatile uint64_t *)&rounds == before);
    preempt_enable();
    thread_sleep_until(clock_now() + NS_PER_MS);
    CHECK(*(volatile uint64_t *)&rounds != before);
    stop_spinning = true;
    thread_join(spinner);
}

static unsigned resumed;
static void on_resume(struct thread *self, struct trap_frame *frame)
{
    struct fault_registers registers;
    frame_get(frame, &registers);
    if (self == thread_current() && registers.pc)
        resumed++;
}

TEST(thread_resume_hook_sees_interrupted_code)
{
    struct thread *self = thread_current();
    resumed = 0;
    self->resume_hook = on_resume;
    uint64_t rounds = 0;
    stop_spinning = false;
    struct thread *spinner = thread_create("spin", spin, &rounds, 8192, THREAD_PRIORITY_DEFAULT);
    uint64_t until = clock_now() + 60 * NS_PER_MS;
    while (clock_now() < until)
        cpu_relax();
    self->resume_hook = NULL;
    stop_spinning = true;
    thread_join(spinner);
    CHECK(resumed > 0);
}
