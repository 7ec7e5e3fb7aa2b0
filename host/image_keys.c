/* Keys as an object to link: see image_keys.h. */
#include "image_keys.h"

#include <errno.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "command.h"

/* quince-cc stands alone, so the line of a key file is read here: what follows the prefix is hex.
 */
static void add_key(FILE *text, const char *path)
{
    static const char prefix[] = "quince-public-key ";
    const size_t digits = 64;
    size_t size;
    char *line = read_file(path, &size);
    if (!line)
        die("cannot read the key %s: %s", path, strerror(errno));
    const char *hex = line + sizeof prefix - 1;
    size -= size && line[size - 1] == '\n';
    if (size != sizeof prefix - 1 + digits || memcmp(line, prefix, sizeof prefix - 1) != 0 ||
        strspn(hex, "0123456789abcdef") < digits)
        die("%s is not a public key as 'quince keygen NAME' writes it to NAME.pub", path);
    for (size_t i = 0; i < digits; i += 2)
        fprintf(text, "%s0x%.2s", i ? ", " : ".byte ", hex + i);
    fputc('\n', text);
}

const char *image_keys(const struct words *files)
{
    glob_t built_in = {0};
    char *pattern = xformat("%s/keys/*.pub", sysroot());
    glob(pattern, 0, NULL, &built_in);
    if (!files->count && !built_in.gl_pathc)
        return NULL;
    char *source = scratch_file(".s"), *object = scratch_file(".o");
    FILE *text = fopen(source, "w");
    if (!text)
        die("cannot write %s: %s", source, strerror(errno));
    fputs(".section .keys,\"a\",@progbits\n", text);
    for (size_t i = 0; i < built_in.gl_pathc; i++)
        add_key(text, built_in.gl_pathv[i]);
    for (size_t i = 0; i < files->count; i++)
        add_key(text, files->at[i]);
    if (fclose(text) != 0)
        die("cannot write %s: %s", source, strerror(errno));
    globfree(&built_in);
    struct words command = {0};
    words_add(&command, real_compiler());
    words_add(&command, "-c");
    words_add(&command, source);
    words_add(&command, "-o");
    words_add(&command, object);
    if (run_command(&command) != 0)
        die("cannot turn the keys into an object");
    return object;
}
