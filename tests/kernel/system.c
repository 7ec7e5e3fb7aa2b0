/* The log and its formatter, options, symbols, the stray system call instruction. */
#include "test.h"
#include <string.h>
#include "include/boot.h"
#include "include/symbols.h"
#include "posix/file.h"

static void expect(int line, const char *wanted, const char *text, ...)
    __attribute__((format(printf, 3, 4)));
static void expect(int line, const char *wanted, const char *text, ...)
{
    char got[100];
    va_list arguments;
    va_start(arguments, text);
    int length = format_text(got, sizeof got, text, arguments);
    va_end(arguments);
    if (strcmp(got, wanted) != 0 || (size_t)length != strlen(wanted))
        test_fail(__FILE__, line, "\"%s\", not \"%s\"", got, wanted);
}
#define FORMATS(wanted, ...) expect(__LINE__, wanted, __VA_ARGS__)

TEST(log_format)
{
    FORMATS("plain", "plain");
    FORMATS("-5 5 0 -2147483648", "%d %u %i %d", -5, 5u, 0, -2147483647 - 1);
    FORMATS("ff FF 0xff 17", "%x %X %#x %o", 255u, 255u, 255u, 15u);
    FORMATS("   7|7   |007|-07", "%4d|%-4d|%03d|%03d", 7, 7, 7, -7);
    FORMATS("18446744073709551615 ffffffffffffffff", "%lu %llx", ~0ul, ~0ull);
    FORMATS("255 -1 65535", "%hhu %hhd %hu", 255, -1, 65535);
    FORMATS("a% b", "%c%% %c", 'a', 'b');
    FORMATS("abc|ab|  abc|abc  |", "%s|%.2s|%5s|%-5s|", "abc", "abc", "abc", "abc");
    FORMATS("0x10 (null)", "%p %s", (void *)16, (char *)NULL);
    FORMATS("12 34", "%zu %.*s", (size_t)12, 2, "3456");
    char small[4];
    CHECK_EQ(format(small, sizeof small, "%s", "toolong"), 7);
    CHECK(strcmp(small, "too") == 0);
}

TEST(log_ring_gives_back_whole_lines)
{
    char text[512];
    uint64_t cursor = ~0ull;
    klog(LOG_DEBUG, "first %d", 1);
    cursor = 0;
    size_t total = 0, count;
    while ((count = klog_read(&cursor, text, sizeof text)) > 0)
        total += count;
    CHECK(total > 0);
    klog(LOG_DEBUG, "second %d", 2);
    count = klog_read(&cursor, text, sizeof text - 1);
    text[count] = '\0';
    CHECK(strstr(text, "debug: second 2\n") != NULL);
    CHECK(strstr(text, "first") == NULL);
    for (unsigned i = 0; i < 2000; i++)
        klog(LOG_DEBUG, "line number %u of many", i);
    count = klog_read(&cursor, text, sizeof text - 1); /* overtaken: starts with the oldest kept */
    text[count] = '\0';
    CHECK(text[0] == '[' && strstr(text, "line number") != NULL);
}

TEST(boot_options_are_found)
{
    char value[32];
    CHECK_EQ(boot_option("alpha", value, sizeof value), 3);
    CHECK(strcmp(value, "one") == 0);
    CHECK_EQ(boot_option("beta", value, sizeof value), 0);
    CHECK_EQ(boot_option("alph", value, sizeof value), -1);
    CHECK_EQ(boot_option("gamma", value, sizeof value), -1); /* behind " -- " */
    CHECK_EQ(boot_option("alpha", value, 2), 1);
    CHECK(strcmp(value, "o") == 0);
}

TEST(symbols_are_found)
{
    char name[64];
    size_t offset;
    CHECK(symbol_find((uintptr_t)test_fail + 3, name, sizeof name, &offset));
    CHECK(strcmp(name, "test_fail") == 0);
    CHECK_EQ(offset, 3);
    CHECK(symbol_find((uintptr_t)memcpy, name, sizeof name, &offset));
    CHECK(strcmp(name, "memcpy") == 0);
    CHECK(!symbol_find(4, name, sizeof name, &offset));
    CHECK(!symbol_find((uintptr_t)name, name, sizeof name, &offset));
}

static __attribute__((noinline)) size_t deeper(unsigned depth, uintptr_t *pcs, size_t max)
{
    if (depth == 0)
        return backtrace((uintptr_t)deeper, (uintptr_t)__builtin_frame_address(0), pcs, max);
    size_t count = deeper(depth - 1, pcs, max);
    __asm__ volatile("" : : : "memory"); /* no tail call */
    return count;
}

TEST(backtrace_walks_frames)
{
    uintptr_t pcs[20];
    size_t count = deeper(5, pcs, 20);
    CHECK(count >= 8 && count < 20);
    for (unsigned i = 0; i < 5; i++)
        CHECK(pcs[i] - (uintptr_t)deeper < 200);
    CHECK_EQ(backtrace(0, 0x123456789000, pcs, 20), 0);
    CHECK_EQ(backtrace(0, 1, pcs, 20), 0);
}

/* Until posix/ is linked into this image. */
__attribute__((weak)) long quince_syscall(long number, long a, long b, long c, long d, long e,
                                          long f)
{
    (void)a, (void)b, (void)c, (void)d, (void)e, (void)f;
    return number == 4000 ? -38 : 0;
}

#if defined(__x86_64__)
TEST(system_call_instruction_stays_in_the_kernel)
{
    /* A number that nobody implements: the answer is -ENOSYS, and the machine still runs. All
     * registers but rax, rcx and r11 survive. */
    long result, rdi = 1, rsi = 2, rdx = 3;
    register long r10 __asm__("r10") = 4;
    register long r8 __asm__("r8") = 5;
    register long r9 __asm__("r9") = 6;
    double vector = 7;
    __asm__ volatile("movq $0x77, -8(%%rsp)\n\tsyscall\n\tcmpq $0x77, -8(%%rsp)\n\t"
                     "je 1f\n\tmovq $0, %%rax\n1:"
                     : "=a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9),
                       "+x"(vector)
                     : "a"(4000L)
                     : "rcx", "r11", "memory", "cc");
    CHECK_EQ(result, -38);
    CHECK(rdi == 1 && rsi == 2 && rdx == 3 && r10 == 4 && r8 == 5 && r9 == 6);
    CHECK(vector == 7);
}
#endif
