/* The public keys of those who may sign extensions for an image, as a part of that image. */
#ifndef QUINCE_HOST_IMAGE_KEYS_H
#define QUINCE_HOST_IMAGE_KEYS_H

#include "link.h"

/* An object that holds the keys in FILES and those the sysroot was built with (-Dkeys); NULL when
 * there are none. */
const char *image_keys(const struct words *files);

#endif
