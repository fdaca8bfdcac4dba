#include "ipc/chan.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/tap.h"
#include "os/fd.h"

struct end {
	struct chan *c;
	unsigned n;
	uint64_t sum;
	const char *why;
	int fd;
};

static struct msg m;

static bool on_number(void *owner, struct msg_in *in)
{
	struct end *x = owner;

	x->n++;
	x->sum += msg_get_u64(in);
	return true;
}

static bool on_fd(void *owner, struct msg_in *in)
{
	struct end *x = owner;

	(void)fd_close(x->fd);
	x->fd = msg_take_fd(in);
	return true;
}

static void on_end(void *owner, const char *why)
{
	((struct end *)owner)->why = why;
}

static bool on_fd_or_none(void *owner, struct msg_in *in)
{
	struct end *x = owner;

	x->n++;
	x->fd = msg_try_fd(in);
	return true;
}

static const struct chan_permit permits[] = { { 1, on_number }, { 2, on_fd }, { 4, on_fd_or_none } };
enum { PERMITS = sizeof(permits) / sizeof(permits[0]) };

static struct loop *start(struct end *a, struct end *b)
{
	struct loop *l = NULL;
	struct err e = { 0 };
	int fds[2] = { -1, -1 };

	*a = *b = (struct end){ .fd = -1 };
	CHECK(loop_new(&l, &e) == 0 && chan_pair(fds, &e) == 0);
	CHECK(chan_new(&a->c, l, fds[0], permits, PERMITS, on_end, a, &e) == 0);
	CHECK(chan_new(&b->c, l, fds[1], permits, PERMITS, on_end, b, &e) == 0);
	return l;
}

/* `x` gets another channel, whose other end nobody but the test reads; that is given. */
static int start_raw(struct loop *l, struct end *x)
{
	struct err e = { 0 };
	int fds[2] = { -1, -1 };

	x->c = chan_free(x->c);
	CHECK(chan_pair(fds, &e) == 0 && chan_new(&x->c, l, fds[0], permits, PERMITS, on_end, x, &e) == 0);
	return fds[1];
}

static void stop(struct loop *l, struct end *a, struct end *b)
{
	chan_free(a->c);
	chan_free(b->c);
	loop_free(l);
}

TEST(messages_queue_when_the_peer_is_slow_and_arrive_in_order)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };

	for (unsigned i = 1; i <= 3000; i++) {
		msg_start(&m, 1);
		msg_u64(&m, i);
		chan_send(a.c, &m);
	}
	for (int i = 0; i < 500 && b.n < 3000; i++)
		CHECK(loop_turn(l, 10, &e) == 0);
	CHECK(b.n == 3000 && b.sum == 3000ULL * 3001 / 2 && chan_queued(a.c) == 0);
	stop(l, &a, &b);
}

TEST(what_is_posted_leaves_at_the_end_of_the_turn_in_order_with_what_is_sent)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };

	for (unsigned i = 1; i <= 20; i++) {
		msg_start(&m, 1);
		msg_u64(&m, i);
		chan_post(a.c, &m);
	}
	CHECK(chan_queued(a.c) > 0);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(chan_queued(a.c) == 0 && b.n == 0);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(b.n == 20 && b.sum == 210);
	msg_start(&m, 1);
	msg_u64(&m, 0);
	chan_post(a.c, &m);
	msg_start(&m, 3); /* ends b: what was posted before must have come before */
	chan_send(a.c, &m);
	CHECK(chan_queued(a.c) == 0);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(b.n == 21 && b.why != NULL);
	stop(l, &a, &b);
}

TEST(what_is_posted_in_one_turn_comes_in_few_datagrams)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };
	int raw = start_raw(l, &a);
	static uint8_t got[MSG_MAX];
	ssize_t n;

	for (unsigned i = 1; i <= 3; i++) {
		msg_start(&m, 1);
		msg_u64(&m, i);
		chan_post(a.c, &m);
	}
	CHECK(loop_turn(l, 0, &e) == 0);
	n = recv(raw, got, sizeof(got), MSG_DONTWAIT);
	CHECK_INT(n, 2 + 3 * (2 + (ssize_t)m.len));
	CHECK(recv(raw, got, sizeof(got), MSG_DONTWAIT) < 0);
	msg_start(&m, 1);
	msg_u64(&m, 4);
	chan_post(a.c, &m);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK_INT(recv(raw, got, sizeof(got), MSG_DONTWAIT), (ssize_t)m.len); /* alone: as it is */
	(void)fd_close(raw);
	stop(l, &a, &b);
}

