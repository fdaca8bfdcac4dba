#include "wire/http1_body.h"

#include "base/num.h"
#include "wire/http1_trailer.h"

/* Chunked bodies are read byte by byte through a small state machine; runs of content are handed out as views. Sizes are one to
 * sixteen hex digits, nothing before, nothing behind but an extension or CR LF. Extensions follow the grammar without blanks
 * and are dropped; trailers follow the field grammar and are dropped, or kept in canonical form where somebody asked for them and
 * their names are allowed: nothing else is carried past us. */

enum state {
	SIZE,
	SIZE_LF,
	EXT_NAME_1, /* at least one byte must follow */
	EXT_NAME,
	EXT_VALUE_1,
	EXT_TOKEN,
	EXT_QUOTED,
	EXT_ESCAPE,
	EXT_QUOTED_END,
	DATA,
	DATA_CR,
	DATA_LF,
	TRAILER,
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	END_LF,
	DONE,
};

static bool refuse(enum http1_fault f, enum http1_fault *ret)
{
	*ret = f;
	return false;
}

/* Both counts, and the values once they are known to stand alone. */
static bool lengths(const struct http1_head *h, struct bytes *ret_len, size_t *ret_n_len, size_t *ret_n_coding,
		    enum http1_fault *ret_fault)
{
	struct bytes coding;

	*ret_n_len = http1_find(h, "content-length", ret_len);
	*ret_n_coding = http1_find(h, "transfer-encoding", &coding);
	if (*ret_n_len > 1)
		return refuse(HTTP1_FAULT_TWO_LENGTHS, ret_fault);
	if (*ret_n_coding > 1 || (*ret_n_coding && (h->minor == 0 || !bytes_ieq(coding, bytes_str("chunked")))))
		return refuse(HTTP1_FAULT_CODING, ret_fault);
	return true;
}

bool http1_request_length(const struct http1_head *h, struct http1_length *ret, enum http1_fault *ret_fault)
{
	struct http1_length l = { .framing = HTTP1_NO_BODY, .keep = true };
	struct bytes text;
	size_t n_len;
	size_t n_coding;

	if (http1_find(h, "content-length", NULL) && http1_find(h, "transfer-encoding", NULL))
		return refuse(HTTP1_FAULT_TWO_LENGTHS, ret_fault);
	if (!lengths(h, &text, &n_len, &n_coding, ret_fault))
		return false;
	if (n_coding)
		l.framing = HTTP1_CHUNKED;
	if (n_len) {
		if (!num_u64(text, INT64_MAX, &l.len))
			return refuse(HTTP1_FAULT_LENGTH, ret_fault);
		l.framing = HTTP1_LENGTH;
		l.announced = true;
	}
	*ret = l;
	return true;
}

/* RFC 9112, 9.3: 1.1 keeps unless told otherwise; of 1.0 we never keep. */
static bool keeps(const struct http1_head *h)
{
	struct http1_list at = { 0 };
	struct bytes member;

	while (http1_list_next(h, "connection", &at, &member))
		if (bytes_ieq(member, bytes_str("close")))
			return false;
	return h->minor == 1;
}

bool http1_response_length(const struct http1_head *h, bool to_head, struct http1_length *ret, enum http1_fault *ret_fault)
{
	struct http1_length l = { .framing = HTTP1_UNTIL_CLOSE, .keep = false };
	struct bytes text;
	size_t n_len;
	size_t n_coding;

	if (!lengths(h, &text, &n_len, &n_coding, ret_fault))
		return false;
	if (n_len) {
		if (!num_u64(text, INT64_MAX, &l.len))
			return refuse(HTTP1_FAULT_LENGTH, ret_fault);
		l.announced = !n_coding;
		l.framing = HTTP1_LENGTH;
		l.keep = !n_coding && keeps(h);
	}
	if (n_coding) {
		l.framing = HTTP1_CHUNKED;
		l.keep = !n_len && keeps(h);
	}
	if (to_head || h->status < 200 || h->status == 204 || h->status == 304) {
		l.framing = HTTP1_NO_BODY;
		l.keep = keeps(h);
	}
	*ret = l;
	return true;
}

void http1_body_init(struct http1_body *b, enum http1_framing framing, uint64_t len)
{
	*b = (struct http1_body){ .framing = framing, .left = framing == HTTP1_LENGTH ? len : 0, .state = SIZE };
}

