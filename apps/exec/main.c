/* The exec image: runs the module that `quince exec --in-kernel` put into the initrd, in ring 0. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "exec.h"
#include "exec_image.h"

enum { MAX_ARGS = 4096 };

static char *read_args(size_t *size)
{
    FILE *f = fopen("/" EXEC_IMAGE_ARGS, "rb");
    char *data = NULL;
    size_t used = 0, room = 4096;
    if (!f)
        return NULL;
    data = malloc(room + 1);
    while (data) {
        size_t n = fread(data + used, 1, room - used, f);
        used += n;
        if (!n)
            break;
        if (used == room) {
            char *more = realloc(data, (room *= 2) + 1);
            if (!more)
                free(data);
            data = more;
        }
    }
    fclose(f);
    if (data)
        data[used] = '\0';
    *size = used;
    return data;
}

/* The streams come from the host through ports; the console stays the kernel's. */
static bool open_streams(void)
{
    for (int i = 0; i < 3; i++) {
        char path[64];
        snprintf(path, sizeof(path), "/dev/virtio-ports/" EXEC_IMAGE_STREAM "%d", i);
        int fd = open(path, i ? O_WRONLY : O_RDONLY);
        if (fd < 0 || dup2(fd, i) < 0) {
            fprintf(stderr, "quince: exec: %s: %s\n", path, strerror(errno));
            return false;
        }
        close(fd);
    }
    return true;
}

static bool mount_dirs(const struct exec_options *options)
{
    for (unsigned i = 0; i < options->dir_count; i++) {
        char tag[32];
        const char *path = options->dirs[i].host;
        snprintf(tag, sizeof(tag), EXEC_IMAGE_TAG "%u", i);
        if (mkdir(path, 0755) || mount(tag, path, "9p", 0, NULL)) {
            fprintf(stderr, "quince: exec: %s: %s\n", path, strerror(errno));
            return false;
        }
    }
    return true;
}

static int run(void)
{
    static char *argv[MAX_ARGS + 1];
    int argc = 0;
    size_t size;
    char *args = read_args(&size);
    if (!args) {
        fprintf(stderr, "quince: exec: /%s: %s\n", EXEC_IMAGE_ARGS, strerror(errno));
        return EXEC_EXIT_LOAD;
    }
    for (size_t i = 0; i < size && argc < MAX_ARGS; i += strlen(args + i) + 1)
        argv[argc++] = args + i;
    struct exec_options options;
    if (!exec_parse(argc, argv, &options) || !mount_dirs(&options))
        return EXEC_EXIT_LOAD;
    options.module_file = "/" EXEC_IMAGE_MODULE;
    options.key_file = options.key ? "/" EXEC_IMAGE_KEY : NULL;
    return exec_run(&options);
}

int main(void)
{
    int console = dup(1);
    int code = open_streams() ? run() : EXEC_EXIT_LOAD;
    fflush(stdout);
    fflush(stderr);
    fsync(1); /* the host has it all before it learns of the end */
    fsync(2);
    dprintf(console, "%s%d\n", EXEC_IMAGE_EXIT, code);
    /* The machine's exit code has 7 bits; the line above is the true one. */
    return code & 127;
}
