/* Runs the official WebAssembly test suite: for each .wast file given, or each of the suite's root
 * and proposals, one TAP line with its assertions. A file runs in a process of its own, so one that
 * crashes or hangs is one failure. What tests/spec/exclusions names is not run, but told.
 *
 *   spec [--passes LIST] [--cpu LEVEL] [--through qwo] [--exclusions FILE] [--suite DIR]
 *        [--convert PROGRAM] [--prepare OUT] [file.wast …]
 *
 * With --prepare nothing is run: scripts and modules go to OUT, with a list of them, for ring0.c.
 *
 * The suite's folder: --suite, else the environment variable WASM_TESTSUITE. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port.h"
#include "spec.h"

enum { FILE_SECONDS = 120, MAX_EXCLUSIONS = 128 };

/* "file.wast" or "file.wast:line", the file as the suite's folder has it; may hold * and ?. */
struct exclusion {
    char file[128], reason[256];
    int line; /* 0: all of it */
    unsigned used;
};
static struct exclusion exclusions[MAX_EXCLUSIONS];
static unsigned exclusion_count;
static struct wasm_load_options options;
static const char *converter = "wast2json";
static const char *prepare_in; /* --prepare */
static FILE *list;             /* … its list */

/* The folders of the suite, and what they need beyond WebAssembly 2.0. A folder that is absent has
 * been taken into the specification: its feature then belongs to the root. */
static const struct group {
    const char *folder, *flag; /* of wast2json */
    uint32_t features;
} groups[] = {
    {"proposals/tail-call", "--enable-tail-call", WASM_FEATURE_TAIL_CALLS},
    {"proposals/extended-const", "--enable-extended-const", WASM_FEATURE_EXTENDED_CONST},
    {"proposals/multi-memory", "--enable-multi-memory", WASM_FEATURE_MULTI_MEMORY},
    {"proposals/memory64", "--enable-memory64", WASM_FEATURE_MEMORY64},
    {"proposals/threads", "--enable-threads", WASM_FEATURE_THREADS},
    /* Its scripts make tail calls out of try blocks. */
    {"proposals/exception-handling", "--enable-exceptions",
     WASM_FEATURE_EXCEPTIONS | WASM_FEATURE_TAIL_CALLS},
    {"proposals/relaxed-simd", "--enable-relaxed-simd", WASM_FEATURE_RELAXED_SIMD},
};
enum { GROUPS = sizeof(groups) / sizeof(*groups), ALL_FEATURES = 127 };

/* Lines "pattern reason"; # starts a comment. */
static bool read_exclusions(const char *path)
{
    FILE *f = fopen(path, "r");
    char line[512];
    if (!f)
        return false;
    while (fgets(line, sizeof(line), f) && exclusion_count < MAX_EXCLUSIONS) {
        struct exclusion *e = &exclusions[exclusion_count];
        if (line[0] == '#' || sscanf(line, "%127s %255[^\n]", e->file, e->reason) < 2)
            continue;
        char *colon = strchr(e->file, ':');
        if (colon) {
            *colon = '\0';
            e->line = atoi(colon + 1);
        }
        exclusion_count++;
    }
    fclose(f);
    return true;
}

static bool is_excluded(const char *name)
{
    for (unsigned i = 0; i < exclusion_count; i++) {
        if (!exclusions[i].line && !fnmatch(exclusions[i].file, name, 0)) {
            exclusions[i].used++;
            return true;
        }
    }
    return false;
}

