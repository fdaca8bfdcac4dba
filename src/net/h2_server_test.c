#include "net/h2_server.h"

#include "base/must.h"
#include "base/tap.h"
#include "net/h2_rig.h"

/* RFC 9113, 7 */
enum { NO_ERROR = 0, PROTOCOL_ERROR = 1, INTERNAL_ERROR = 2, FLOW_CONTROL_ERROR = 3 };

static struct h2_rig rig;

TEST(its_first_word_is_settings_with_its_limits)
{
	const struct h2_ops ops = { 0 };
	struct h2 *c = h2_server_new(&ops, NULL);
	struct buf out BUF_AUTO = { 0 };

	buf_init(&out, 1000);
	h2_take(c, &out, 1000);
	CHECK_INT(out.p[3], H2_RIG_SETTINGS);
	/* MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE */
	CHECK(memcmp(out.p + 9 + 6, "\x00\x03\x00\x00\x00\x80\x00\x04\x00\x01\x00\x00", 12) == 0);
	CHECK(!h2_pending(c));
	(void)h2_free(c);
}

TEST(a_request_without_a_body_and_its_answer)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET "|accept=*/*");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "stream 1\n");
	CHECK_STR(h2_rig_said(&rig, 0),
		  "GET /ok HTTP/1.1\r\nhost: good.example\r\naccept: */*\r\n\r\n");
	CHECK(h2_stream_read_done(rig.streams[0].s));
	CHECK_INT(rig.n_output, 0);
	h2_rig_say(
		&rig, 0,
		"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
	CHECK_INT(rig.n_output, 1);
	CHECK(!h2_stream_sent(rig.streams[0].s));
	CHECK_STR(h2_rig_seen(&rig),
		  "HEADERS 1 :status=200|content-type=text/plain|content-length=2\nDATA 1 end 2\n");
	CHECK(h2_stream_sent(rig.streams[0].s));
	CHECK_INT(h2_stream_gone(rig.streams[0].s), H2_OK);
	h2_rig_release(&rig, 0);
	CHECK_INT(h2_streams(rig.c), 0);
	h2_rig_end(&rig);
}

TEST(the_end_of_a_stream_goes_with_its_last_frame_whatever_the_framing)
{
	static const struct {
		const char *answer;
		const char *want;
	} vectors[] = {
		{ "HTTP/1.1 204 No Content\r\n\r\n", "HEADERS 1 end :status=204\n" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		  "HEADERS 1 end :status=200|content-length=0\n" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		  "HEADERS 1 :status=200\nDATA 1 end 2\n" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		  "HEADERS 1 :status=200\nDATA 1 end 0\n" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nGrpc-Status: 0 \r\nx:y\r\n\r\n",
		  "HEADERS 1 :status=200\nDATA 1 2\nHEADERS 1 end grpc-status=0|x=y\n" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nGrpc-Status: 5\r\n\r\n",
		  "HEADERS 1 :status=200\nHEADERS 1 end grpc-status=5\n" },
		{ "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
		  "HEADERS 1 :status=103|link=x\nHEADERS 1 :status=100\nHEADERS 1 end :status=204\n" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		for (size_t step = 1; step < 80; step += i + 1) {
			const char *p = vectors[i].answer;
			struct bytes rest = bytes_str(p);

			h2_rig_server(&rig);
			h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
			CHECK_INT(h2_rig_feed(&rig), H2_OK);
			while (rest.len) {
				size_t n = rest.len < step ? rest.len : step;

				CHECK_INT(h2_stream_write(rig.streams[0].s, bytes_of(rest.p, n)),
					  n);
				rest = bytes_skip(rest, n);
			}
			if (!CHECK_STR(h2_rig_seen(&rig), vectors[i].want))
				printf("# vector %zu in steps of %zu\n", i, step);
			h2_rig_end(&rig);
		}
}

TEST(a_head_request_keeps_the_length_of_the_answer_it_does_not_get)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END,
		       ":method=HEAD|:scheme=https|:authority=good.example|:path=/");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 end :status=200|content-length=5\n");
	h2_rig_end(&rig);
}

TEST(a_body_that_lasts_until_the_end_ends_there)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\n\r\nhi");
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 :status=200\nDATA 1 2\n");
	h2_stream_end(rig.streams[0].s);
	CHECK_STR(h2_rig_seen(&rig), "DATA 1 end 0\n");
	h2_rig_end(&rig);
}

