#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "os/fd.h"
#include "os/log.h"
#include "sawd/core/bindings.h"
#include "sawd/core/secrets.h"

/* Keeper makes the channels, the supervisor hands the ends to outlet and inlet; here they pass by unread. They are asked for anew when a
 * supervisor greets, when keeper is new, and when keeper saw one end. */

enum { RETRY_MS = 1000 };

static bool possible(const struct ws *w)
{
	return w->control && w->greeted && w->control_version >= 2 && w->core->peers[SAWD_KEEPER];
}

static void on_retry(struct loop_timer *t)
{
	supply_open(t->owner);
}

static void retry(struct ws *w)
{
	(void)loop_timer_arm(w->core->loop, &w->supply_retry, RETRY_MS, on_retry, w);
}

/* Keeper's answer: the end goes on to the supervisor. */
static bool pass_on(struct ws *w, struct msg_in *in, enum ipc_type type)
{
	bool ok = in && msg_get_max(in, 1) == 1;
	struct bytes why = in ? msg_get_bytes(in, SAWD_SECRET_WHY_MAX) : bytes_of(NULL, 0);
	FD_AUTO int fd = ok ? msg_try_fd(in) : -1; /* without it keeper sees the channel's end, and says so */

	if (in && !msg_end(in))
		return false;
	if (in && !ok) {
		log_line("%s: no channel to the keeper of secrets: %.*s", w->row.name, (int)why.len, (const char *)why.p);
		retry(w);
	}
	if (fd >= 0 && w->control && w->greeted) {
		msg_start(&core_out, type);
		msg_fd(&core_out, fd);
		chan_send(w->control, &core_out);
	}
	return true;
}

static bool on_outlet_channel(void *owner, struct msg_in *in)
{
	return pass_on(owner, in, MSG_KEEPER_OUTLET);
}

static bool on_inlet_channel(void *owner, struct msg_in *in)
{
	return pass_on(owner, in, MSG_KEEPER_INLET);
}

static const struct ask_kind outlet_channel = { SAWD_KEEPER, { MSG_SAWD_CHANNEL }, on_outlet_channel };
static const struct ask_kind inlet_channel = { SAWD_KEEPER, { MSG_SAWD_CHANNEL }, on_inlet_channel };

/* Both policies' bindings, where they differ. */
static void put_ids(struct ws *w, const char *other)
{
	static struct bindings b;
	struct err e = { 0 };

	b.n = 0;
	if (bindings_add(w->core, w->row.policy_sha256, &b, &e) < 0 || bindings_add(w->core, other, &b, &e) < 0)
		log_line("%s: %s", w->row.name, e.text);
	msg_str(&core_out, w->row.id);
	msg_str(&core_out, w->core->owner);
	bindings_put(&b, &core_out);
}

/* False: nothing to send. */
static void put_names(struct ws *w, const char *other, int *ret_fd)
{
	struct err e = { 0 };
	uint64_t n = 0;

	if (bindings_names(w->core, w->row.policy_sha256, other, &n, ret_fd, &e) < 0)
		log_line("%s: %s", w->row.name, e.text);
	msg_str(&core_out, w->row.id);
	msg_u64(&core_out, *ret_fd >= 0 ? n : 0);
	if (*ret_fd >= 0)
		msg_fd(&core_out, *ret_fd);
}

void supply_open(struct ws *w)
{
	struct core *c = w->core;
	FD_AUTO int fd = -1;
	uint64_t req;

	if (!possible(w))
		return;
	loop_timer_disarm(&w->supply_retry);
	req = ask_new(c, &outlet_channel, w);
	msg_start(&core_out, MSG_SAWD_SECRET_OPEN);
	msg_u64(&core_out, req);
	put_ids(w, w->bound_sha256);
	core_send(c, SAWD_KEEPER);
	req = ask_new(c, &inlet_channel, w);
	msg_start(&core_out, MSG_SAWD_CA_OPEN);
	msg_u64(&core_out, req);
	put_names(w, w->bound_sha256, &fd);
	core_send(c, SAWD_KEEPER);
}

static void bind(struct ws *w)
{
	FD_AUTO int fd = -1;

	if (!possible(w))
		return;
	msg_start(&core_out, MSG_SAWD_SECRET_BIND);
	put_ids(w, w->bound_sha256);
	core_send(w->core, SAWD_KEEPER);
	msg_start(&core_out, MSG_SAWD_CA_BIND);
	put_names(w, w->bound_sha256, &fd);
	core_send(w->core, SAWD_KEEPER);
}

void supply_widen(struct ws *w)
{
	bind(w);
}

void supply_settle(struct ws *w)
{
	memcpy(w->bound_sha256, w->row.policy_sha256, sizeof(w->bound_sha256));
	bind(w);
}

static bool on_forgotten(void *owner, struct msg_in *in)
{
	struct ws *w = owner;
	struct bytes why = in ? msg_get_bytes(in, SAWD_SECRET_WHY_MAX) : bytes_of(NULL, 0);
	char text[SAWD_SECRET_WHY_MAX + 1];

	if (in && !msg_end(in))
		return false;
	(void)snprintf(text, sizeof(text), "%.*s", (int)why.len, why.len ? (const char *)why.p : "");
	if (in)
		reconcile_forgotten(w, text);
	else
		reconcile_put_off(w);
	return true;
}

static const struct ask_kind forgotten = { SAWD_KEEPER, { MSG_SAWD_FORGOTTEN }, on_forgotten };

void supply_forget(struct ws *w)
{
	uint64_t req;

	if (!w->core->peers[SAWD_KEEPER]) {
		reconcile_put_off(w);
		return;
	}
	w->busy = true;
	req = ask_new(w->core, &forgotten, w);
	msg_start(&core_out, MSG_SAWD_FORGET);
	msg_u64(&core_out, req);
	msg_str(&core_out, w->row.id);
	core_send(w->core, SAWD_KEEPER);
}

void supply_deinit(struct ws *w)
{
	loop_timer_disarm(&w->supply_retry);
}

bool supply_on_ended(void *owner, struct msg_in *in)
{
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	struct ws *w;

	(void)msg_get_max(in, 1);
	if (!msg_end(in))
		return false;
	w = ws_find(owner, id);
	if (w && possible(w))
		retry(w);
	return true;
}