/* The excluded lines of file NAME. */
static unsigned excluded_lines(const char *name, struct spec_exclusion *lines)
{
    unsigned count = 0;
    for (unsigned i = 0; i < exclusion_count; i++) {
        if (exclusions[i].line && !fnmatch(exclusions[i].file, name, 0)) {
            exclusions[i].used++;
            lines[count++] = (struct spec_exclusion){.line = exclusions[i].line};
        }
    }
    return count;
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

/* The script PATH, which may use FEATURES, becomes script.json and modules in FOLDER. */
static bool convert(const char *path, uint32_t features, const char *folder, char *json_path,
                    size_t size)
{
    snprintf(json_path, size, "%s/script.json", folder);
    char *command[GROUPS + 5] = {(char *)converter, (char *)path, "-o", json_path};
    unsigned words = 4;
    for (unsigned i = 0; i < GROUPS; i++)
        if (!(groups[i].features & ~features))
            command[words++] = (char *)groups[i].flag;
    if (!spawn_wait(command))
        return true;
    fprintf(stderr, "# %s refused it\n", converter);
    return false;
}

/* For ring0.c: one more folder and line of the list. */
static bool convert_file(const char *path, const char *name, uint32_t features, unsigned number)
{
    char folder[PATH_MAX], json_path[PATH_MAX + 16];
    struct spec_exclusion lines[MAX_EXCLUSIONS];
    snprintf(folder, sizeof(folder), "%s/%u", prepare_in, number);
    if ((mkdir(folder, 0755) && errno != EEXIST) ||
        !convert(path, features, folder, json_path, sizeof(json_path)))
        return false;
    char *text = read_text(json_path);
    FILE *json = text ? fopen(json_path, "wb") : NULL;
    bool ok = json;
    if (ok) {
        mark_zeros(text);
        ok = fputs(text, json) >= 0;
        ok &= !fclose(json);
        fprintf(list, "%u %u %s", number, ALL_FEATURES & ~features, name);
        unsigned count = excluded_lines(name, lines);
        for (unsigned i = 0; i < count; i++)
            fprintf(list, " %d", lines[i].line);
        fputc('\n', list);
    }
    free(text);
    return ok;
}

/* In the child: everything about one file, which may use FEATURES; counts go to OUT. */
static void run_file(const char *path, const char *name, uint32_t features, const char *folder,
                     int out)
{
    char json_path[PATH_MAX];
    struct spec_counts counts = {0};
    struct spec_exclusion lines[MAX_EXCLUSIONS];
    alarm(FILE_SECONDS);
    if (!convert(path, features, folder, json_path, sizeof(json_path)))
        _exit(1);
    char *text = read_text(json_path);
    if (text)
        mark_zeros(text);
    cJSON *document = text ? cJSON_Parse(text) : NULL;
    if (!document || !host_port_thread_init()) {
        fprintf(stderr, "# its JSON is not understood\n");
        _exit(1);
    }
    struct wasm_load_options load = options;
    load.without = ALL_FEATURES & ~features;
    spec_run(document, folder, &load, lines, excluded_lines(name, lines), stderr, &counts);
    cJSON_Delete(document);
    free(text);
    host_port_thread_exit();
    exit(write(out, &counts, sizeof(counts)) == sizeof(counts) ? 0 : 1);
}

static void add(struct spec_counts *to, const struct spec_counts *counts)
{
    to->passed += counts->passed;
    to->failed += counts->failed;
    to->skipped += counts->skipped;
    to->excluded += counts->excluded;
    to->early += counts->early;
}

static bool test_file(const char *path, const char *name, uint32_t features, unsigned number,
                      struct spec_counts *total)
{
    char folder[] = "/tmp/quince-spec-XXXXXX";
    int pipes[2], status = 0;
    struct spec_counts counts = {0};
    struct spec_exclusion lines[MAX_EXCLUSIONS];
    if (prepare_in)
        return convert_file(path, name, features, number);
    if (!mkdtemp(folder) || pipe(pipes)) {
        printf("not ok %u - %s # %s\n", number, name, strerror(errno));
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        close(pipes[0]);
        run_file(path, name, features, folder, pipes[1]);
    }
    close(pipes[1]);
    bool ok = pid > 0 && read(pipes[0], &counts, sizeof(counts)) == sizeof(counts);
    close(pipes[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    remove_folder(folder);
    excluded_lines(name, lines); /* counts their use, which the child could not */
    ok = ok && !counts.failed && WIFEXITED(status) && !WEXITSTATUS(status);
    add(total, &counts);
    total->failed += !ok && !counts.failed;
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

struct tally {
    unsigned number, failed, excluded;
    struct spec_counts counts;
};

/* The .wast files of one folder of the suite. */
static void test_folder(const char *suite, const char *folder, uint32_t features,
                        struct tally *total)
{
    char path[PATH_MAX];
    struct dirent **entries;
    struct tally here = {0};
    snprintf(path, sizeof(path), "%s/%s", suite, folder);
    int count = scandir(path, &entries, wast_only, alphasort);
    if (count <= 0)
        return;
    for (int k = 0; k < count; k++) {
        char name[PATH_MAX / 2];
        snprintf(name, sizeof(name), "%s%s%s", folder, *folder ? "/" : "", entries[k]->d_name);
        snprintf(path, sizeof(path), "%s/%s", suite, name);
        if (is_excluded(name)) {
            here.excluded++;
        } else {
            here.number++;
            here.failed +=
                !test_file(path, name, features, total->number + here.number, &here.counts);
        }
        free(entries[k]);
    }
    free(entries);
    if (!prepare_in)
        printf("# %s: %u files, %u assertions passed, %u failed\n", *folder ? folder : "root",
               here.number, here.counts.passed, here.counts.failed);
    total->number += here.number;
    total->failed += here.failed;
    total->excluded += here.excluded;
    add(&total->counts, &here.counts);
}

static void test_suite(const char *suite, struct tally *total)
{
    uint32_t root = ALL_FEATURES;
    struct stat st;
    char path[PATH_MAX];
    for (unsigned i = 0; i < GROUPS; i++) {
        snprintf(path, sizeof(path), "%s/%s", suite, groups[i].folder);
        if (!stat(path, &st))
            root &= ~groups[i].features;
    }
    test_folder(suite, "", root, total);
    for (unsigned i = 0; i < GROUPS; i++)
        test_folder(suite, groups[i].folder, root | groups[i].features, total);
}

int main(int argc, char **argv)
{
    const char *suite = getenv("WASM_TESTSUITE");
    struct tally total = {0};
    int i = 1;
    for (; i + 1 < argc && !strncmp(argv[i], "--", 2); i += 2) {
        if (!strcmp(argv[i], "--passes")) {
            options.passes = argv[i + 1];
        } else if (!strcmp(argv[i], "--cpu")) {
            options.cpu = argv[i + 1];
        } else if (!strcmp(argv[i], "--convert")) {
            converter = argv[i + 1];
        } else if (!strcmp(argv[i], "--through") && !strcmp(argv[i + 1], "qwo")) {
            spec_through_files = true;
        } else if (!strcmp(argv[i], "--prepare")) {
            char path[PATH_MAX];
            prepare_in = argv[i + 1];
            snprintf(path, sizeof(path), "%s/list", prepare_in);
            if ((mkdir(prepare_in, 0755) && errno != EEXIST) || !(list = fopen(path, "wb"))) {
                fprintf(stderr, "spec: %s: %s\n", path, strerror(errno));
                return 2;
            }
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
    for (; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/'), *name = slash ? slash + 1 : argv[i];
        uint32_t features = ALL_FEATURES;
        for (unsigned k = 0; k < GROUPS; k++)
            if (strstr(argv[i], groups[k].folder))
                features = groups[k].features, name = strstr(argv[i], groups[k].folder);
        total.number++;
        total.failed += !test_file(argv[i], name, features, total.number, &total.counts);
    }
    if (!total.number && suite)
        test_suite(suite, &total);
    if (!total.number) {
        printf("1..0 # SKIP no test suite (set WASM_TESTSUITE to its folder)\n");
        return 0;
    }
    if (prepare_in)
        return fclose(list) || total.failed;
    printf("1..%u\n", total.number);
    for (unsigned k = 0; k < exclusion_count; k++) {
        const struct exclusion *e = &exclusions[k];
        char line[16] = "";
        if (e->line)
            snprintf(line, sizeof(line), ":%d", e->line);
        if (e->used)
            printf("# excluded: %s%s (%s)\n", e->file, line, e->reason);
    }
    printf("# %u assertions about the text format skipped, %u malformed modules rejected as "
           "invalid, %u files and %u assertions excluded\n",
           total.counts.skipped, total.counts.early, total.excluded, total.counts.excluded);
    printf("# %u files, %u failed\n# %u passed, %u failed\n", total.number, total.failed,
           total.counts.passed, total.counts.failed);
    return total.failed != 0;
}
