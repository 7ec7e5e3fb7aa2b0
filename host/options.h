/* Options of the sub-commands, from a table: parsing, --help and complaints are the same
 * everywhere. */
#ifndef QUINCE_HOST_OPTIONS_H
#define QUINCE_HOST_OPTIONS_H

#include <stdbool.h>

struct strings {
    const char **items;
    int count;
};
void strings_add(struct strings *list, const char *item);

enum option_kind {
    OPTION_END,
    OPTION_FLAG,   /* bool * */
    OPTION_STRING, /* const char ** */
    OPTION_NUMBER, /* long *, not negative */
    OPTION_ITEMS,  /* struct strings *: may be given several times */
    OPTION_LIST    /* the same, and commas separate, too */
};

struct option_spec {
    enum option_kind kind;
    char letter;       /* 0: none */
    const char *name;  /* without the dashes */
    const char *value; /* what its value is called in --help; NULL for a flag */
    const char *help;
    void *target;
};

struct usage {
    const char *synopsis; /* "quince load [options] FILE.wasm" */
    const char *about;    /* a few lines below it */
    const struct option_spec *options;
    /* The word after which everything belongs to somebody else (the application): the first word
     * that is no option after this many words; -1: options may stand anywhere. */
    int words_before_rest;
    bool machine; /* also -M, --machine NAME, stored in chosen_machine */
};

extern const char *chosen_machine; /* NULL: not given */

/* Reads ARGV[1…]; returns the number of words that are no options, moved to ARGV[0…]. --help prints
 * and ends the process with 0, a wrong option with EXIT_USAGE. */
int parse_options(const struct usage *usage, int argc, char **argv);
/* A wrong use: MESSAGE, then where help is. */
_Noreturn void usage_error(const struct usage *usage, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
