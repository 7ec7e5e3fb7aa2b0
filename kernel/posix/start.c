/* The start of the application and the end of the machine: what Linux's exec hands to a program
 * (arguments, environment, auxiliary vector) built from the command line, then the C library. */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include "arch/cpu.h"
#include "boot.h"
#include "fs/tree.h"
#include "init.h"
#include "log.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "posix/internal.h"

/* The image starts with its ELF header, which is mapped; the C library finds the TLS segment by it.
 */
extern const char __image_start[];

/* Absent in images that are only tests of the kernel. */
__attribute__((weak)) int main(int argc, char **argv, char **envp);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*ldso)(void));

enum { WORDS_MAX = 256, STACK_MIN = 64 << 10, STACK_MAX = 1 << 20 };

/* Big enough for deep programs where there is memory, small where every page counts. */
uint64_t posix_stack_size(void)
{
    struct frame_stats stats;
    frame_stats(&stats);
    uint64_t size = stats.total * PAGE_SIZE / 32;
    size = size < STACK_MIN ? STACK_MIN : size > STACK_MAX ? STACK_MAX : size;
    return size & ~(uint64_t)(PAGE_SIZE - 1);
}

/* Cuts TEXT into words in place. Quotes ("" and '') keep blanks together, a backslash outside of ''
 * takes the next character as it is. Words stored. */
static unsigned split(char *text, char **words, unsigned max)
{
    unsigned count = 0;
    char *out = text;
    while (*text) {
        while (*text == ' ' || *text == '\t')
            text++;
        if (!*text || count == max)
            break;
        words[count++] = out;
        char quote = 0;
        for (; *text && (quote || (*text != ' ' && *text != '\t')); text++) {
            if (quote ? *text == quote : *text == '"' || *text == '\'') {
                quote = quote ? 0 : *text;
                continue;
            }
            if (*text == '\\' && quote != '\'' && text[1])
                text++;
            *out++ = *text;
        }
        if (*text)
            text++;
        *out++ = '\0';
    }
    return count;
}

static bool is_device(const char *word)
{
    return strncmp(word, "virtio_mmio.device=", 19) == 0; /* QEMU appends these behind everything */
}

/* Words of the command line: options before "--" (of which env.NAME=value become the environment)
 * and arguments after it. */
static void read_command_line(char *line, char **argv, int *argc, char **envp)
{
    static char *words[WORDS_MAX];
    unsigned count = split(line, words, WORDS_MAX), environment = 0;
    bool arguments = false;
    *argc = 1;
    for (unsigned i = 0; i < count; i++) {
        if (!arguments && strcmp(words[i], "--") == 0)
            arguments = true;
        else if (arguments && !is_device(words[i]))
            argv[(*argc)++] = words[i];
        else if (!arguments && strncmp(words[i], "env.", 4) == 0 && strchr(words[i], '='))
            envp[environment++] = words[i] + 4;
    }
    argv[*argc] = NULL;
    envp[environment] = NULL;
}

/* What lies where argv points, as on a Linux stack: the vectors one behind the other. */
static long *build_vectors(char *line, int *argc)
{
    static char *argv[WORDS_MAX + 2], *envp[WORDS_MAX + 1];
    static uint8_t random[16];
    enum { AUXILIARY = 2 * 16 };
    argv[0] = (char *)(uintptr_t) "app";
    read_command_line(line, argv, argc, envp);

    const Elf64_Ehdr *image = (const Elf64_Ehdr *)__image_start;
    size_t environment = 0;
    while (envp[environment])
        environment++;
    size_t words = (size_t)*argc + 1 + environment + 1 + AUXILIARY;
    long *block = kcalloc(words, sizeof(long)), *at = block;
    if (!block)
        return NULL;
    for (int i = 0; i < *argc; i++)
        *at++ = (long)argv[i];
    at++;
    for (size_t i = 0; i < environment; i++)
        *at++ = (long)envp[i];
    at++;
    posix_random(random, sizeof random);
    const long auxiliary[] = {
        AT_PHDR,   (long)(__image_start + image->e_phoff),
        AT_PHENT,  image->e_phentsize,
        AT_PHNUM,  image->e_phnum,
        AT_PAGESZ, PAGE_SIZE,
        AT_RANDOM, (long)random,
        AT_EXECFN, (long)argv[0],
        AT_UID,    0,
        AT_EUID,   0,
        AT_GID,    0,
        AT_EGID,   0,
        AT_CLKTCK, 100,
        AT_NULL,   0,
    };
    _Static_assert(sizeof auxiliary <= AUXILIARY * sizeof(long), "room for the auxiliary vector");
    memcpy(at, auxiliary, sizeof auxiliary);
    return block;
}

/* Descriptors 0, 1 and 2. */
static int open_console(void)
{
    struct node *node;
    int error = tree_find(tree_root, "/dev/console", 0, &node);
    if (error)
        return error;
    struct file *file = file_new(&console_ops, node, O_RDWR);
    if (!file) {
        node_release(node);
        return -ENOMEM;
    }
    file_retain(file); /* kept for good, whatever the program closes */
    console_announce(file);
    file_retain(file);
    file_retain(file);
    return fd_install(file, false) == 0 && fd_install(file, false) == 1 &&
                   fd_install(file, false) == 2
               ? 0
               : -EMFILE;
}

static void run_main(void *unused)
{
    (void)unused;
    thread_current()->id = POSIX_PID; /* the first thread's id is the process's */
    size_t length = strlen(boot_info.command_line) + 1;
    char *line = kmalloc(length);
    int argc;
    long *block = line ? build_vectors(memcpy(line, boot_info.command_line, length), &argc) : NULL;
    if (!block) {
        klog(LOG_ERROR, "not enough memory for the application's arguments");
        posix_exit(127);
    }
    int error = open_console();
    if (error)
        klog(LOG_WARN, "no console for the application: error %d", -error);
    __libc_start_main(main, argc, (char **)block, NULL, NULL, NULL);
    posix_exit(0);
}

__attribute__((weak)) void application_start(void)
{
    if (!main)
        posix_exit(0);
    struct thread *thread =
        thread_create("main", run_main, NULL, posix_stack_size(), THREAD_PRIORITY_DEFAULT);
    if (!thread) {
        klog(LOG_ERROR, "not enough memory for the application's thread");
        posix_exit(127);
    }
    thread_detach(thread);
}

void posix_exit(int status)
{
    enum { CODE_MAX = 127 }; /* what a machine can tell its host */
    int code = status & 0xff;
    if (code > CODE_MAX) {
        klog(LOG_INFO, "exit status %d is reported as %d", code, CODE_MAX);
        code = CODE_MAX;
    }
    cpu_exit(code);
}
