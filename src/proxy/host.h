/* A connection to the host of a flow: asked of the gate, and where we speak TLS to it ourselves, verified. */
#ifndef SAW_PROXY_HOST_H
#define SAW_PROXY_HOST_H

#include "proxy/flow.h"

struct tls;
struct tls_ctx;

/* What came of it. With REASON_OK `fd` and `tls` (NULL: in clear, or outlet speaks it) are given. REASON_POLICY_CHANGED: what was connected
 * was vetted by a policy that is no more; nobody has said so, and the request may be judged and the host asked for again. */
struct host_conn {
	int fd; /* -1: none */
	struct ip ip; /* that dialer connected */
	struct tls *tls;
	bool h2; /* the host chose it */
	bool clear_to_outlet; /* the other end is outlet, which records each request itself */
	enum reason reason;
	bool recorded; /* the refusal's event has been written by somebody else */
	const char *detail; /* "" or why the host is not verified */
};
typedef void (*host_done_fn)(void *owner, const struct host_conn *c);

/* Embed, zero-initialise; one at a time. Fields are private to host.c. */
struct host {
	const struct flow *flow;
	struct gate_wait wait;
	struct loop_io io;
	int fd;
	struct ip ip;
	struct tls *tls;
	enum gate_way way;
	uint64_t generation; /* of the policy when it was asked for */
	bool h2;
	uint64_t secret_version;
	host_done_fn done;
	void *owner;
};

/* How the connection will be used. */
struct host_use {
	bool h2; /* the host may choose HTTP/2 */
	uint64_t secret_version; /* of the credential that will be spent on it; TLS sessions of another are not resumed */
};

/* `done` is called once, from the loop. Deadlines are the caller's. */
void host_start(struct host *h, const struct flow *f, const struct host_use *use, host_done_fn done, void *owner);
/* No call will come any more. Safe when nothing is outstanding. */
void host_cancel(struct host *h);

#endif
