#include "wire/http1_body.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/tap.h"

/* Decodes in pieces of `step` bytes. DONE: contents in `out`, and the number of bytes used. */
static enum http1_answer decode(const char *text, size_t size, size_t step, struct buf *out, size_t *ret_used,
				enum http1_fault *f)
{
	enum http1_answer a = HTTP1_MORE;
	struct http1_body b;
	size_t end = 0;
	size_t off = 0;

	http1_body_init(&b, HTTP1_CHUNKED, 0);
	while (a == HTTP1_MORE && (off < size || end == 0)) {
		struct bytes data;
		size_t used;

		if (off == end)
			end = size - end > step ? end + step : size;
		a = http1_body_next(&b, bytes_of(text + off, end - off), &used, &data, f);
		if (a != HTTP1_BAD) {
			(void)buf_bytes(out, data);
			off += used;
		}
	}
	*ret_used = off;
	return a;
}

TEST(chunks_decode_to_their_contents_however_they_are_cut)
{
	static const char *const vectors[][2] = {
		{ "0\r\n\r\n", "" },
		{ "3\r\nabc\r\n0\r\n\r\n", "abc" },
		{ "3\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n", "abc0123456789" },
		{ "0000000000000003\r\nabc\r\n0\r\n\r\n", "abc" },
		{ "3;x\r\nabc\r\n0;y=z\r\n\r\n", "abc" },
		{ "3;x=\"a \\\" b\";y\r\nabc\r\n0\r\n\r\n", "abc" },
		{ "1\r\n\r\r\n0\r\n\r\n", "\r" },
		/* E9 */
		{ "3\r\nabc\r\n0\r\nX: y\r\nContent-Length: 5\r\nAuthorization: z\r\n\r\n", "abc" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 20; step++) {
			struct buf out BUF_AUTO;
			enum http1_fault f;
			size_t used;

			buf_init(&out, 1000);
			CHECK_INT(decode(vectors[i][0], strlen(vectors[i][0]), step, &out, &used, &f), HTTP1_DONE);
			CHECK_STR(buf_cstr(&out), vectors[i][1]);
			CHECK_INT(used, strlen(vectors[i][0]));
		}
}

static enum http1_answer keep(const char *text, size_t step, struct buf *lines, enum http1_fault *f)
{
	enum http1_answer a = HTTP1_MORE;
	struct http1_body b;

	http1_body_init(&b, HTTP1_CHUNKED, 0);
	http1_body_keep_trailers(&b, lines);
	for (size_t off = 0, end = 0; a == HTTP1_MORE && off < strlen(text);) {
		struct bytes data;
		size_t used = 0;

		if (off == end)
			end = strlen(text) - end > step ? end + step : strlen(text);
		a = http1_body_next(&b, bytes_of(text + off, end - off), &used, &data, f);
		off += used;
	}
	return a;
}

TEST(trailers_are_kept_in_canonical_form_when_asked_for)
{
	static const char *const vectors[][2] = {
		{ "0\r\n\r\n", "" },
		{ "3\r\nabc\r\n0\r\ngrpc-status:0\r\nGrpc-Message: \t a  b \t\r\nx:\r\ny:  \r\n\r\n",
		  "grpc-status: 0\r\nGrpc-Message: a  b\r\nx: \r\ny: \r\n" },
		/* E9 */
		{ "0\r\nContent-Length: 5\r\na: 1\r\nAuthorization: z\r\nHost: x\r\nSet_Cookie: s\r\nb: 2\r\nTransfer-Encoding: y\r\n\r\n",
		  "a: 1\r\nb: 2\r\n" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 20; step++) {
			struct buf lines BUF_AUTO;
			enum http1_fault f;

			buf_init(&lines, HTTP1_TRAILERS_LEN_MAX);
			CHECK_INT(keep(vectors[i][0], step, &lines, &f), HTTP1_DONE);
			CHECK_STR(buf_cstr(&lines), vectors[i][1]);
		}
}

TEST(trailers_without_room_or_beyond_their_number_are_bad)
{
	struct buf lines BUF_AUTO;
	struct buf text BUF_AUTO;
	enum http1_fault f = HTTP1_FAULT_NONE;

	buf_init(&lines, 5);
	CHECK_INT(keep("0\r\na: 1\r\n\r\n", 100, &lines, &f), HTTP1_BAD);
	CHECK_INT(f, HTTP1_FAULT_TOO_LARGE);
	buf_init(&text, 10000);
	(void)buf_str(&text, "0\r\n");
	for (int i = 0; i < HTTP1_TRAILERS_MAX; i++)
		(void)buf_str(&text, "a: 1\r\n");
	(void)buf_str(&text, "\r\n");
	buf_deinit(&lines);
	buf_init(&lines, HTTP1_TRAILERS_LEN_MAX);
	CHECK_INT(keep(buf_cstr(&text), 100, &lines, &f), HTTP1_DONE);
	text.len -= 2;
	(void)buf_str(&text, "a: 1\r\n\r\n");
	buf_reset(&lines);
	CHECK_INT(keep(buf_cstr(&text), 100, &lines, &f), HTTP1_BAD);
	CHECK_INT(f, HTTP1_FAULT_TOO_LARGE);
}

TEST(what_follows_a_body_is_not_taken)
{
	const char *text = "3\r\nabc\r\n0\r\n\r\nGET /canary";
	struct buf out BUF_AUTO;
	enum http1_fault f;
	size_t used;

	buf_init(&out, 1000);
	CHECK_INT(decode(text, strlen(text), 1000, &out, &used, &f), HTTP1_DONE);
	CHECK_INT(used, strlen(text) - strlen("GET /canary"));
}

#define V(text, fault) { "" text, sizeof(text) - 1, HTTP1_FAULT_##fault }

TEST(malformed_chunks_are_bad_each_with_its_fault)
{
	static const struct {
		const char *text;
		size_t len;
		enum http1_fault want;
	} vectors[] = {
		/* E6 */
		V("0x5\r\n", CHUNK),
		V("+5\r\n", CHUNK),
		V("-5\r\n", CHUNK),
		V(" 5\r\n", CHUNK),
		V("5 \r\n", CHUNK),
		V("5\t\r\n", CHUNK),
		V("5_0\r\n", CHUNK),
		V("\r\n", CHUNK),
		V(";x\r\n", CHUNK),
		V("00000000000000005\r\n", CHUNK),
		V("5\n", CHUNK),
		V("5\r5", CHUNK),
		V("3\r\nabcd", CHUNK),
		V("3\r\nabc\n", CHUNK),
		V("3\r\nabc0\r\n", CHUNK),
		/* E7 */
		V("3;\r\n", CHUNK_EXT),
		V("3;x\n", CHUNK_EXT),
		V("3;x\r3", CHUNK),
		V("3; x\r\n", CHUNK_EXT),
		V("3;x =y\r\n", CHUNK_EXT),
		V("3;x=\r\n", CHUNK_EXT),
		V("3;x=\"a\r\nb\"\r\n", CHUNK_EXT),
		V("3;x=\"a\\\r\n", CHUNK_EXT),
		V("3;x=\"a\"b\r\n", CHUNK_EXT),
		V("3;x=\"\0\"\r\n", CHUNK_EXT),
		V("3;x=\"\x7f\"\r\n", CHUNK_EXT),
		V("3;x=\"\\\x80\"\r\n", CHUNK_EXT),
		V("3;x=;y\r\n", CHUNK_EXT),
		V("3;x= y\r\n", CHUNK_EXT),
		/* E9, E10, E11 in trailers */
		V("0\r\nX\r\n", HEADER),
		V("0\r\n X: y\r\n", HEADER),
		V("0\r\nX : y\r\n", HEADER),
		V("0\r\n: y\r\n", HEADER),
		V("0\r\nX: y\n", LINE_END),
		V("0\r\nX: \0\r\n", HEADER),
		V("0\r\nX: \x7f\r\n", HEADER),
		V("0\r\nX: \x80\r\n", HEADER),
		V("0\r\n\n", HEADER),
		V("0\r\n\rX", LINE_END),
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 4; step++) {
			struct buf out BUF_AUTO;
			enum http1_fault f = HTTP1_FAULT_NONE;
			size_t used;

			buf_init(&out, 1000);
			if (!CHECK_INT(decode(vectors[i].text, vectors[i].len, step, &out, &used, &f), HTTP1_BAD) ||
			    !CHECK_INT(f, vectors[i].want))
				printf("# vector %zu: %s\n", i, vectors[i].text);
		}
}

TEST(extensions_and_trailers_are_bounded)
{
	struct buf text BUF_AUTO;
	struct buf out BUF_AUTO;
	enum http1_fault f;
	size_t used;

	buf_init(&text, 100000);
	buf_init(&out, 100000);
	(void)buf_str(&text, "3;");
	for (int i = 0; i <= HTTP1_CHUNK_EXT_MAX; i++)
		(void)buf_byte(&text, 'a');
	CHECK_INT(decode((const char *)text.p, text.len, 1000, &out, &used, &f), HTTP1_BAD);
	CHECK_INT(f, HTTP1_FAULT_CHUNK_EXT);
	buf_reset(&text);
	for (int i = 0; i <= HTTP1_CHUNK_EXT_TOTAL_MAX / 4; i++)
		(void)buf_str(&text, "1;abcd\r\nx\r\n");
	CHECK_INT(decode((const char *)text.p, text.len, 1000, &out, &used, &f), HTTP1_BAD);
	CHECK_INT(f, HTTP1_FAULT_CHUNK_EXT);
	buf_reset(&text);
	(void)buf_str(&text, "0\r\nX: ");
	for (int i = 0; i <= HTTP1_TRAILERS_LEN_MAX; i++)
		(void)buf_byte(&text, 'a');
	CHECK_INT(decode((const char *)text.p, text.len, 1000, &out, &used, &f), HTTP1_BAD);
	CHECK_INT(f, HTTP1_FAULT_TOO_LARGE);
}

static bool length(const char *fields, bool answer, unsigned status, bool to_head, struct http1_length *l,
		   enum http1_fault *f)
{
	struct http1_scan s = { 0 };
	struct http1_head h;
	struct buf text BUF_AUTO;
	size_t len;

	*f = HTTP1_FAULT_NONE;
	buf_init(&text, 10000);
	if (answer)
		(void)buf_fmt(&text, "HTTP/1.1 %u OK\r\n%s\r\n", status, fields);
	else
		(void)buf_fmt(&text, "POST / HTTP/1.1\r\n%s\r\n", fields);
	CHECK_INT((answer ? http1_response_head : http1_request_head)(&s, buf_view(&text), &h, &len, f), HTTP1_DONE);
	return answer ? http1_response_length(&h, to_head, l, f) : http1_request_length(&h, l, f);
}

TEST(a_request_says_its_length_in_exactly_one_way)
{
	static const struct {
		const char *fields;
		enum http1_fault want;
	} vectors[] = {
		/* E1, E2 */
		{ "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", HTTP1_FAULT_TWO_LENGTHS },
		{ "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", HTTP1_FAULT_TWO_LENGTHS },
		{ "Transfer-Encoding: x\r\nContent-Length: x\r\n", HTTP1_FAULT_TWO_LENGTHS },
		{ "Content-Length: 5\r\nContent-Length: 6\r\n", HTTP1_FAULT_TWO_LENGTHS },
		{ "Content-Length: 5\r\ncontent-length: 5\r\n", HTTP1_FAULT_TWO_LENGTHS },
		/* E3 */
		{ "Content-Length: +5\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length: -5\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length: 0x5\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length: 5_0\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length: 5,5\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length: 5 5\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length:\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length: 0000000005\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length: 18446744073709551616\r\n", HTTP1_FAULT_LENGTH },
		{ "Content-Length: 9223372036854775808\r\n", HTTP1_FAULT_LENGTH },
		/* E4 */
		{ "Transfer-Encoding: chunked, identity\r\n", HTTP1_FAULT_CODING },
		{ "Transfer-Encoding: ,chunked\r\n", HTTP1_FAULT_CODING },
		{ "Transfer-Encoding: xchunked\r\n", HTTP1_FAULT_CODING },
		{ "Transfer-Encoding: gzip, chunked\r\n", HTTP1_FAULT_CODING },
		{ "Transfer-Encoding: \"chunked\"\r\n", HTTP1_FAULT_CODING },
		{ "Transfer-Encoding:\r\n", HTTP1_FAULT_CODING },
		{ "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", HTTP1_FAULT_CODING },
		{ "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", HTTP1_FAULT_CODING },
		{ "Content-Length: 0\r\n", HTTP1_FAULT_NONE },
		{ "Content-Length: 9223372036854775807\r\n", HTTP1_FAULT_NONE },
		{ "Transfer-Encoding: Chunked\r\n", HTTP1_FAULT_NONE },
		{ "", HTTP1_FAULT_NONE },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct http1_length l;
		enum http1_fault f;

		if (!CHECK_INT(length(vectors[i].fields, false, 0, false, &l, &f), vectors[i].want == HTTP1_FAULT_NONE) ||
		    !CHECK_INT(f, vectors[i].want))
			printf("# vector %zu: %s\n", i, vectors[i].fields);
	}
}

/* E28 */
TEST(an_answer_has_one_length_whatever_it_says)
{
	static const struct {
		const char *fields;
		unsigned status;
		bool to_head;
		bool ok;
		enum http1_framing framing;
		bool keep;
	} vectors[] = {
		{ "Content-Length: 5\r\n", 200, false, true, HTTP1_LENGTH, true },
		{ "Content-Length: 5\r\nConnection: x, Close\r\n", 200, false, true, HTTP1_LENGTH, false },
		{ "Transfer-Encoding: chunked\r\n", 200, false, true, HTTP1_CHUNKED, true },
		{ "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 200, false, true, HTTP1_CHUNKED, false },
		{ "", 200, false, true, HTTP1_UNTIL_CLOSE, false },
		{ "Content-Length: 5\r\n", 200, true, true, HTTP1_NO_BODY, true },
		{ "Content-Length: 5\r\n", 103, false, true, HTTP1_NO_BODY, true },
		{ "Transfer-Encoding: chunked\r\n", 199, false, true, HTTP1_NO_BODY, true },
		{ "Transfer-Encoding: chunked\r\nConnection: close\r\n", 200, false, true, HTTP1_CHUNKED, false },
		{ "Content-Length: 5\r\n", 204, false, true, HTTP1_NO_BODY, true },
		{ "Content-Length: 5\r\n", 304, false, true, HTTP1_NO_BODY, true },
		{ "Content-Length: 5\r\nContent-Length: 5\r\n", 200, false, false, 0, false },
		{ "Content-Length: x\r\n", 200, false, false, 0, false },
		{ "Transfer-Encoding: gzip, chunked\r\n", 200, false, false, 0, false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct http1_length l = { 0 };
		enum http1_fault f;

		CHECK_INT(length(vectors[i].fields, true, vectors[i].status, vectors[i].to_head, &l, &f), vectors[i].ok);
		CHECK_INT(l.framing, vectors[i].framing);
		CHECK_INT(l.keep, vectors[i].keep);
	}
}

TEST(a_body_of_a_length_ends_there)
{
	struct http1_body b;
	struct bytes data;
	enum http1_fault f;
	size_t used;

	http1_body_init(&b, HTTP1_LENGTH, 5);
	CHECK_INT(http1_body_next(&b, bytes_str("abc"), &used, &data, &f), HTTP1_MORE);
	CHECK(bytes_is(data, "abc"));
	CHECK_INT(http1_body_next(&b, bytes_str("defg"), &used, &data, &f), HTTP1_DONE);
	CHECK(bytes_is(data, "de"));
	CHECK_INT(used, 2);
	http1_body_init(&b, HTTP1_NO_BODY, 77);
	CHECK_INT(http1_body_next(&b, bytes_str("abc"), &used, &data, &f), HTTP1_DONE);
	CHECK_INT(used, 0);
	http1_body_init(&b, HTTP1_UNTIL_CLOSE, 0);
	CHECK_INT(http1_body_next(&b, bytes_str("abc"), &used, &data, &f), HTTP1_MORE);
	CHECK_INT(used, 3);
}
