#include "net/h2_client.h"

#include "base/must.h"
#include "base/tap.h"
#include "net/h2_budget.h"
#include "net/h2_rig.h"

static struct h2_rig rig;

#define GET "GET /ok HTTP/1.1\r\nHost: good.example\r\n\r\n"

TEST(a_request_and_its_answer)
{
	size_t i;

	h2_rig_client(&rig);
	i = h2_rig_ask(
		&rig,
		"GET /ok?a=b HTTP/1.1\r\nHost: good.example\r\nAccept: */*\r\nTE: trailers\r\nConnection: close\r\n\r\n");
	CHECK_INT(rig.n_output, 1);
	CHECK_STR(h2_rig_seen(&rig),
		  "HEADERS 1 end :method=GET|:scheme=https|:authority=good.example|:path=/ok?a=b|"
		  "accept=*/*|te=trailers\n");
	h2_rig_headers(&rig, 1, 0, ":status=200|content-type=text/plain");
	h2_rig_data(&rig, 1, 0, "hi");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(
		h2_rig_said(&rig, i),
		"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n");
	CHECK(!h2_stream_read_done(rig.streams[i].s));
	h2_rig_headers(&rig, 1, H2_RIG_END, "grpc-status=0");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, i), "0\r\ngrpc-status: 0\r\n\r\n");
	CHECK(h2_stream_read_done(rig.streams[i].s));
	CHECK_INT(h2_stream_gone(rig.streams[i].s), H2_OK);
	h2_rig_release(&rig, i);
	CHECK_STR(h2_rig_seen(&rig), "");
	h2_rig_end(&rig);
}

TEST(credentials_enter_no_table_of_the_connections_compression)
{
	h2_rig_client(&rig);
	for (int i = 0; i < 2; i++)
		(void)h2_rig_ask(&rig, "GET /ok HTTP/1.1\r\nHost: good.example\r\nAuthorization: Bearer a\r\nX-Api-Key: b\r\nAccept: c\r\n\r\n");
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 end :method=GET|:scheme=https|:authority=good.example|:path=/ok|authorization=Bearer a|x-api-key=b|accept=c\n"
				     "HEADERS 3 end :method=GET|:scheme=https|:authority=good.example|:path=/ok|authorization=Bearer a|x-api-key=b|accept=c\n");
	CHECK_INT(rig.n_secret, 4);
	h2_rig_end(&rig);
}

/* Only a policy knows what its field is called, or that it is a parameter. */
TEST(beside_a_credential_no_field_enters_a_table_whatever_its_name)
{
	h2_rig_client_wiping(&rig);
	for (int i = 0; i < 2; i++)
		(void)h2_rig_ask(&rig, "GET /ok?mine=a HTTP/1.1\r\nHost: good.example\r\nX-Mine: b\r\nAccept: c\r\n\r\n");
	CHECK_STR(h2_rig_seen(&rig), "HEADERS 1 end :method=GET|:scheme=https|:authority=good.example|:path=/ok?mine=a|x-mine=b|accept=c\n"
				     "HEADERS 3 end :method=GET|:scheme=https|:authority=good.example|:path=/ok?mine=a|x-mine=b|accept=c\n");
	CHECK_INT(rig.n_secret, 6);
	h2_rig_end(&rig);
}

TEST(a_request_with_a_body_in_either_framing)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig,
			 "POST /x HTTP/1.1\r\nHost: good.example\r\nContent-Length: 3\r\n\r\nabc");
	CHECK_STR(
		h2_rig_seen(&rig),
		"HEADERS 1 :method=POST|:scheme=https|:authority=good.example|:path=/x|content-length=3\n"
		"DATA 1 end 3\n");
	(void)h2_rig_ask(
		&rig,
		"POST /x HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n");
	CHECK_STR(h2_rig_seen(&rig),
		  "HEADERS 3 :method=POST|:scheme=https|:authority=good.example|:path=/x\n"
		  "DATA 3 3\nHEADERS 3 end x=y\n");
	h2_rig_end(&rig);
}

