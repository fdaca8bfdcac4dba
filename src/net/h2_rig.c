#include "net/h2_rig.h"

#include <nghttp2/nghttp2.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/h2_client.h"
#include "net/h2_server.h"
#include "net/held.h"

static void look(struct h2_rig *r, size_t i)
{
	struct h2_rig_stream *t = &r->streams[i];
	enum h2_fault f = h2_stream_gone(t->s);

	if (!r->keep_unread)
		(void)h2_stream_read(t->s, &t->text, H2_RIG_TEXT_MAX - t->text.len);
	if (f == H2_OK)
		return;
	(void)buf_fmt(&r->events, "gone %u: %s\n", (unsigned)h2_stream_id(t->s), h2_fault_text(f));
	if (!r->keep_gone)
		h2_rig_release(r, i);
}

static size_t add(struct h2_rig *r, struct h2_stream *s)
{
	size_t i = r->n_streams++;

	must(i < H2_RIG_STREAMS_MAX);
	r->streams[i].s = s;
	buf_init(&r->streams[i].text, H2_RIG_TEXT_MAX);
	h2_stream_set_user(s, &r->streams[i]);
	return i;
}

static void on_stream(void *owner, struct h2_stream *s)
{
	struct h2_rig *r = owner;

	(void)buf_fmt(&r->events, "stream %u\n", (unsigned)h2_stream_id(s));
	look(r, add(r, s));
}

static void on_wake(void *owner, struct h2_stream *s)
{
	struct h2_rig *r = owner;

	r->n_wakes++;
	if (h2_stream_user(s))
		look(r, (size_t)((struct h2_rig_stream *)h2_stream_user(s) - r->streams));
}

static void on_malformed(void *owner, uint32_t id, enum h2_fault f)
{
	struct h2_rig *r = owner;

	(void)buf_fmt(&r->events, "malformed %u: %s\n", (unsigned)id, h2_fault_text(f));
}

static void on_output(void *owner)
{
	((struct h2_rig *)owner)->n_output++;
}

static const struct h2_ops ops = { on_stream, on_wake, on_malformed, on_output };

static void start(struct h2_rig *r)
{
	nghttp2_hd_inflater *inflater;

	buf_init(&r->events, H2_RIG_TEXT_MAX);
	buf_init(&r->in, H2_RIG_TEXT_MAX);
	buf_init(&r->out, H2_RIG_TEXT_MAX);
	buf_init(&r->seen, H2_RIG_TEXT_MAX);
	must(nghttp2_hd_inflate_new(&inflater) == 0);
	r->inflater = inflater;
	r->now_ms = 1000;
	h2_rig_frame(r, H2_RIG_SETTINGS, 0, 0, bytes_of(NULL, 0));
	CHECK_INT(h2_rig_feed(r), H2_OK);
	(void)h2_rig_seen(r);
	h2_rig_frame(r, H2_RIG_SETTINGS, H2_RIG_ACK, 0, bytes_of(NULL, 0));
	CHECK_INT(h2_rig_feed(r), H2_OK);
	CHECK_STR(h2_rig_seen(r), "");
	r->n_output = 0;
}

