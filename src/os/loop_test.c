#include "os/loop.h"

#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"

static int order[8];
static int n_order;

static void note(struct loop_timer *t)
{
	order[n_order++] = *(int *)t->owner;
	if (n_order == 3)
		loop_stop(t->loop, 9);
}

TEST(timers_fire_in_order_of_time_and_once)
{
	struct loop *l = NULL;
	struct loop_timer t[4] = { 0 };
	int id[4] = { 0, 1, 2, 3 };
	struct err e = { 0 };

	n_order = 0;
	CHECK(loop_new(&l, &e) == 0);
	CHECK(loop_timer_arm(l, &t[0], 30, note, &id[0]));
	CHECK(loop_timer_arm(l, &t[1], 10, note, &id[1]));
	CHECK(loop_timer_arm(l, &t[2], 20, note, &id[2]));
	CHECK(loop_timer_arm(l, &t[3], 5, note, &id[3]));
	loop_timer_disarm(&t[3]);
	CHECK_INT(loop_run(l, &e), 9);
	CHECK(n_order == 3 && order[0] == 1 && order[1] == 2 && order[2] == 0);
	loop_free(l);
}

TEST(a_timer_that_is_put_off_or_brought_forward_fires_at_its_new_time)
{
	struct loop *l = NULL;
	struct loop_timer t[4] = { 0 };
	int id[4] = { 0, 1, 2, 3 };
	struct err e = { 0 };
	uint64_t began;

	n_order = 0;
	CHECK(loop_new(&l, &e) == 0);
	began = loop_now_ms(l);
	CHECK(loop_timer_arm(l, &t[0], 5, note, &id[0]) && loop_timer_arm(l, &t[0], 60, note, &id[0])); /* put off beyond others */
	CHECK(loop_timer_arm(l, &t[1], 50, note, &id[1]) && loop_timer_arm(l, &t[1], 20, note, &id[1]));
	CHECK(loop_timer_arm(l, &t[2], 10, note, &id[2]) && loop_timer_arm(l, &t[2], 90, note, &id[2]) &&
	      loop_timer_arm(l, &t[2], 30, note, &id[2])); /* off and forward again */
	CHECK(loop_timer_arm(l, &t[3], 1, note, &id[3]) && loop_timer_arm(l, &t[3], 15, note, &id[3]));
	loop_timer_disarm(&t[3]);
	CHECK_INT(loop_run(l, &e), 9);
	CHECK(n_order == 3 && order[0] == 1 && order[1] == 2 && order[2] == 0);
	CHECK(loop_now_ms(l) - began >= 60);
	loop_free(l);
}

struct heard {
	struct loop_io io;
	uint32_t events;
	int calls;
};

static void hear(struct loop_io *io, uint32_t events)
{
	struct heard *h = io->owner;

	h->events = events;
	h->calls++;
}

TEST(what_is_not_wanted_any_more_is_not_delivered_and_comes_when_it_is_wanted_again)
{
	struct loop *l = NULL;
	struct heard h = { 0 };
	struct err e = { 0 };
	int x[2] = { -1, -1 };

	CHECK(loop_new(&l, &e) == 0 && pipe(x) == 0);
	CHECK(loop_io_add(l, &h.io, x[0], EPOLLIN, hear, &h, &e) == 0);
	loop_io_want(&h.io, 0);
	CHECK(write(x[1], "x", 1) == 1);
	CHECK(loop_turn(l, 0, &e) == 0 && loop_turn(l, 0, &e) == 0);
	CHECK_INT(h.calls, 0);
	CHECK_INT(h.io.armed, 0); /* or each turn would come back at once */
	loop_io_want(&h.io, EPOLLIN);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(h.calls == 1 && h.events == EPOLLIN);
	loop_io_want(&h.io, 0);
	fd_close(x[1]);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(h.calls == 2 && h.events == EPOLLHUP);
	fd_close(x[0]);
	loop_free(l);
}

struct pair {
	struct loop_io a;
	struct loop_io b;
	int calls;
};

static void remove_other(struct loop_io *io, uint32_t events)
{
	struct pair *p = io->owner;

	(void)events;
	p->calls++;
	loop_io_remove(io == &p->a ? &p->b : &p->a);
	loop_io_remove(io);
}

