#include "workspace/inlet/asked.h"

#include <stdlib.h>

#include "wire/packet.h"

bool asked_room(const struct asker *r)
{
	return !gate_busy(r->gate);
}

bool asked_too_fast(const struct asker *r, uint8_t proto)
{
	return gate_noisy(r->gate, proto == PACKET_TCP ? GATE_NOISE_DNS_TCP : GATE_NOISE_DNS);
}

static void on_written(void *owner, bool written)
{
	struct asked *a = owner;

	if (!written)
		question_failed(a->reply, &a->reply_len, a->failed_len);
	a->done(a->owner, a);
}

struct asked *asked_start(struct asker *r, struct bytes msg, struct ip src, uint16_t port,
			  uint8_t proto, enum reason bad,
			  void (*done)(void *owner, struct asked *a), void *owner)
{
	struct asked *a = calloc(1, sizeof(*a));
	struct question q;

	if (!a)
		return NULL;
	if (bad == REASON_OK)
		question_judge(msg, gate_policy(r->gate), r->pool, &q);
	else
		q = (struct question){ .ev = { .kind = EVENT_DNS,
					       .action = EVENT_DENIED,
					       .reason = (uint16_t)bad,
					       .status = DNS_REFUSED } };
	q.ev.src = src;
	q.ev.src_port = port;
	q.ev.ip_proto = proto;
	a->done = done;
	a->owner = owner;
	a->port = port;
	a->failed_len = q.failed_len;
	a->reply_len = q.reply_len;
	memcpy(a->reply, q.reply, q.reply_len);
	gate_event(r->gate, &a->wait, &q.ev, on_written, a);
	return a;
}

struct asked *asked_free(struct asked *a)
{
	if (!a)
		return NULL;
	gate_wait_cancel(&a->wait);
	free(a);
	return NULL;
}