TEST(a_call_of_grpc_says_that_trailers_are_welcome)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(
		&rig,
		"POST /s/m HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc+proto\r\n\r\n");
	CHECK_STR(h2_rig_seen(&rig),
		  "HEADERS 1 end :method=POST|:scheme=https|:authority=a|:path=/s/m|"
		  "content-type=application/grpc+proto|te=trailers\n");
	h2_rig_end(&rig);
}

TEST(interim_answers_come_first)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, 0, ":status=100");
	h2_rig_headers(&rig, 1, 0, ":status=103|link=x");
	h2_rig_headers(&rig, 1, H2_RIG_END, ":status=204");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 0),
		  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
		  "HTTP/1.1 204 No Content\r\n\r\n");
	CHECK(h2_stream_read_done(rig.streams[0].s));
	h2_rig_end(&rig);
}

TEST(an_answer_to_head_has_a_length_and_no_body)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, "HEAD /ok HTTP/1.1\r\nHost: good.example\r\n\r\n");
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, ":status=200|content-length=5");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 0), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
	CHECK(h2_stream_read_done(rig.streams[0].s));
	h2_rig_end(&rig);
}

static void check_bad_answer(const char *head, const char *data, const char *want)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	rig.keep_unread = true;
	h2_rig_headers(&rig, 1, data ? 0 : H2_RIG_END, head);
	if (data)
		h2_rig_data(&rig, 1, H2_RIG_END, data);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	if (!CHECK_STR(h2_rig_events(&rig), want))
		printf("# %s\n", head);
	CHECK_STR(h2_rig_said(&rig, 0), "");
	CHECK_STR(h2_rig_seen(&rig), "RST 1 1\n");
	/* other streams live */
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 3, H2_RIG_END, ":status=204");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 1), "HTTP/1.1 204 No Content\r\n\r\n");
	h2_rig_end(&rig);
}

/* E27, E28; every vector of a head stands in h2_head_test.c */
TEST(nothing_of_a_malformed_answer_is_read)
{
	check_bad_answer("x=y", NULL, "gone 1: malformed pseudo header\n");
	check_bad_answer(":status=101", NULL, "gone 1: malformed status\n");
	check_bad_answer(":status=100", NULL, "gone 1: malformed status\n");
	check_bad_answer(":status=200|x=a\nb", NULL, "gone 1: malformed field value\n");
	check_bad_answer(":status=200|connection=x", NULL, "gone 1: connection-specific field\n");
	check_bad_answer(":status=200|content-length=5", "1234",
			 "gone 1: content differs from its length\n");
	check_bad_answer(":status=200|content-length=5", "123456",
			 "gone 1: content differs from its length\n");
	check_bad_answer(":status=204", "x", "gone 1: content differs from its length\n");
	check_bad_answer(":status=304", "x", "gone 1: content differs from its length\n");
	check_bad_answer(":status=103", "x", "gone 1: content differs from its length\n");
}

TEST(content_before_any_head_ends_the_connection)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_data(&rig, 1, H2_RIG_END, "x");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK(strstr(h2_rig_seen(&rig), "GOAWAY 0 ") != NULL);
	CHECK_INT(h2_fault(rig.c), H2_PROTOCOL);
	CHECK_STR(h2_rig_said(&rig, 0), "");
	h2_rig_end(&rig);
}

TEST(interim_answers_without_end_are_refused)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	for (int i = 0; i < H2_INTERIM_MAX; i++)
		h2_rig_headers(&rig, 1, 0, ":status=103|link=x");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "");
	h2_rig_headers(&rig, 1, 0, ":status=103|link=x");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "gone 1: malformed status\n");
	h2_rig_end(&rig);
}

TEST(a_goaway_tells_which_streams_may_be_sent_again)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_ask(&rig,
			 "POST / HTTP/1.1\r\nHost: good.example\r\nContent-Length: 3\r\n\r\nab");
	(void)h2_rig_seen(&rig);
	h2_rig_frame(&rig, H2_RIG_GOAWAY, 0, 0, bytes_of("\0\0\0\1\0\0\0\0", 8));
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "gone 3: not processed by the host\n");
	CHECK_INT(h2_client_room(rig.c), 0);
	CHECK(h2_client_open(rig.c) == NULL);
	CHECK(!h2_finished(rig.c));
	h2_rig_headers(&rig, 1, H2_RIG_END, ":status=204");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 0), "HTTP/1.1 204 No Content\r\n\r\n");
	CHECK_INT(h2_stream_gone(rig.streams[0].s), H2_OK);
	h2_rig_release(&rig, 0);
	(void)h2_rig_seen(&rig);
	CHECK(h2_finished(rig.c));
	h2_rig_end(&rig);
}

