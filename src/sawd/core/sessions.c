/* A session is the right to open tunnels to one workspace's sshd: a certificate of 5 minutes to open them, 12 hours for those that are
 * open. Sessions live in memory only: when this process or front is replaced they end, and their tunnels with them, since nobody
 * could re-check them meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/random.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/log.h"
#include "sawd/core/api.h"
#include "sawd/core/ws.h"
#include "wire/ssh_cert.h"

enum { SESSIONS_MAX = 1024, SWEEP_MS = 10000, CLOCK_ALLOWANCE_S = 60, GUEST_MS = 10000 };

struct tunnel {
	struct tunnel *next;
	uint64_t id;
	uint64_t req; /* front's, while it is being opened */
	uint64_t asked_ms;
	bool open;
};

struct session {
	struct session *next;
	struct core *core;
	char id[SAWD_ID_LEN + 1];
	char workspace[SAWD_ID_LEN + 1];
	char name[SAWD_NAME_MAX + 1];
	uint64_t req; /* front's, while the certificate is being made */
	uint64_t created_ms; /* these by the wall clock, as certificates and people read them */
	uint64_t cert_end_ms;
	uint64_t end_ms;
	uint64_t cert_until; /* these, which count, by clock_boot_ms(): whoever sets the wall clock neither ends a session nor prolongs it */
	uint64_t until;
	bool issued;
	struct tunnel *tunnels;
};

/* 0: over. */
static uint64_t left_ms(uint64_t until)
{
	uint64_t now = clock_boot_ms();

	return until > now ? until - now : 0;
}

/* When that is by the wall clock of now; as it was said first, unless somebody has set it. */
static uint64_t by_the_wall(uint64_t until, uint64_t said_ms)
{
	uint64_t ms = clock_real_ms() + until - clock_boot_ms();

	return (ms > said_ms ? ms - said_ms : said_ms - ms) < 1000 ? said_ms : ms;
}

static size_t n_open(const struct session *s)
{
	size_t n = 0;

	for (const struct tunnel *t = s->tunnels; t; t = t->next)
		n += t->open;
	return n;
}

/* Into both logs: the control plane's, which decides, and the workspace's, where its owner looks. */
static int note(struct session *s, const char *word, enum event_action action, const struct event *counts, const char *why,
		struct err *e)
{
	struct core *c = s->core;
	struct ws *w = ws_find(c, bytes_str(s->workspace));
	struct event ev = counts ? *counts : (struct event){ 0 };
	char text[EVENT_TEXT_MAX];
	int r;

	(void)snprintf(text, sizeof(text), "session %s of %s (%s)%s%s", s->id, s->name, s->workspace, *why ? ": " : "", why);
	ev.kind = EVENT_SESSION;
	ev.action = action;
	ev.at_ms = clock_real_ms();
	ev.count = 1;
	ev.verb = bytes_str(word);
	ev.actor = bytes_str(c->owner);
	ev.detail = bytes_str(text);
	r = journal_event(c, &ev, e);
	if (r == 0 && w)
		control_event(w, &ev);
	return r;
}

static void unlink_session(struct session *s)
{
	struct core *c = s->core;

	for (struct session **at = &c->sessions; *at; at = &(*at)->next)
		if (*at == s) {
			*at = s->next;
			c->n_sessions--;
			break;
		}
}

static void session_free(struct session *s)
{
	unlink_session(s);
	ask_forget(s->core, s);
	while (s->tunnels) {
		struct tunnel *t = s->tunnels;

		s->tunnels = t->next;
		free(t);
	}
	free(s);
}

static struct session *find(const struct core *c, struct bytes id)
{
	struct session *s = c->sessions;

	while (s && !bytes_is(id, s->id))
		s = s->next;
	return s;
}

static void no_session(struct core *c, uint64_t req)
{
	api_problem(c, req, &(struct sawd_problem){ .status = 404, .exit_code = 4, .code = "no_such_session",
						    .detail = "there is no such session, or it has ended",
						    .field = "session", .remedy = "`saw sessions` lists the open ones, `saw ssh` begins a new one" });
}

static void cut(struct core *c, const struct session *s, const char *why)
{
	msg_start(&core_out, MSG_API_CUT);
	msg_str(&core_out, s->id);
	msg_str(&core_out, "");
	msg_str(&core_out, why);
	core_send(c, SAWD_FRONT);
}

