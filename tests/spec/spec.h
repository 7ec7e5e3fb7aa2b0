/* The official test suite, run by the engine: one .wast file becomes JSON and modules through
 * wast2json, every command of it is executed. */
#ifndef QUINCE_TESTS_SPEC_H
#define QUINCE_TESTS_SPEC_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "wasm.h"

struct spec_counts {
    unsigned passed, failed;
    unsigned skipped;  /* about the text format, which is not ours */
    unsigned excluded; /* by name */
    unsigned early;    /* of the passed: malformed modules rejected as invalid */
};

/* A whole file, a zero behind it; free() it. SIZE may be NULL. NULL: errno says why. */
uint8_t *spec_read(const char *path, size_t *size);

/* Save every module as a .qwo file and run what loading that gives. */
extern bool spec_through_files;

/* A line of the script that is not executed. */
struct spec_exclusion {
    int line;
    unsigned used;
};

/* Executes every command but those at the EXCLUDED lines; DIRECTORY holds the modules. Failures go
 * to LOG as "# line N: …". */
void spec_run(const cJSON *document, const char *directory, const struct wasm_load_options *load,
              const struct spec_exclusion *excluded, unsigned excluded_count, FILE *log,
              struct spec_counts *counts);

/* Stands in the JSON for an escaped zero character, and is as long. */
#define SPEC_ZERO "<zero>"

/* values.c. false: not understood. */
bool spec_value(const cJSON *json, union wasm_value *out);
bool spec_matches(const cJSON *expected, const union wasm_value *value, uint8_t type);
void spec_print_value(const union wasm_value *value, uint8_t type, char *text, size_t size);

#endif
