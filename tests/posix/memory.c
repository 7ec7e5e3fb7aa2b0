/* malloc() and mmap(). */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"

enum { PAGE = 4096 };

static unsigned next(unsigned *state)
{
    *state = *state * 1103515245u + 12345;
    return *state >> 8;
}

static void churn(void)
{
    enum { SLOTS = 256 };
    static struct {
        unsigned char *data, fill;
        size_t size;
    } slots[SLOTS];
    unsigned state = 1;
    for (int i = 0; i < 20000; i++) {
        unsigned at = next(&state) % SLOTS;
        for (size_t j = 0; slots[at].data && j < slots[at].size; j += 97)
            CHECK(slots[at].data[j] == slots[at].fill);
        if (next(&state) % 3 == 0) {
            free(slots[at].data);
            slots[at].data = NULL;
            continue;
        }
        size_t size = next(&state) % (next(&state) % 50 == 0 ? 100000 : 2000) + 1;
        unsigned char *data = realloc(slots[at].data, size);
        CHECK(data);
        slots[at].data = data;
        slots[at].size = size;
        slots[at].fill = (unsigned char)i;
        memset(data, slots[at].fill, size);
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        free(slots[i].data);
        slots[i].data = NULL;
    }
}

#ifdef __QUINCE__
struct link {
    struct link *next;
};

static size_t exhaust(size_t size)
{
    struct link *list = NULL;
    size_t count = 0;
    for (struct link *more; (more = malloc(size)); list = more, count++)
        more->next = list;
    int error = errno;
    while (list) {
        struct link *first = list;
        list = first->next;
        free(first);
    }
    return error == ENOMEM ? count : 0;
}

/* To the last page and back, twice: the second time as much must be there. */
static void exhaustion(void)
{
    static const size_t sizes[] = {100, 5000, 200000, 4000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t first = exhaust(sizes[i]), second = exhaust(sizes[i]);
        CHECK(first > 0 && second + first / 50 + 1 >= first);
    }
    CHECK(!malloc(SIZE_MAX / 4) && errno == ENOMEM);
    CHECK(mmap(NULL, 1ul << 45, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
          MAP_FAILED);
}

static void write_and_execute(void)
{
    char *pages = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42,%eax; ret */
    CHECK(pages != MAP_FAILED);
    CHECK(mprotect(pages, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0 && errno == EACCES);
    memcpy(pages, code, sizeof code);
    CHECK(mprotect(pages, PAGE, PROT_READ | PROT_EXEC) == 0);
    CHECK(((int (*)(void))(uintptr_t)pages)() == 42);
    CHECK(munmap(pages, PAGE) == 0);
}
#endif

static void map_and_unmap(void)
{
    char *pages = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && (uintptr_t)pages % PAGE == 0);
    for (int i = 0; i < 8 * PAGE; i += 512)
        CHECK(pages[i] == 0);
    memset(pages, 1, 8 * PAGE);
    CHECK(munmap(pages + 2 * PAGE, 2 * PAGE) == 0);
    CHECK(pages[PAGE] == 1 && pages[4 * PAGE] == 1);
    CHECK(munmap(pages, 2 * PAGE) == 0 && munmap(pages + 4 * PAGE, 4 * PAGE) == 0);
    CHECK(munmap(pages + 1, PAGE) < 0 && errno == EINVAL);
    CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
    for (int i = 0; i < 3000; i++) {
        void *again =
            mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(again != MAP_FAILED && munmap(again, 16 * PAGE) == 0);
    }
}

static void protect(void)
{
    char *pages = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    CHECK(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0);
    pages[PAGE] = 5;
    CHECK(mprotect(pages + PAGE, PAGE, PROT_READ) == 0 && pages[PAGE] == 5);
    CHECK(mprotect(pages + PAGE, PAGE, PROT_NONE) == 0);
    CHECK(mprotect(pages + PAGE, PAGE, PROT_READ | PROT_WRITE) == 0 && pages[PAGE] == 5);
    CHECK(madvise(pages + PAGE, PAGE, MADV_DONTNEED) == 0 && pages[PAGE] == 0);
    CHECK(munmap(pages, 4 * PAGE) == 0);
}

static void remap(void)
{
    char *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    pages[0] = 1;
    pages[2 * PAGE - 1] = 2;
    char *grown = mremap(pages, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED && grown[0] == 1 && grown[2 * PAGE - 1] == 2);
    CHECK(grown[64 * PAGE - 1] == 0);
    CHECK(mremap(grown, 64 * PAGE, PAGE, 0) == grown && grown[0] == 1);
    CHECK(munmap(grown, PAGE) == 0);
}

static void aligned(void)
{
    for (size_t align = 16; align <= 65536; align *= 2) {
        void *block;
        CHECK(posix_memalign(&block, align, 100) == 0 && (uintptr_t)block % align == 0);
        memset(block, 1, 100);
        free(block);
    }
    unsigned char *zeros = calloc(1000, 37);
    CHECK(zeros);
    for (int i = 0; i < 37000; i++)
        CHECK(zeros[i] == 0);
    free(zeros);
}

const struct test memory_tests[] = {
    {"memory: malloc, realloc, free", churn},
#ifdef __QUINCE__
    {"memory: exhaustion and back", exhaustion},
    {"memory: never writable and executable", write_and_execute},
#endif
    {"memory: mmap and munmap, whole and in part", map_and_unmap},
    {"memory: mprotect, madvise", protect},
    {"memory: mremap", remap},
    {"memory: alignment, calloc", aligned},
    {NULL, NULL},
};
