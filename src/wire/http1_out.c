#include "wire/http1_out.h"

#include "wire/http1_fields.h"
#include "wire/http1_trailer.h"

static enum http1_framing framing_for(const struct http1_length *length, const struct http1_relay *relay)
{
	if (length->framing == HTTP1_NO_BODY || length->framing == HTTP1_LENGTH)
		return length->framing;
	return relay->client_minor == 0 ? HTTP1_UNTIL_CLOSE : HTTP1_CHUNKED;
}

static void put_length(struct buf *out, uint64_t len)
{
	(void)buf_str(out, "Content-Length: ");
	(void)buf_decimal(out, len);
	(void)buf_str(out, "\r\n");
}

enum http1_framing http1_answer_canon(const struct http1_head *h, const struct http1_length *length,
				      const struct http1_relay *relay, struct buf *out)
{
	enum http1_framing framing = framing_for(length, relay);
	bool nominates = http1_nominates(h);

	(void)buf_str(out, "HTTP/1.1 ");
	(void)buf_decimal(out, h->status);
	(void)buf_byte(out, ' ');
	(void)buf_bytes(out, h->phrase);
	(void)buf_str(out, "\r\n");
	for (size_t i = 0; i < h->n_fields; i++) {
		const struct http1_field *f = &h->fields[i];

		if (http1_response_field(f->name) != HTTP1_FORWARD || (nominates && http1_nominated(h, f->name)))
			continue;
		(void)buf_bytes(out, f->name);
		(void)buf_str(out, ": ");
		(void)buf_bytes(out, f->value);
		(void)buf_str(out, "\r\n");
	}
	if (framing == HTTP1_LENGTH ||
	    (framing == HTTP1_NO_BODY && length->announced && (relay->to_head || h->status == 304)))
		put_length(out, length->len);
	else if (framing == HTTP1_CHUNKED)
		(void)buf_str(out, "Transfer-Encoding: chunked\r\n");
	if (!relay->keep || framing == HTTP1_UNTIL_CLOSE)
		(void)buf_str(out, "Connection: close\r\n");
	(void)buf_str(out, "\r\n");
	return framing;
}

void http1_piece(struct buf *out, enum http1_framing framing, struct bytes data)
{
	if (data.len == 0)
		return;
	if (framing == HTTP1_CHUNKED)
		(void)buf_fmt(out, "%zx\r\n", data.len);
	(void)buf_bytes(out, data);
	if (framing == HTTP1_CHUNKED)
		(void)buf_str(out, "\r\n");
}

void http1_last_with(struct buf *out, enum http1_framing framing, struct bytes trailers)
{
	struct http1_field f;

	if (framing != HTTP1_CHUNKED)
		return;
	(void)buf_str(out, "0\r\n");
	while (http1_trailer_next(&trailers, &f))
		(void)http1_trailer_put(out, f.name, f.value);
	(void)buf_str(out, "\r\n");
}
