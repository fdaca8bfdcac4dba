#include "net/h2_session.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"

/* nghttp2 frames, compresses and keeps the windows; whether a message is well formed is decided here (h2_head.c), each fault with its
 * word, so nghttp2's own check of messages is off. Owners are called when nghttp2 has returned, never from inside it: streams that have
 * news are woken into a list, and the list is worked off at the end of each call that may have filled it. */

enum {
	CONTINUATIONS_MAX = 8,
	ACKS_MAX = 200,
	RESETS_UNLIMITED = 1000 * 1000,
	FRAME_TYPE = 3, /* offset, RFC 9113, 4.1 */
	STACK_BELOW = 16 * 1024, /* more than nghttp2 and the dynamic linker use */
};

static int options(nghttp2_option **ret)
{
	int r = nghttp2_option_new(ret);

	if (r != 0)
		return r;
	nghttp2_option_set_no_auto_window_update(*ret, 1);
	nghttp2_option_set_no_http_messaging(*ret, 1);
	nghttp2_option_set_no_closed_streams(*ret, 1);
	nghttp2_option_set_max_deflate_dynamic_table_size(*ret, H2_TABLE_MAX);
	nghttp2_option_set_max_outbound_ack(*ret, ACKS_MAX);
	nghttp2_option_set_max_continuations(*ret, CONTINUATIONS_MAX);
	/* h2_budget.h does that, and knows whether a stream was served */
	nghttp2_option_set_stream_reset_rate_limit(*ret, RESETS_UNLIMITED, RESETS_UNLIMITED);
	return 0;
}

static int open_session(struct h2 *c, bool wipes)
{
	nghttp2_session_callbacks *callbacks = NULL;
	nghttp2_option *option = NULL;
	nghttp2_mem mem;
	int r = h2_frames_callbacks(&callbacks);

	h2_heap_init(&c->heap, H2_HEAP_MAX, wipes, &mem);
	if (r == 0)
		r = options(&option);
	if (r == 0)
		r = (c->server ? nghttp2_session_server_new3 : nghttp2_session_client_new3)(
			&c->session, callbacks, c, option, &mem);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	return r;
}

static int greet(struct h2 *c)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_ENABLE_PUSH, 0 }, /* RFC 9113, 6.5.2: a server may say so too */
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, c->server ? H2_STREAMS_MAX : 0 },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE,
		  c->server ? H2_SERVER_WINDOW : H2_CLIENT_WINDOW },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP1_FIELDS_LEN_MAX },
		{ NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1 },
	};
	int r = nghttp2_submit_settings(c->session, NGHTTP2_FLAG_NONE, settings,
					sizeof(settings) / sizeof(settings[0]));

	if (r == 0)
		r = nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, 0,
							  c->server ? H2_SERVER_WINDOW_ALL
								    : H2_CLIENT_WINDOW_ALL);
	return r;
}

static size_t holds(const struct h2 *c)
{
	const struct h2_head *h = &c->head;

	return sizeof(*c) + h->start.cap + h->authority.cap + h->fields.cap + h->cookie.cap;
}

void h2_charge(struct h2 *c)
{
	held_set(&c->charged, holds(c));
}

struct h2 *h2_new(const struct h2_ops *ops, void *owner, bool server, bool wipes)
{
	struct h2 *c = held_may_grow() ? calloc(1, sizeof(*c)) : NULL;

	if (!c)
		return NULL;
	c->ops = ops;
	c->owner = owner;
	c->server = server;
	h2_budget_init(&c->budget);
	h2_head_init(&c->head);
	h2_charge(c);
	if (open_session(c, wipes) != 0 || greet(c) != 0)
		return h2_free(c);
	if (server && !held_may_begin())
		h2_fail(c, H2_MEMORY);
	return c;
}

struct h2 *h2_free(struct h2 *c)
{
	if (!c)
		return NULL;
	must(!c->inside);
	if (c->session)
		nghttp2_session_del(c->session); /* says nothing of the streams that it still has */
	c->session = NULL;
	while (c->all)
		h2_stream_free(c->all);
	while (c->pool) {
		struct h2_stream *s = c->pool;

		c->pool = s->all.next;
		c->n_pool = 0;
		h2_stream_free(s);
	}
	h2_head_deinit(&c->head);
	held_set(&c->charged, 0);
	free(c);
	return NULL;
}

static uint32_t goaway_code(enum h2_fault f)
{
	if (f >= H2_FLOOD_RESET && f <= H2_MEMORY)
		return NGHTTP2_ENHANCE_YOUR_CALM;
	if (f == H2_OK || f == H2_CLOSED)
		return NGHTTP2_NO_ERROR;
	return f == H2_PROTOCOL ? NGHTTP2_PROTOCOL_ERROR : NGHTTP2_INTERNAL_ERROR;
}