void http1_body_keep_trailers(struct http1_body *b, struct buf *lines)
{
	b->trailers = lines;
}

static enum http1_fault in_size(struct http1_body *b, uint8_t c)
{
	int digit = num_hex_digit(c);

	if (digit >= 0) {
		if (b->digits == 16)
			return HTTP1_FAULT_CHUNK;
		b->digits++;
		b->left = b->left << 4 | (uint64_t)digit;
		return HTTP1_FAULT_NONE;
	}
	if (b->digits == 0 || (c != ';' && c != '\r'))
		return HTTP1_FAULT_CHUNK;
	b->state = c == ';' ? EXT_NAME_1 : SIZE_LF;
	return HTTP1_FAULT_NONE;
}

/* What may follow a complete extension, or its name. */
static enum http1_fault ext_next(struct http1_body *b, uint8_t c)
{
	if (c == ';')
		b->state = EXT_NAME_1;
	else if (c == '\r')
		b->state = SIZE_LF;
	else
		return HTTP1_FAULT_CHUNK_EXT;
	return HTTP1_FAULT_NONE;
}

static enum http1_fault in_ext(struct http1_body *b, uint8_t c)
{
	if (++b->ext_len > HTTP1_CHUNK_EXT_MAX || ++b->ext_total > HTTP1_CHUNK_EXT_TOTAL_MAX)
		return HTTP1_FAULT_CHUNK_EXT;
	switch (b->state) {
	case EXT_NAME_1:
	case EXT_NAME:
		if (http1_is_tchar(c))
			b->state = EXT_NAME;
		else if (b->state == EXT_NAME && c == '=')
			b->state = EXT_VALUE_1;
		else
			return b->state == EXT_NAME ? ext_next(b, c) : HTTP1_FAULT_CHUNK_EXT;
		return HTTP1_FAULT_NONE;
	case EXT_VALUE_1:
		if (c != '"' && !http1_is_tchar(c))
			return HTTP1_FAULT_CHUNK_EXT;
		b->state = c == '"' ? EXT_QUOTED : EXT_TOKEN;
		return HTTP1_FAULT_NONE;
	case EXT_TOKEN:
		return http1_is_tchar(c) ? HTTP1_FAULT_NONE : ext_next(b, c);
	case EXT_QUOTED:
		if (c < 0x20 || c >= 0x7f)
			return HTTP1_FAULT_CHUNK_EXT;
		if (c == '"' || c == '\\')
			b->state = c == '"' ? EXT_QUOTED_END : EXT_ESCAPE;
		return HTTP1_FAULT_NONE;
	case EXT_ESCAPE:
		b->state = EXT_QUOTED;
		return c < 0x20 || c >= 0x7f ? HTTP1_FAULT_CHUNK_EXT : HTTP1_FAULT_NONE;
	default:
		return ext_next(b, c);
	}
}

static void keep(struct http1_body *b, uint8_t c)
{
	if (b->keeping)
		(void)buf_byte(b->trailers, c);
}

/* The name is complete: one that is not allowed is taken back, and its value not kept. */
static void keep_name(struct http1_body *b)
{
	struct bytes name;

	if (!b->keeping)
		return;
	name = bytes_skip(buf_view(b->trailers), b->trailer_at);
	b->keeping = http1_trailer_allowed(name);
	if (!b->keeping)
		b->trailers->len = b->trailer_at;
	keep(b, ':');
	keep(b, ' ');
	b->trailer_at = b->trailers->len;
}

/* The value is complete, with the blanks behind it; those in front were left out. */
static void keep_value(struct http1_body *b)
{
	struct buf *t = b->trailers;

	if (!b->keeping)
		return;
	while (t->len > b->trailer_at && (t->p[t->len - 1] == ' ' || t->p[t->len - 1] == '\t'))
		t->len--;
	(void)buf_str(t, "\r\n");
}

static bool keep_begins(struct http1_body *b)
{
	if (b->n_trailers++ == HTTP1_TRAILERS_MAX)
		return false;
	b->keeping = b->trailers != NULL;
	if (b->keeping)
		b->trailer_at = b->trailers->len;
	return true;
}

