/* Linking images. The linker is run by itself and sees only the sysroot, so that no library of this
 * machine slips in; it runs twice, since the table of function names is made of the first result.
 */
#include "link.h"

#include <errno.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "image_keys.h"

void words_add(struct words *words, const char *word)
{
    if (words->count % 32 == 0)
        words->at = xrealloc(words->at, (words->count + 33) * sizeof *words->at);
    words->at[words->count++] = word;
    words->at[words->count] = NULL;
}

void words_add_all(struct words *words, const struct words *more)
{
    for (size_t i = 0; i < more->count; i++)
        words_add(words, more->at[i]);
}

bool parts_leave_out(struct image_parts *parts, const char *names)
{
    while (*names) {
        size_t length = strcspn(names, ",");
        if (length == 3 && strncmp(names, "net", length) == 0)
            parts->without_net = true;
        else if (length == 6 && strncmp(names, "engine", length) == 0)
            parts->without_engine = true;
        else if (length == 8 && strncmp(names, "compiler", length) == 0)
            parts->without_compiler = true;
        else
            return false;
        names += length + (names[length] == ',');
    }
    return true;
}

static bool exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

const char *sysroot(void)
{
    static char *path;
    if (path)
        return path;
    const char *given = getenv("QUINCE_SYSROOT");
    path = given && *given ? xstrdup(given) : home_path("sysroot");
    char *libc = xformat("%s/lib/libc.a", path);
    if (!exists(libc))
        die("no sysroot at %s (build the project, or set QUINCE_SYSROOT)", path);
    free(libc);
    return path;
}

const char *real_compiler(void)
{
    const char *given = getenv("QUINCE_REAL_CC");
    return given && *given ? given : "gcc";
}

int run_command(const struct words *command)
{
    if (verbose) {
        for (size_t i = 0; i < command->count; i++)
            fprintf(stderr, "%s%s", i ? " " : "+ ", command->at[i]);
        fputc('\n', stderr);
    }
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        die("cannot start %s: %s", command->at[0], strerror(errno));
    if (child == 0) {
        execvp(command->at[0], (char *const *)(uintptr_t)command->at);
        fprintf(stderr, "quince: cannot run %s: %s\n", command->at[0], strerror(errno));
        _exit(127);
    }
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

char *command_output(const struct words *command)
{
    int ends[2];
    if (pipe(ends) < 0)
        die("cannot make a pipe: %s", strerror(errno));
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        die("cannot start %s: %s", command->at[0], strerror(errno));
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(command->at[0], (char *const *)(uintptr_t)command->at);
        _exit(127);
    }
    close(ends[1]);
    char text[4096];
    size_t used = 0;
    ssize_t got;
    while (used < sizeof text - 1 && (got = read(ends[0], text + used, sizeof text - 1 - used)) > 0)
        used += (size_t)got;
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        die("%s failed", command->at[0]);
    text[used] = 0;
    text[strcspn(text, "\n")] = 0;
    return xstrdup(text);
}

static char *gcc_says(const char *question)
{
    struct words command = {0};
    words_add(&command, real_compiler());
    words_add(&command, question);
    char *answer = command_output(&command);
    free(command.at);
    return answer;
}

void compile_options(struct words *command)
{
    static const char *const options[] = {
        "-fno-pic",
        "-fno-pie",
        "-mcmodel=small",
        "-mno-red-zone",
        "-fno-stack-protector",
        "-fno-omit-frame-pointer",
        "-ffunction-sections",
        "-fdata-sections",
        "-fcf-protection=none",
        "-D__QUINCE__=1",
        "-nostdinc",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        words_add(command, options[i]);
    words_add(command, "-isystem");
    words_add(command, xformat("%s/include", sysroot()));
    words_add(command, "-isystem");
    words_add(command, gcc_says("-print-file-name=include"));
}

static char *scratch_path;

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static void remove_scratch(void)
{
    nftw(scratch_path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *scratch(void)
{
    if (!scratch_path) {
        const char *base = getenv("TMPDIR");
        scratch_path = xformat("%s/quince-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(scratch_path))
            die("cannot make %s: %s", scratch_path, strerror(errno));
        atexit(remove_scratch);
    }
    return scratch_path;
}

char *scratch_file(const char *suffix)
{
    static unsigned count;
    return xformat("%s/%u%s", scratch(), count++, suffix);
}

/* Adds a part's library when it was built. */
static void add_part(struct words *command, const char *name)
{
    char *path = xformat("%s/lib/libquince-%s.a", sysroot(), name);
    if (exists(path))
        words_add(command, path);
}

/* The engine with its compiler, unless the image or all of this build is to do without. */
static const char *engine_part(const struct image *image)
{
    char *path = xformat("%s/lib/libquince-wasm.a", sysroot());
    return image->parts.without_compiler || !exists(path) ? "wasm-run" : "wasm";
}

static void link_command(struct words *command, const struct image *image, const char *output,
                         const char *keys, const char *symbols)
{
    static const char *const options[] = {
        "-nostdlib",
        "-static",
        "--gc-sections",
        "--build-id=none",
        "--require-defined=main",
        "--no-warn-rwx-segments",
        "-z",
        "max-page-size=4096",
        "-z",
        "noexecstack",
    };
    words_add(command, gcc_says("-print-prog-name=ld"));
    words_add(command, "-T");
    words_add(command, xformat("%s/lib/quince.ld", sysroot()));
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        words_add(command, options[i]);
    if (image->strip && symbols)
        words_add(command, "-s");
    words_add(command, "-o");
    words_add(command, output);
    words_add(command, xformat("%s/lib/crti.o", sysroot()));
    words_add_all(command, &image->inputs);
    words_add(command, xformat("-L%s/lib", sysroot()));

    /* Whole, because parts register themselves in tables; what nothing uses is collected again. */
    words_add(command, "--whole-archive");
    add_part(command, "core");
    if (!image->parts.without_net || !image->parts.without_engine)
        add_part(command, "drivers");
    if (!image->parts.without_net)
        add_part(command, "net");
    if (!image->parts.without_engine) {
        add_part(command, "extend");
        add_part(command, engine_part(image));
        if (keys)
            words_add(command, keys);
    }
    if (symbols)
        words_add(command, symbols);
    words_add(command, "--no-whole-archive");
    words_add(command, "--start-group");
    words_add(command, xformat("%s/lib/libc.a", sysroot()));
    words_add(command, gcc_says("-print-libgcc-file-name"));
    words_add(command, "--end-group");
    words_add(command, xformat("%s/lib/crtn.o", sysroot()));
}

int link_image(const struct image *image)
{
    char *first = scratch_file(".first"), *symbols = scratch_file(".o");
    struct words link = {0}, again = {0}, table = {0};
    const char *keys = image->parts.without_engine ? NULL : image_keys(&image->keys);
    link_command(&link, image, first, keys, NULL);
    int code = run_command(&link);
    if (code)
        return code;
    words_add(&table, xformat("%s/bin/quince-symtab", sysroot()));
    words_add(&table, first);
    words_add(&table, symbols);
    code = run_command(&table);
    if (code)
        return code;
    link_command(&again, image, image->output, keys, symbols);
    return run_command(&again);
}