/* The session is over: what front still holds of it is cut. What is owed to front is answered. */
static void end_session(struct session *s, const char *why)
{
	struct core *c = s->core;
	struct err e = { 0 };

	for (struct tunnel *t = s->tunnels; t; t = t->next)
		if (!t->open)
			no_session(c, t->req);
	if (s->issued && note(s, "cut", EVENT_CLOSED, NULL, why, &e) < 0)
		log_line("%s", e.text);
	cut(c, s, why);
	session_free(s);
}

void sessions_cut(struct core *c, const char *id, const char *why)
{
	for (struct session *s = c->sessions, *next; s; s = next) {
		next = s->next;
		if (strcmp(s->workspace, id) == 0 && s->issued)
			end_session(s, why);
	}
	msg_start(&core_out, MSG_API_CUT);
	msg_str(&core_out, "");
	msg_str(&core_out, id);
	msg_str(&core_out, why);
	core_send(c, SAWD_FRONT);
}

void sessions_front_gone(struct core *c)
{
	while (c->sessions)
		end_session(c->sessions, "the broker was restarted");
}

uint64_t sessions_tunnels(const struct core *c, const char *id)
{
	uint64_t n = 0;

	for (const struct session *s = c->sessions; s; s = s->next)
		if (strcmp(s->workspace, id) == 0)
			n += n_open(s);
	return n;
}

static void tell_row(struct core *c, const char *id)
{
	const struct ws *w = ws_find(c, bytes_str(id));

	if (w)
		api_row(c, 0, &w->row);
}

static bool on_cert(void *owner, struct msg_in *in)
{
	struct session *s = owner;
	struct core *c = s->core;
	struct bytes blob = in ? msg_get_bytes(in, SSH_CERT_MAX) : bytes_of(NULL, 0);
	struct bytes host = in ? msg_get_bytes(in, SAWD_KEY_LEN) : bytes_of(NULL, 0);
	struct err e = { 0 };
	int r = 0;

	if (in && !msg_end(in))
		return false;
	if (!blob.len)
		r = err_set(&e, EAGAIN, "no certificate could be made: the keeper of keys is restarting");
	r = r < 0 ? r : note(s, "issued", EVENT_ALLOWED, NULL, "", &e);
	if (r < 0) {
		api_error(c, s->req, r, &e);
		session_free(s);
		return true;
	}
	s->issued = true;
	msg_start(&core_out, MSG_API_SESSION_DONE);
	msg_u64(&core_out, s->req);
	msg_str(&core_out, s->id);
	msg_str(&core_out, s->workspace);
	msg_bytes(&core_out, blob);
	msg_bytes(&core_out, host);
	msg_u64(&core_out, s->cert_end_ms);
	msg_u64(&core_out, s->end_ms);
	core_send(c, SAWD_FRONT);
	return true;
}

static const struct ask_kind certificate = { SAWD_KEEPER, { MSG_SAWD_CERT_DONE }, on_cert };

static struct session *session_new(struct core *c, const struct ws *w, uint64_t req)
{
	struct session *s = c->n_sessions < SESSIONS_MAX ? calloc(1, sizeof(*s)) : NULL;
	uint8_t r[6];

	if (!s)
		return NULL;
	random_bytes(r, sizeof(r));
	*s = (struct session){ .core = c, .next = c->sessions, .req = req, .created_ms = clock_real_ms() };
	(void)snprintf(s->id, sizeof(s->id), "se-%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3], r[4], r[5]);
	(void)snprintf(s->workspace, sizeof(s->workspace), "%s", w->row.id);
	(void)snprintf(s->name, sizeof(s->name), "%s", w->row.name);
	s->cert_end_ms = s->created_ms + (c->session_max_ms < SAWD_CERT_MS ? c->session_max_ms : SAWD_CERT_MS);
	s->end_ms = s->created_ms + c->session_max_ms;
	s->until = clock_boot_ms() + c->session_max_ms;
	s->cert_until = s->until - (s->end_ms - s->cert_end_ms);
	c->sessions = s;
	c->n_sessions++;
	return s;
}

static void ask_cert(struct session *s, struct bytes key, uint64_t permits)
{
	struct core *c = s->core;
	uint64_t req = ask_new(c, &certificate, s);
	char key_id[SSH_CERT_TEXT_MAX];

	(void)snprintf(key_id, sizeof(key_id), "%s@%s session %s", c->owner, s->workspace, s->id);
	msg_start(&core_out, MSG_SAWD_CERT);
	msg_u64(&core_out, req);
	msg_str(&core_out, key_id);
	msg_str(&core_out, s->workspace);
	msg_bytes(&core_out, key);
	msg_u64(&core_out, permits);
	msg_u64(&core_out, s->created_ms / 1000 - CLOCK_ALLOWANCE_S);
	msg_u64(&core_out, s->cert_end_ms / 1000);
	core_send(c, SAWD_KEEPER);
}

static void not_running(struct core *c, uint64_t req, const struct ws *w)
{
	char text[300];

	(void)snprintf(text, sizeof(text), "workspace %s is %s", w->row.name, sawd_state_text(w->state));
	api_problem(c, req, &(struct sawd_problem){ .status = 409, .exit_code = 5, .code = "not_running", .detail = text,
						    .remedy = "start it, and wait until it runs" });
}

/* The workspace, when it is there and runs; else front has its answer. */
static struct ws *reachable(struct core *c, uint64_t req, struct bytes name)
{
	struct ws *w = NULL;
	struct err e = { 0 };
	int r = ws_wake(c, name, &w, &e);