TEST(an_answer_that_is_none_or_is_cut_resets_the_stream)
{
	static const char *const vectors[] = {
		"SSH-2.0-x\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n",
		/* cut */
		"HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"",
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		h2_rig_server(&rig);
		rig.keep_gone = true;
		h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		h2_rig_say(&rig, 0, vectors[i]);
		CHECK_INT(h2_stream_gone(rig.streams[0].s), i < 5 ? H2_OURS : H2_OK);
		h2_stream_end(rig.streams[0].s);
		CHECK_INT(h2_stream_gone(rig.streams[0].s), H2_OURS);
		if (!CHECK_STR(h2_rig_seen(&rig), "RST 1 2\n"))
			printf("# vector %zu: %s\n", i, vectors[i]);
		h2_rig_end(&rig);
	}
}

TEST(bodies_come_chunked_or_with_the_length_that_was_said)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	h2_rig_data(&rig, 1, 0, "one");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(
		h2_rig_said(&rig, 0),
		"POST /ok HTTP/1.1\r\nhost: good.example\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n");
	h2_rig_data(&rig, 1, 0, "two");
	h2_rig_data(&rig, 1, 0, "three four five six");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 0), "16\r\ntwothree four five six\r\n");
	CHECK(!h2_stream_read_done(rig.streams[0].s));
	h2_rig_data(&rig, 1, H2_RIG_END, "");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 0), "0\r\n\r\n");
	CHECK(h2_stream_read_done(rig.streams[0].s));

	h2_rig_headers(&rig, 3, 0, H2_RIG_POST "|content-length=6");
	h2_rig_data(&rig, 3, 0, "one");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 1),
		  "POST /ok HTTP/1.1\r\nhost: good.example\r\ncontent-length: 6\r\n\r\none");
	h2_rig_data(&rig, 3, H2_RIG_END, "two");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 1), "two");
	CHECK(h2_stream_read_done(rig.streams[1].s));
	h2_rig_end(&rig);
}

TEST(trailers_of_a_request_end_its_chunks)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	h2_rig_data(&rig, 1, 0, "one");
	h2_rig_headers(&rig, 1, H2_RIG_END, "x-sum=1|x-y=z");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(strstr(h2_rig_said(&rig, 0), "\r\n\r\n"),
		  "\r\n\r\n3\r\none\r\n0\r\nx-sum: 1\r\nx-y: z\r\n\r\n");
	CHECK(h2_stream_read_done(rig.streams[0].s));
	h2_rig_end(&rig);
}

/* F3: and the last byte of a body is held back until it is known to be the last, so nobody acts on a message that is none */
TEST(content_that_differs_from_its_length_never_makes_a_whole_request)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST "|content-length=3");
	h2_rig_data(&rig, 1, 0, "abc");
	h2_rig_headers(&rig, 3, 0, H2_RIG_POST "|content-length=3");
	h2_rig_data(&rig, 3, 0, "abc");
	h2_rig_headers(&rig, 5, 0, H2_RIG_POST "|content-length=3");
	h2_rig_data(&rig, 5, 0, "abc");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	for (size_t i = 0; i < 3; i++)
		CHECK(bytes_ends(bytes_str(h2_rig_said(&rig, i)), bytes_str("\r\n\r\nab")));
	(void)h2_rig_events(&rig);
	h2_rig_data(&rig, 1, H2_RIG_END, "d");
	h2_rig_data(&rig, 3, H2_RIG_END, "");
	h2_rig_headers(&rig, 5, H2_RIG_END, "x=y");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "gone 1: content differs from its length\n");
	CHECK_STR(h2_rig_said(&rig, 0), "");
	CHECK_STR(h2_rig_said(&rig, 1), "c");
	CHECK_STR(h2_rig_said(&rig, 2), "c");
	CHECK_STR(h2_rig_seen(&rig), "RST 1 1\n");
	h2_rig_headers(&rig, 7, 0, H2_RIG_POST "|content-length=3");
	h2_rig_data(&rig, 7, H2_RIG_END, "ab");
	h2_rig_headers(&rig, 9, 0, H2_RIG_POST "|content-length=0");
	h2_rig_data(&rig, 9, 0, "x");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "malformed 7: content differs from its length\n"
				       "malformed 9: content differs from its length\n");
	CHECK_STR(h2_rig_seen(&rig), "RST 7 1\nRST 9 1\n");
	h2_rig_end(&rig);
}

