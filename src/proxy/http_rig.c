#include "proxy/http_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/fd.h"
#include "proxy/idle.h"

struct gate http_rig;

/* --- what the flow asks of its surroundings --- */

struct loop *gate_loop(const struct gate *gate)
{
	return gate->loop;
}

const struct policy *gate_policy(const struct gate *gate)
{
	return &gate->policy;
}

uint64_t gate_generation(const struct gate *gate)
{
	return gate->generation;
}

const struct gate_who *gate_who(const struct gate *gate)
{
	static struct gate_who who;

	(void)gate;
	who = (struct gate_who){ .id = bytes_str("ws-1"), .name = bytes_str("dev"), .owner = bytes_str("ann") };
	return &who;
}

void gate_wait_cancel(struct gate_wait *w)
{
	if (http_rig.event_wait == w)
		http_rig.event_wait = NULL;
	if (http_rig.dial_wait == w)
		http_rig.dial_wait = NULL;
}

static void answer_dial(void)
{
	struct gate_wait *w = http_rig.dial_wait;
	int pair[2] = { -1, -1 };

	http_rig.dial_wait = NULL;
	if (http_rig.dial_refusal == REASON_OK) {
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
		must(http_rig.n_dials < HTTP_RIG_DIALS_MAX);
		http_rig.origin[http_rig.n_dials++] = pair[0];
	}
	w->on_dial(w->owner, pair[1], (struct ip){ .family = 4 }, http_rig.dial_refusal);
}

void http_rig_from_loop(struct loop_later *l)
{
	(void)l;
	if (http_rig.event_wait && !http_rig.hold_events) {
		struct gate_wait *w = http_rig.event_wait;

		http_rig.event_wait = NULL;
		w->on_event(w->owner, !http_rig.log_full);
	}
	if (http_rig.dial_wait && !http_rig.hold_dials)
		answer_dial();
}

/* As the parent's channel is (gate_set_parent). */
void http_rig_answers_last(void)
{
	loop_later(http_rig.loop, &http_rig.later, http_rig_from_loop, NULL);
}

/* Behind the event that was written last. */
static void write_credential(const struct event *ev)
{
	char *line = http_rig.events[http_rig.n_events - 1];
	size_t len = strlen(line);

	if (ev->credential.len)
		(void)snprintf(line + len, sizeof(http_rig.events[0]) - len, " with %.*s", (int)ev->credential.len, (const char *)ev->credential.p);
}

static void write_down(const struct event *ev)
{
	must(http_rig.n_events < HTTP_RIG_EVENTS_MAX);
	if (ev->kind == EVENT_MODEL) {
		(void)snprintf(http_rig.events[http_rig.n_events++], sizeof(http_rig.events[0]), "model %.*s %llu %llu %u", (int)ev->model.len,
			       (const char *)ev->model.p, (unsigned long long)ev->tokens_in, (unsigned long long)ev->tokens_out, ev->status);
		write_credential(ev);
		return;
	}
	(void)snprintf(http_rig.events[http_rig.n_events++], sizeof(http_rig.events[0]), "%s%s %s %.*s %.*s %.*s %u%s%.*s",
		       ev->observing ? "observing " : "",
		       ev->action == EVENT_ALLOWED  ? "allowed" :
		       ev->action == EVENT_DENIED   ? "denied" :
		       ev->action == EVENT_OBSERVED ? "observed" :
		       ev->action == EVENT_CLOSED   ? "closed" :
						      "failed",
		       reason_code((enum reason)ev->reason), (int)ev->verb.len, (const char *)ev->verb.p, (int)ev->path.len,
		       (const char *)ev->path.p, (int)ev->rule.len, (const char *)ev->rule.p, ev->status,
		       ev->detail.len ? " " : "", (int)ev->detail.len, (const char *)ev->detail.p);
	write_credential(ev);
}

void gate_event(struct gate *gate, struct gate_wait *w, const struct event *ev, void (*done)(void *, bool), void *owner)
{
	must(!gate->event_wait && !gate->dial_wait);
	write_down(ev);
	w->owner = owner;
	w->on_event = done;
	gate->event_wait = w;
	loop_later(gate->loop, &gate->later, http_rig_from_loop, gate);
}

void gate_note(struct gate *gate, const struct event *ev)
{
	(void)gate;
	write_down(ev);
}

void gate_dial(struct gate *gate, struct gate_wait *w, uint64_t flow, struct bytes name, uint16_t port,
	       void (*done)(void *, int, struct ip, enum reason), void *owner)
{
	must(!gate->event_wait && !gate->dial_wait);
	must(flow == 7 && bytes_is(name, "good.example") && port == 80);
	w->owner = owner;
	w->on_dial = done;
	gate->dial_wait = w;
	loop_later(gate->loop, &gate->later, http_rig_from_loop, gate);
}