void h2_rig_server(struct h2_rig *r)
{
	*r = (struct h2_rig){ .c = h2_server_new(&ops, r) };
	must(r->c != NULL);
	CHECK_INT(h2_feed(r->c, bytes_str("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 1000), H2_OK);
	start(r);
}

static void client(struct h2_rig *r, struct h2 *(*new)(const struct h2_ops *, void *))
{
	struct buf first BUF_AUTO = { 0 };

	*r = (struct h2_rig){ .c = new(&ops, r) };
	must(r->c != NULL);
	buf_init(&first, 24);
	h2_take(r->c, &first, 24);
	CHECK_STR(buf_cstr(&first), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	start(r);
}

void h2_rig_client(struct h2_rig *r)
{
	client(r, h2_client_new);
}

void h2_rig_client_wiping(struct h2_rig *r)
{
	client(r, h2_client_new_wiping);
}

void h2_rig_end(struct h2_rig *r)
{
	size_t others;

	for (size_t i = 0; i < r->n_streams; i++) {
		h2_rig_release(r, i);
		buf_deinit(&r->streams[i].text);
	}
	(void)h2_rig_seen(r);
	CHECK(h2_fault(r->c) != H2_OK || h2_streams(r->c) == 0);
	others = held_total() - h2_memory(r->c);
	r->c = h2_free(r->c);
	CHECK_INT(held_total(), others);
	nghttp2_hd_inflate_del(r->inflater);
	buf_deinit(&r->events);
	buf_deinit(&r->in);
	buf_deinit(&r->out);
	buf_deinit(&r->seen);
}

void h2_rig_frame(struct h2_rig *r, enum h2_rig_type type, unsigned flags, uint32_t id,
		  struct bytes payload)
{
	(void)buf_byte(&r->in, (uint8_t)(payload.len >> 16));
	(void)buf_u16be(&r->in, (uint16_t)payload.len);
	(void)buf_byte(&r->in, (uint8_t)type);
	(void)buf_byte(&r->in, (uint8_t)flags);
	(void)buf_u32be(&r->in, id);
	must(buf_bytes(&r->in, payload));
}

void h2_rig_u32(struct h2_rig *r, enum h2_rig_type type, uint32_t id, uint32_t value)
{
	const uint8_t p[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16),
			       (uint8_t)(value >> 8), (uint8_t)value };

	h2_rig_frame(r, type, 0, id, bytes_of(p, sizeof(p)));
}

void h2_rig_setting(struct h2_rig *r, uint16_t key, uint32_t value)
{
	const uint8_t p[6] = { (uint8_t)(key >> 8),    (uint8_t)key,
			       (uint8_t)(value >> 24), (uint8_t)(value >> 16),
			       (uint8_t)(value >> 8),  (uint8_t)value };

	h2_rig_frame(r, H2_RIG_SETTINGS, 0, 0, bytes_of(p, sizeof(p)));
}

/* RFC 7541, 6.2.2 and 5.1: a string without Huffman, its length with a prefix of seven bits */
static void put_string(struct buf *out, struct bytes s)
{
	size_t rest = s.len - 127;

	(void)buf_byte(out, (uint8_t)(s.len < 127 ? s.len : 127));
	if (s.len >= 127) {
		for (; rest >= 128; rest >>= 7)
			(void)buf_byte(out, (uint8_t)(rest | 0x80));
		(void)buf_byte(out, (uint8_t)rest);
	}
	must(buf_bytes(out, s));
}

void h2_rig_block(struct buf *out, struct bytes fields)
{
	while (fields.len) {
		struct bytes field = bytes_of(fields.p, bytes_find(fields, '|'));
		size_t equals = bytes_find(field, '=');

		(void)buf_byte(out, 0);
		put_string(out, bytes_of(field.p, equals));
		put_string(out, bytes_skip(field, equals < field.len ? equals + 1 : equals));
		fields = bytes_skip(fields, field.len < fields.len ? field.len + 1 : field.len);
	}
}

void h2_rig_headers(struct h2_rig *r, uint32_t id, unsigned flags, const char *fields)
{
	struct buf block BUF_AUTO = { 0 };

	buf_init(&block, 1024 * 1024);
	h2_rig_block(&block, bytes_str(fields));
	h2_rig_frame(r, H2_RIG_HEADERS, flags | H2_RIG_WHOLE, id, buf_view(&block));
}

void h2_rig_data(struct h2_rig *r, uint32_t id, unsigned flags, const char *text)
{
	h2_rig_frame(r, H2_RIG_DATA, flags, id, bytes_str(text));
}

enum h2_fault h2_rig_feed(struct h2_rig *r)
{
	enum h2_fault f = h2_feed(r->c, buf_view(&r->in), r->now_ms);

	buf_reset(&r->in);
	return f;
}

static void tell_block(struct h2_rig *r, struct bytes block)
{
	const char *between = " ";
	int flags = 0;

	while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
		nghttp2_nv nv;
		ssize_t n;

		flags = 0;
		n = nghttp2_hd_inflate_hd2(r->inflater, &nv, &flags, block.p, block.len, 1);
		must(n >= 0);
		block = bytes_skip(block, (size_t)n);
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT))
			continue;
		r->n_secret += (nv.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
		(void)buf_fmt(&r->seen, "%s%s=%s", between, (const char *)nv.name,
			      (const char *)nv.value);
		between = "|";
	}
	(void)nghttp2_hd_inflate_end_headers(r->inflater);
}

static uint32_t u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void tell_frame(struct h2_rig *r, uint8_t type, uint8_t flags, uint32_t id, struct bytes p)
{
	static const char *const names[] = {
		"DATA", "HEADERS", "PRIORITY", "RST",    "SETTINGS",
		"PUSH", "PING",    "GOAWAY",   "WINDOW", "CONTINUATION"
	};
	bool numbered = type == H2_RIG_RST || type == H2_RIG_WINDOW;

	must(type < sizeof(names) / sizeof(names[0]));
	(void)buf_fmt(&r->seen, "%s %u", names[type], (unsigned)id);
	if (type <= H2_RIG_HEADERS && (flags & H2_RIG_END))
		(void)buf_str(&r->seen, " end");
	if (type == H2_RIG_DATA)
		(void)buf_fmt(&r->seen, " %zu", p.len);
	if (type == H2_RIG_HEADERS)
		tell_block(r, p);
	if (numbered)
		(void)buf_fmt(&r->seen, " %u", (unsigned)u32(p.p));
	if (type == H2_RIG_GOAWAY)
		(void)buf_fmt(&r->seen, " %u", (unsigned)u32(p.p + 4));
	(void)buf_str(&r->seen, "\n");
}

const char *h2_rig_seen(struct h2_rig *r)
{
	struct bytes rest;

	buf_reset(&r->seen);
	h2_take(r->c, &r->out, r->out.max);
	rest = buf_view(&r->out);
	while (rest.len) {
		size_t len = (size_t)rest.p[0] << 16 | (size_t)rest.p[1] << 8 | rest.p[2];

		tell_frame(r, rest.p[3], rest.p[4], u32(rest.p + 5), bytes_of(rest.p + 9, len));
		rest = bytes_skip(rest, 9 + len);
	}
	buf_reset(&r->out);
	return buf_cstr(&r->seen);
}

/* The text stays readable until the next look. */
static const char *since(struct buf *b)
{
	const char *text = buf_cstr(b);

	b->len = 0;
	return text;
}

const char *h2_rig_events(struct h2_rig *r)
{
	return since(&r->events);
}

const char *h2_rig_said(struct h2_rig *r, size_t i)
{
	struct h2_rig_stream *t = &r->streams[i];

	if (t->s)
		(void)h2_stream_read(t->s, &t->text, H2_RIG_TEXT_MAX - t->text.len);
	return since(&t->text);
}

void h2_rig_say(struct h2_rig *r, size_t i, const char *text)
{
	CHECK_INT(h2_stream_write(r->streams[i].s, bytes_str(text)), strlen(text));
}

void h2_rig_release(struct h2_rig *r, size_t i)
{
	if (r->streams[i].s)
		h2_stream_release(r->streams[i].s);
	r->streams[i].s = NULL;
}

size_t h2_rig_ask(struct h2_rig *r, const char *text)
{
	struct h2_stream *s = h2_client_open(r->c);
	size_t i;

	must(s != NULL);
	i = add(r, s);
	h2_rig_say(r, i, text);
	return i;
}
