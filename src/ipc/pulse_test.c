#include "ipc/pulse.h"

#include "base/tap.h"
#include "ipc/types.h"
#include "os/clock_kit.h"

/* A parent that asks, and a process that answers, or does not. */
static struct {
	struct loop *l;
	struct chan *parent;
	struct chan *child;
	struct pulse pulse;
	unsigned n_pings;
	unsigned n_hangs;
	unsigned n_ends;
	bool mute;
} t;

static bool on_ping(void *owner, struct msg_in *in)
{
	(void)owner;
	(void)in;
	t.n_pings++;
	if (!t.mute)
		pulse_answer(t.child);
	return true;
}

static bool on_pong(void *owner, struct msg_in *in)
{
	(void)owner;
	(void)in;
	return pulse_heard(&t.pulse);
}

static void on_end(void *owner, const char *why)
{
	(void)owner;
	(void)why;
	t.n_ends++;
}

static void on_hang(struct pulse *p)
{
	t.n_hangs += p->owner == &t;
}

static const struct chan_permit asker[] = { { MSG_PONG, on_pong } };
static const struct chan_permit asked[] = { { MSG_PING, on_ping } };

static void start(void)
{
	struct err e = { 0 };
	int fds[2] = { -1, -1 };

	memset(&t, 0, sizeof(t));
	kit_clock_stops();
	CHECK(loop_new(&t.l, &e) == 0 && chan_pair(fds, &e) == 0);
	CHECK(chan_new(&t.parent, t.l, fds[0], asker, 1, on_end, NULL, &e) == 0);
	CHECK(chan_new(&t.child, t.l, fds[1], asked, 1, on_end, NULL, &e) == 0);
	CHECK(pulse_start(&t.pulse, t.l, t.parent, on_hang, &t));
}

/* `n` turns of the pulse, each with time for an answer. */
static void turns(unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		kit_clock_moves(PULSE_MS);
		for (unsigned k = 0; k < 4; k++)
			kit_clock_turns(t.l);
	}
}

static void stop(void)
{
	pulse_stop(&t.pulse);
	t.parent = chan_free(t.parent);
	t.child = chan_free(t.child);
	loop_free(t.l);
}

TEST(a_process_that_was_slow_answers_all_that_it_was_asked_meanwhile)
{
	start();
	for (unsigned i = 1; i < PULSE_MISSED_MAX; i++) {
		chan_hold(t.child, true);
		turns(i);
		chan_hold(t.child, false);
		turns(1);
		CHECK(t.n_hangs == 0 && t.n_ends == 0);
	}
	stop();
}

TEST(a_process_that_answers_is_asked_for_ever)
{
	start();
	turns(10 * PULSE_MISSED_MAX);
	CHECK_INT(t.n_pings, 10 * PULSE_MISSED_MAX);
	CHECK(t.n_hangs == 0 && t.n_ends == 0);
	stop();
}

TEST(one_that_does_not_answer_hangs_and_is_told_once)
{
	start();
	t.mute = true;
	turns(PULSE_MISSED_MAX);
	CHECK_INT(t.n_pings, PULSE_MISSED_MAX);
	CHECK_INT(t.n_hangs, 0);
	turns(1);
	CHECK_INT(t.n_hangs, 1);
	turns(3 * PULSE_MISSED_MAX);
	CHECK(t.n_hangs == 1 && t.n_pings == PULSE_MISSED_MAX);
	stop();
}

TEST(one_late_answer_is_enough)
{
	start();
	for (unsigned i = 0; i < 3; i++) {
		t.mute = true;
		turns(PULSE_MISSED_MAX);
		t.mute = false;
		pulse_answer(t.child);
		turns(1);
	}
	CHECK(t.n_hangs == 0 && t.n_ends == 0);
	stop();
}

TEST(a_machine_that_stood_still_ends_nobody)
{
	start();
	turns(1);
	for (unsigned i = 0; i < 3; i++) {
		kit_clock_moves(100 * PULSE_MS);
		for (unsigned k = 0; k < 4; k++)
			kit_clock_turns(t.l);
	}
	CHECK_INT(t.n_hangs, 0);
	stop();
}

TEST(an_answer_that_nobody_asked_for_is_no_message)
{
	start();
	pulse_answer(t.child);
	for (unsigned k = 0; k < 4; k++)
		kit_clock_turns(t.l);
	CHECK_INT(t.n_ends, 1);
	stop();
}

TEST(nobody_is_asked_after_the_stop)
{
	start();
	turns(2);
	pulse_stop(&t.pulse);
	turns(2 * PULSE_MISSED_MAX);
	CHECK(t.n_pings == 2 && t.n_hangs == 0);
	pulse_stop(&t.pulse);
	stop();
}
