#include "proxy/host.h"

#include <stdio.h>

#include "net/held.h"
#include "net/tls.h"
#include "os/fd.h"
#include "wire/credential.h"

enum { SCOPE_MAX = CREDENTIAL_ID_MAX + 32 };

static bool changed(const struct host *h)
{
	return h->generation != gate_generation(h->flow->gate);
}

static void finish(struct host *h, enum reason reason, bool recorded, const char *detail)
{
	struct host_conn c = { .fd = -1, .reason = reason, .recorded = recorded, .detail = detail, .clear_to_outlet = h->way == GATE_OUTLET };

	loop_io_remove(&h->io);
	if (h->fd >= 0 && changed(h))
		c.reason = REASON_POLICY_CHANGED;
	if (c.reason == REASON_OK) {
		c.fd = fd_take(&h->fd);
		c.ip = h->ip;
		c.tls = h->tls;
		c.h2 = h->tls && tls_alpn(h->tls) == TLS_ALPN_H2;
	} else {
		tls_free(h->tls);
		h->fd = fd_close(h->fd);
	}
	h->tls = NULL;
	h->flow = NULL;
	h->done(h->owner, &c);
}

static void shake(struct host *h)
{
	switch (tls_handshake(h->tls)) {
	case TLS_DONE:
		finish(h, REASON_OK, false, "");
		break;
	case TLS_WANT_READ:
		loop_io_want(&h->io, EPOLLIN);
		break;
	case TLS_WANT_WRITE:
		loop_io_want(&h->io, EPOLLOUT);
		break;
	case TLS_EOF:
	case TLS_TRUNCATED:
	case TLS_FAILED:
		finish(h, REASON_UPSTREAM_UNVERIFIED, false, tls_fault_text(tls_fault(h->tls)));
		break;
	}
}

static void on_io(struct loop_io *io, uint32_t events)
{
	(void)events;
	shake(io->owner);
}

/* A session of one value of a credential is not resumed with another: id, blank, version. */
static size_t scope_of(const struct host *h, uint8_t *p)
{
	struct policy_credential c;

	if (!h->secret_version || !policy_credential_at(gate_policy(h->flow->gate), h->flow->entry.credential, &c))
		return 0;
	return (size_t)snprintf((char *)p, SCOPE_MAX, "%.*s %llu", (int)c.id.len, (const char *)c.id.p, (unsigned long long)h->secret_version);
}

static bool start_tls(struct host *h)
{
	const struct policy_entry *entry = &h->flow->entry;
	char name[NAME_MAX_LEN + 1];
	uint8_t scope[SCOPE_MAX];
	size_t scope_len = scope_of(h, scope);
	struct bytes host = entry->upstream.len ? entry->upstream : name_bytes(&h->flow->name);
	const struct tls_client_side side = {
		.name = name,
		.port = entry->upstream.len ? entry->upstream_port : h->flow->dst_port,
		.alpn = TLS_ALPN_HTTP1 | (h->h2 ? (unsigned)TLS_ALPN_H2 : 0U),
		.ca = entry->ca,
		.scope = bytes_of(scope, scope_len),
	};

	(void)snprintf(name, sizeof(name), "%.*s", (int)host.len, (const char *)host.p);
	return tls_client_new(gate_tls(h->flow->gate), h->fd, &side, &h->tls, NULL) == 0 &&
	       loop_io_add(gate_loop(h->flow->gate), &h->io, h->fd, EPOLLOUT, on_io, h, NULL) == 0;
}

static void on_dialed(void *owner, int fd, struct ip ip, enum reason reason)
{
	struct host *h = owner;

	h->ip = ip;
	h->fd = fd;
	if (fd < 0)
		finish(h, reason, reason != REASON_ROLE_DOWN, "");
	else if (changed(h) || h->way == GATE_OUTLET || h->flow->entry.mode != POLICY_INTERCEPT)
		finish(h, REASON_OK, false, "");
	else if (!held_may_grow())
		finish(h, REASON_TOO_MANY_FLOWS, false, "");
	else if (start_tls(h))
		shake(h);
	else
		finish(h, REASON_UPSTREAM_UNVERIFIED, false, "no root certificates, or out of memory");
}

void host_start(struct host *h, const struct flow *f, const struct host_use *use, host_done_fn done, void *owner)
{
	*h = (struct host){ .flow = f, .fd = -1, .h2 = use->h2, .secret_version = use->secret_version, .done = done, .owner = owner,
			    .way = gate_way(f->gate, name_bytes(&f->name)), .generation = gate_generation(f->gate) };
	gate_dial(f->gate, &h->wait, f->id, name_bytes(&f->name), f->dst_port, on_dialed, h);
}

void host_cancel(struct host *h)
{
	if (!h->flow)
		return;
	gate_wait_cancel(&h->wait);
	loop_io_remove(&h->io);
	h->tls = tls_free(h->tls);
	h->fd = fd_close(h->fd);
	h->flow = NULL;
}