	if (r < 0) {
		api_error(c, req, r, &e);
		return NULL;
	}
	if (r == 0) {
		api_not_found(c, req, name);
		return NULL;
	}
	if (w->state == SAWD_RUNNING && w->control)
		return w;
	not_running(c, req, w);
	ws_kick(w);
	return NULL;
}

bool sessions_on_issue(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes name = msg_get_bytes(in, SAWD_NAME_MAX);
	struct bytes key = msg_get_bytes(in, SAWD_KEY_LEN);
	uint64_t permits = msg_get_max(in, SSH_CERT_PTY | SSH_CERT_PORT_FORWARDING | SSH_CERT_AGENT_FORWARDING);
	struct session *s;
	struct ws *w;

	if (!msg_end(in) || key.len != SAWD_KEY_LEN)
		return false;
	w = reachable(c, req, name);
	if (!w)
		return true;
	s = c->peers[SAWD_KEEPER] ? session_new(c, w, req) : NULL;
	if (s)
		ask_cert(s, key, permits);
	else
		api_problem(c, req, &(struct sawd_problem){ .status = 503, .exit_code = 1, .code = "busy",
							    .detail = c->peers[SAWD_KEEPER] ? "too many sessions are open" :
											      "the keeper of keys is restarting",
							    .remedy = "try again in a moment" });
	return true;
}

bool sessions_on_list(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);

	if (!msg_end(in))
		return false;
	for (const struct session *s = c->sessions; s; s = s->next) {
		if (!s->issued)
			continue;
		msg_start(&core_out, MSG_API_SESSION_ROW);
		msg_u64(&core_out, req);
		msg_str(&core_out, s->id);
		msg_str(&core_out, s->name);
		msg_str(&core_out, s->workspace);
		msg_str(&core_out, c->owner);
		msg_u64(&core_out, s->created_ms);
		msg_u64(&core_out, by_the_wall(s->cert_until, s->cert_end_ms));
		msg_u64(&core_out, by_the_wall(s->until, s->end_ms));
		msg_u64(&core_out, n_open(s));
		core_send(c, SAWD_FRONT);
	}
	msg_start(&core_out, MSG_API_END);
	msg_u64(&core_out, req);
	msg_str(&core_out, "");
	core_send(c, SAWD_FRONT);
	return true;
}

bool sessions_on_end(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	struct session *s = find(c, id);
	struct err e = { 0 };
	int r;

	if (!msg_end(in))
		return false;
	if (!s || !s->issued) {
		no_session(c, req);
		return true;
	}
	r = journal_call(c, "sessions.delete", s->workspace, s->name, s->id, &e);
	if (r < 0) {
		api_error(c, req, r, &e);
		return true;
	}
	end_session(s, "ended by its user");
	msg_start(&core_out, MSG_API_END);
	msg_u64(&core_out, req);
	msg_str(&core_out, "");
	core_send(c, SAWD_FRONT);
	return true;
}

bool sessions_on_tunnel(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes name = msg_get_bytes(in, SAWD_NAME_MAX);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	struct session *s;
	struct tunnel *t;
	struct ws *w;

	if (!msg_end(in))
		return false;
	w = reachable(c, req, name);
	if (!w)
		return true;
	s = find(c, id);
	if (!s || !s->issued || strcmp(s->workspace, w->row.id) != 0 || !left_ms(s->cert_until)) {
		no_session(c, req);
		return true;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		api_error(c, req, -ENOMEM, &(struct err){ "out of memory for a tunnel" });
		return true;
	}
	*t = (struct tunnel){ .next = s->tunnels, .id = ++c->next_tunnel, .req = req, .asked_ms = loop_now_ms(c->loop) };
	s->tunnels = t;
	control_guest(w, t->id);
	return true;
}