TEST(a_descriptor_that_is_posted_keeps_its_place_among_the_others)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };

	for (unsigned i = 0; i < 3; i++) {
		msg_start(&m, i == 1 ? 2 : 1);
		if (i == 1)
			msg_fd(&m, 0);
		else
			msg_u64(&m, 1);
		chan_post(a.c, &m);
	}
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK(b.n == 2 && b.fd >= 0 && !b.why);
	(void)fd_close(b.fd);
	stop(l, &a, &b);
}

/* Whatever the lengths: what is counted is what was checked, or the bound would be passed and gone. */
TEST(a_reader_that_never_reads_ends_the_channel)
{
	static const size_t lens[] = { 32, 39, 64, 82, 125, 1000 };
	static const uint8_t text[1000];

	for (size_t i = 0; i < 2 * sizeof(lens) / sizeof(lens[0]); i++) {
		size_t len = lens[i / 2];
		void (*say)(struct chan *, const struct msg *) = i % 2 ? chan_post : chan_send;
		struct end a;
		struct end b;
		struct loop *l = start(&a, &b);
		struct err e = { 0 };
		int raw = start_raw(l, &a);
		size_t most = 0;

		msg_start(&m, 1);
		msg_bytes(&m, bytes_of(text, len - 7));
		CHECK(m.len == len);
		for (size_t sent = 0; sent < 2 * (size_t)CHAN_QUEUE_MAX; sent += len) {
			say(a.c, &m);
			most = chan_queued(a.c) > most ? chan_queued(a.c) : most;
		}
		CHECK(loop_turn(l, 0, &e) == 0);
		CHECK_STR(a.why ? a.why : "", "the peer does not read");
		CHECK(most <= CHAN_QUEUE_MAX && most > CHAN_QUEUE_MAX - 2000);
		(void)fd_close(raw);
		stop(l, &a, &b);
	}
}

/* Sends it as it is, and gives why the channel that got it ended. */
static const char *end_of(const char *wire, size_t len, unsigned *ret_n)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };
	int raw = start_raw(l, &b);

	CHECK(send(raw, wire, len, 0) == (ssize_t)len);
	CHECK(loop_turn(l, 0, &e) == 0);
	*ret_n = b.n;
	(void)fd_close(raw);
	stop(l, &a, &b);
	return b.why;
}

TEST(a_pack_with_one_message_that_is_not_permitted_ends_the_channel)
{
#define ONE "\x0b\x00\x01\x00u\1\0\0\0\0\0\0\0"
	static const char good[] = "\xff\xff" ONE ONE;
	static const char stranger[] = "\xff\xff" ONE "\x02\x00\x03\x00" ONE;
	static const char nested[] = "\xff\xff" ONE "\x02\x00\xff\xff";
	static const char cut[] = "\xff\xff" ONE "\x0b\x00\x01";
	static const char empty[] = "\xff\xff";
	unsigned n = 0;

	CHECK(!end_of(good, sizeof(good) - 1, &n));
	CHECK_INT(n, 2);
	CHECK(end_of(stranger, sizeof(stranger) - 1, &n) != NULL);
	CHECK_INT(n, 1);
	CHECK(end_of(nested, sizeof(nested) - 1, &n) != NULL);
	CHECK(end_of(cut, sizeof(cut) - 1, &n) != NULL);
	CHECK(end_of(empty, sizeof(empty) - 1, &n) != NULL);
}

TEST(what_was_said_before_an_end_is_still_heard)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };

	for (unsigned i = 1; i <= 3; i++) {
		msg_start(&m, 1);
		msg_u64(&m, i);
		chan_send(a.c, &m);
	}
	a.c = chan_free(a.c);
	CHECK(loop_turn(l, 0, &e) == 0 && b.n == 3);
	CHECK(loop_turn(l, 0, &e) == 0);
	CHECK_STR(b.why, "closed");
	stop(l, &a, &b);
}

