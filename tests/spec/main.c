/* Runs the official WebAssembly test suite: for each .wast file given, or each in the suite's
 * folder that tests/spec/exclusions does not name, one TAP line with its assertions. A file runs in
 * a process of its own, so one that crashes or hangs is one failure.
 *
 *   spec [--passes LIST] [--cpu LEVEL] [--through qwo] [--exclusions FILE] [--suite DIR] [file.wast
 * …]
 *
 * The suite's folder: --suite, else the environment variable WASM_TESTSUITE. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port.h"
#include "spec.h"

enum { FILE_SECONDS = 120 };

struct exclusion {
    char pattern[128], reason[256];
    unsigned used;
};
static struct exclusion exclusions[128];
static unsigned exclusion_count;
static struct wasm_load_options load;

/* Lines "pattern reason"; # starts a comment. */
static bool read_exclusions(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[512];
    if (!f)
        return false;
    while (fgets(line, sizeof(line), f)) {
        struct exclusion *e = &exclusions[exclusion_count];
        if (line[0] == '#' || sscanf(line, "%127s %255[^\n]", e->pattern, e->reason) < 2)
            continue;
        if (++exclusion_count == sizeof(exclusions) / sizeof(*exclusions))
            break;
    }
    fclose(f);
    return true;
}

static bool is_excluded(const char *name)
{
    for (unsigned i = 0; i < exclusion_count; i++) {
        if (!fnmatch(exclusions[i].pattern, name, 0)) {
            exclusions[i].used++;
            return true;
        }
    }
    return false;
}

static int spawn_wait(char *const argv[])
{
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (!pid) {
        dup2(2, 1);
        execvp(argv[0], argv);
        fprintf(stderr, "# %s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    if (!f)
        return NULL;
    if (!fseek(f, 0, SEEK_END)) {
        long size = ftell(f);
        rewind(f);
        text = malloc((size_t)size + 1);
        if (text)
            text[fread(text, 1, (size_t)size, f)] = '\0';
    }
    fclose(f);
    return text;
}

static void remove_folder(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    char file[PATH_MAX];
    while (d && (e = readdir(d))) {
        snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.')
            unlink(file);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

/* cJSON ends a string at its first zero character; find_export() puts it back. Same length, so in
 * place. */
static void mark_zeros(char *text)
{
    static const char zero[] = "\\u0000";
    for (char *p = text; (p = strstr(p, zero)) != NULL; p += sizeof(zero) - 1)
        memcpy(p, SPEC_ZERO, sizeof(zero) - 1);
}

/* In the child: everything about one file; counts go to OUT. */
static void run_file(const char *path, const char *folder, int out)
{
    char json_path[PATH_MAX];
    struct spec_counts counts = {0};
    snprintf(json_path, sizeof(json_path), "%s/script.json", folder);
    char *command[] = {"wast2json",
                       "--enable-tail-call",
                       "--enable-extended-const",
                       "--enable-multi-memory",
                       (char *)path,
                       "-o",
                       json_path,
                       NULL};
    alarm(FILE_SECONDS);
    if (spawn_wait(command)) {
        fprintf(stderr, "# wast2json refused it\n");
        _exit(1);
    }
    char *text = read_text(json_path);
    if (text)
        mark_zeros(text);
    cJSON *document = text ? cJSON_Parse(text) : NULL;
    if (!document || !host_port_thread_init()) {
        fprintf(stderr, "# its JSON is not understood\n");
        _exit(1);
    }
    spec_run(document, folder, &load, stderr, &counts);
    cJSON_Delete(document);
    free(text);
    host_port_thread_exit();
    exit(write(out, &counts, sizeof(counts)) == sizeof(counts) ? 0 : 1);
}

static bool test_file(const char *path, unsigned number, struct spec_counts *total)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char folder[] = "/tmp/quince-spec-XXXXXX";
    int pipes[2], status = 0;
    struct spec_counts counts = {0};
    if (!mkdtemp(folder) || pipe(pipes)) {
        printf("not ok %u - %s # %s\n", number, name, strerror(errno));
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        close(pipes[0]);
        run_file(path, folder, pipes[1]);
    }
    close(pipes[1]);
    bool ok = pid > 0 && read(pipes[0], &counts, sizeof(counts)) == sizeof(counts);
    close(pipes[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    remove_folder(folder);
    ok = ok && !counts.failed && WIFEXITED(status) && !WEXITSTATUS(status);
    total->passed += counts.passed;
    total->failed += counts.failed + (ok || counts.failed ? 0 : 1);
    total->skipped += counts.skipped;
    total->early += counts.early;
    printf("%sok %u - %s: %u assertions passed", ok ? "" : "not ", number, name, counts.passed);
    if (counts.failed)
        printf(", %u failed", counts.failed);
    if (WIFSIGNALED(status))
        printf(", died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    putchar('\n');
    fflush(stdout);
    return ok;
}

static int wast_only(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && !strcmp(entry->d_name + len - 5, ".wast");
}

int main(int argc, char **argv)
{
    const char *suite = getenv("WASM_TESTSUITE");
    struct spec_counts total = {0};
    unsigned number = 0, failed = 0, excluded = 0;
    int i = 1;
    for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
        if (!strcmp(argv[i], "--passes")) {
            load.passes = argv[i + 1];
        } else if (!strcmp(argv[i], "--cpu")) {
            load.cpu = argv[i + 1];
        } else if (!strcmp(argv[i], "--through") && !strcmp(argv[i + 1], "qwo")) {
            spec_through_files = true;
        } else if (!strcmp(argv[i], "--suite")) {
            suite = suite ? suite : argv[i + 1];
        } else if (!strcmp(argv[i], "--exclusions")) {
            if (!read_exclusions(argv[i + 1])) {
                fprintf(stderr, "spec: %s: %s\n", argv[i + 1], strerror(errno));
                return 2;
            }
        } else {
            fprintf(stderr, "spec: unknown option %s\n", argv[i]);
            return 2;
        }
    }
    for (; i < argc; i++)
        failed += !test_file(argv[i], ++number, &total);
    if (!number) {
        struct dirent **entries;
        int count = suite ? scandir(suite, &entries, wast_only, alphasort) : -1;
        if (count <= 0) {
            printf("1..0 # SKIP no test suite (set WASM_TESTSUITE to its folder)\n");
            return 0;
        }
        for (int k = 0; k < count; k++) {
            char path[PATH_MAX];
            snprintf(path, sizeof(path), "%s/%s", suite, entries[k]->d_name);
            if (is_excluded(entries[k]->d_name))
                excluded++;
            else
                failed += !test_file(path, ++number, &total);
            free(entries[k]);
        }
        free(entries);
    }
    printf("1..%u\n", number);
    for (unsigned k = 0; k < exclusion_count; k++)
        if (exclusions[k].used)
            printf("# excluded: %u files %s: %s\n", exclusions[k].used, exclusions[k].pattern,
                   exclusions[k].reason);
    printf(
        "# %u files passed, %u failed, %u excluded; %u assertions passed, %u failed, %u about the "
        "text format skipped, %u malformed modules rejected as invalid\n",
        number - failed, failed, excluded, total.passed, total.failed, total.skipped, total.early);
    return failed != 0;
}
