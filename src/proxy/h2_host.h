/* Connections to hosts that speak HTTP/2: each carries the exchanges of many flows, a stream for each.
 *
 * A flow that needs a connection asks for a stream. Where there is none, one flow dials and those that come meanwhile wait for what the
 * host turns out to speak; so a burst of requests makes one connection to a host of HTTP/2, and as many as ever to one of HTTP/1.1. */
#ifndef SAW_PROXY_H2_HOST_H
#define SAW_PROXY_H2_HOST_H

#include "os/loop.h"
#include "proxy/http_side.h"
#include "wire/name.h"

enum {
	H2_HOSTS_MAX = 32, /* connections of the process; above, those without a stream go, and HTTP/2 is not offered */
	H2_HOST_IDLE_MS = 30000, /* without a stream; sooner than most hosts close them */
	H2_HOST_SILENCE_MS = 20000, /* with streams, and not a byte from the host: it is asked (PING) ... */
	H2_HOST_PONG_MS = 10000, /* ... and left when it says nothing */
	H2_HOST_READ = 64 * 1024,
	H2_HOST_KNOWN_MAX = 64, /* hosts of which is remembered that they speak HTTP/1.1: nobody waits for their dials */
};

/* What two exchanges must have in common to share a connection. The vetted address is the connection's for its whole life. */
struct h2_host_key {
	struct name name;
	uint16_t port;
	uint64_t generation; /* of the policy by which its address was vetted */
	uint64_t secret_version; /* of the credential that its requests carry; 0: none */
};

/* Opens `s` on a stream of a connection to that place. False: there is none with room. */
bool h2_host_take(struct http_side *s, const struct h2_host_key *k, http_side_fn fn, void *owner);
/* Takes `fd`, and `tls` on it where the host chose HTTP/2 (NULL: in clear, for tests). False: no memory, and both are closed. */
bool h2_host_add(struct loop *l, const struct h2_host_key *k, int fd, struct tls *tls);
/* HTTP/2 may be offered to one more host. */
bool h2_host_room(void);
/* No connection takes another request: another policy, another credential, the end. Those without a stream close, the others with their
 * last one. */
void h2_host_retire(void);

/* A flow's wish for a connection. Embed, zero-initialise; fields are private to h2_host.c. */
struct h2_host_ask {
	struct h2_host_key key;
	struct loop *loop;
	void (*turn)(void *owner, bool alone);
	void *owner;
	struct h2_host_ask *next;
	struct h2_host_ask **prev; /* set while it dials or waits */
	bool dials;
	bool called; /* its turn comes at the end of this one */
	bool alone;
};

/* True: dial, offering HTTP/2, and tell what came of it. False: wait; `turn` is called once, from the loop: try h2_host_take() again, and
 * then ask again, unless it says `alone`: the dial failed, make your own and tell nobody. */
bool h2_host_ask(struct h2_host_ask *a, struct loop *l, const struct h2_host_key *k, void (*turn)(void *owner, bool alone), void *owner);
enum h2_host_found { H2_HOST_FAILED, H2_HOST_IS_HTTP1, H2_HOST_IS_H2 };
/* Of one that was told to dial; nothing happens for others. */
void h2_host_dialed(struct h2_host_ask *a, enum h2_host_found found);
/* It neither dials nor waits any more. Safe at any time. */
void h2_host_cancel(struct h2_host_ask *a);

#endif