/* The peer says two numbers and ends; `unread`: with something of ours in its hands; `sends`: and before that was heard we say something more. */
static void last_words(bool unread, bool sends, bool posts)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	int raw = start_raw(l, &a);
	struct err e = { 0 };

	msg_start(&m, 1);
	msg_u64(&m, 1);
	if (unread)
		chan_send(a.c, &m);
	CHECK(msg_done(&m) && send(raw, m.p, m.len, 0) > 0 && send(raw, m.p, m.len, 0) > 0);
	raw = fd_close(raw);
	for (unsigned i = 0; i < 3 && (sends || posts); i++) {
		msg_start(&m, 1);
		msg_u64(&m, 7);
		(posts ? chan_post : chan_send)(a.c, &m);
	}
	CHECK(!a.why);
	for (int i = 0; i < 10 && !a.why; i++)
		CHECK(loop_turn(l, 10, &e) == 0);
	CHECK(a.n == 2 && a.sum == 2 && a.why && strcmp(a.why, "closed") == 0);
	stop(l, &a, &b);
}

TEST(last_words_are_heard_whatever_was_said_to_who_said_them)
{
	for (unsigned i = 0; i < 8; i++)
		last_words(i & 1, i & 2, i & 4);
}

TEST(a_type_outside_the_permit_table_ends_the_channel_for_both)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };

	msg_start(&m, 3);
	chan_send(a.c, &m);
	CHECK(loop_turn(l, 10, &e) == 0);
	CHECK(b.why != NULL);
	b.c = chan_free(b.c);
	CHECK(loop_turn(l, 10, &e) == 0);
	CHECK_STR(a.why, "closed");
	stop(l, &a, &b);
}

TEST(leftover_fields_and_unclaimed_descriptors_end_the_channel)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };

	msg_start(&m, 1);
	msg_u64(&m, 1);
	msg_fd(&m, 0);
	chan_send(a.c, &m);
	CHECK(loop_turn(l, 10, &e) == 0);
	CHECK(b.why != NULL);
	stop(l, &a, &b);
}

TEST(descriptors_arrive_and_are_owned_by_the_reader)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };
	int p[2];
	char c = 0;

	CHECK(pipe(p) == 0);
	msg_start(&m, 2);
	msg_fd(&m, p[1]);
	chan_send(a.c, &m);
	p[1] = fd_close(p[1]);
	CHECK(loop_turn(l, 10, &e) == 0);
	CHECK(b.fd >= 0 && write(b.fd, "x", 1) == 1 && read(p[0], &c, 1) == 1 && c == 'x');
	fd_close(b.fd);
	fd_close(p[0]);
	stop(l, &a, &b);
}

/* In a process of its own, with a user of its own where it can have one. Gives 0, or what failed. */
static int send_above_the_limit(void)
{
	enum { LIMIT = 20, ELSEWHERE = LIMIT + 5 };
	const struct rlimit limit = { LIMIT, LIMIT };
	struct end a;
	struct end b;
	struct end other;
	struct end reader;
	struct loop *l = start(&a, &b);
	struct loop *elsewhere = start(&other, &reader);
	struct err e = { 0 };

	if ((getuid() == 0 && setresuid(61234, 61234, 61234) < 0) || setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	for (int i = 0; i < ELSEWHERE; i++) {
		msg_start(&m, 2);
		msg_fd(&m, 0);
		chan_send(other.c, &m);
	}
	msg_start(&m, 2);
	msg_fd(&m, 0);
	chan_send(a.c, &m);
	for (int i = 0; i < 5; i++)
		if (loop_turn(l, 15, &e) < 0 || a.why || b.fd >= 0)
			return 2;
	if (chan_queued(a.c) == 0)
		return 3;
	for (int i = 0; i < 100 && chan_queued(other.c); i++) {
		if (loop_turn(elsewhere, 15, &e) < 0 || other.why)
			return 4;
		reader.fd = fd_close(reader.fd);
	}
	for (int i = 0; i < 100 && b.fd < 0; i++)
		if (loop_turn(l, 15, &e) < 0 || a.why)
			return 5;
	return b.fd >= 0 ? 0 : 6;
}

TEST(a_user_with_too_many_descriptors_under_way_waits_and_keeps_the_channel)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(send_above_the_limit());
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK_INT(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}

/* `type` comes with a descriptor for which there is no room. */
static void send_without_room(struct loop *l, struct end *a, struct end *b, uint16_t type)
{
	struct rlimit was;
	struct rlimit none = { .rlim_cur = 0 };

	msg_start(&m, type);
	if (type == 1)
		msg_u64(&m, 1);
	msg_fd(&m, 0);
	chan_send(a->c, &m);
	CHECK(getrlimit(RLIMIT_NOFILE, &was) == 0);
	none.rlim_max = was.rlim_max;
	CHECK(setrlimit(RLIMIT_NOFILE, &none) == 0);
	CHECK(loop_turn(l, 100, NULL) == 0 && loop_turn(l, 0, NULL) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &was) == 0);
	CHECK(!a->why && b->fd < 0);
}

