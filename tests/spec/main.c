/* Runs the official WebAssembly test suite: for each .wast file given, or each of the suite's root
 * and proposals, one TAP line with its assertions. A file runs in a process of its own, so one that
 * crashes or hangs is one failure. What tests/spec/exclusions names is not run, but told.
 *
 *   spec [--passes LIST] [--cpu LEVEL] [--through qwo] [--exclusions FILE] [--suite DIR]
 *        [--convert PROGRAM] [--prepare OUT] [file.wast …]
 *
 * With --prepare nothing is run: scripts and modules go to OUT, with a list of them, for ring0.c.
 *
 * The suite's folder: the environment variable WASM_TESTSUITE, else --suite. All folders in it are
 * gone through. What wast2json cannot convert, being older than the suite, is skipped by name. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port.h"
#include "spec.h"

enum { FILE_SECONDS = 120, MAX_EXCLUSIONS = 128, REASON = 256 };

/* "file.wast" or "file.wast:line", the file as the suite's folder has it; may hold * and ?. */
struct exclusion {
    char file[128], reason[256];
    int line; /* 0: all of it */
    unsigned used;
};
static struct exclusion exclusions[MAX_EXCLUSIONS];
static unsigned exclusion_count;
static struct wasm_load_options options;
#define SCRIPT "script.json" /* in a file's folder */
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

