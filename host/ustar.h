/* Writing ustar archives: how files get into an image (as its initrd). */
#ifndef QUINCE_HOST_USTAR_H
#define QUINCE_HOST_USTAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Each appends to OUT; false with errno set (ENAMETOOLONG: ustar cannot hold the name). Names are
 * relative, without a leading slash; folders above a name need no entry of their own. */
bool ustar_data(FILE *out, const char *name, const void *data, size_t size, unsigned mode);
/* A file, symbolic link or folder with everything below it; other kinds are left out. */
bool ustar_tree(FILE *out, const char *name, const char *path);
bool ustar_end(FILE *out);

#endif
