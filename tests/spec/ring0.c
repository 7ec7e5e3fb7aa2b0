/* The official test suite in ring 0: runs the scripts that `spec --convert` prepared in a folder of
 * the host, which the machine has as a 9p share, and prints a TAP line for each. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "spec.h"

#define ROOT "/suite"

/* One line of the list: number, features, name, lines that are not to be executed. */
static bool run_line(char *line, struct spec_counts *total)
{
    struct spec_exclusion excluded[64];
    unsigned excluded_count = 0;
    char folder[64], path[96], *next;
    const char *number = strtok_r(line, " ", &next), *features = strtok_r(NULL, " ", &next);
    const char *name = strtok_r(NULL, " ", &next);
    if (!name)
        return false;
    for (const char *at; excluded_count < 64 && (at = strtok_r(NULL, " ", &next));)
        excluded[excluded_count++] = (struct spec_exclusion){.line = atoi(at)};
    snprintf(folder, sizeof(folder), ROOT "/%s", number);
    snprintf(path, sizeof(path), "%s/script.json", folder);
    char *text = (char *)spec_read(path, NULL);
    cJSON *document = text ? cJSON_Parse(text) : NULL;
    struct spec_counts counts = {0};
    struct wasm_load_options load = {.without = (uint32_t)strtoul(features, NULL, 0)};
    if (document)
        spec_run(document, folder, &load, excluded, excluded_count, stdout, &counts);
    else
        printf("# %s: %s\n", path, text ? "not understood" : strerror(errno));
    cJSON_Delete(document);
    free(text);
    bool ok = document && !counts.failed;
    printf("%sok %s - ring 0: %s: %u assertions passed", ok ? "" : "not ", number, name,
           counts.passed);
    if (counts.failed)
        printf(", %u failed", counts.failed);
    printf("\n");
    total->passed += counts.passed;
    total->failed += counts.failed + !document;
    return ok;
}

int main(void)
{
    struct spec_counts total = {0};
    bool ok = true;
    unsigned files = 0;
    if (mkdir(ROOT, 0755) || mount("suite", ROOT, "9p", 0, NULL)) {
        printf("Bail out! mounting the suite: %s\n", strerror(errno));
        return 1;
    }
    char *list = (char *)spec_read(ROOT "/list", NULL), *next;
    for (char *line = list ? strtok_r(list, "\n", &next) : NULL; line;
         line = strtok_r(NULL, "\n", &next), files++)
        ok &= run_line(line, &total);
    free(list);
    printf("1..%u\n# %u passed, %u failed\n", files, total.passed, total.failed);
    return !files || !ok;
}