TEST(a_request_not_yet_sent_when_goaway_comes_was_not_processed)
{
	size_t i;

	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	i = h2_rig_ask(&rig, GET); /* its HEADERS are still here */
	h2_rig_frame(&rig, H2_RIG_GOAWAY, 0, 0, bytes_of("\0\0\0\1\0\0\0\0", 8));
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_seen(&rig);
	CHECK_STR(h2_rig_events(&rig), "gone 3: not processed by the host\n");
	CHECK(rig.streams[i].s == NULL);
	h2_rig_end(&rig);
}

TEST(a_stream_opened_before_goaway_and_asked_after_was_not_processed)
{
	struct h2_stream *s;

	h2_rig_client(&rig);
	s = h2_client_open(rig.c);
	h2_rig_frame(&rig, H2_RIG_GOAWAY, 0, 0, bytes_of("\0\0\0\0\0\0\0\0", 8));
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(h2_stream_write(s, bytes_str(GET)), strlen(GET));
	(void)h2_rig_seen(&rig);
	CHECK_INT(h2_stream_gone(s), H2_NOT_PROCESSED);
	h2_stream_release(s);
	h2_rig_end(&rig);
}

TEST(a_refused_stream_was_not_processed)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_u32(&rig, H2_RIG_RST, 1, 7);
	h2_rig_u32(&rig, H2_RIG_RST, 3, 2);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig),
		  "gone 1: not processed by the host\ngone 3: given up by the peer\n");
	h2_rig_end(&rig);
}

TEST(a_host_that_has_begun_to_answer_did_process_it)
{
	h2_rig_client(&rig);
	rig.keep_unread = true;
	for (int i = 0; i < 3; i++)
		(void)h2_rig_ask(&rig, "POST / HTTP/1.1\r\nHost: good.example\r\nContent-Length: 2\r\n\r\nab");
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, 0, ":status=200");
	h2_rig_u32(&rig, H2_RIG_RST, 1, 7);
	h2_rig_headers(&rig, 3, 0, ":status=103|link=x");
	h2_rig_u32(&rig, H2_RIG_RST, 3, 7);
	h2_rig_headers(&rig, 5, 0, ":status=200");
	h2_rig_frame(&rig, H2_RIG_GOAWAY, 0, 0, bytes_of("\0\0\0\1\0\0\0\0", 8));
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK(!strstr(h2_rig_events(&rig), "not processed"));
	CHECK(!rig.streams[0].s && !rig.streams[1].s && !rig.streams[2].s);
	h2_rig_end(&rig);
}

TEST(an_answer_before_the_whole_request_is_an_answer)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig,
			 "POST / HTTP/1.1\r\nHost: good.example\r\nContent-Length: 30\r\n\r\nab");
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, H2_RIG_END, ":status=413|content-length=0");
	h2_rig_u32(&rig, H2_RIG_RST, 1, 0);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(h2_stream_gone(rig.streams[0].s), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 0),
		  "HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n");
	h2_rig_say(&rig, 0, "more of what nobody wants");
	CHECK_STR(h2_rig_seen(&rig), "");
	h2_rig_end(&rig);
}

TEST(a_reset_before_the_end_of_an_answer_is_no_answer)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, 0, ":status=200");
	h2_rig_u32(&rig, H2_RIG_RST, 1, 0);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_events(&rig), "gone 1: given up by the peer\n");
	h2_rig_end(&rig);
}

TEST(giving_up_resets_the_stream)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_release(&rig, 0);
	CHECK_STR(h2_rig_seen(&rig), "RST 1 8\n");
	h2_rig_headers(&rig, 1, H2_RIG_END, ":status=200");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	/* a stream that never asked leaves no trace */
	h2_stream_release(h2_client_open(rig.c));
	CHECK_STR(h2_rig_seen(&rig), "");
	h2_rig_end(&rig);
}

