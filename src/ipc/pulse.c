#include "ipc/pulse.h"

#include "ipc/types.h"

static struct msg out;

static void on_turn(struct loop_timer *t);

static bool arm(struct pulse *p)
{
	return loop_timer_arm(p->loop, &p->timer, PULSE_MS, on_turn, p);
}

static void on_turn(struct loop_timer *t)
{
	struct pulse *p = t->owner;

	/* Without memory for the next turn nothing more is known of it. */
	if (p->unanswered == PULSE_MISSED_MAX || !arm(p)) {
		p->chan = NULL;
		p->fn(p);
		return;
	}
	p->unanswered++;
	p->owed++;
	msg_start(&out, MSG_PING);
	chan_send(p->chan, &out);
}

bool pulse_start(struct pulse *p, struct loop *l, struct chan *c, pulse_fn fn, void *owner)
{
	pulse_stop(p);
	*p = (struct pulse){ .loop = l, .chan = c, .fn = fn, .owner = owner };
	return arm(p);
}

void pulse_stop(struct pulse *p)
{
	loop_timer_disarm(&p->timer);
	p->chan = NULL;
	p->unanswered = 0;
	p->owed = 0;
}

bool pulse_heard(struct pulse *p)
{
	if (p->owed == 0)
		return false;
	p->owed--;
	p->unanswered = 0;
	return true;
}

void pulse_answer(struct chan *parent)
{
	msg_start(&out, MSG_PONG);
	chan_send(parent, &out);
}