/* F1, F2, F3 on the connection; every vector stands in h2_head_test.c */
TEST(a_malformed_stream_ends_alone_and_is_told_once)
{
	static const char *const vectors[] = {
		"X-Y=z",  "x=a\r\nb", "connection=close", "content-length=x", "host=evil.example",
		"te=gzip"
	};
	uint32_t id = 3;

	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_events(&rig);
	(void)h2_rig_said(&rig, 0);
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++, id += 2) {
		char fields[256];
		char want[64];

		(void)snprintf(fields, sizeof(fields), "%s|%s", H2_RIG_POST, vectors[i]);
		h2_rig_headers(&rig, id, 0, fields);
		h2_rig_data(&rig, id, 0, "canary");
		h2_rig_headers(&rig, id, H2_RIG_END, "x=y");
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		(void)snprintf(want, sizeof(want), "malformed %u: ", (unsigned)id);
		CHECK(bytes_starts(bytes_str(h2_rig_events(&rig)), bytes_str(want)));
		CHECK_STR(h2_rig_events(&rig), "");
		(void)snprintf(want, sizeof(want), "RST %u 1\n", (unsigned)id);
		CHECK_STR(h2_rig_seen(&rig), want);
		CHECK_INT(h2_streams(rig.c), 1);
	}
	h2_rig_data(&rig, 1, H2_RIG_END, "alive");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 0), "5\r\nalive\r\n0\r\n\r\n");
	h2_rig_say(&rig, 0, "HTTP/1.1 204 No Content\r\n\r\n");
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 end :status=204\n");
	h2_rig_end(&rig);
}

TEST(malformed_trailers_end_a_request_before_its_end)
{
	static const struct {
		unsigned flags;
		const char *fields;
		const char *want;
	} vectors[] = {
		{ 0, "x=y", "gone 1: malformed trailers\n" },
		{ H2_RIG_END, ":path=/", "gone 1: malformed trailers\n" },
		{ H2_RIG_END, "x=a\nb", "gone 1: malformed field value\n" },
		{ H2_RIG_END, "transfer-encoding=chunked", "gone 1: connection-specific field\n" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		h2_rig_server(&rig);
		h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		(void)h2_rig_events(&rig);
		h2_rig_headers(&rig, 1, vectors[i].flags, vectors[i].fields);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		CHECK_STR(h2_rig_events(&rig), vectors[i].want);
		CHECK(strstr(h2_rig_said(&rig, 0), "0\r\n") == NULL);
		CHECK_STR(h2_rig_seen(&rig), "RST 1 1\n");
		h2_rig_end(&rig);
	}
}

static void fill(char *text, size_t len)
{
	memset(text, 'x', len);
	text[len] = '\0';
}

TEST(windows_open_only_as_the_owner_reads)
{
	static char frame[16384 + 1];
	struct buf some BUF_AUTO = { 0 };

	fill(frame, 16384);
	buf_init(&some, 100000);
	h2_rig_server(&rig);
	rig.keep_unread = true;
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	for (int i = 0; i < 4; i++)
		h2_rig_data(&rig, 1, 0, frame);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_seen(&rig), "");
	CHECK(h2_memory(rig.c) > H2_SERVER_WINDOW);
	/* 69 bytes of head, 39915 of content, 8 of framing */
	CHECK_INT(h2_stream_read(rig.streams[0].s, &some, 40000), 39992);
	CHECK_STR(h2_rig_seen(&rig), "WINDOW 1 39915\n");
	CHECK_INT(h2_stream_read(rig.streams[0].s, &some, 60000), H2_SERVER_WINDOW - 39915 + 8);
	CHECK_INT(h2_stream_read(rig.streams[0].s, &some, 60000), 0);
	h2_rig_data(&rig, 1, 0, frame);
	h2_rig_data(&rig, 1, 0, frame);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "stream 1\n");
	h2_rig_end(&rig);
}

TEST(a_window_overrun_ends_its_stream)
{
	static char frame[16384 + 1];

	fill(frame, 16384);
	h2_rig_server(&rig);
	rig.keep_unread = true;
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	for (int i = 0; i < 4; i++)
		h2_rig_data(&rig, 1, 0, frame);
	h2_rig_data(&rig, 1, 0, "y");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_seen(&rig), "RST 1 3\n");
	CHECK_INT(h2_streams(rig.c), 0);
	h2_rig_end(&rig);
}