/* An answer of a host that is whole is still to be read. */
static void lose_all(struct h2 *c, enum h2_fault f)
{
	struct h2_stream *next;

	for (struct h2_stream *s = c->all; s; s = next) {
		next = s->all.next;
		if (c->server || !s->in_end)
			h2_stream_lose(s, f);
	}
}

/* Nothing of them was sent: they may go by another connection. */
static void lose_unasked(struct h2 *c)
{
	struct h2_stream *next;

	for (struct h2_stream *s = c->all; s; s = next) {
		next = s->all.next;
		if (!c->server && !s->id)
			h2_stream_lose(s, H2_NOT_PROCESSED);
	}
}

void h2_fail(struct h2 *c, enum h2_fault f)
{
	if (c->fault != H2_OK)
		return;
	c->fault = f;
	(void)nghttp2_session_terminate_session(c->session, goaway_code(f));
	lose_all(c, H2_CLOSED);
}

void h2_output(struct h2 *c)
{
	if (c->inside || c->output_said || !c->ops->on_output)
		return;
	c->output_said = true;
	c->ops->on_output(c->owner);
}

static void wake_waiting(struct h2 *c)
{
	struct h2_stream *next;

	c->windows_moved = false;
	for (struct h2_stream *s = c->waiting; s; s = next) {
		next = s->waiting.next;
		if (h2_stream_room(s) > 0)
			h2_stream_wake(s);
	}
}

static void tell(struct h2 *c, struct h2_stream *s)
{
	uint32_t id = (uint32_t)s->id;
	enum h2_fault f = s->gone;

	if (s->released)
		return;
	if (s->offered) {
		c->ops->on_wake(c->owner, s);
	} else if (f == H2_OK) {
		h2_stream_offer(s);
		c->ops->on_stream(c->owner, s);
	} else {
		/* nobody knows of it */
		h2_stream_release(s);
		if (f >= H2_BAD_PSEUDO && c->ops->on_malformed)
			c->ops->on_malformed(c->owner, id, f);
	}
}

void h2_dispatch(struct h2 *c)
{
	c->inside = true;
	if (c->windows_moved)
		wake_waiting(c);
	while (c->woken) {
		struct h2_stream *s = c->woken;

		c->woken = s->woken.next;
		if (c->woken)
			c->woken->woken.prev = &c->woken;
		s->woken = (struct h2_link){ 0 };
		tell(c, s);
	}
	c->inside = false;
}

/* RFC 9113, 8.1: a request that was answered and goes on all the same is reset without an error. Not in the turn that sends the
 * answer: clients that find both in one read lose the answer. */
static void end_lingering(struct h2 *c)
{
	size_t n = 0;

	for (struct h2_stream *s = c->all; s; s = s->all.next)
		if (h2_in_lingers(s) && (s->lingered > H2_LINGER_MAX || ++n > H2_LINGER_STREAMS))
			(void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, s->id,
							NGHTTP2_NO_ERROR);
}

static enum h2_fault fault_of(ssize_t r)
{
	switch (r) {
	case NGHTTP2_ERR_NOMEM:
		return H2_MEMORY;
	case NGHTTP2_ERR_FLOODED:
		return H2_FLOOD_FRAMES;
	case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
		return H2_FLOOD_CONTINUATION;
	default:
		return H2_PROTOCOL;
	}
}

enum h2_fault h2_feed(struct h2 *c, struct bytes in, uint64_t now_ms)
{
	ssize_t r;

	must(!c->inside);
	if (c->fault != H2_OK || c->eof || !in.len)
		return c->fault;
	h2_budget_tick(&c->budget, now_ms);
	if (c->n_streams > h2_streams(c))
		end_lingering(c);
	c->inside = true;
	r = nghttp2_session_mem_recv(c->session, in.p, in.len);
	if (r < 0)
		h2_fail(c, fault_of(r));
	h2_dispatch(c);
	return c->fault;
}

/* nghttp2 keeps the room of a frame for the next one, and reads nothing of it again once it was given. Fields stand in these two kinds;
 * what else it gives may be a constant. */
static bool holds_fields(struct bytes frame)
{
	return frame.len > FRAME_TYPE && (frame.p[FRAME_TYPE] == NGHTTP2_HEADERS || frame.p[FRAME_TYPE] == NGHTTP2_CONTINUATION);
}