enum gate_way gate_way(const struct gate *gate, struct bytes name)
{
	(void)name;
	return gate->guarded ? GATE_OUTLET : GATE_DIALER;
}

struct tls_ctx *gate_tls(const struct gate *gate)
{
	(void)gate;
	return NULL;
}

bool gate_is_outlet(const struct gate *gate)
{
	return gate->outlet;
}

bool policy_guarded(const struct policy *p, struct bytes name)
{
	(void)p;
	(void)name;
	return http_rig.guarded || http_rig.outlet || http_rig.entry.credential != POLICY_NONE;
}

bool gate_secret(const struct gate *gate, struct bytes id, struct bytes *ret_value, uint64_t *ret_version)
{
	(void)id;
	*ret_value = bytes_str(gate->secret);
	*ret_version = 1 + gate->rotations;
	return ret_value->len > 0;
}

bool policy_credential_at(const struct policy *p, uint32_t i, struct policy_credential *ret)
{
	(void)p;
	*ret = (struct policy_credential){ .id = bytes_str("token"), .inject = POLICY_INJECT_HEADER,
					   .header = bytes_str(http_rig.header ? http_rig.header : "Authorization"),
					   .prefix = bytes_str("Bearer ") };
	return i == 0;
}

bool policy_credential_bound(const struct policy *p, uint32_t i, struct bytes name, uint16_t port, enum policy_protocol protocol,
			     const struct policy_request *r)
{
	(void)p;
	(void)i;
	(void)name;
	(void)port;
	(void)protocol;
	(void)r;
	return true;
}

void flow_register(struct flow *f)
{
	must(!http_rig.flow);
	http_rig.flow = f;
}

void flow_unregister(struct flow *f)
{
	must(http_rig.flow == f);
	http_rig.flow = NULL;
}

struct event flow_event(const struct flow *f, enum event_kind kind, enum event_action action, enum reason reason)
{
	return (struct event){ .kind = kind, .action = action, .reason = (uint16_t)reason, .flow = f->id,
			       .name = name_bytes(&f->name), .rule = f->entry.rule, .observing = f->entry.observe };
}

/* --- a policy: GET, HEAD, POST, PUT, OPTIONS, MOVE below /ok --- */

enum reason policy_find(const struct policy *p, struct bytes name, uint16_t port, struct policy_entry *ret)
{
	(void)p;
	(void)port;
	if (http_rig.unlisted || !bytes_is(name, "good.example"))
		return REASON_NAME_UNLISTED;
	*ret = http_rig.entry;
	return REASON_OK;
}

bool policy_address_ok(const struct policy *p, const struct policy_entry *e, struct ip ip)
{
	(void)p;
	(void)e;
	return ip.family != 0 && !http_rig.moved;
}

void policy_judge(const struct policy *p, const struct policy_entry *e, const struct policy_request *r,
		  struct policy_verdict *ret)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "OPTIONS", "MOVE" };
	bool method = false;

	(void)p;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		method = method || bytes_is(r->method, methods[i]);
	*ret = (struct policy_verdict){ .reason = REASON_OK, .rule = bytes_str("site/1 (read)") };
	if (!method)
		ret->reason = REASON_HTTP_METHOD_UNLISTED;
	else if (http_rig.shut || !bytes_starts(r->path, bytes_str("/ok")))
		ret->reason = REASON_HTTP_PATH_UNLISTED;
	if (ret->reason != REASON_OK)
		ret->rule = e->rule;
	ret->observed = bytes_starts(r->path, bytes_str("/watched"));
	if (r->has_header(r->headers, bytes_str("x-needed-not")) || r->has_like(r->headers, bytes_str("x-needed-not")))
		ret->reason = REASON_HTTP_CONDITION;
	if (r->websocket && !http_rig.entry.websocket)
		ret->reason = REASON_UPGRADE_REFUSED;
	if (http_rig.reads && !bytes_starts(r->path, bytes_str("/ok/unread")) && ret->reason == REASON_OK && !r->body) {
		ret->reason = REASON_BODY_NEEDED;
		ret->needs = POLICY_NEEDS_JSON;
	}
	ret->reflective = ret->reason == REASON_OK && http_rig.entry.reflective;
	ret->websocket = ret->reason == REASON_OK && r->websocket;
}

enum policy_change_answer policy_change(const struct policy *p, const struct policy_refused *r, struct buf *out)
{
	(void)p;
	if (r->request)
		(void)buf_fmt(out, "network[site].rules: add %.*s", (int)r->request->path.len, (const char *)r->request->path.p);
	else
		(void)buf_fmt(out, "no policy allows this: %s", reason_code(r->reason));
	return r->request ? POLICY_CHANGE_EDITS : POLICY_CHANGE_NEVER;
}