TEST(an_io_removed_in_the_same_turn_gets_no_event)
{
	struct loop *l = NULL;
	struct pair p = { 0 };
	struct err e = { 0 };
	int x[2] = { -1, -1 };
	int y[2] = { -1, -1 };

	CHECK(loop_new(&l, &e) == 0 && pipe(x) == 0 && pipe(y) == 0);
	CHECK(write(x[1], "x", 1) == 1 && write(y[1], "y", 1) == 1);
	CHECK(loop_io_add(l, &p.a, x[0], EPOLLIN, remove_other, &p, &e) == 0);
	CHECK(loop_io_add(l, &p.b, y[0], EPOLLIN, remove_other, &p, &e) == 0);
	CHECK(loop_turn(l, 0, &e) == 0 && loop_turn(l, 0, &e) == 0);
	CHECK_INT(p.calls, 1);
	for (int i = 0; i < 2; i++) {
		fd_close(x[i]);
		fd_close(y[i]);
	}
	loop_free(l);
}

TEST(another_watcher_gets_what_comes_from_now_on_and_what_lies_ready)
{
	struct loop *l = NULL;
	struct heard from = { 0 };
	struct heard to = { 0 };
	struct err e = { 0 };
	int x[2] = { -1, -1 };

	CHECK(loop_new(&l, &e) == 0 && pipe(x) == 0);
	CHECK(loop_io_add(l, &from.io, x[0], EPOLLIN, hear, &from, &e) == 0);
	CHECK(write(x[1], "x", 1) == 1);
	loop_io_move(&to.io, &from.io, hear, &to);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(from.calls == 0 && to.calls == 1);
	loop_io_remove(&from.io); /* nothing of it is left */
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK_INT(to.calls, 2);
	loop_io_remove(&to.io);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK_INT(to.calls, 2);
	fd_close(x[0]);
	fd_close(x[1]);
	loop_free(l);
}

struct mover {
	struct heard one;
	struct heard two;
	struct heard next;
};

static void move_other(struct loop_io *io, uint32_t events)
{
	struct mover *m = io->owner;
	struct heard *other = io == &m->one.io ? &m->two : &m->one;

	(void)events;
	if (other->io.loop)
		loop_io_move(&m->next.io, &other->io, hear, &m->next);
	loop_io_remove(io);
}

TEST(an_io_moved_in_the_turn_of_its_event_is_told_once_in_the_next)
{
	struct loop *l = NULL;
	struct mover m = { 0 };
	struct err e = { 0 };
	int x[2] = { -1, -1 };
	int y[2] = { -1, -1 };

	CHECK(loop_new(&l, &e) == 0 && pipe(x) == 0 && pipe(y) == 0);
	CHECK(write(x[1], "x", 1) == 1 && write(y[1], "y", 1) == 1);
	CHECK(loop_io_add(l, &m.one.io, x[0], EPOLLIN, move_other, &m, &e) == 0);
	CHECK(loop_io_add(l, &m.two.io, y[0], EPOLLIN, move_other, &m, &e) == 0);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK_INT(m.next.calls, 0);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(m.next.calls == 1 && m.next.events == EPOLLIN);
	loop_io_remove(&m.next.io);
	for (int i = 0; i < 2; i++) {
		fd_close(x[i]);
		fd_close(y[i]);
	}
	loop_free(l);
}

TEST(a_number_that_has_a_new_owner_is_not_taken_from_it)
{
	struct loop *l = NULL;
	struct heard old = { 0 };
	struct heard now = { 0 };
	struct err e = { 0 };
	int x[2] = { -1, -1 };
	int number;

	CHECK(loop_new(&l, &e) == 0 && pipe(x) == 0);
	number = x[0];
	CHECK(loop_io_add(l, &old.io, x[0], EPOLLIN, hear, &old, &e) == 0);
	fd_close(x[0]);
	fd_close(x[1]);
	CHECK(pipe(x) == 0 && x[0] == number);
	CHECK(loop_io_add(l, &now.io, x[0], EPOLLIN, hear, &now, &e) == 0);
	loop_io_remove(&old.io);
	CHECK(write(x[1], "x", 1) == 1);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(old.calls == 0 && now.calls == 1);
	fd_close(x[0]);
	fd_close(x[1]);
	loop_free(l);
}

static int heard_when[3];
static int n_heard;

