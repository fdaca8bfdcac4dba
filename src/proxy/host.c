#include "proxy/host.h"

#include <stdio.h>

#include "net/tls.h"
#include "os/fd.h"

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

static bool start_tls(struct host *h, bool h2)
{
	const struct policy_entry *entry = &h->flow->entry;
	char name[NAME_MAX_LEN + 1];
	struct bytes host = entry->upstream.len ? entry->upstream : name_bytes(&h->flow->name);
	const struct tls_client_side side = {
		.name = name,
		.port = entry->upstream.len ? entry->upstream_port : h->flow->dst_port,
		.alpn = TLS_ALPN_HTTP1 | (h2 ? (unsigned)TLS_ALPN_H2 : 0U),
		.ca = entry->ca,
	};

	(void)snprintf(name, sizeof(name), "%.*s", (int)host.len, (const char *)host.p);
	return tls_client_new(gate_tls(h->flow->gate), h->fd, &side, &h->tls, NULL) == 0 &&
	       loop_io_add(gate_loop(h->flow->gate), &h->io, h->fd, EPOLLOUT, on_io, h, NULL) == 0;
}

static void on_dialed_for(struct host *h, bool h2, int fd, enum reason reason)
{
	h->fd = fd;
	if (fd < 0)
		finish(h, reason, reason != REASON_ROLE_DOWN, "");
	else if (changed(h) || h->way == GATE_OUTLET || h->flow->entry.mode != POLICY_INTERCEPT)
		finish(h, REASON_OK, false, "");
	else if (start_tls(h, h2))
		shake(h);
	else
		finish(h, REASON_UPSTREAM_UNVERIFIED, false, "no root certificates, or out of memory");
}

static void on_dialed(void *owner, int fd, struct ip ip, enum reason reason)
{
	(void)ip;
	on_dialed_for(owner, false, fd, reason);
}

static void on_dialed_h2(void *owner, int fd, struct ip ip, enum reason reason)
{
	(void)ip;
	on_dialed_for(owner, true, fd, reason);
}

void host_start(struct host *h, const struct flow *f, bool h2, host_done_fn done, void *owner)
{
	*h = (struct host){ .flow = f, .fd = -1, .done = done, .owner = owner, .way = gate_way(f->gate, name_bytes(&f->name)),
			    .generation = gate_generation(f->gate) };
	gate_dial(f->gate, &h->wait, f->id, name_bytes(&f->name), f->dst_port, h2 ? on_dialed_h2 : on_dialed, h);
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