/* Padding, data of dead streams and data of released ones are nobody's to read: their window comes back by itself. */
TEST(the_connections_window_leaks_nothing)
{
	static char frame[16000 + 1];
	static char padded[257 + 1];
	size_t rounds = (size_t)3 * H2_SERVER_WINDOW_ALL / 16000;
	uint32_t id = 1;

	fill(frame, 16000);
	fill(padded, 257);
	padded[0] = (char)255;
	h2_rig_server(&rig);
	h2_rig_headers(&rig, id, 0, H2_RIG_POST);
	for (size_t i = 0; i < rounds; i++) {
		if (i % 3 == 0) {
			h2_rig_u32(&rig, H2_RIG_RST, id, 8);
			id += 2;
			h2_rig_headers(&rig, id, 0, i % 2 ? H2_RIG_POST : H2_RIG_POST "|X=y");
		}
		h2_rig_data(&rig, id, 0, frame);
		if (i % 2)
			h2_rig_frame(&rig, H2_RIG_DATA, H2_RIG_PADDED, id, bytes_of(padded, 257));
		if (!CHECK_INT(h2_rig_feed(&rig), H2_OK))
			break;
		(void)h2_rig_seen(&rig);
		rig.now_ms += 1000;
	}
	CHECK(h2_memory(rig.c) < 200 * 1000);
	h2_rig_end(&rig);
}

TEST(an_answer_waits_for_the_windows_and_its_owner_is_woken)
{
	static char body[100 * 1000 + 1];
	size_t n;

	fill(body, sizeof(body) - 1);
	h2_rig_server(&rig);
	h2_rig_setting(&rig, 4, 1000);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_seen(&rig);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	CHECK_INT(h2_stream_room(rig.streams[0].s), 1000);
	CHECK_INT(h2_stream_write(rig.streams[0].s, bytes_str(body)), 1000);
	CHECK_INT(h2_stream_room(rig.streams[0].s), 0);
	rig.n_wakes = 0;
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 :status=200|content-length=100000\nDATA 1 1000\n");
	CHECK_INT(rig.n_wakes, 0);
	CHECK(h2_stalled(rig.c));
	h2_rig_u32(&rig, H2_RIG_WINDOW, 1, 500);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(rig.n_wakes, 1);
	CHECK(!h2_stalled(rig.c));
	CHECK_INT(h2_stream_write(rig.streams[0].s, bytes_str(body)), 500);
	CHECK_STR(h2_rig_seen(&rig), "DATA 1 500\n");
	/* now the connection's window of 65535 is the smaller one */
	h2_rig_u32(&rig, H2_RIG_WINDOW, 1, 1000000);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	n = h2_stream_write(rig.streams[0].s, bytes_str(body));
	CHECK_INT(n, 65535 - 1500);
	(void)h2_rig_seen(&rig);
	rig.n_wakes = 0;
	CHECK(h2_stalled(rig.c));
	h2_rig_u32(&rig, H2_RIG_WINDOW, 0, 100000);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(rig.n_wakes, 1);
	n = 100000 - 1500 - n;
	CHECK_INT(h2_stream_write(rig.streams[0].s, bytes_of(body, n)), n);
	(void)h2_rig_seen(&rig);
	CHECK(h2_stream_sent(rig.streams[0].s));
	CHECK(!h2_stalled(rig.c));
	h2_rig_end(&rig);
}

