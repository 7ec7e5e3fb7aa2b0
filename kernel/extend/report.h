/* What the operator is told, as JSON. The builders tolerate running out of memory as cJSON does:
 * members are missing then. */
#ifndef QUINCE_EXTEND_REPORT_H
#define QUINCE_EXTEND_REPORT_H

#include "cJSON.h"
#include "extend/extension.h"

/* Numbers are written with all their digits; cJSON's own are doubles. */
void report_number(cJSON *object, const char *name, uint64_t value);
/* Loaded extensions and failed loads; NAME: only that one (NULL: all). false: there is none. */
bool report_extensions(cJSON *object, const char *name);
void report_machine(cJSON *object);
void report_maps(cJSON *object, struct extension *ext);
const char *report_errno(int error); /* "EINVAL"; of 0 or −errno */

#endif