/* Output and complaints go to the file LOG. */
static int spawn_wait(char *const argv[], const char *log)
{
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (!pid) {
        int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        execvp(argv[0], argv);
        dprintf(2, "%s: %s\n", argv[0], strerror(errno));
        _exit(127);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
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

enum converted { CONVERTED, REFUSED, NO_CONVERTER };

/* The script PATH, which may use FEATURES, becomes script.json and modules in FOLDER, or REASON is
 * what the converter said, one line. */
static enum converted convert(const char *path, uint32_t features, const char *folder,
                              char reason[REASON])
{
    char json_path[PATH_MAX + 16], log[PATH_MAX + 16];
    snprintf(json_path, sizeof(json_path), "%s/" SCRIPT, folder);
    snprintf(log, sizeof(log), "%s/log", folder);
    char *command[GROUPS + 5] = {(char *)converter, (char *)path, "-o", json_path};
    unsigned words = 4;
    for (unsigned i = 0; i < GROUPS; i++)
        if (!(groups[i].features & ~features))
            command[words++] = (char *)groups[i].flag;
    int status = spawn_wait(command, log);
    snprintf(reason, REASON, "no reason given");
    FILE *said = fopen(log, "r");
    if (said && fgets(reason, REASON, said))
        reason[strcspn(reason, "\n")] = '\0';
    if (said)
        fclose(said);
    unlink(log);
    return status == 0 ? CONVERTED : status == 1 ? REFUSED : NO_CONVERTER;
}

/* For ring0.c: one more line of the list, its script in FOLDER. */
static bool list_file(const char *name, uint32_t features, const char *folder, unsigned number)
{
    char json_path[PATH_MAX + 16];
    struct spec_exclusion lines[MAX_EXCLUSIONS];
    snprintf(json_path, sizeof(json_path), "%s/" SCRIPT, folder);
    char *text = (char *)spec_read(json_path, NULL);
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

/* In the child: runs the script in FOLDER, which may use FEATURES; counts go to OUT. */
static void run_file(const char *name, uint32_t features, const char *folder, int out)
{
    char json_path[PATH_MAX + 16];
    struct spec_counts counts = {0};
    struct spec_exclusion lines[MAX_EXCLUSIONS];
    alarm(FILE_SECONDS);
    snprintf(json_path, sizeof(json_path), "%s/" SCRIPT, folder);
    char *text = (char *)spec_read(json_path, NULL);
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

enum verdict { FILE_PASSED, FILE_FAILED, FILE_SKIPPED };

static enum verdict test_file(const char *path, const char *name, uint32_t features,
                              unsigned number, struct spec_counts *total)
{
    char folder[PATH_MAX] = "/tmp/quince-spec-XXXXXX", reason[REASON];
    int pipes[2], status = 0;
    struct spec_counts counts = {0};
    struct spec_exclusion lines[MAX_EXCLUSIONS];
    if (prepare_in)
        snprintf(folder, sizeof(folder), "%s/%u", prepare_in, number);
    if (prepare_in ? mkdir(folder, 0755) && errno != EEXIST : !mkdtemp(folder) || pipe(pipes)) {
        printf("not ok %u - %s # %s\n", number, name, strerror(errno));
        return FILE_FAILED;
    }
    enum converted converted = convert(path, features, folder, reason);
    if (converted != CONVERTED)
        remove_folder(folder);
    if (converted == REFUSED) {
        printf("ok %u - %s # SKIP not converted: %s\n", number, name, reason);
        return FILE_SKIPPED;
    }
    if (converted == NO_CONVERTER) {
        printf("not ok %u - %s: %s\n", number, name, reason);
        return FILE_FAILED;
    }
    if (prepare_in)
        return list_file(name, features, folder, number) ? FILE_PASSED : FILE_FAILED;
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        close(pipes[0]);
        run_file(name, features, folder, pipes[1]);
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
    return ok ? FILE_PASSED : FILE_FAILED;
}

static int wast_only(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 5 && !strcmp(entry->d_name + len - 5, ".wast");
}

struct tally {
    unsigned number, failed, excluded, unconverted;
    struct spec_counts counts;
};

static void test_one(const char *path, const char *name, uint32_t features, unsigned number,
                     struct tally *to)
{
    enum verdict verdict = test_file(path, name, features, number, &to->counts);
    to->number++;
    to->failed += verdict == FILE_FAILED;
    to->unconverted += verdict == FILE_SKIPPED;
}

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
            test_one(path, name, features, total->number + here.number + 1, &here);
        }
        free(entries[k]);
    }
    free(entries);
    if (!prepare_in)
        printf("# %s: %u files, %u assertions passed, %u failed\n", *folder ? folder : "root",
               here.number - here.unconverted, here.counts.passed, here.counts.failed);
    total->number += here.number;
    total->failed += here.failed;
    total->excluded += here.excluded;
    total->unconverted += here.unconverted;
    add(&total->counts, &here.counts);
}

static int folders_only(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* All folders from FOLDER down: those of the table above with what they need beyond ROOT, others
 * with FEATURES. */
static void test_tree(const char *suite, const char *folder, uint32_t features, uint32_t root,
                      struct tally *total)
{
    char path[PATH_MAX];
    struct dirent **entries;
    struct stat st;
    for (unsigned i = 0; i < GROUPS; i++)
        if (!strcmp(folder, groups[i].folder))
            features = root | groups[i].features;
    test_folder(suite, folder, features, total);
    snprintf(path, sizeof(path), "%s/%s", suite, folder);
    int count = scandir(path, &entries, folders_only, alphasort);
    for (int k = 0; k < count; k++) {
        char below[PATH_MAX / 4];
        snprintf(below, sizeof(below), "%s%s%s", folder, *folder ? "/" : "", entries[k]->d_name);
        snprintf(path, sizeof(path), "%s/%s", suite, below);
        /* A proposal that is not in the table may use whatever the engine has. */
        if (!lstat(path, &st) && S_ISDIR(st.st_mode))
            test_tree(suite, below, *folder ? features : ALL_FEATURES, root, total);
        free(entries[k]);
    }
    if (count >= 0)
        free(entries);
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
    test_tree(suite, "", root, root, total);
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
        test_one(argv[i], name, features, total.number + 1, &total);
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
           "invalid, %u files and %u assertions excluded, %u files not converted\n",
           total.counts.skipped, total.counts.early, total.excluded, total.counts.excluded,
           total.unconverted);
    printf("# %u files, %u failed\n# %u passed, %u failed\n", total.number - total.unconverted,
           total.failed, total.counts.passed, total.counts.failed);
    return total.failed != 0;
}