TEST(who_can_do_without_a_descriptor_that_finds_no_room_keeps_the_channel)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);

	send_without_room(l, &a, &b, 4);
	CHECK(b.n == 1 && !b.why);
	msg_start(&m, 4);
	msg_fd(&m, 0);
	chan_send(a.c, &m);
	CHECK(loop_turn(l, 100, NULL) == 0);
	CHECK(b.n == 2 && !b.why && b.fd >= 0);
	(void)fd_close(b.fd);
	stop(l, &a, &b);
}

TEST(who_cannot_do_without_it_or_did_not_ask_loses_the_channel)
{
	for (uint16_t type = 1; type <= 2; type++) {
		struct end a;
		struct end b;
		struct loop *l = start(&a, &b);

		send_without_room(l, &a, &b, type);
		CHECK(b.why != NULL);
		stop(l, &a, &b);
	}
}

TEST(a_peer_that_is_held_waits_and_nothing_of_it_is_lost)
{
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	int raw = start_raw(l, &b);
	uint64_t sent = 0;

	chan_hold(b.c, true);
	chan_hold(b.c, true);
	msg_start(&m, 1);
	msg_u64(&m, 1);
	while (send(raw, m.p, m.len, MSG_DONTWAIT) > 0)
		sent++;
	CHECK(sent > 100);
	chan_send(b.c, &m); /* ours goes out meanwhile */
	CHECK(recv(raw, (uint8_t[64]){ 0 }, 64, MSG_DONTWAIT) == (ssize_t)m.len);
	(void)close(raw);
	for (int i = 0; i < 5; i++)
		CHECK(loop_turn(l, 0, NULL) == 0);
	CHECK(b.n == 0 && !b.why);
	chan_hold(b.c, false);
	while (!b.why)
		CHECK(loop_turn(l, 0, NULL) == 0);
	CHECK(b.n == sent && strcmp(b.why, "closed") == 0);
	stop(l, &a, &b);
}

static struct chan *held_by_handler;

static bool on_number_hold(void *owner, struct msg_in *in)
{
	chan_hold(held_by_handler, true);
	return on_number(owner, in);
}

TEST(a_handler_that_holds_its_channel_gets_no_more_than_a_batch)
{
	static const struct chan_permit holding[] = { { 1, on_number_hold } };
	struct end a;
	struct end b;
	struct loop *l = start(&a, &b);
	struct err e = { 0 };
	int fds[2];

	CHECK(chan_pair(fds, &e) == 0);
	b.c = chan_free(b.c);
	CHECK(chan_new(&b.c, l, fds[0], holding, 1, on_end, &b, &e) == 0);
	held_by_handler = b.c;
	msg_start(&m, 1);
	msg_u64(&m, 1);
	while (send(fds[1], m.p, m.len, MSG_DONTWAIT) > 0)
		continue;
	for (int i = 0; i < 5; i++)
		CHECK(loop_turn(l, 0, NULL) == 0);
	CHECK(b.n > 0 && b.n <= CHAN_BATCH_MAX);
	(void)close(fds[1]);
	stop(l, &a, &b);
}
