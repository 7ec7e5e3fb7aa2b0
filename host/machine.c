/* The state folder and who lives in it: see machine.h. */
#include "machine.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "options.h"

bool machine_name_valid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length >= MACHINE_NAME || !isalnum((unsigned char)name[0])) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)name[i]) && !strchr("_-.", name[i])) {
            return false;
        }
    }
    return true;
}

const char *machine_root(void)
{
    static char *root;
    if (root) {
        return root;
    }
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    root = runtime && *runtime ? xformat("%s/quince", runtime)
                               : xformat("/tmp/quince-%u", (unsigned)getuid());
    if (mkdir(root, 0700) != 0 && errno != EEXIST) {
        die("cannot make the state folder %s: %s; set XDG_RUNTIME_DIR to a folder of yours", root,
            strerror(errno));
    }
    /* The name is known to everybody: what is there must be ours and closed to others. */
    struct stat status;
    if (lstat(root, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != getuid() ||
        (status.st_mode & 077) != 0) {
        die("%s must be a folder of yours with mode 0700; remove it, or set XDG_RUNTIME_DIR", root);
    }
    return root;
}

char *machine_path(const char *name, const char *file)
{
    return xformat("%s/%s%s%s", machine_root(), name, *file ? "/" : "", file);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

void machine_remove(const char *name)
{
    char *folder = machine_path(name, "");
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

/* An open lock file of NAME, or -1. */
static int open_lock(const char *name, int flags)
{
    char *path = machine_path(name, "lock");
    int fd = open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    free(path);
    return fd;
}

bool machine_running(const char *name)
{
    int fd = open_lock(name, 0);
    if (fd < 0) {
        return false;
    }
    bool held = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    return held;
}

int machine_claim(const char *name)
{
    if (machine_running(name)) {
        return -1;
    }
    machine_remove(name);
    char *folder = machine_path(name, "");
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        die("cannot make %s: %s", folder, strerror(errno));
    }
    free(folder);
    int fd = open_lock(name, O_CREAT);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0) {
        return -1; /* somebody was quicker */
    }
    return fd;
}

void machine_write_meta(const char *name, const cJSON *meta)
{
    char *path = machine_path(name, "meta.json"), *fresh = machine_path(name, "meta.new");
    char *text = cJSON_Print(meta);
    FILE *file = fopen(fresh, "we");
    bool good = file && text && fputs(text, file) >= 0;
    good = file && fclose(file) == 0 && good && rename(fresh, path) == 0;
    if (!good) {
        warn("cannot write %s: %s", path, strerror(errno));
    }
    cJSON_free(text);
    free(path);
    free(fresh);
}

static cJSON *read_meta(const char *name)
{
    char *path = machine_path(name, "meta.json");
    size_t size;
    char *text = read_file(path, &size);
    cJSON *meta = text ? cJSON_ParseWithLength(text, size) : NULL;
    free(text);
    free(path);
    return meta ? meta : cJSON_CreateObject();
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct machine *)a)->name, ((const struct machine *)b)->name);
}

struct machine *machine_all(int *count)
{
    struct machine *machines = NULL;
    *count = 0;
    DIR *folder = opendir(machine_root());
    if (!folder) {
        die("cannot read %s: %s", machine_root(), strerror(errno));
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (!machine_name_valid(entry->d_name)) {
            continue;
        }
        machines = xrealloc(machines, ((size_t)*count + 1) * sizeof *machines);
        struct machine *machine = &machines[(*count)++];
        memcpy(machine->name, entry->d_name, strlen(entry->d_name) + 1);
        machine->running = machine_running(machine->name);
        machine->meta = read_meta(machine->name);
        if (!cJSON_HasObjectItem(machine->meta, "name")) { /* it is just being started */
            cJSON_AddStringToObject(machine->meta, "name", machine->name);
        }
    }
    closedir(folder);
    if (machines) {
        qsort(machines, (size_t)*count, sizeof *machines, by_name);
    }
    return machines;
}

void machine_free_all(struct machine *machines, int count)
{
    for (int i = 0; i < count; i++) {
        cJSON_Delete(machines[i].meta);
    }
    free(machines);
}

/* The one running machine; its name is copied. */
static const char *only_machine(void)
{
    int count, running = 0;
    struct machine *machines = machine_all(&count);
    char names[256] = "";
    const char *found = NULL;
    for (int i = 0; i < count; i++) {
        if (!machines[i].running) {
            continue;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", machines[i].name);
        if (running++ == 0) {
            found = xstrdup(machines[i].name);
        }
    }
    machine_free_all(machines, count);
    if (running == 0) {
        warn("no machine runs; start one with 'quince run -d IMAGE'");
        exit(EXIT_MACHINE);
    }
    if (running > 1) {
        warn("several machines run (%s); say which: -M NAME", names);
        exit(EXIT_USAGE);
    }
    return found;
}

const char *machine_choose(const char *name)
{
    name = name ? name : chosen_machine;
    if (!name) {
        return only_machine();
    }
    if (!machine_name_valid(name) || !machine_running(name)) {
        warn("no machine called '%s' runs; 'quince ps' shows those that do", name);
        exit(EXIT_MACHINE);
    }
    return name;
}

const char *meta_string(const cJSON *meta, const char *name, const char *otherwise)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(meta, name));
    return value ? value : otherwise;
}

double meta_number(const cJSON *meta, const char *name, double otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(meta, name);
    return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}
