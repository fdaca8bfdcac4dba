#include "ipc/audit_msg.h"

#include "rules/reason.h"

static void put_ip(struct msg *m, struct ip ip)
{
	msg_bytes(m, bytes_of(ip.b, ip.family == 4 ? 4 : ip.family == 6 ? 16 : 0));
}

static struct ip get_ip(struct msg_in *in)
{
	struct bytes b = msg_get_bytes(in, 16);
	struct ip ip = { .family = b.len == 4 ? 4 : b.len == 16 ? 6 : 0 };

	if (b.len != 0 && !ip.family)
		in->bad = true;
	else if (b.len)
		memcpy(ip.b, b.p, b.len);
	return ip;
}

static void put_short(struct msg *m, struct bytes t, size_t max)
{
	msg_bytes(m, t.len > max ? bytes_of(t.p, max) : t);
}

static void put_text(struct msg *m, struct bytes t)
{
	put_short(m, t, EVENT_TEXT_MAX);
}

void audit_msg_put(struct msg *m, const struct event *ev)
{
	msg_u64(m, ev->kind);
	msg_u64(m, ev->action);
	msg_u64(m, ev->at_ms);
	msg_u64(m, ev->reason);
	msg_u64(m, ev->flow);
	msg_u64(m, ev->generation);
	msg_u64(m, ev->count);
	msg_u64(m, ev->bytes_in);
	msg_u64(m, ev->bytes_out);
	msg_u64(m, ev->duration_ms);
	msg_u64(m, ev->tokens_in);
	msg_u64(m, ev->tokens_out);
	put_ip(m, ev->src);
	put_ip(m, ev->dst);
	msg_u64(m, ev->src_port);
	msg_u64(m, ev->dst_port);
	msg_u64(m, ev->ip_proto);
	msg_u64(m, ev->status);
	msg_u64(m, ev->pid);
	msg_u64(m, ev->observing);
	put_text(m, ev->name);
	put_text(m, ev->rule);
	put_text(m, ev->verb);
	put_text(m, ev->path);
	put_text(m, ev->actor);
	put_text(m, ev->detail);
	put_text(m, ev->change);
	put_short(m, ev->model, EVENT_MODEL_MAX);
	if (ev->credential.len) /* so that what core writes of sessions is read by supervisors of before there was one */
		put_short(m, ev->credential, CREDENTIAL_ID_MAX);
}

bool audit_msg_get(struct msg_in *in, struct event *ret)
{
	struct event ev = { 0 };

	ev.kind = (enum event_kind)msg_get_max(in, EVENT_KIND_END - 1);
	ev.action = (enum event_action)msg_get_max(in, EVENT_ACTION_END - 1);
	ev.at_ms = msg_get_u64(in);
	ev.reason = (uint16_t)msg_get_max(in, REASON_COUNT - 1);
	ev.flow = msg_get_u64(in);
	ev.generation = msg_get_u64(in);
	ev.count = msg_get_u64(in);
	ev.bytes_in = msg_get_u64(in);
	ev.bytes_out = msg_get_u64(in);
	ev.duration_ms = msg_get_u64(in);
	ev.tokens_in = msg_get_u64(in);
	ev.tokens_out = msg_get_u64(in);
	ev.src = get_ip(in);
	ev.dst = get_ip(in);
	ev.src_port = (uint16_t)msg_get_max(in, UINT16_MAX);
	ev.dst_port = (uint16_t)msg_get_max(in, UINT16_MAX);
	ev.ip_proto = (uint8_t)msg_get_max(in, UINT8_MAX);
	ev.status = (uint16_t)msg_get_max(in, UINT16_MAX);
	ev.pid = (uint32_t)msg_get_max(in, UINT32_MAX);
	ev.observing = msg_get_max(in, 1) == 1;
	ev.name = msg_get_bytes(in, EVENT_TEXT_MAX);
	ev.rule = msg_get_bytes(in, EVENT_TEXT_MAX);
	ev.verb = msg_get_bytes(in, EVENT_TEXT_MAX);
	ev.path = msg_get_bytes(in, EVENT_TEXT_MAX);
	ev.actor = msg_get_bytes(in, EVENT_TEXT_MAX);
	ev.detail = msg_get_bytes(in, EVENT_TEXT_MAX);
	ev.change = msg_get_bytes(in, EVENT_TEXT_MAX);
	ev.model = msg_get_bytes(in, EVENT_MODEL_MAX);
	if (in->left.len)
		ev.credential = msg_get_bytes(in, CREDENTIAL_ID_MAX);
	if (in->bad || !ev.kind || !ev.action)
		return false;
	*ret = ev;
	return true;
}
