/* The table of extensions, shared by `quince list` and `quince stats`. */
#ifndef QUINCE_HOST_LIST_H
#define QUINCE_HOST_LIST_H

#include <cjson/cJSON.h>
#include <stdbool.h>

/* EXTENSIONS as the protocol's `list` gives them; with BACKTRACES also those of faults. */
void list_print(const cJSON *extensions, bool backtraces);
/* MEMBER of HEADER (NULL: all but id and ok) as indented JSON. */
void print_json(const cJSON *header, const char *member);

#endif