TEST(an_answer_that_fills_the_window_exactly_still_ends)
{
	h2_rig_server(&rig);
	h2_rig_setting(&rig, 4, 10);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_seen(&rig);
	h2_rig_say(
		&rig, 0,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\nx: y\r\n\r\n");
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 :status=200\nDATA 1 10\nHEADERS 1 end x=y\n");
	h2_rig_end(&rig);
}

TEST(framing_is_taken_without_room_and_content_is_not)
{
	static const char answer[] =
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n5\r\nhello\r\n";

	h2_rig_server(&rig);
	h2_rig_setting(&rig, 4, 10);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_seen(&rig);
	CHECK_INT(h2_stream_write(rig.streams[0].s, bytes_str(answer)),
		  strlen(answer) - strlen("hello\r\n"));
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 :status=200\nDATA 1 10\n");
	h2_rig_end(&rig);
}

TEST(what_a_dead_stream_left_unread_holds_neither_memory_nor_window)
{
	static char frame[16000 + 1];

	fill(frame, 16000);
	h2_rig_server(&rig);
	rig.keep_unread = true;
	rig.keep_gone = true;
	for (uint32_t id = 1; id < 2 * H2_STREAMS_MAX; id += 2) {
		h2_rig_headers(&rig, id, 0, H2_RIG_POST);
		h2_rig_data(&rig, id, 0, frame);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		h2_rig_u32(&rig, H2_RIG_RST, id, 8);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		(void)h2_rig_seen(&rig);
	}
	CHECK_INT(h2_streams(rig.c), H2_STREAMS_MAX);
	CHECK_INT(h2_fault(rig.c), H2_OK);
	h2_rig_end(&rig);
}

TEST(nothing_more_is_wanted_of_a_guest_that_does_not_read)
{
	h2_rig_server(&rig);
	for (unsigned i = 0; i < H2_QUEUE_MAX; i++) {
		CHECK(h2_wants(rig.c));
		h2_rig_frame(&rig, H2_RIG_PING, 0, 0, bytes_str("12345678"));
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
	}
	CHECK(!h2_wants(rig.c));
	CHECK_INT(h2_fault(rig.c), H2_OK);
	(void)h2_rig_seen(&rig);
	CHECK(h2_wants(rig.c));
	h2_rig_end(&rig);
}

TEST(one_stream_with_much_to_send_does_not_hold_back_the_others)
{
	static char body[60 * 1000 + 1];

	fill(body, sizeof(body) - 1);
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	h2_rig_headers(&rig, 3, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n");
	CHECK_INT(h2_stream_write(rig.streams[0].s, bytes_str(body)), 60000);
	h2_rig_say(&rig, 1, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nevent");
	CHECK(strstr(h2_rig_seen(&rig), "DATA 1 16384\nDATA 3 end 5\nDATA 1 16384\n") != NULL);
	h2_rig_end(&rig);
}

TEST(a_guest_that_gives_up_is_heard_and_what_it_left_is_dropped)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_events(&rig);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab");
	rig.keep_gone = true;
	h2_rig_u32(&rig, H2_RIG_RST, 1, 8);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "gone 1: given up by the peer\n");
	CHECK_INT(h2_streams(rig.c), 1);
	h2_rig_say(&rig, 0, "anything at all");
	CHECK_STR(h2_rig_seen(&rig), "");
	h2_rig_release(&rig, 0);
	CHECK_INT(h2_streams(rig.c), 0);
	h2_rig_end(&rig);
}

TEST(a_request_that_its_owner_refuses_may_be_asked_again)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	h2_rig_headers(&rig, 3, 0, H2_RIG_POST);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	for (size_t i = 0; i < 2; i++) {
		h2_stream_refuse(rig.streams[i].s);
		rig.streams[i].s = NULL;
	}
	CHECK_STR(h2_rig_seen(&rig), "RST 1 7\nRST 3 7\n");
	CHECK_INT(h2_streams(rig.c), 0);
	h2_rig_data(&rig, 3, H2_RIG_END, "it was on its way");
	h2_rig_headers(&rig, 5, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(h2_streams(rig.c), 1);
	h2_rig_end(&rig);
}

static void early(uint32_t id)
{
	size_t i = rig.n_streams;

	h2_rig_headers(&rig, id, 0, H2_RIG_POST);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, i, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
	h2_rig_release(&rig, i);
}

TEST(a_request_that_was_answered_may_come_to_its_end_unread)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST "|content-length=9");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, 0, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
	h2_rig_release(&rig, 0);
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 :status=403|content-length=2\nDATA 1 end 2\n");
	h2_rig_data(&rig, 1, 0, "late");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_data(&rig, 1, H2_RIG_END, "later");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_seen(&rig), "");
	h2_drain(rig.c);
	(void)h2_rig_seen(&rig);
	CHECK(h2_finished(rig.c));
	h2_rig_end(&rig);
}