TEST(the_hosts_limit_of_streams_is_kept)
{
	h2_rig_client(&rig);
	h2_rig_setting(&rig, 3, 2);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(h2_client_room(rig.c), 2);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_ask(&rig, GET);
	CHECK_INT(h2_client_room(rig.c), 0);
	CHECK(h2_client_open(rig.c) == NULL);
	h2_rig_release(&rig, 0);
	(void)h2_rig_seen(&rig);
	CHECK_INT(h2_client_room(rig.c), 1);
	h2_rig_setting(&rig, 3, 1000000);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_INT(h2_client_room(rig.c), H2_STREAMS_MAX - 1);
	h2_rig_end(&rig);
}

TEST(pushed_streams_end_the_connection)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_frame(&rig, H2_RIG_PUSH, H2_RIG_WHOLE, 1, bytes_of("\0\0\0\2\x82", 5));
	(void)h2_rig_feed(&rig);
	CHECK(strstr(h2_rig_seen(&rig), "GOAWAY 0 1\n") != NULL);
	CHECK_INT(h2_fault(rig.c), H2_PROTOCOL);
	CHECK_STR(h2_rig_events(&rig), "gone 1: frames out of order\n");
	h2_rig_end(&rig);
}

TEST(a_request_that_is_none_is_our_fault)
{
	static const char *const vectors[] = {
		"GET\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
		"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET * HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx",
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n",
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		h2_rig_client(&rig);
		(void)h2_rig_ask(&rig, vectors[i]);
		if (!CHECK_INT(h2_stream_gone(rig.streams[0].s), H2_OURS))
			printf("# vector %zu: %s\n", i, vectors[i]);
		CHECK(strstr(h2_rig_seen(&rig), "HEADERS") == NULL || i >= 7);
		h2_rig_end(&rig);
	}
}

/* F6 the other way: a host floods too */
TEST(a_host_that_floods_is_left)
{
	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, 0, ":status=200");
	for (int i = 0; i <= H2_BUDGET_BURST / H2_COST_EMPTY && h2_fault(rig.c) == H2_OK; i++) {
		h2_rig_data(&rig, 1, 0, "");
		(void)h2_rig_feed(&rig);
	}
	CHECK_INT(h2_fault(rig.c), H2_FLOOD_EMPTY);
	CHECK_STR(h2_rig_events(&rig), "gone 1: the connection ended\n");
	CHECK(strstr(h2_rig_seen(&rig), "GOAWAY 0 11\n") != NULL);
	h2_rig_end(&rig);
}

TEST(an_answer_that_nobody_reads_is_bounded_by_its_window)
{
	static char frame[16384 + 1];
	size_t sent = 0;

	memset(frame, 'x', 16384);
	h2_rig_client(&rig);
	rig.keep_unread = true;
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, 0, ":status=200");
	while (sent < H2_CLIENT_WINDOW) {
		h2_rig_data(&rig, 1, 0, frame);
		sent += 16384;
	}
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_seen(&rig), "");
	CHECK(h2_memory(rig.c) < 2 * H2_CLIENT_WINDOW + 100 * 1000);
	h2_rig_data(&rig, 1, 0, "y");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_seen(&rig), "RST 1 3\n");
	CHECK_STR(h2_rig_events(&rig), "gone 1: frames out of order\n");
	h2_rig_end(&rig);
}

enum { FRAME = 16384, CHUNK = FRAME + 16 };

static void say_frames(const char *frame, unsigned n)
{
	while (n--)
		h2_rig_data(&rig, 1, 0, frame);
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	(void)h2_rig_seen(&rig);
}

static void read_frames(unsigned n)
{
	struct buf got BUF_AUTO = { 0 };

	buf_init(&got, (size_t)n * CHUNK);
	while (n--)
		(void)h2_stream_read(rig.streams[0].s, &got, CHUNK);
	(void)h2_rig_seen(&rig);
}