static enum http1_fault in_trailer(struct http1_body *b, uint8_t c)
{
	if (++b->trailers_len > HTTP1_TRAILERS_LEN_MAX)
		return HTTP1_FAULT_TOO_LARGE;
	switch (b->state) {
	case TRAILER:
		if (c == '\r')
			b->state = END_LF;
		else if (!http1_is_tchar(c))
			return HTTP1_FAULT_HEADER;
		else if (!keep_begins(b))
			return HTTP1_FAULT_TOO_LARGE;
		else
			b->state = TRAILER_NAME;
		keep(b, c);
		return HTTP1_FAULT_NONE;
	case TRAILER_NAME:
		if (c == ':') {
			b->state = TRAILER_VALUE;
			b->trailers_len++; /* the blank of the canonical form */
			keep_name(b);
			return HTTP1_FAULT_NONE;
		}
		keep(b, c);
		return http1_is_tchar(c) ? HTTP1_FAULT_NONE : HTTP1_FAULT_HEADER;
	case TRAILER_VALUE:
		if (c == '\r') {
			b->state = TRAILER_LF;
			keep_value(b);
			return HTTP1_FAULT_NONE;
		}
		if (c == '\n')
			return HTTP1_FAULT_LINE_END;
		if ((c < 0x20 && c != '\t') || c >= 0x7f)
			return HTTP1_FAULT_HEADER;
		if ((c != ' ' && c != '\t') || (b->keeping && b->trailers->len > b->trailer_at))
			keep(b, c);
		return HTTP1_FAULT_NONE;
	default: /* TRAILER_LF, END_LF */
		if (c != '\n')
			return HTTP1_FAULT_LINE_END;
		b->keeping = false;
		b->state = b->state == END_LF ? DONE : TRAILER;
		return b->trailers && b->trailers->failed ? HTTP1_FAULT_TOO_LARGE : HTTP1_FAULT_NONE;
	}
}

static enum http1_fault between(struct http1_body *b, uint8_t c)
{
	switch (b->state) {
	case SIZE:
		return in_size(b, c);
	case SIZE_LF:
		if (c != '\n')
			return HTTP1_FAULT_CHUNK;
		b->state = b->left ? DATA : TRAILER;
		b->digits = 0;
		b->ext_len = 0;
		return HTTP1_FAULT_NONE;
	case DATA_CR:
		b->state = DATA_LF;
		return c == '\r' ? HTTP1_FAULT_NONE : HTTP1_FAULT_CHUNK;
	case DATA_LF:
		b->state = SIZE;
		return c == '\n' ? HTTP1_FAULT_NONE : HTTP1_FAULT_CHUNK;
	default:
		return b->state >= TRAILER ? in_trailer(b, c) : in_ext(b, c);
	}
}

static struct bytes take_content(struct http1_body *b, struct bytes in, size_t off)
{
	size_t n = in.len - off;

	if (n > b->left)
		n = (size_t)b->left;
	b->left -= n;
	return bytes_of(in.p + off, n);
}

static enum http1_answer next_chunked(struct http1_body *b, struct bytes in, size_t *ret_used, struct bytes *ret_data,
				      enum http1_fault *ret_fault)
{
	size_t off = 0;

	while (off < in.len && b->state != DONE && b->state != DATA) {
		enum http1_fault f = between(b, in.p[off]);

		if (f != HTTP1_FAULT_NONE) {
			*ret_fault = f;
			return HTTP1_BAD;
		}
		off++;
	}
	*ret_data = bytes_of(NULL, 0);
	if (b->state == DATA && off < in.len) {
		*ret_data = take_content(b, in, off);
		off += ret_data->len;
		if (!b->left)
			b->state = DATA_CR;
	}
	*ret_used = off;
	return b->state == DONE ? HTTP1_DONE : HTTP1_MORE;
}

enum http1_answer http1_body_next(struct http1_body *b, struct bytes in, size_t *ret_used, struct bytes *ret_data,
				  enum http1_fault *ret_fault)
{
	if (b->framing == HTTP1_CHUNKED)
		return next_chunked(b, in, ret_used, ret_data, ret_fault);
	if (b->framing == HTTP1_UNTIL_CLOSE) {
		*ret_data = in;
		*ret_used = in.len;
		return HTTP1_MORE;
	}
	*ret_data = take_content(b, in, 0);
	*ret_used = ret_data->len;
	return b->left ? HTTP1_MORE : HTTP1_DONE;
}

bool http1_body_in_content(const struct http1_body *b)
{
	return b->state == DATA;
}
