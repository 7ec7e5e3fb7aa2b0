/* The exec image: runs the module that `quince exec --in-kernel` put into the initrd, in ring 0. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    int in = open("/" EXEC_IMAGE_STDIN, O_RDONLY);
    if (in >= 0) {
        dup2(in, 0);
        close(in);
    }
    struct exec_options options;
    if (!exec_parse(argc, argv, &options))
        return EXEC_EXIT_LOAD;
    options.module_file = "/" EXEC_IMAGE_MODULE;
    return exec_run(&options);
}

int main(void)
{
    int code = run();
    fflush(stdout);
    fflush(stderr);
    printf("%s%d\n", EXEC_IMAGE_EXIT, code);
    fflush(stdout);
    /* The machine's exit code has 7 bits; the line above is the true one. */
    return code & 127;
}
