/* Many clients on one control channel: the kernel sees a single peer, each client believes to be
 * alone. Request numbers are rewritten on the way in and back; a client that goes has its streams
 * cancelled; when the machine ends, whoever waits for an answer gets one that says so.
 *
 * Single-threaded and driven by poll(): the supervisor asks for descriptors and hands back events.
 */
#ifndef QUINCE_HOST_MUX_H
#define QUINCE_HOST_MUX_H

#include <cjson/cJSON.h>
#include <poll.h>
#include <stdbool.h>

enum { MUX_CLIENTS = 32, MUX_POLL_MAX = MUX_CLIENTS + 2 };

struct mux;

/* KERNEL is the connected channel, LISTENER the clients' socket; both non-blocking, both the mux's
 * from now on. ANSWERED is called with the answers to mux_ask(). */
struct mux *mux_new(int kernel, int listener, void (*answered)(void *context, const cJSON *header),
                    void *context);
/* Fills FDS (room for MUX_POLL_MAX); returns how many. */
int mux_poll(struct mux *mux, struct pollfd *fds);
/* What poll() said about them. */
void mux_handle(struct mux *mux, const struct pollfd *fds, int count);
/* A request of the supervisor's own; frees it. */
void mux_ask(struct mux *mux, cJSON *request);
/* The machine ended: tells everybody who waits, closes everything, frees. */
void mux_end(struct mux *mux, const char *reason);

#endif