struct bytes policy_label(const struct policy *p)
{
	(void)p;
	return bytes_str("corporate");
}

const char *policy_mode_text(enum policy_mode m)
{
	return m == POLICY_HTTP ? "http" : "other";
}

/* --- the rig --- */

void http_rig_start(void (*flow_start)(const struct flow *))
{
	const struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = POLICY_NONE };

	http_rig_start_entry(flow_start, &entry);
}

static bool as_outlet;

void http_rig_start_outlet(void (*flow_start)(const struct flow *))
{
	as_outlet = true;
	http_rig_start(flow_start);
	as_outlet = false;
}

static void guest_comes(void (*flow_start)(const struct flow *))
{
	struct flow facts = { .gate = &http_rig, .id = 7, .dst_port = 80, .entry = http_rig.entry };
	int pair[2];

	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	http_rig.guest = pair[0];
	must(name_parse(bytes_str("good.example"), &facts.name) == NAME_OK);
	facts.fd = pair[1];
	flow_start(&facts);
}

void http_rig_start_entry(void (*flow_start)(const struct flow *), const struct policy_entry *entry)
{
	http_rig = (struct gate){ .outlet = as_outlet, .generation = 1, .guest = -1, .entry = *entry, .secret = "" };
	must(loop_new(&http_rig.loop, NULL) == 0);
	buf_init(&http_rig.got, 128 * 1024 * 1024);
	for (unsigned i = 0; i < HTTP_RIG_DIALS_MAX; i++) {
		http_rig.origin[i] = -1;
		buf_init(&http_rig.origin_got[i], 128 * 1024 * 1024);
	}
	guest_comes(flow_start);
}

void http_rig_next(void (*flow_start)(const struct flow *))
{
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	must(!http_rig.flow);
	buf_reset(&http_rig.got);
	guest_comes(flow_start);
}

bool http_rig_drain(int fd, struct buf *got)
{
	uint8_t *room = fd < 0 ? NULL : buf_room(got, 65536);
	ssize_t n = room ? recv(fd, room, 65536, 0) : -1;

	if (n > 0)
		buf_grew(got, (size_t)n);
	return n > 0;
}

void http_rig_settle(void)
{
	for (int quiet = 0; quiet < 4; quiet++) {
		must(loop_turn(http_rig.loop, 0, NULL) == 0);
		if (http_rig_drain(http_rig.guest, &http_rig.got))
			quiet = 0;
		for (unsigned i = 0; i < http_rig.n_dials; i++)
			if (http_rig_drain(http_rig.origin[i], &http_rig.origin_got[i]))
				quiet = 0;
	}
}

void http_rig_end(void)
{
	http_rig.guest = fd_close(http_rig.guest);
	http_rig_settle();
	if (http_rig.flow)
		http_rig.flow->ops->on_stop(http_rig.flow);
	http_rig_settle();
	idle_clear();
	http_rig_settle();
	CHECK(!http_rig.flow && !http_rig.event_wait && !http_rig.dial_wait);
	for (unsigned i = 0; i < HTTP_RIG_DIALS_MAX; i++) {
		(void)fd_close(http_rig.origin[i]);
		buf_deinit(&http_rig.origin_got[i]);
	}
	buf_deinit(&http_rig.got);
	http_rig.loop = loop_free(http_rig.loop);
}

void http_rig_put(int fd, const char *text)
{
	must(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

void http_rig_ask(const char *text)
{
	http_rig_put(http_rig.guest, text);
	http_rig_settle();
}

void http_rig_reply(unsigned i, const char *text)
{
	http_rig_put(http_rig.origin[i], text);
	http_rig_settle();
}

const char *http_rig_seen(struct buf *b)
{
	static char text[70000];

	(void)snprintf(text, sizeof(text), "%s", buf_cstr(b));
	buf_reset(b);
	return text;
}

bool http_rig_guest_at_end(void)
{
	char c;

	return recv(http_rig.guest, &c, 1, 0) == 0;
}

bool http_rig_origin_at_end(unsigned i)
{
	char c;

	return recv(http_rig.origin[i], &c, 1, 0) == 0;
}

void http_rig_policy_changes(bool unlisted)
{
	http_rig.generation++;
	http_rig.unlisted = unlisted;
	if (http_rig.flow)
		http_rig.flow->ops->on_policy(http_rig.flow);
	http_rig_settle();
}

void http_rig_time_passes(void)
{
	struct loop_timer *t = &((struct http_flow *)http_rig.flow)->timer;

	must(t->slot);
	loop_timer_disarm(t);
	t->fn(t);
	http_rig_settle();
}
