#include "workspace/outlet/door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ipc/noise.h"
#include "ipc/types.h"
#include "net/held.h"
#include "os/fd.h"
#include "os/log.h"
#include "proxy/flows.h"

/* Nothing that inlet says is believed: name and port are looked up in our own copy of the policy, and only guarded names are
 * served here, and those that were it under the policy before, by which inlet may still ask; all others have no business in a process that
 * holds secrets. An inlet that asks for more refusals than the log is to take is not listened to for a moment, so that it can neither fill
 * the log nor the queue to the supervisor. */

struct door {
	struct gate *gate;
	struct chan *inlet;
	struct loop_timer pause;
	size_t flows_max;
};

static struct msg out;

static void answer_refused(struct door *d, uint64_t flow, enum reason r)
{
	msg_start(&out, MSG_DIAL_REFUSED);
	msg_u64(&out, flow);
	msg_u64(&out, r);
	chan_send(d->inlet, &out);
}

static void refuse(struct door *d, const struct flow *f, enum reason r)
{
	struct event ev = flow_event(f, EVENT_FLOW, EVENT_DENIED, r);

	ev.actor = bytes_str("outlet");
	gate_note(d->gate, &ev);
	answer_refused(d, f->id, r);
}

static void pause_over(struct loop_timer *t);

static void pause_if_noisy(struct door *d)
{
	bool pause = gate_busy(d->gate) || gate_noisy(d->gate, GATE_NOISE_FLOW);

	if (d->inlet)
		chan_hold(d->inlet, pause && loop_timer_arm(gate_loop(d->gate), &d->pause, NOISE_PAUSE_MS, pause_over, d));
}

static void pause_over(struct loop_timer *t)
{
	pause_if_noisy(t->owner);
}

static enum reason judge(const struct door *d, struct flow *f)
{
	const struct policy *p = gate_policy(d->gate);
	struct bytes name = name_bytes(&f->name);
	enum reason r;

	if (!gate_has_policy(d->gate))
		return REASON_NAME_UNLISTED;
	r = policy_find(p, name, f->dst_port, &f->entry);
	if (r == REASON_OK && (!gate_guarded_lately(d->gate, name) || (f->entry.mode != POLICY_INTERCEPT && f->entry.mode != POLICY_HTTP)))
		return REASON_WRONG_DOOR;
	if (r == REASON_OK && (flows_count(gate_flows(d->gate)) >= d->flows_max || !held_may_begin()))
		return REASON_TOO_MANY_FLOWS;
	return r;
}

static void open_flow(struct door *d, struct flow *f)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0) {
		refuse(d, f, REASON_TOO_MANY_FLOWS);
		return;
	}
	f->fd = fds[0];
	msg_start(&out, MSG_DIALED);
	msg_u64(&out, f->id);
	msg_bytes(&out, bytes_of("\0\0\0\0", 4));
	msg_fd(&out, fds[1]);
	chan_send(d->inlet, &out);
	(void)fd_close(fds[1]);
	http_flow_start(f);
}

static bool on_dial(void *owner, struct msg_in *in)
{
	struct door *d = owner;
	struct flow f = { .gate = d->gate, .fd = -1, .started_ms = loop_now_ms(gate_loop(d->gate)) };
	struct bytes text;
	enum reason r;

	f.id = msg_get_u64(in);
	text = msg_get_bytes(in, NAME_MAX_LEN);
	f.dst_port = (uint16_t)msg_get_max(in, UINT16_MAX);
	(void)msg_get_u64(in);
	if (!msg_end(in) || !f.id || !f.dst_port)
		return false;
	if (name_parse_strict(text, &f.name) != NAME_OK || !bytes_eq(name_bytes(&f.name), text))
		return false;
	r = judge(d, &f);
	if (r == REASON_OK)
		open_flow(d, &f);
	else
		refuse(d, &f, r);
	pause_if_noisy(d);
	return true;
}

/* A dial is answered at once, so there is nothing left to cancel: the flow ends when inlet closes its socket. */
static bool on_cancel(void *owner, struct msg_in *in)
{
	(void)owner;
	(void)msg_get_u64(in);
	return msg_end(in);
}

static void on_inlet_end(void *owner, const char *why)
{
	struct door *d = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to inlet: %s", why);
	d->inlet = chan_free(d->inlet);
}

static const struct chan_permit permits[] = { { MSG_DIAL, on_dial }, { MSG_DIAL_CANCEL, on_cancel } };

int door_new(struct door **ret, struct gate *g, size_t flows_max, struct err *e)
{
	struct door *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(e, ENOMEM, "out of memory for the door to inlet");
	d->gate = g;
	d->flows_max = flows_max < FLOWS_MAX ? flows_max : FLOWS_MAX;
	*ret = d;
	return 0;
}

struct door *door_free(struct door *d)
{
	if (!d)
		return NULL;
	loop_timer_disarm(&d->pause);
	chan_free(d->inlet);
	free(d);
	return NULL;
}

int door_set_inlet(struct door *d, int fd, struct err *e)
{
	int r;

	d->inlet = chan_free(d->inlet);
	r = chan_new(&d->inlet, gate_loop(d->gate), fd, permits, sizeof(permits) / sizeof(permits[0]), on_inlet_end, d, e);
	if (r == 0)
		pause_if_noisy(d);
	return r;
}
