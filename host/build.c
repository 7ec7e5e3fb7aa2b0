/* quince build: C files and a folder of files to carry become one image. */
#include <errno.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "link.h"
#include "ustar.h"

static void usage(FILE *out)
{
    fputs(
        "usage: quince build FILE.c … [--files DIR] [-o IMAGE] [--without PART,…] [--key NAME.pub] "
        "[OPTION …]\n"
        "\n"
        "  FILE           C sources, assembly, objects and archives\n"
        "  --files DIR    carry what is in DIR as read-only files at / (repeatable)\n"
        "  -o IMAGE       the result (default: the first file's name with .img)\n"
        "  --without PART leave out \"net\", \"engine\" (extensions) or \"compiler\": the kernel\n"
        "                 then takes only extensions compiled ahead of time and signed\n"
        "  --key NAME.pub take .qwo files that the owner of this key signed (repeatable)\n"
        "  OPTION         of the compiler: -O2 (default), -g, -D…, -I…, -l…\n",
        out);
}

/* An object that holds the archive of DIRECTORIES. */
static const char *pack(const struct words *directories)
{
    char *archive = scratch_file(".tar"), *source = scratch_file(".s"),
         *object = scratch_file(".o");
    FILE *out = fopen(archive, "wb");
    if (!out)
        die("cannot write %s: %s", archive, strerror(errno));
    for (size_t i = 0; i < directories->count; i++) {
        struct stat status;
        if (stat(directories->at[i], &status) < 0 || !S_ISDIR(status.st_mode))
            die("--files %s: %s", directories->at[i], errno ? strerror(errno) : "not a folder");
        if (!ustar_tree(out, ".", directories->at[i]))
            die("cannot pack %s: %s", directories->at[i], strerror(errno));
    }
    if (!ustar_end(out) || fclose(out) != 0)
        die("cannot write %s: %s", archive, strerror(errno));

    FILE *text = fopen(source, "w");
    if (!text)
        die("cannot write %s: %s", source, strerror(errno));
    fprintf(text, ".section .archive,\"a\",@progbits\n.balign 4096\n.incbin \"%s\"\n", archive);
    if (fclose(text) != 0)
        die("cannot write %s: %s", source, strerror(errno));
    struct words command = {0};
    words_add(&command, real_compiler());
    words_add(&command, "-c");
    words_add(&command, source);
    words_add(&command, "-o");
    words_add(&command, object);
    if (run_command(&command) != 0)
        die("cannot turn the files into an object");
    return object;
}

/* app.c → app.img, beside where it is called. */
static char *default_output(const char *input)
{
    const char *slash = strrchr(input, '/'), *name = slash ? slash + 1 : input;
    const char *dot = strrchr(name, '.');
    return xformat("%.*s.img", (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
}

int cmd_build(int argc, char **argv)
{
    struct words cc = {0}, directories = {0};
    const char *output = NULL, *first = NULL;
    bool optimized = false;
    words_add(&cc, "quince-cc");
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(word, "--help") == 0) {
            usage(stdout);
            return 0;
        }
        if (strcmp(word, "--files") == 0 || strcmp(word, "--without") == 0 ||
            strcmp(word, "--key") == 0 || strcmp(word, "-o") == 0) {
            if (!value) {
                warn("build: %s needs a value", word);
                return EXIT_USAGE;
            }
            i++;
            if (word[2] == 'f')
                words_add(&directories, value);
            else if (word[2] == 'k')
                words_add(&cc, xformat("--key=%s", value));
            else if (word[2] == 'w')
                words_add(&cc, xformat("--without=%s", value));
            else
                output = value;
            continue;
        }
        if (strncmp(word, "--files=", 8) == 0) {
            words_add(&directories, word + 8);
            continue;
        }
        if (word[0] != '-' && !first && strchr(word, '.'))
            first = word;
        optimized |= word[0] == '-' && word[1] == 'O';
        words_add(&cc, word);
    }
    if (!first) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (!optimized)
        words_add(&cc, "-O2");
    if (directories.count)
        words_add(&cc, pack(&directories));
    words_add(&cc, "-o");
    words_add(&cc, output ? output : default_output(first));
    return cmd_cc((int)cc.count, (char **)(uintptr_t)cc.at);
}