/* Not in the turn of the answer: curl 7.88 would lose it. */
TEST(a_request_that_goes_on_after_its_answer_is_reset_without_an_error)
{
	static char frame[16000 + 1];
	size_t sent = 0;

	fill(frame, 16000);
	h2_rig_server(&rig);
	early(1);
	while (sent <= H2_LINGER_MAX) {
		h2_rig_data(&rig, 1, 0, frame);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		CHECK(strstr(h2_rig_seen(&rig), "RST") == NULL);
		sent += 16000;
	}
	h2_rig_data(&rig, 1, 0, "x");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_seen(&rig), "RST 1 0\n");
	CHECK_INT(h2_fault(rig.c), H2_OK);
	h2_rig_end(&rig);
}

TEST(few_requests_linger)
{
	unsigned n_reset = 0;

	h2_rig_server(&rig);
	for (uint32_t id = 1; id < 2 * H2_STREAMS_MAX; id += 2) {
		early(id);
		n_reset += strstr(h2_rig_seen(&rig), "RST") != NULL;
	}
	CHECK_INT(n_reset, H2_STREAMS_MAX - H2_LINGER_STREAMS - 1);
	h2_rig_end(&rig);
}

TEST(an_answer_written_whole_is_sent_though_its_owner_left)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	h2_rig_headers(&rig, 3, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	h2_rig_release(&rig, 0);
	h2_rig_release(&rig, 1);
	CHECK_STR(h2_rig_seen(&rig),
		  "HEADERS 1 :status=200|content-length=2\nRST 3 2\nDATA 1 end 2\n");
	CHECK_INT(h2_streams(rig.c), 0);
	h2_rig_end(&rig);
}

TEST(no_more_streams_than_the_limit)
{
	uint32_t id = 1;

	h2_rig_server(&rig);
	for (size_t i = 0; i < H2_STREAMS_MAX; i++, id += 2)
		h2_rig_headers(&rig, id, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(h2_streams(rig.c), H2_STREAMS_MAX);
	/* given up by the guest, not yet released by its owner: it still counts */
	rig.keep_gone = true;
	h2_rig_u32(&rig, H2_RIG_RST, 1, 8);
	h2_rig_headers(&rig, id, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(h2_streams(rig.c), H2_STREAMS_MAX);
	CHECK_STR(h2_rig_seen(&rig), "RST 257 7\n");
	/* and one more is against our SETTINGS */
	h2_rig_headers(&rig, id + 2, H2_RIG_END, H2_RIG_GET);
	h2_rig_headers(&rig, id + 4, H2_RIG_END, H2_RIG_GET);
	(void)h2_rig_feed(&rig);
	CHECK_INT(h2_streams(rig.c), H2_STREAMS_MAX);
	CHECK(h2_memory(rig.c) < 1000 * 1000);
	h2_rig_end(&rig);
}

TEST(broken_frames_end_the_connection)
{
	static const struct {
		const char *bytes;
		size_t len;
	} vectors[] = {
#define B(text) { text, sizeof(text) - 1 }
		B("GET / HTTP/1.1\r\n\r\n"), /* no frame of a sane length */
		B("\0\0\5\1\5\0\0\0\1\xff\xff\xff\xff\xff"), /* HPACK */
		B("\0\0\1\0\0\0\0\0\x0dx"), /* DATA on a stream that is idle */
		B("\0\0\1\0\0\0\0\0\0x"), /* DATA on the connection */
		B("\0\0\0\1\5\0\0\0\2"), /* a stream of our side */
		B("\0\0\1\6\0\0\0\0\0x"), /* PING of a byte */
		B("\0\0\5\2\0\0\0\0\0\0\0\0\0\0"), /* PRIORITY of no stream */
		B("\0\0\4\x05\4\0\0\0\1\0\0\0\2"), /* PUSH_PROMISE */
		B("\0\0\4\x08\0\0\0\0\0\0\0\0\0"), /* WINDOW_UPDATE of nothing */
		B("\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff"), /* and over the top */
		B("\0\0\0\x09\4\0\0\0\1"), /* CONTINUATION of nothing */
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		h2_rig_server(&rig);
		h2_rig_headers(&rig, 11, 0, H2_RIG_POST);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		(void)h2_rig_events(&rig);
		(void)h2_feed(rig.c, bytes_of(vectors[i].bytes, vectors[i].len), rig.now_ms);
		if (!CHECK(strstr(h2_rig_seen(&rig), "GOAWAY 0 ") != NULL) ||
		    !CHECK_INT(h2_fault(rig.c), H2_PROTOCOL))
			printf("# vector %zu\n", i);
		CHECK_STR(h2_rig_events(&rig), "gone 11: the connection ended\n");
		CHECK(h2_finished(rig.c));
		h2_rig_end(&rig);
	}
}

TEST(a_client_that_speaks_no_http2_is_refused)
{
	const struct h2_ops ops = { 0 };
	struct h2 *c = h2_server_new(&ops, NULL);

	CHECK_INT(h2_feed(c, bytes_str("GET / HTTP/1.1\r\nHost: good.example\r\n\r\n"), 0),
		  H2_PROTOCOL);
	CHECK(!h2_wants(c));
	(void)h2_free(c);
}

TEST(draining_lets_streams_end_and_takes_no_new_ones)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_events(&rig);
	h2_drain(rig.c);
	CHECK_INT(rig.n_output, 1);
	h2_rig_headers(&rig, 3, H2_RIG_END, H2_RIG_GET); /* it cannot know yet */
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "");
	CHECK_STR(h2_rig_seen(&rig), "GOAWAY 0 0\nRST 3 7\n");
	h2_rig_headers(&rig, 5, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "");
	CHECK(!h2_finished(rig.c));
	h2_rig_say(&rig, 0, "HTTP/1.1 204 No Content\r\n\r\n");
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 end :status=204\n");
	h2_rig_release(&rig, 0);
	CHECK(h2_finished(rig.c));
	h2_rig_end(&rig);
}

