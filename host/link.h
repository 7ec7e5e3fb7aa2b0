/* Making images: the tools behind `quince build` and quince-cc. */
#ifndef QUINCE_HOST_LINK_H
#define QUINCE_HOST_LINK_H

#include <stdbool.h>
#include <stddef.h>

/* A growing list of strings, ended by NULL: command lines. The strings are not the list's. */
struct words {
    const char **at;
    size_t count;
};
void words_add(struct words *words, const char *word);
void words_add_all(struct words *words, const struct words *more);

/* Parts of the kernel that an image may lack. */
struct image_parts {
    bool without_net, without_engine, without_compiler;
};
/* "net", "engine", "compiler", with commas between them; false: no such part. */
bool parts_leave_out(struct image_parts *parts, const char *names);

/* build/sysroot, or QUINCE_SYSROOT. Dies with a hint when there is none. */
const char *sysroot(void);
/* The compiler behind quince-cc (QUINCE_REAL_CC, else gcc) and the options every object needs. */
const char *real_compiler(void);
void compile_options(struct words *command);
/* Runs a command; its exit code (127: it could not be run). */
int run_command(const struct words *command);
/* What COMMAND prints on one line; dies when it fails. */
char *command_output(const struct words *command);

/* A directory for intermediate files, removed with all in it when the process ends. */
const char *scratch(void);
char *scratch_file(const char *suffix);

struct image {
    const char *output;
    struct image_parts parts;
    struct words inputs; /* objects, archives, -l, -L and options of the linker in their order */
    struct words keys;   /* files of public keys to build in */
    bool strip;
};
/* Links a bootable image: kernel, C library, symbol table. 0 or an exit code. */
int link_image(const struct image *image);

#endif
