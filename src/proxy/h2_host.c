#include "proxy/h2_host.h"

#include <stdlib.h>

#include "net/h2_client.h"
#include "net/tls.h"
#include "os/fd.h"

/* Connections are pumped as those of guests are (h2_flow.c): bytes between the TLS stream and net/h2, which wakes the flows whose streams
 * have news. A connection that ended or broke takes no more streams; it is freed when the last flow has let go of what was whole. */

struct conn {
	struct h2_host_key key;
	struct http_side side;
	struct h2 *h2;
	struct loop *loop;
	struct loop_timer timer;
	struct loop_later pump_later;
	struct loop_later gone;
	struct conn *next;
	uint64_t n_read;
	uint64_t heard; /* n_read when the timer was set */
	bool asked; /* a PING is out since then */
	bool greeted; /* those who waited for its SETTINGS were told that they are here */
	bool retired;
	bool had_streams;
	bool pumping;
	bool dead; /* nothing comes or goes any more */
	bool over;
};

/* What is known to speak HTTP/1.1. */
struct known {
	struct name name;
	uint16_t port;
	uint64_t since; /* 0: empty place */
};

static struct conn *conns;
static size_t n_conns;
static struct h2_host_ask *asks; /* in the order of asking */
static struct loop_later calls;
static struct known known[H2_HOST_KNOWN_MAX];
static uint64_t count;

static bool same(const struct h2_host_key *a, const struct h2_host_key *b)
{
	return a->port == b->port && a->generation == b->generation && a->secret_version == b->secret_version &&
	       bytes_eq(name_bytes(&a->name), name_bytes(&b->name));
}

/* --- connections --- */

static void pump(struct conn *c);
static void call_waiting(const struct h2_host_key *k, struct loop *l, bool alone);

static void free_later(struct loop_later *later)
{
	struct conn *c = later->owner;

	h2_free(c->h2);
	free(c);
}

static void finish(struct conn *c)
{
	struct conn **at = &conns;

	if (c->over)
		return;
	c->over = true;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	n_conns--;
	loop_timer_disarm(&c->timer);
	loop_later_cancel(&c->pump_later);
	http_side_close(&c->side);
	call_waiting(&c->key, c->loop, false);
	loop_later(c->loop, &c->gone, free_later, c);
}

static void on_pump_later(struct loop_later *later)
{
	pump(later->owner);
}

static void on_output(void *owner)
{
	struct conn *c = owner;

	if (!c->over)
		loop_later(c->loop, &c->pump_later, on_pump_later, c);
}

static void on_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	if (h2_stream_user(s))
		http_side_wake(h2_stream_user(s));
}

static void die(struct conn *c)
{
	if (c->dead)
		return;
	c->dead = true;
	h2_eof(c->h2);
	http_side_close(&c->side);
	loop_timer_disarm(&c->timer);
	call_waiting(&c->key, c->loop, false);
}

static void send(struct conn *c)
{
	do {
		h2_take(c->h2, &c->side.out, http_side_out_full());
		(void)http_side_flush(&c->side);
	} while (h2_pending(c->h2) && c->side.out.len == 0 && !c->side.deaf);
}

static bool may_read(const struct conn *c)
{
	return h2_wants(c->h2) && !http_side_full(&c->side);
}

static void receive(struct conn *c)
{
	size_t n;

	if (!may_read(c))
		return;
	n = http_side_read(&c->side, H2_HOST_READ);
	c->n_read += n;
	if (n) {
		(void)h2_feed(c->h2, buf_view(&c->side.in), loop_now_ms(c->loop));
		buf_reset(&c->side.in);
	}
	if (c->side.starved)
		h2_close(c->h2, H2_MEMORY);
}

static void deadline(struct conn *c);

static void on_time(struct loop_timer *t)
{
	struct conn *c = t->owner;
	bool silent = c->n_read == c->heard;

	if (h2_streams(c->h2) == 0) {
		h2_drain(c->h2);
		pump(c);
		finish(c);
	} else if (silent && c->asked) {
		die(c);
		pump(c);
	} else {
		c->asked = silent;
		if (silent)
			h2_client_ping(c->h2);
		deadline(c);
	}
}

