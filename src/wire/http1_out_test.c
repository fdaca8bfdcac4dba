#include "wire/http1_out.h"

#include "base/tap.h"

static const char *relay(struct buf *out, const char *text, bool to_head, uint8_t minor, bool keep)
{
	const struct http1_relay r = { .client_minor = minor, .to_head = to_head, .keep = keep };
	struct http1_scan s = { 0 };
	struct http1_length l;
	struct http1_head h;
	enum http1_fault f;
	enum http1_framing framing;
	size_t len;

	buf_init(out, 100000);
	CHECK_INT(http1_response_head(&s, bytes_str(text), &h, &len, &f), HTTP1_DONE);
	CHECK(http1_response_length(&h, to_head, &l, &f));
	framing = http1_answer_canon(&h, &l, &r, out);
	http1_piece(out, framing, bytes_str("hello, world: x"));
	http1_piece(out, framing, bytes_of(NULL, 0));
	http1_last_with(out, framing, bytes_of(NULL, 0));
	return buf_cstr(out);
}

TEST(an_answer_with_a_length_keeps_it)
{
	struct buf out BUF_AUTO;

	CHECK_STR(relay(&out, "HTTP/1.0 200 Fine\r\nContent-Length: 15\r\nX: y\r\n\r\n", false, 1, true),
		  "HTTP/1.1 200 Fine\r\nX: y\r\nContent-Length: 15\r\n\r\nhello, world: x");
}

/* E28 */
TEST(an_answer_without_a_length_or_with_both_is_chunked_again)
{
	static const char *const fields[] = { "", "Transfer-Encoding: chunked\r\n",
					      "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n" };

	for (size_t i = 0; i < 3; i++) {
		struct buf out BUF_AUTO;
		char text[200];

		(void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n%s\r\n", fields[i]);
		CHECK_STR(relay(&out, text, false, 1, true), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
							     "f\r\nhello, world: x\r\n0\r\n\r\n");
	}
}

TEST(a_client_of_http_1_0_gets_its_answer_until_close)
{
	struct buf out BUF_AUTO;

	CHECK_STR(relay(&out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, 0, true),
		  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello, world: x");
}

/* G18, E24, E25 */
TEST(fields_that_steer_elsewhere_or_are_hop_by_hop_stay_behind)
{
	struct buf out BUF_AUTO;

	CHECK_STR(relay(&out,
			"HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\nConnection: keep-alive, x-hop\r\nX-Hop: 1\r\n"
			"Keep-Alive: timeout=5\r\nUpgrade: h2c\r\nTrailer: X\r\nProxy-Authenticate: Basic\r\n"
			"Location: http://evil.example/\r\nContent-Length: 15\r\n\r\n",
			false, 1, false),
		  "HTTP/1.1 200 OK\r\nLocation: http://evil.example/\r\nContent-Length: 15\r\nConnection: close\r\n\r\n"
		  "hello, world: x");
}

TEST(answers_without_a_body_say_only_the_length_that_their_kind_allows)
{
	struct buf out[3];
	const struct http1_length l = { .framing = HTTP1_NO_BODY, .len = 7, .announced = true };
	struct http1_relay r = { .client_minor = 1, .to_head = true, .keep = true };
	struct http1_head h = { .status = 200, .phrase = bytes_str("OK"), .minor = 1 };

	for (size_t i = 0; i < 3; i++)
		buf_init(&out[i], 1000);
	CHECK_INT(http1_answer_canon(&h, &l, &r, &out[0]), HTTP1_NO_BODY);
	CHECK_STR(buf_cstr(&out[0]), "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
	r.to_head = false;
	h.status = 304;
	(void)http1_answer_canon(&h, &l, &r, &out[1]);
	CHECK_STR(buf_cstr(&out[1]), "HTTP/1.1 304 OK\r\nContent-Length: 7\r\n\r\n");
	h.status = 204;
	(void)http1_answer_canon(&h, &l, &r, &out[2]);
	CHECK_STR(buf_cstr(&out[2]), "HTTP/1.1 204 OK\r\n\r\n");
	for (size_t i = 0; i < 3; i++)
		buf_deinit(&out[i]);
}

TEST(trailers_end_a_chunked_body_and_no_other)
{
	struct buf out BUF_AUTO;

	buf_init(&out, 1000);
	http1_last_with(&out, HTTP1_LENGTH, bytes_str("a: b\r\n"));
	http1_last_with(&out, HTTP1_UNTIL_CLOSE, bytes_str("a: b\r\n"));
	http1_last_with(&out, HTTP1_NO_BODY, bytes_str("a: b\r\n"));
	CHECK_INT(out.len, 0);
	http1_last_with(&out, HTTP1_CHUNKED, bytes_str("grpc-status: 0\r\nSet-Cookie: x\r\nb: c\r\n\r\nd: e\r\n"));
	CHECK_STR(buf_cstr(&out), "0\r\ngrpc-status: 0\r\nb: c\r\n\r\n");
}
