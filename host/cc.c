/* quince-cc: `cc` for images. It takes what gcc takes. Whatever does not link (-E, -S, -c, -M,
 * questions like -dumpmachine) goes to gcc with the sysroot's headers; what links becomes a
 * bootable image. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "link.h"

enum mode { MODE_LINK, MODE_COMPILE, MODE_ASK };

struct request {
    enum mode mode;
    bool has_input;
    struct words options; /* for the compiler, in their order, without inputs */
    struct words pass;    /* everything, for when gcc does it all */
    struct image image;
};

/* Options whose value is the next word. */
static bool takes_value(const char *option)
{
    static const char *const options[] = {
        "-A",
        "-D",
        "-I",
        "-L",
        "-MF",
        "-MQ",
        "-MT",
        "-T",
        "-U",
        "-Xassembler",
        "-Xlinker",
        "-Xpreprocessor",
        "-aux-info",
        "-e",
        "-idirafter",
        "-imacros",
        "-include",
        "-iprefix",
        "-iquote",
        "-isysroot",
        "-isystem",
        "-iwithprefix",
        "-iwithprefixbefore",
        "-l",
        "-o",
        "-u",
        "-wrapper",
        "-x",
        "-z",
        "--param",
        "-dumpbase",
        "-dumpdir",
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(option, options[i]) == 0)
            return true;
    return false;
}

static bool is_one_of(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static bool starts(const char *word, const char *prefix)
{
    return strncmp(word, prefix, strlen(prefix)) == 0;
}

/* Kinds of executable that an image is not, or always is: dropped. */
static bool is_moot(const char *word)
{
    static const char *const moot[] = {
        "-static",         "-pie",           "-no-pie",        "-static-pie", "-rdynamic",
        "-fPIE",           "-fpie",          "-fPIC",          "-fpic",       "-pthread",
        "-export-dynamic", "-static-libgcc", "-shared-libgcc", NULL};
    return is_one_of(word, moot) || starts(word, "-flto") || starts(word, "-fuse-ld=") ||
           starts(word, "-fuse-linker-plugin");
}

/* Libraries that musl's libc.a or the link itself brings. */
static bool is_builtin_library(const char *name)
{
    static const char *const builtin[] = {"c", "gcc", "gcc_s", "gcc_eh", NULL};
    return is_one_of(name, builtin);
}

/* The options of -Wl,a,b for the linker alone; some only make sense for shared objects. */
static void add_linker_options(struct words *words, const char *list)
{
    char *copy = xstrdup(list);
    for (char *option = strtok(copy, ","); option; option = strtok(NULL, ","))
        if (!starts(option, "--as-needed") && !starts(option, "--no-as-needed") &&
            !starts(option, "-rpath") && !starts(option, "--enable-new-dtags") &&
            !starts(option, "--hash-style"))
            words_add(words, option);
}

static bool is_source(const char *path)
{
    static const char *const suffixes[] = {".c", ".i", ".s", ".S", ".sx", NULL};
    const char *dot = strrchr(path, '.');
    return strcmp(path, "-") == 0 || (dot && is_one_of(dot, suffixes));
}

/* A source among the inputs of a link: compiled on its own; what stands in its place. */
static const char *compile_one(const struct request *request, const char *source,
                               const char *language, int *code)
{
    struct words command = {0};
    char *object = scratch_file(".o");
    words_add(&command, real_compiler());
    compile_options(&command);
    words_add_all(&command, &request->options);
    words_add(&command, "-c");
    words_add(&command, "-o");
    words_add(&command, object);
    if (language) {
        words_add(&command, "-x");
        words_add(&command, language);
    }
    words_add(&command, source);
    *code = run_command(&command);
    free(command.at);
    return object;
}

/* Files of the command line, in order, with the -x that holds for each. */
struct input {
    const char *word, *language;
};
struct inputs {
    struct input *at;
    size_t count;
};

static void inputs_add(struct inputs *inputs, const char *word, const char *language)
{
    inputs->at = xrealloc(inputs->at, (inputs->count + 1) * sizeof *inputs->at);
    inputs->at[inputs->count++] = (struct input){word, language};
}

/* One word that starts with '-' and its value, if it has one; how many words it took. */
static int read_option(struct request *request, struct inputs *inputs, const char **language,
                       const char *word, const char *value)
{
    static const char *const compile_only[] = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only",
                                               NULL};
    static const char *const questions[] = {
        "--version",        "-v",        "-V", "-###", "--help", "-dumpversion", "-dumpspecs",
        "-dumpfullversion", "-qversion", NULL};
    int taken = takes_value(word) && value ? 2 : 1;
    if (starts(word, "--without=")) {
        if (!parts_leave_out(&request->image.parts, word + 10))
            die("%s: there is \"net\", \"engine\" and \"compiler\"", word);
        return 1;
    }
    if (starts(word, "--key=")) {
        words_add(&request->image.keys, word + 6);
        return 1;
    }
    if (strcmp(word, "-shared") == 0)
        die("-shared: an image has no shared objects; link everything into one");
    if (strcmp(word, "--verbose-link") == 0) {
        verbose = true;
        return 1;
    }
    if (is_moot(word)) {
        if (strcmp(word, "-pthread") == 0)
            words_add(&request->options, "-D_REENTRANT");
        return 1;
    }
    words_add(&request->pass, word);
    if (taken == 2)
        words_add(&request->pass, value);

    if (is_one_of(word, compile_only) || strcmp(word, "-r") == 0) {
        request->mode = MODE_COMPILE;
    } else if (is_one_of(word, questions) || starts(word, "-print-") || starts(word, "--print-") ||
               starts(word, "--help=")) {
        if (request->mode == MODE_LINK)
            request->mode = MODE_ASK;
    } else if (starts(word, "-o")) {
        request->image.output = word[2] ? word + 2 : value;
    } else if (strcmp(word, "-x") == 0 || (starts(word, "-x") && word[2])) {
        *language = word[2] ? word + 2 : value;
        if (*language && strcmp(*language, "none") == 0)
            *language = NULL;
    } else if (starts(word, "-l")) {
        const char *name = word[2] ? word + 2 : value;
        if (name && !is_builtin_library(name))
            inputs_add(inputs, xformat("-l%s", name), "linker");
    } else if (starts(word, "-L")) {
        inputs_add(inputs, xformat("-L%s", word[2] ? word + 2 : value ? value : "."), "linker");
    } else if (starts(word, "-Wl,")) {
        struct words options = {0};
        add_linker_options(&options, word + 4);
        for (size_t i = 0; i < options.count; i++)
            inputs_add(inputs, options.at[i], "linker");
    } else if (strcmp(word, "-Xlinker") == 0) {
        inputs_add(inputs, value, "linker");
    } else if (strcmp(word, "-u") == 0 || strcmp(word, "-z") == 0) {
        inputs_add(inputs, word, "linker");
        inputs_add(inputs, value, "linker");
    } else if (strcmp(word, "-s") == 0) {
        request->image.strip = true;
    } else if (strcmp(word, "-nostdlib") == 0 || strcmp(word, "-nostartfiles") == 0 ||
               strcmp(word, "-nodefaultlibs") == 0) {
        request->mode = MODE_COMPILE; /* not an image then: gcc does as it is told */
    } else {
        words_add(&request->options, word);
        if (taken == 2)
            words_add(&request->options, value);
    }
    return taken;
}