static void hear_in_order(struct loop_io *io, uint32_t events)
{
	(void)events;
	heard_when[n_heard++] = *(int *)io->owner;
}

TEST(those_of_one_turn_are_heard_by_rank)
{
	struct loop *l = NULL;
	struct loop_io io[3] = { 0 };
	int id[3] = { 0, 1, 2 };
	int x[3][2];
	struct err e = { 0 };

	n_heard = 0;
	CHECK(loop_new(&l, &e) == 0);
	for (int i = 0; i < 3; i++) {
		CHECK(pipe(x[i]) == 0);
		CHECK(loop_io_add(l, &io[i], x[i][0], EPOLLIN, hear_in_order, &id[i], &e) == 0);
	}
	loop_io_rank(&io[0], 2);
	loop_io_rank(&io[1], 1);
	for (int i = 0; i < 3; i++)
		CHECK(write(x[i][1], "x", 1) == 1);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(n_heard == 3 && heard_when[0] == 2 && heard_when[1] == 1 && heard_when[2] == 0);
	for (int i = 0; i < 3; i++) {
		loop_io_remove(&io[i]);
		(void)fd_close(x[i][0]);
		(void)fd_close(x[i][1]);
	}
	loop_free(l);
}

static void hear_out(struct loop_io *io, uint32_t events)
{
	(void)events;
	loop_io_remove(io);
	n_heard++;
}

TEST(that_there_is_nothing_is_not_known_in_a_turn_with_too_much_for_it)
{
	enum { MANY = 300 };
	static struct loop_io io[MANY];
	struct loop_io quiet = { 0 };
	struct loop *l = NULL;
	struct err e = { 0 };
	int x[2];
	int y[2];
	int fds[MANY];
	int turns = 0;

	n_heard = 0;
	CHECK(loop_new(&l, &e) == 0 && pipe(x) == 0 && pipe(y) == 0 && write(x[1], "x", 1) == 1);
	CHECK(loop_io_add(l, &quiet, y[0], EPOLLIN, hear_out, NULL, &e) == 0);
	for (int i = 0; i < MANY; i++) {
		fds[i] = dup(x[0]);
		CHECK(fds[i] >= 0 && loop_io_add(l, &io[i], fds[i], EPOLLIN, hear_out, NULL, &e) == 0);
	}
	do {
		CHECK(loop_turn(l, 0, &e) == 0);
		CHECK(loop_io_heard(&quiet) == (n_heard == MANY));
	} while (n_heard < MANY && ++turns < MANY);
	CHECK(n_heard == MANY && turns > 0);
	loop_io_remove(&quiet);
	CHECK(!loop_io_heard(&quiet));
	for (int i = 0; i < MANY; i++)
		(void)fd_close(fds[i]);
	for (int i = 0; i < 2; i++) {
		(void)fd_close(x[i]);
		(void)fd_close(y[i]);
	}
	loop_free(l);
}

TEST(that_there_is_nothing_is_known_only_where_it_was_asked_for_when_the_turn_began)
{
	struct loop *l = NULL;
	struct heard h = { 0 };
	struct loop_io moved = { 0 };
	struct err e = { 0 };
	int x[2] = { -1, -1 };

	CHECK(loop_new(&l, &e) == 0 && pipe(x) == 0);
	CHECK(loop_io_add(l, &h.io, x[0], EPOLLIN, hear, &h, &e) == 0);
	CHECK(!loop_io_heard(&h.io));
	CHECK(loop_turn(l, 0, &e) == 0 && loop_io_heard(&h.io));
	loop_io_want(&h.io, 0);
	CHECK(!loop_io_heard(&h.io));
	CHECK(write(x[1], "x", 1) == 1 && loop_turn(l, 0, &e) == 0 && h.calls == 0); /* told by the kernel, wanted by nobody */
	loop_io_want(&h.io, EPOLLIN);
	CHECK(!loop_io_heard(&h.io));
	CHECK(loop_turn(l, 0, &e) == 0 && h.calls == 1);
	loop_io_move(&moved, &h.io, hear, &h);
	CHECK(!loop_io_heard(&moved) && !loop_io_heard(&h.io));
	loop_io_remove(&moved);
	(void)fd_close(x[0]);
	(void)fd_close(x[1]);
	loop_free(l);
}