/* What was read stands before what was not, and the window opens in steps of its half: both together are more than the window. */
TEST(an_answer_that_is_read_by_halves_goes_on)
{
	static char frame[FRAME + 1];

	memset(frame, 'x', FRAME);
	h2_rig_client(&rig);
	rig.keep_unread = true;
	rig.keep_gone = true;
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, 0, ":status=200");
	say_frames(frame, 32);
	read_frames(20); /* the first gives the head */
	say_frames(frame, 1);
	say_frames(frame, 15);
	read_frames(13);
	say_frames(frame, 16);
	CHECK_STR(h2_rig_events(&rig), "");
	CHECK_INT(h2_stream_gone(rig.streams[0].s), H2_OK);
	h2_rig_end(&rig);
}

TEST(a_connection_whose_answers_nobody_reads_takes_no_more_streams)
{
	static char frame[16384 + 1];
	struct buf got BUF_AUTO = { 0 };

	memset(frame, 'x', 16384);
	buf_init(&got, H2_CLIENT_WINDOW);
	h2_rig_client(&rig);
	rig.keep_unread = true;
	for (uint32_t id = 1; id <= 3; id += 2) {
		(void)h2_rig_ask(&rig, GET);
		(void)h2_rig_seen(&rig);
		h2_rig_headers(&rig, id, 0, ":status=200");
		CHECK(h2_client_room(rig.c) > 0);
		for (size_t n = 0; n < H2_CLIENT_WINDOW; n += 16384)
			h2_rig_data(&rig, id, 0, frame);
		CHECK_INT(h2_rig_feed(&rig), H2_OK);
	}
	CHECK_INT(h2_client_room(rig.c), 0);
	while (got.len < H2_CLIENT_WINDOW / 2 && h2_stream_read(rig.streams[0].s, &got, 16384))
		;
	CHECK(h2_client_room(rig.c) > 0);
	h2_rig_end(&rig);
}

TEST(an_answer_that_is_whole_outlives_its_connection)
{
	h2_rig_client(&rig);
	rig.keep_unread = true;
	rig.keep_gone = true;
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	h2_rig_headers(&rig, 1, 0, ":status=200|content-length=2");
	h2_rig_data(&rig, 1, H2_RIG_END, "hi");
	h2_rig_headers(&rig, 3, 0, ":status=200|content-length=4");
	h2_rig_data(&rig, 3, 0, "half");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	h2_eof(rig.c);
	CHECK_STR(h2_rig_events(&rig), "gone 3: the connection ended\n");
	CHECK_STR(h2_rig_said(&rig, 0), "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
	CHECK(h2_stream_read_done(rig.streams[0].s));
	h2_rig_end(&rig);
}

TEST(a_client_that_retires_lets_streams_end_and_takes_back_what_was_not_asked)
{
	struct h2_stream *s;

	h2_rig_client(&rig);
	(void)h2_rig_ask(&rig, GET);
	(void)h2_rig_seen(&rig);
	s = h2_client_open(rig.c);
	h2_drain(rig.c);
	(void)h2_rig_seen(&rig);
	CHECK_INT(h2_stream_gone(s), H2_NOT_PROCESSED);
	CHECK_INT(h2_client_room(rig.c), 0);
	CHECK(!h2_finished(rig.c));
	h2_rig_headers(&rig, 1, H2_RIG_END, ":status=204");
	CHECK_INT(h2_rig_feed(&rig), H2_OK);
	CHECK_STR(h2_rig_said(&rig, 0), "HTTP/1.1 204 No Content\r\n\r\n");
	h2_rig_release(&rig, 0);
	h2_stream_release(s);
	(void)h2_rig_seen(&rig);
	CHECK(h2_finished(rig.c));
	h2_rig_end(&rig);
}

TEST(what_the_host_allows_is_known_with_its_settings)
{
	static const struct h2_ops ops = { 0 };
	struct h2 *c = h2_client_new(&ops, NULL);

	must(c != NULL);
	CHECK(!h2_client_greeted(c));
	CHECK_INT(h2_feed(c, bytes_of("\0\0\0\4\0\0\0\0\0", 9), 0), H2_OK);
	CHECK(h2_client_greeted(c));
	(void)h2_free(c);
}
