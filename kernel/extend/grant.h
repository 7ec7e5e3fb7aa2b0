/* Authority: what an extension declares, and the operator grants. Nothing else gives it any.
 *
 * A declared right that was not granted is an error that names it, not a silent loss: an extension
 * then never runs with less than it needs. Its own maps, rings and settings need no grant; they
 * reach nothing but the extension itself. */
#ifndef QUINCE_EXTEND_GRANT_H
#define QUINCE_EXTEND_GRANT_H

#include "extend/manifest.h"

enum grant {
    GRANT_NET_RX = 1,       /* see and decide about packets that arrive */
    GRANT_NET_TX = 2,       /* … that leave */
    GRANT_LOG = 4,          /* write to the kernel log */
    GRANT_CLOCK = 8,        /* read the clocks */
    GRANT_RANDOM = 16,      /* take random numbers */
    GRANT_TIMER = 32,       /* be called later */
    GRANT_PACKET_WRITE = 64 /* change packets */
};
enum { GRANT_HOOKS = GRANT_NET_RX | GRANT_NET_TX, GRANT_COUNT = 7 };

/* Names, by bit number: "net.rx", …; NULL beyond the last. */
const char *grant_name(unsigned number);
/* The bit called NAME; 0: none. */
uint32_t grant_find(const char *name);

/* What MANIFEST may do when the operator grants GRANTED[0…COUNT); "all" grants what is declared.
 * 0 and *authority; -EPERM or -EINVAL and a reason that names the grant. */
int grant_decide(const struct manifest *manifest, const char *const *granted, uint32_t count,
                 uint32_t *authority, char *reason, size_t size);

#endif