/* False when there is nothing. */
static bool next_frame(struct h2 *c)
{
	const uint8_t *p;
	ssize_t n = nghttp2_session_mem_send(c->session, &p);

	if (n < 0 && c->fault == H2_OK) {
		c->fault = fault_of(n);
		lose_all(c, H2_CLOSED);
	}
	if (n <= 0)
		return false;
	c->rest = bytes_of(p, (size_t)n);
	c->rest_wipes = c->heap.wipes && holds_fields(c->rest);
	return true;
}

static void wipe_sent(const struct h2 *c, size_t n)
{
	if (c->rest_wipes)
		explicit_bzero((void *)(uintptr_t)c->rest.p, n);
}

static bool drain(struct h2 *c, struct buf *out, size_t max)
{
	bool some = false;

	while (out->len < max && (c->rest.len || next_frame(c))) {
		size_t n = c->rest.len < max - out->len ? c->rest.len : max - out->len;

		if (!buf_bytes(out, bytes_of(c->rest.p, n)))
			break;
		wipe_sent(c, n);
		c->rest = bytes_skip(c->rest, n);
		some = true;
	}
	return some;
}

/* libnghttp2 is bound as it goes: at the first call of each function the dynamic linker saves the vector registers on the stack, and with
 * them what was copied last. */
static __attribute__((noinline)) void wipe_below(void)
{
	uint8_t below[STACK_BELOW];

	explicit_bzero(below, sizeof(below));
}

void h2_wipe_stack(const struct h2 *c)
{
	if (c->heap.wipes)
		wipe_below();
}

/* Memory for the content that waits and the heads before it, at once instead of bit by bit. */
static void make_room(const struct h2 *c, struct buf *out, size_t max)
{
	size_t likely = c->out_total + c->out_total / 4;

	if (likely && out->len < max)
		(void)buf_room(out, likely < max - out->len ? likely : max - out->len);
}

void h2_take(struct h2 *c, struct buf *out, size_t max)
{
	bool some = true;

	must(!c->inside);
	make_room(c, out, max);
	c->output_said = false;
	while (some && out->len < max) {
		c->inside = true;
		some = drain(c, out, max);
		h2_dispatch(c);
	}
	h2_wipe_stack(c);
}

void h2_eof(struct h2 *c)
{
	must(!c->inside);
	c->inside = true;
	c->eof = true;
	lose_all(c, H2_CLOSED);
	h2_dispatch(c);
}

bool h2_pending(const struct h2 *c)
{
	return c->rest.len || nghttp2_session_want_write(c->session);
}

bool h2_wants(const struct h2 *c)
{
	return c->fault == H2_OK && !c->eof &&
	       nghttp2_session_get_outbound_queue_size(c->session) < H2_QUEUE_MAX;
}

static bool all_done(const struct h2 *c)
{
	for (const struct h2_stream *s = c->all; s; s = s->all.next)
		if (!h2_in_lingers(s))
			return false;
	return true;
}

bool h2_finished(const struct h2 *c)
{
	if (h2_pending(c))
		return false;
	return c->fault != H2_OK || c->eof || !nghttp2_session_want_read(c->session) ||
	       (c->draining && all_done(c));
}

enum h2_fault h2_fault(const struct h2 *c)
{
	return c->fault;
}

size_t h2_streams(const struct h2 *c)
{
	return c->n_offered;
}

bool h2_stalled(const struct h2 *c)
{
	for (const struct h2_stream *s = c->all; s; s = s->all.next) {
		bool has = s->out_data.len > s->out_data_off || s->waiting.prev;

		if (s->open && has &&
		    (nghttp2_session_get_remote_window_size(c->session) <= 0 ||
		     nghttp2_session_get_stream_remote_window_size(c->session, s->id) <= 0))
			return true;
	}
	return false;
}

static size_t held(const struct h2_stream *list)
{
	size_t sum = 0;

	for (const struct h2_stream *s = list; s; s = s->all.next)
		sum += h2_stream_holds(s);
	return sum;
}

size_t h2_memory(const struct h2 *c)
{
	return holds(c) + c->heap.used + held(c->all) + held(c->pool);
}

void h2_drain(struct h2 *c)
{
	if (c->fault != H2_OK || c->draining)
		return;
	c->draining = true;
	(void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
				    nghttp2_session_get_last_proc_stream_id(c->session),
				    NGHTTP2_NO_ERROR, NULL, 0);
	lose_unasked(c);
	h2_output(c);
}

void h2_close(struct h2 *c, enum h2_fault f)
{
	must(!c->inside);
	c->inside = true;
	h2_fail(c, f == H2_OK ? H2_CLOSED : f);
	h2_dispatch(c);
}