static struct tunnel *find_tunnel(const struct core *c, uint64_t id, struct session **ret)
{
	for (struct session *s = c->sessions; s; s = s->next)
		for (struct tunnel *t = s->tunnels; t; t = t->next)
			if (t->id == id) {
				*ret = s;
				return t;
			}
	return NULL;
}

static void drop_tunnel(struct session *s, struct tunnel *t)
{
	for (struct tunnel **at = &s->tunnels; *at; at = &(*at)->next)
		if (*at == t) {
			*at = t->next;
			break;
		}
	free(t);
}

static void refuse_tunnel(struct core *c, struct session *s, struct tunnel *t, const char *why)
{
	char text[SAWD_DETAIL_MAX];

	(void)snprintf(text, sizeof(text), "the workspace's sshd does not answer: %.900s", why);
	api_problem(c, t->req, &(struct sawd_problem){ .status = 502, .exit_code = 5, .code = "unavailable", .detail = text,
						       .remedy = "see `saw log NAME`, or restart the workspace" });
	drop_tunnel(s, t);
}

void sessions_connected(struct core *c, struct ws *w, uint64_t id, int fd, struct bytes why)
{
	struct session *s = NULL;
	struct tunnel *t = find_tunnel(c, id, &s);
	struct err e = { 0 };
	char text[400];
	int r;

	if (!t || t->open || strcmp(s->workspace, w->row.id) != 0) {
		(void)fd_close(fd);
		return;
	}
	if (fd < 0) {
		(void)snprintf(text, sizeof(text), "%.*s", (int)(why.len > 390 ? 390 : why.len), (const char *)why.p);
		refuse_tunnel(c, s, t, text);
		return;
	}
	if (!left_ms(s->until)) {
		no_session(c, t->req);
		drop_tunnel(s, t);
		(void)fd_close(fd);
		return;
	}
	r = note(s, "opened", EVENT_ALLOWED, NULL, "", &e);
	if (r < 0) {
		api_error(c, t->req, r, &e);
		drop_tunnel(s, t);
		(void)fd_close(fd);
		return;
	}
	t->open = true;
	msg_start(&core_out, MSG_API_TUNNEL_DONE);
	msg_u64(&core_out, t->req);
	msg_u64(&core_out, t->id);
	msg_str(&core_out, s->id);
	msg_str(&core_out, s->workspace);
	msg_u64(&core_out, left_ms(s->until));
	msg_fd(&core_out, fd);
	core_send(c, SAWD_FRONT);
	(void)fd_close(fd);
	tell_row(c, s->workspace);
}

bool sessions_on_tunnel_closed(void *owner, struct msg_in *in)
{
	struct core *c = owner;
	uint64_t id = msg_get_u64(in);
	struct event counts = { .bytes_in = msg_get_u64(in), .bytes_out = msg_get_u64(in) };
	struct bytes why;
	struct session *s = NULL;
	struct tunnel *t;
	struct err e = { 0 };
	char text[400];

	counts.duration_ms = msg_get_u64(in);
	why = msg_get_bytes(in, sizeof(text) - 1);
	if (!msg_end(in))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)why.len, (const char *)why.p);
	t = find_tunnel(c, id, &s);
	if (!t)
		return true;
	drop_tunnel(s, t);
	if (note(s, "closed", EVENT_CLOSED, &counts, text, &e) < 0)
		log_line("%s", e.text);
	tell_row(c, s->workspace);
	return true;
}

static void on_sweep(struct loop_timer *timer)
{
	struct core *c = timer->owner;

	for (struct session *s = c->sessions, *next; s; s = next) {
		next = s->next;
		for (struct tunnel *t = s->tunnels, *after; t; t = after) {
			after = t->next;
			if (!t->open && loop_now_ms(c->loop) - t->asked_ms > GUEST_MS)
				refuse_tunnel(c, s, t, "no answer in time");
		}
		if (!left_ms(s->until))
			end_session(s, "its longest time is over");
		else if (!left_ms(s->cert_until) && !s->tunnels && s->issued)
			session_free(s);
	}
	sessions_start(c);
}

void sessions_start(struct core *c)
{
	(void)loop_timer_arm(c->loop, &c->sweep, SWEEP_MS, on_sweep, c);
}

void sessions_deinit(struct core *c)
{
	struct session *s;

	loop_timer_disarm(&c->sweep);
	while ((s = c->sessions) != NULL) {
		c->sessions = s->next;
		session_free(s);
	}
}
