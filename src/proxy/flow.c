#include "proxy/flows.h"

#include <stdlib.h>

#include "net/held.h"
#include "wire/packet.h"
#include "proxy/gate_main.h"

struct flows {
	struct flow *first;
	size_t n;
};

struct flows *flows_new(void)
{
	return calloc(1, sizeof(struct flows));
}

struct flows *flows_free(struct flows *fs)
{
	free(fs);
	return NULL;
}

size_t flows_count(const struct flows *fs)
{
	return fs->n;
}

void flow_register(struct flow *f)
{
	struct flows *fs = gate_flows(f->gate);

	f->next = fs->first;
	f->prev = &fs->first;
	if (f->next)
		f->next->prev = &f->next;
	fs->first = f;
	fs->n++;
}

void flow_unregister(struct flow *f)
{
	if (!f->prev)
		return;
	*f->prev = f->next;
	if (f->next)
		f->next->prev = f->prev;
	f->next = NULL;
	f->prev = NULL;
	gate_flows(f->gate)->n--;
	held_ended();
}

/* A flow may leave the register in its own callback, and only itself. */
void flows_on_policy(struct flows *fs)
{
	struct flow *next;

	for (struct flow *f = fs->first; f; f = next) {
		next = f->next;
		f->ops->on_policy(f);
	}
}

void flows_on_secret(struct flows *fs, struct bytes id)
{
	struct flow *next;

	for (struct flow *f = fs->first; f; f = next) {
		next = f->next;
		if (f->ops->on_secret)
			f->ops->on_secret(f, id);
	}
}

void flows_stop(struct flows *fs)
{
	struct flow *next;

	for (struct flow *f = fs->first; f; f = next) {
		next = f->next;
		f->ops->on_stop(f);
	}
}

struct event flow_event(const struct flow *f, enum event_kind kind, enum event_action action,
			enum reason reason)
{
	return (struct event){
		.kind = kind,
		.action = action,
		.reason = (uint16_t)reason,
		.flow = f->id,
		.count = 1,
		.src = f->src,
		.dst = f->dst,
		.src_port = f->src_port,
		.dst_port = f->dst_port,
		.ip_proto = PACKET_TCP,
		.name = name_bytes(&f->name),
		.rule = f->entry.rule,
		.observing = f->entry.observe,
		.duration_ms = loop_now_ms(gate_loop(f->gate)) - f->started_ms,
	};
}
