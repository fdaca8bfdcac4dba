#include "workspace/supervisor/command.h"

#include "os/fd.h"
#include "workspace/supervisor/gateway.h"
#include "workspace/supervisor/ws.h"

static struct msg out;
static struct chan *parent;
static bool gone; /* the command was let go */
static bool attached; /* front has the guest's side of the link */

static void configure(struct role *r)
{
	struct ws *w = r->ws;

	msg_start(&out, MSG_TRY_CONFIG);
	msg_u64(&out, w->command.uid);
	msg_u64(&out, w->command.gid);
	msg_fd(&out, w->user_fd);
	role_send(r, &out);
}

static bool on_netns(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	FD_AUTO int fd = msg_take_fd(in);

	if (!msg_end(in) || attached)
		return false;
	attached = true;
	msg_start(&out, MSG_FRONT_ATTACH);
	msg_fd(&out, fd);
	role_send(&r->ws->roles[ROLE_FRONT], &out);
	return true;
}

static bool on_done(void *owner, struct msg_in *in)
{
	struct role *r = owner;
	uint64_t code = msg_get_max(in, 255);

	if (!msg_end(in) || !gone)
		return false;
	r->ws->exit_code = (int)code;
	r->expected_end = true;
	ws_stop(r->ws, 0, "the command has ended");
	return true;
}

static bool lost(struct role *r, const char *why)
{
	if (!r->expected_end)
		ws_fail(r->ws, "try: %s", why);
	return false;
}

void command_go(struct ws *w)
{
	if (gone)
		return;
	gone = true;
	msg_start(&out, MSG_TRY_GO);
	role_send(&w->roles[ROLE_TRY], &out);
	ws_running(w);
}

static bool on_stop(void *owner, struct msg_in *in)
{
	(void)in;
	ws_stop(owner, 0, "stopped by its user");
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	(void)why;
	parent = chan_free(parent);
	ws_stop(owner, 0, "`saw try` has ended");
}

/* `saw try` is keeper for its command. */
static bool on_keeper(void *owner, struct msg_in *in)
{
	FD_AUTO int fd = msg_take_fd(in);

	if (!msg_end(in))
		return false;
	gateway_keeper(owner, in->type, fd_take(&fd));
	return true;
}

static const struct chan_permit parent_permits[] = {
	{ MSG_STOP, on_stop }, { MSG_KEEPER_OUTLET, on_keeper }, { MSG_KEEPER_INLET, on_keeper }
};

int command_parent(struct ws *w, struct err *e)
{
	return chan_new(&parent, w->loop, w->command.parent_fd, parent_permits, sizeof(parent_permits) / sizeof(parent_permits[0]),
			on_parent_end, w, e);
}

void command_tell_end(struct ws *w)
{
	if (!parent)
		return;
	if (w->exit_code < 0) {
		msg_start(&out, MSG_FAILED);
		msg_str(&out, w->detail);
	} else {
		msg_start(&out, MSG_TRY_DONE);
		msg_u64(&out, (uint64_t)w->exit_code);
	}
	chan_send(parent, &out);
	parent = chan_free(parent);
}

static const struct chan_permit permits[] = {
	{ MSG_FAILED, role_on_failed },
	{ MSG_TRY_NETNS, on_netns },
	{ MSG_TRY_DONE, on_done },
};

const struct role_ops command_ops = {
	.name = "try",
	.binary = "saw-try",
	.permits = permits,
	.n_permits = sizeof(permits) / sizeof(permits[0]),
	.configure = configure,
	.lost = lost,
	.has_ready = false,
};