TEST(closing_says_why_and_ends_all_streams)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_events(&rig);
	h2_close(rig.c, H2_STALLED);
	CHECK_STR(h2_rig_events(&rig), "gone 1: the connection ended\n");
	CHECK_STR(h2_rig_seen(&rig), "GOAWAY 0 11\n");
	CHECK(h2_finished(rig.c));
	CHECK_INT(h2_fault(rig.c), H2_STALLED);
	h2_rig_end(&rig);
}

TEST(an_answer_that_closing_cuts_does_not_look_whole)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	h2_close(rig.c, H2_STALLED);
	CHECK(strstr(h2_rig_seen(&rig), "end") == NULL);
	h2_rig_end(&rig);
}

TEST(the_end_of_the_socket_ends_all_streams)
{
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, H2_RIG_GET);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_events(&rig);
	h2_eof(rig.c);
	CHECK_STR(h2_rig_events(&rig), "gone 1: the connection ended\n");
	CHECK_INT(h2_fault(rig.c), H2_OK);
	h2_rig_end(&rig);
}

TEST(bytes_may_come_and_go_one_at_a_time)
{
	struct buf out BUF_AUTO = { 0 };
	struct buf in BUF_AUTO = { 0 };

	buf_init(&in, 10000);
	h2_rig_server(&rig);
	h2_rig_headers(&rig, 1, 0, H2_RIG_POST);
	h2_rig_data(&rig, 1, H2_RIG_END, "hi");
	(void)buf_bytes(&in, buf_view(&rig.in));
	buf_reset(&rig.in);
	for (size_t i = 0; i < in.len; i++)
		CHECK_INT(h2_feed(rig.c, bytes_of(in.p + i, 1), rig.now_ms), H2_OK);
	CHECK(bytes_ends(bytes_str(h2_rig_said(&rig, 0)),
			 bytes_str("chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n")));
	h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	while (h2_pending(rig.c)) {
		buf_init(&out, 1);
		h2_take(rig.c, &out, 1);
		must(out.len == 1 || !h2_pending(rig.c));
		(void)buf_bytes(&rig.out, buf_view(&out));
		buf_deinit(&out);
	}
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 :status=200|content-length=2\nDATA 1 end 2\n");
	h2_rig_end(&rig);
}

TEST(an_idle_connection_holds_little)
{
	h2_rig_server(&rig);
	for (unsigned i = 0; i < 200; i++) {
		h2_rig_headers(&rig, 2 * i + 1, H2_RIG_END, H2_RIG_GET);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
		h2_rig_say(&rig, 0, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
		(void)h2_rig_seen(&rig);
		h2_rig_release(&rig, 0);
		buf_deinit(&rig.streams[0].text);
		rig.n_streams = 0;
	}
	printf("# idle: %zu bytes\n", h2_memory(rig.c));
	CHECK(h2_memory(rig.c) < 48 * 1024);
	h2_rig_end(&rig);
}
