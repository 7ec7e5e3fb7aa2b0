/* Table-driven options: see options.h. */
#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

const char *chosen_machine;

static const struct option_spec machine_option = {
    OPTION_STRING,  'M', "machine", "NAME", "the machine that is meant, when several run",
    &chosen_machine};

void usage_error(const struct usage *usage, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    warn("%s", message);
    fprintf(stderr, "usage: %s\n", usage->synopsis);
    const char *command = strchr(usage->synopsis, ' ') + 1;
    fprintf(stderr, "'quince %.*s --help' tells more.\n", (int)strcspn(command, " "), command);
    exit(EXIT_USAGE);
}

static void print_option(const struct option_spec *option)
{
    char left[64];
    snprintf(left, sizeof left, "  %c%c%s --%s%s%s", option->letter ? '-' : ' ',
             option->letter ? option->letter : ' ', option->letter ? "," : " ", option->name,
             option->value ? " " : "", option->value ? option->value : "");
    printf("%-30s %s\n", left, option->help);
}

_Noreturn static void print_help(const struct usage *usage)
{
    printf("usage: %s\n\n%s\n\noptions:\n", usage->synopsis, usage->about);
    for (const struct option_spec *o = usage->options; o && o->kind != OPTION_END; o++) {
        print_option(o);
    }
    if (usage->machine) {
        print_option(&machine_option);
    }
    printf("%-30s %s\n", "  -h, --help", "this help");
    exit(0);
}

void strings_add(struct strings *list, const char *item)
{
    list->items = xrealloc(list->items, ((size_t)list->count + 1) * sizeof *list->items);
    list->items[list->count++] = item;
}

static void split_items(struct strings *list, const char *value)
{
    char *copy = xstrdup(value), *save = NULL; /* lives as long as the list: to the end */
    for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save)) {
        strings_add(list, item);
    }
}

static void store(const struct usage *usage, const struct option_spec *option, const char *value)
{
    switch (option->kind) {
    case OPTION_END: break;
    case OPTION_FLAG: *(bool *)option->target = true; break;
    case OPTION_STRING: *(const char **)option->target = value; break;
    case OPTION_ITEMS: strings_add(option->target, value); break;
    case OPTION_LIST: split_items(option->target, value); break;
    case OPTION_NUMBER: {
        char *end;
        errno = 0;
        long number = strtol(value, &end, 10);
        if (errno || end == value || *end || number < 0) {
            usage_error(usage, "--%s: '%s' is not a number", option->name, value);
        }
        *(long *)option->target = number;
    }
    }
}

static const struct option_spec *find(const struct usage *usage, const char *name, size_t length,
                                      char letter)
{
    for (const struct option_spec *o = usage->options;; o++) {
        bool last = !o || o->kind == OPTION_END;
        const struct option_spec *option = last ? (usage->machine ? &machine_option : NULL) : o;
        if (option &&
            (letter ? option->letter == letter
                    : strlen(option->name) == length && memcmp(option->name, name, length) == 0)) {
            return option;
        }
        if (last) {
            return NULL;
        }
    }
}

/* One option at ARGV[I]; returns how many of ARGV it took. */
static int read_option(const struct usage *usage, int argc, char **argv, int i)
{
    const char *word = argv[i];
    bool is_long = word[1] == '-';
    const char *name = word + 2, *equals = is_long ? strchr(name, '=') : NULL;
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        print_help(usage);
    }
    if (strcmp(word, "--verbose") == 0) {
        verbose = true;
        return 1;
    }
    const struct option_spec *option = find(usage, name, length, is_long ? 0 : word[1]);
    if (!option) {
        usage_error(usage, "there is no option '%s'%s", word,
                    usage->words_before_rest > 0
                        ? "; put -- before arguments for the program that start with a dash"
                        : "");
    }
    const char *attached = is_long ? (equals ? equals + 1 : NULL) : (word[2] ? word + 2 : NULL);
    if (option->kind == OPTION_FLAG) {
        if (attached) {
            usage_error(usage, "'%s': --%s takes no value", word, option->name);
        }
        store(usage, option, NULL);
        return 1;
    }
    if (attached) {
        store(usage, option, attached);
        return 1;
    }
    if (i + 1 >= argc) {
        usage_error(usage, "%s needs a value: %s", word, option->value);
    }
    store(usage, option, argv[i + 1]);
    return 2;
}

int parse_options(const struct usage *usage, int argc, char **argv)
{
    int words = 0;
    for (int i = 1; i < argc;) {
        bool rest =
            usage->words_before_rest >= 0 && words >= usage->words_before_rest && argv[i][0] != '-';
        if (strcmp(argv[i], "--") == 0) {
            rest = true;
            i++;
        }
        if (rest) {
            while (i < argc) {
                argv[words++] = argv[i++];
            }
            break;
        }
        if (argv[i][0] == '-' && argv[i][1]) {
            i += read_option(usage, argc, argv, i);
        } else {
            argv[words++] = argv[i++];
        }
    }
    return words;
}