static int pass_through(const struct request *request)
{
    struct words command = {0};
    words_add(&command, real_compiler());
    if (request->mode == MODE_COMPILE || request->has_input)
        compile_options(&command);
    words_add_all(&command, &request->pass);
    return run_command(&command);
}

int cmd_cc(int argc, char **argv)
{
    struct request request = {.mode = MODE_LINK, .image.output = "a.out"};
    struct inputs inputs = {0};
    const char *language = NULL;
    if (argc == 2 && strcmp(argv[1], "-dumpmachine") == 0) {
        puts("x86_64-linux-musl");
        return 0;
    }
    for (int i = 1; i < argc;) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (word[0] == '-' && word[1]) {
            i += read_option(&request, &inputs, &language, word, value);
            continue;
        }
        request.has_input = true;
        words_add(&request.pass, word);
        inputs_add(&inputs, word, language);
        i++;
    }
    if (request.mode != MODE_LINK && !(request.mode == MODE_ASK && request.has_input))
        return pass_through(&request);
    if (!request.has_input) {
        fputs("quince-cc: no input files\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < inputs.count; i++) {
        const struct input *input = &inputs.at[i];
        const char *word = input->word;
        bool linker = input->language && strcmp(input->language, "linker") == 0;
        if (!linker && (input->language || is_source(word))) {
            int code = 0;
            word = compile_one(&request, word, input->language, &code);
            if (code)
                return code;
        }
        words_add(&request.image.inputs, word);
    }
    return link_image(&request.image);
}
