/* Paths beneath a directory that lead nowhere else. */
#ifndef QUINCE_WASI_RESOLVE_H
#define QUINCE_WASI_RESOLVE_H

#include "internal.h"

struct resolved {
    int dir;        /* directory that holds NAME */
    char name[256]; /* one component, never ".."; "." for the directory itself */
    bool slash;     /* the path ended in one: must be a directory */
    /* Open directories from the root down; the last is `dir`. The root is the caller's. */
    int stack[64];
    unsigned depth;
};
/* Resolves the LEN bytes at guest address PATH beneath FD. With FOLLOW, a symbolic link as the last
 * component is followed too. 0, or a WASI error and nothing to release. The name is not checked to
 * exist; whoever opens it adds O_NOFOLLOW, so a link put there meanwhile leads nowhere. */
uint32_t resolve(struct wasm_instance *in, const struct wasi_fd *fd, uint32_t path, uint32_t len,
                 bool follow, struct resolved *out);
void resolve_done(struct resolved *r);

#endif
