/* WASI preview 1 over POSIX calls: the system interface of programs compiled for wasm32-wasi. The
 * same files serve `quince exec` on the host and, over musl, the exec image in ring 0.
 *
 * A program sees its arguments, its environment, standard input, output and error, clocks, random
 * numbers, and the directories and listening sockets it was given; nothing else. Paths are resolved
 * component by component beneath those directories, so neither ".." nor a symbolic link leads out
 * of them. */
#ifndef QUINCE_WASI_H
#define QUINCE_WASI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm.h"

struct wasi; /* one program's view; used by one instance */

struct wasi *wasi_new(void); /* NULL: out of memory; standard streams are the caller's 0, 1, 2 */
void wasi_free(struct wasi *wasi); /* after the instance is freed */

/* All copy; false: out of memory, or errno says why (wasi_dir: HOST cannot be opened; wasi_listen:
 * the numeric ADDRESS and PORT cannot be listened on). Directories and listeners get descriptors
 * from 3 on in the order they are given; directories should come first, since the programs' C
 * library looks for them until it meets something else. */
bool wasi_arg(struct wasi *wasi, const char *arg);        /* the first is the program's name */
bool wasi_env(struct wasi *wasi, const char *assignment); /* "NAME=value" */
bool wasi_dir(struct wasi *wasi, const char *host, const char *guest, bool read_only);
bool wasi_listen(struct wasi *wasi, const char *address, const char *port);

/* A wasm_resolve_fn with the struct wasi as context, for import module wasi_snapshot_preview1 (and
 * its older name wasi_unstable where the two agree). The instance's host_data must be the struct
 * wasi. */
bool wasi_resolve(void *wasi, const struct wasm_import *import, struct wasm_extern *out);

/* After a call ended with WASM_TRAP_EXIT: what proc_exit() was given. */
uint32_t wasi_exit_code(const struct wasi *wasi);

#endif
