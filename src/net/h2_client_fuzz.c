#include <stdlib.h>

#include "base/must.h"
#include "net/h2_client.h"
#include "net/held.h"
#include "wire/http1_body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A host answers anything at all. What every stream gives is interim answers and one answer of HTTP/1.1, nothing behind it; one that does
 * not come to its end is gone. */

enum { MEMORY_MAX = 10 * 1024 * 1024, ASKS = 6 };

static const char *const asks[ASKS] = {
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
	"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
	"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
	"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\nCookie: b=c\r\nTE: trailers\r\n\r\n",
};

struct call {
	struct h2_stream *s;
	struct buf text;
	struct http1_scan scan;
	struct http1_body body;
	bool head;
	bool whole;
	bool to_head;
};

static struct call calls[ASKS];

static void take_head(struct call *a)
{
	struct http1_head head;
	struct http1_length l;
	enum http1_fault f;
	enum http1_answer r;
	size_t len;

	r = http1_response_head(&a->scan, buf_view(&a->text), &head, &len, &f);
	must(r != HTTP1_BAD);
	if (r != HTTP1_DONE)
		return;
	must(head.status != 101 && http1_response_length(&head, a->to_head, &l, &f));
	if (head.status >= 200) {
		must(l.framing != HTTP1_UNTIL_CLOSE);
		http1_body_init(&a->body, l.framing, l.len);
		a->head = true;
		a->whole = l.framing == HTTP1_NO_BODY || (l.framing == HTTP1_LENGTH && !l.len);
	}
	a->scan = (struct http1_scan){ 0 };
	buf_consume(&a->text, len);
}

static void check_text(struct call *a, bool done)
{
	size_t before = a->text.len + 1;

	while (!a->head && a->text.len && a->text.len < before) {
		before = a->text.len;
		take_head(a);
	}
	while (a->head && a->text.len) {
		struct bytes data;
		enum http1_fault f;
		enum http1_answer r;
		size_t used;

		must(!a->whole);
		r = http1_body_next(&a->body, buf_view(&a->text), &used, &data, &f);
		must(r != HTTP1_BAD);
		a->whole = r == HTTP1_DONE;
		buf_consume(&a->text, used);
	}
	must(!done || a->whole);
}

static size_t look(struct h2_stream *s)
{
	struct call *a = h2_stream_user(s);
	size_t n = h2_stream_read(s, &a->text, 4096);

	check_text(a, h2_stream_gone(s) == H2_OK && h2_stream_read_done(s));
	if (h2_stream_gone(s) == H2_OK && !h2_stream_read_done(s))
		return n;
	h2_stream_release(s);
	a->s = NULL;
	return 0;
}

static void on_wake(void *owner, struct h2_stream *s)
{
	(void)owner;
	(void)look(s);
}

static const struct h2_ops ops = { .on_wake = on_wake };

static void begin(struct h2 *c, size_t i)
{
	struct call *a = &calls[i];

	*a = (struct call){ .s = h2_client_open(c), .to_head = i == 1 };
	buf_init(&a->text, 128 * 1024);
	must(a->s != NULL);
	h2_stream_set_user(a->s, a);
	(void)h2_stream_write(a->s, bytes_str(asks[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_skip(bytes_of(data, size), size > 0);
	struct buf out BUF_AUTO = { 0 };
	struct h2 *c = h2_client_new(&ops, NULL);
	size_t step = size ? 1 + (size_t)data[0] * 8 : 1;
	uint64_t now = 0;

	must(c != NULL);
	buf_init(&out, 64 * 1024);
	for (size_t i = 0; i < ASKS; i++)
		begin(c, i);
	h2_take(c, &out, out.max);
	while (rest.len) {
		size_t n = rest.len < step ? rest.len : step;

		(void)h2_feed(c, bytes_of(rest.p, n), now++);
		rest = bytes_skip(rest, n);
		must(h2_memory(c) < MEMORY_MAX && h2_memory(c) == held_total());
		buf_reset(&out);
		h2_take(c, &out, 1 + step * 16);
	}
	h2_eof(c);
	for (size_t i = 0; i < ASKS; i++) { /* what is whole is there to its end */
		while (calls[i].s && look(calls[i].s) > 0)
			;
		must(!calls[i].s);
	}
	must(h2_streams(c) == 0);
	for (size_t i = 0; i < ASKS; i++)
		buf_deinit(&calls[i].text);
	(void)h2_free(c);
	must(held_total() == 0);
	return 0;
}