static void deadline(struct conn *c)
{
	bool busy = h2_streams(c->h2) > 0;

	c->had_streams = busy;
	c->heard = c->n_read;
	if (!loop_timer_arm(c->loop, &c->timer, !busy ? H2_HOST_IDLE_MS : c->asked ? H2_HOST_PONG_MS : H2_HOST_SILENCE_MS, on_time, c))
		die(c);
}

static size_t room(const struct conn *c)
{
	if (c->dead || c->over || c->retired || c->side.eof || c->side.deaf)
		return 0;
	/* What it allows it says first of all; until then it gets one. */
	if (!h2_client_greeted(c->h2))
		return h2_streams(c->h2) == 0;
	return h2_client_room(c->h2);
}

/* Once its SETTINGS are here nobody waits for it any more, though they may leave no room: who asks again may make another. */
static void call_those_who_wait(struct conn *c)
{
	bool greets = !c->greeted && h2_client_greeted(c->h2);

	c->greeted = c->greeted || greets;
	if (greets || room(c))
		call_waiting(&c->key, c->loop, false);
}

static void settle(struct conn *c)
{
	bool ended = c->side.eof || c->side.deaf || (h2_finished(c->h2) && c->side.out.len == 0);

	if (ended)
		die(c);
	if (c->dead && h2_streams(c->h2) == 0) {
		finish(c);
		return;
	}
	if (c->dead)
		return;
	if (!c->timer.slot || c->had_streams != (h2_streams(c->h2) > 0)) {
		c->asked = false; /* it was about streams that are over */
		deadline(c);
	}
	http_side_rest(&c->side);
	http_side_want(&c->side, may_read(c), false);
	call_those_who_wait(c);
}

static void pump(struct conn *c)
{
	if (c->over || c->pumping)
		return;
	c->pumping = true;
	if (c->dead) {
		h2_take(c->h2, &c->side.out, http_side_out_full());
		buf_deinit(&c->side.out);
	} else {
		do
			receive(c);
		while (http_side_unwatched(&c->side) && c->side.readable && !c->side.eof && may_read(c));
		send(c);
	}
	settle(c);
	c->pumping = false;
}

static void on_side(void *owner, uint32_t events)
{
	struct conn *c = owner;

	if (events & (EPOLLHUP | EPOLLERR)) /* what it said before it went is here */
		http_side_unwatch(&c->side);
	pump(c);
}

bool h2_host_add(struct loop *l, const struct h2_host_key *k, int fd, struct tls *tls)
{
	static const struct h2_ops ops = { .on_wake = on_wake, .on_output = on_output };
	struct conn *c = calloc(1, sizeof(*c));

	if (c)
		c->h2 = (k->secret_version ? h2_client_new_wiping : h2_client_new)(&ops, c);
	if (!c || !c->h2) {
		free(c);
		tls_free(tls);
		(void)fd_close(fd);
		return false;
	}
	c->key = *k;
	c->loop = l;
	http_side_init(&c->side, H2_HOST_READ);
	if (k->secret_version) /* frames are coded, but that hides nothing */
		http_side_wipes(&c->side);
	if (http_side_open(&c->side, l, fd, tls, on_side, c) < 0) {
		h2_free(c->h2);
		free(c);
		return false;
	}
	c->next = conns;
	conns = c;
	n_conns++;
	on_output(c);
	return true;
}

bool h2_host_take(struct http_side *s, const struct h2_host_key *k, http_side_fn fn, void *owner)
{
	for (struct conn *c = conns; c; c = c->next) {
		struct h2_stream *stream = same(&c->key, k) && room(c) ? h2_client_open(c->h2) : NULL;

		if (!stream)
			continue;
		http_side_open_stream(s, stream, fn, owner);
		return true;
	}
	return false;
}

