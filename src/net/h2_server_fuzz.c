#include <stdlib.h>

#include "base/must.h"
#include "net/h2_server.h"
#include "net/held.h"
#include "wire/http1_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A guest sends anything at all; an owner reads, answers, leaves, as its bytes say. What every stream says is one HTTP/1.1 request:
 * its head accepted, its body decoded, nothing behind it. The memory that a connection holds has a ceiling. */

enum { MEMORY_MAX = 14 * 1024 * 1024, ANSWERS = 8 };

struct ask {
	struct buf text;
	struct http1_scan scan;
	struct http1_body body;
	bool head;
	bool whole;
	size_t answered;
	const char *answer;
};

static const char *const answers[ANSWERS] = {
	"HTTP/1.1 204 No Content\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nGrpc-Status: 0\r\n\r\n",
	"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nuntil the end",
	"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut",
	"no answer\r\n\r\n",
	"",
};

static unsigned n_open;

static void check_text(struct ask *a, bool done)
{
	struct http1_head head;
	struct http1_length l;
	enum http1_answer r;
	enum http1_fault f;
	size_t len;

	if (!a->head && a->text.len) {
		r = http1_request_head(&a->scan, buf_view(&a->text), &head, &len, &f);
		must(r != HTTP1_BAD);
		if (r == HTTP1_DONE) {
			must(http1_request_length(&head, &l, &f));
			http1_body_init(&a->body, l.framing, l.len);
			a->head = true;
			a->whole =
				l.framing == HTTP1_NO_BODY || (l.framing == HTTP1_LENGTH && !l.len);
			buf_consume(&a->text, len);
		}
	}
	while (a->head && a->text.len) {
		struct bytes data;
		size_t used;

		must(!a->whole);
		r = http1_body_next(&a->body, buf_view(&a->text), &used, &data, &f);
		must(r != HTTP1_BAD);
		a->whole = r == HTTP1_DONE;
		buf_consume(&a->text, used);
	}
	must(!done || a->whole);
}

static void leave(struct h2_stream *s)
{
	struct ask *a = h2_stream_user(s);

	buf_deinit(&a->text);
	free(a);
	h2_stream_release(s);
	n_open--;
}

static void serve(struct h2_stream *s)
{
	struct ask *a = h2_stream_user(s);
	unsigned id = (unsigned)h2_stream_id(s);
	size_t left = strlen(a->answer) - a->answered;
	size_t n;

	(void)h2_stream_read(s, &a->text, 1 + id % 7777);
	check_text(a, h2_stream_gone(s) == H2_OK && h2_stream_read_done(s));
	if (h2_stream_gone(s) != H2_OK) {
		leave(s);
		return;
	}
	n = h2_stream_write(s, bytes_of(a->answer + a->answered, left));
	must(n <= left);
	a->answered += n;
	if (n == left && id % 3 == 0)
		h2_stream_end(s);
	if (n == left && id % 5 == 0)
		leave(s);
}

static void on_stream(void *owner, struct h2_stream *s)
{
	struct ask *a = calloc(1, sizeof(*a));

	(void)owner;
	must(a && h2_stream_gone(s) == H2_OK);
	must(++n_open <= H2_STREAMS_MAX);
	buf_init(&a->text, 128 * 1024);
	a->answer = answers[h2_stream_id(s) / 2 % ANSWERS];
	h2_stream_set_user(s, a);
	serve(s);
}

static void on_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	serve(s);
}

static void on_malformed(void *owner, uint32_t id, enum h2_fault f)
{
	(void)owner;
	must(id % 2 == 1 && f >= H2_BAD_PSEUDO && f < H2_FAULT_END);
}

static const struct h2_ops ops = { .on_stream = on_stream,
				   .on_wake = on_wake,
				   .on_malformed = on_malformed };

/* The first byte: how much is fed at once, and how often what came of it is taken. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_skip(bytes_of(data, size), size > 0);
	struct buf out BUF_AUTO = { 0 };
	struct h2 *c = h2_server_new(&ops, NULL);
	size_t step = size ? 1 + (size_t)data[0] * 8 : 1;
	uint64_t now = 0;

	must(c != NULL);
	n_open = 0;
	buf_init(&out, 64 * 1024);
	(void)h2_feed(c, bytes_str("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0);
	while (rest.len) {
		size_t n = rest.len < step ? rest.len : step;

		(void)h2_feed(c, bytes_of(rest.p, n), now++);
		rest = bytes_skip(rest, n);
		must(h2_memory(c) < MEMORY_MAX && h2_memory(c) == held_total());
		must(h2_streams(c) == n_open);
		if (step % 3 || now % 8 == 0) {
			buf_reset(&out);
			h2_take(c, &out, 1 + step * 16);
		}
	}
	h2_eof(c);
	must(n_open == 0);
	(void)h2_free(c);
	must(held_total() == 0);
	return 0;
}
