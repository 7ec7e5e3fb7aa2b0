/* What `quince load` shares with other commands that load extensions. */
#ifndef QUINCE_HOST_LOAD_H
#define QUINCE_HOST_LOAD_H

#include "client.h"
#include "module.h"

/* Remembers with the machine how the maps of EXTENSION, made of FILE, are printed (format.h). */
void load_keep_formats(const char *machine, const char *extension, const struct module_file *file);

#endif
