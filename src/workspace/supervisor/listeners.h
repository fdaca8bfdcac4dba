/* The listening sockets in the guest's network: asked of front, kept here, given to every inlet. */
#ifndef SAW_SUPERVISOR_LISTENERS_H
#define SAW_SUPERVISOR_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "ipc/types.h"

struct ws;
struct listeners;

int listeners_new(struct listeners **ret, struct ws *w, struct err *e);
struct listeners *listeners_free(struct listeners *l);

/* These TCP ports shall exist, and the four that always do: DNS over UDP and TCP, the observer, and TCP 80 for
 * http://saw.internal/. Asks front for what is missing; what is not in the list stays until listeners_prune(). */
void listeners_want(struct listeners *l, const uint16_t *ports, size_t n);
/* Front came back: what it did not answer is asked again. */
void listeners_ask_again(struct listeners *l);
/* A descriptor came from front (taken). False: nobody asked for it. Inlet gets it at once when it runs. */
bool listeners_came(struct listeners *l, enum ipc_listener kind, uint16_t port, int fd);
/* Everything that was asked for is here. */
bool listeners_complete(const struct listeners *l);
/* All of them to inlet, which has just started. */
void listeners_give(struct listeners *l);
/* Closes what the last listeners_want() did not name, here and in inlet. */
void listeners_prune(struct listeners *l);

#endif
