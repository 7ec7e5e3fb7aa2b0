/* <quince.h>: what a program in a Quince image can ask of the kernel beyond Linux's system calls:
 * load WebAssembly extensions into it, take them off again, look at them, read their state.
 *
 *     struct quince_options options = {.grants = "net.rx,net.tx"};
 *     char why[QUINCE_REASON];
 *     if (quince_load(bytes, len, &options, why, sizeof why) < 0)
 *         fprintf(stderr, "flows: %s\n", why);
 *
 * Functions return a result ≥ 0 or −errno. They may be called from any thread of the program and
 * may block; none may be called from a function that the network stack calls. An image built
 * without the engine lacks them: linking then says so. */
#ifndef QUINCE_H
#define QUINCE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QUINCE_NAME   32  /* of an extension, with the final NUL */
#define QUINCE_REASON 256 /* of a message, likewise */

struct quince_setting {
    const char *name, *value;
};
struct quince_options {
    const char *name;                      /* instead of the manifest's; NULL: that */
    const char *grants;                    /* "net.rx,log", "all"; NULL: none */
    const struct quince_setting *settings; /* what cfg_read() finds */
    unsigned setting_count;
    uint64_t budget_ns; /* limits below the manifest's; 0: none */
    uint64_t memory;
};
/* Loads a module and attaches it. BYTES may be freed afterwards. Its handle (> 0), or −errno and
 * one line at WHY (may be NULL) that names what was wrong: −EINVAL invalid bytes or manifest,
 * −EPERM a missing grant, −ENOENT an unknown import, −EEXIST the name is taken, −ENOMEM, −EFAULT it
 * trapped, −ETIMEDOUT it took longer than its budget. OPTIONS may be NULL. */
int quince_load(const void *bytes, size_t len, const struct quince_options *options, char *why,
                size_t why_size);
/* Takes it off at a packet boundary and frees all it had: bytes freed (capped to INT_MAX) or
 * −ENOENT. */
int quince_unload(const char *name);

enum quince_state {
    QUINCE_ATTACHED,
    QUINCE_RESTARTING,  /* it faulted and gets a fresh start shortly */
    QUINCE_QUARANTINED, /* it faulted too often */
};
struct quince_info {
    char name[QUINCE_NAME];
    int handle;
    enum quince_state state;
    uint64_t runs, time_ns, faults;
    uint64_t verdicts[5];           /* aborted, drop, pass, tx, redirect */
    char last_fault[QUINCE_REASON]; /* "": none */
};
/* Describes up to COUNT loaded extensions: how many there are. */
int quince_list(struct quince_info *infos, unsigned count);

/* An entry of a map of an extension; KEY and VALUE have the sizes its manifest says. 0, −ENOENT (no
 * such extension, map or entry), −EINVAL (wrong sizes). */
int quince_map_get(const char *name, const char *map, const void *key, size_t key_size, void *value,
                   size_t value_size);
int quince_map_put(const char *name, const char *map, const void *key, size_t key_size,
                   const void *value, size_t value_size);

#ifdef __cplusplus
}
#endif
#endif