bool h2_host_room(void)
{
	struct conn *oldest = NULL;

	if (n_conns < H2_HOSTS_MAX)
		return true;
	for (struct conn *c = conns; c; c = c->next)
		if (h2_streams(c->h2) == 0 && !c->pumping)
			oldest = c; /* they stand youngest first */
	if (!oldest)
		return false;
	finish(oldest);
	return true;
}

void h2_host_retire(void)
{
	struct conn *next;

	for (struct conn *c = conns; c; c = next) {
		next = c->next;
		c->retired = true;
		call_waiting(&c->key, c->loop, false);
		if (!c->dead)
			h2_drain(c->h2);
		if (!c->pumping && h2_streams(c->h2) == 0) {
			pump(c); /* says goodbye, if the socket takes it */
			finish(c);
		}
	}
}

/* --- wishes --- */

static void unlink_ask(struct h2_host_ask *a)
{
	*a->prev = a->next;
	if (a->next)
		a->next->prev = a->prev;
	a->prev = NULL;
	a->next = NULL;
}

static struct known *find_known(const struct h2_host_key *k)
{
	for (size_t i = 0; i < H2_HOST_KNOWN_MAX; i++)
		if (known[i].since && known[i].port == k->port && bytes_eq(name_bytes(&known[i].name), name_bytes(&k->name)))
			return &known[i];
	return NULL;
}

static void remember(const struct h2_host_key *k, bool http1)
{
	struct known *p = find_known(k);

	if (p)
		p->since = http1 ? ++count : 0;
	if (p || !http1)
		return;
	p = &known[0]; /* an empty place, or the oldest */
	for (size_t i = 1; i < H2_HOST_KNOWN_MAX; i++)
		if (known[i].since < p->since)
			p = &known[i];
	*p = (struct known){ .name = k->name, .port = k->port, .since = ++count };
}

/* Each may ask again meanwhile, and then stands behind those that are still to be called. */
static void call(struct loop_later *later)
{
	struct h2_host_ask *a = asks;

	(void)later;
	while (a && !a->called)
		a = a->next;
	if (!a)
		return;
	unlink_ask(a);
	a->called = false;
	loop_later(a->loop, &calls, call, NULL);
	a->turn(a->owner, a->alone);
}

static void call_waiting(const struct h2_host_key *k, struct loop *l, bool alone)
{
	for (struct h2_host_ask *a = asks; a; a = a->next)
		if (!a->dials && !a->called && same(&a->key, k)) {
			a->called = true;
			a->alone = alone;
			loop_later(l, &calls, call, NULL);
		}
}

static bool being_dialed(const struct h2_host_key *k)
{
	for (const struct h2_host_ask *a = asks; a; a = a->next)
		if (a->dials && same(&a->key, k))
			return true;
	for (const struct conn *c = conns; c; c = c->next)
		if (!c->dead && !c->retired && !h2_client_greeted(c->h2) && same(&c->key, k))
			return true;
	return false;
}

bool h2_host_ask(struct h2_host_ask *a, struct loop *l, const struct h2_host_key *k, void (*turn)(void *, bool), void *owner)
{
	struct h2_host_ask **at = &asks;
	bool wait = !find_known(k) && being_dialed(k);

	h2_host_cancel(a);
	*a = (struct h2_host_ask){ .key = *k, .loop = l, .turn = turn, .owner = owner, .dials = !wait };
	while (*at)
		at = &(*at)->next;
	a->prev = at;
	*at = a;
	return !wait;
}

void h2_host_dialed(struct h2_host_ask *a, enum h2_host_found found)
{
	if (!a->prev || !a->dials)
		return;
	unlink_ask(a);
	if (found != H2_HOST_FAILED)
		remember(&a->key, found == H2_HOST_IS_HTTP1);
	call_waiting(&a->key, a->loop, found == H2_HOST_FAILED);
}

void h2_host_cancel(struct h2_host_ask *a)
{
	if (!a->prev)
		return;
	unlink_ask(a);
	if (a->dials)
		call_waiting(&a->key, a->loop, false);
}
