#include "proxy/http_rig.h"

#include "base/tap.h"
#include "crypt/secret.h"
#include "crypt/secure_heap.h"
#include "os/fd.h"

#define TRAILED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"

TEST(trailers_that_may_pass_do_and_no_others)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET);
	http_rig_reply(0, TRAILED "grpc-status: 0\r\nSet-Cookie: a=b\r\nContent-Length: 7\r\nGrpc-Message:  all well \r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), TRAILED "grpc-status: 0\r\nGrpc-Message: all well\r\n\r\n");
	http_rig_ask(GET);
	http_rig_reply(0, TRAILED "\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), TRAILED "\r\n"); /* nothing of the answer before */
	CHECK_INT(http_rig.n_dials, 1);
	http_rig_end();
}

TEST(trailers_of_a_request_pass_and_nothing_that_steers)
{
	http_rig_start(http_flow_start);
	http_rig_ask(CHUNKED "2\r\nhi\r\n0\r\nX-Checksum: 1\r\nAuthorization: Bearer x\r\nHost: evil.example\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]),
		  "POST /ok HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Checksum: 1\r\n\r\n");
	http_rig_reply(0, OK);
	http_rig_ask(CHUNKED "0\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	http_rig_end();
}

TEST(cookies_of_answers_stay_outside_where_policy_says_so_and_it_is_noted)
{
	struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = POLICY_NONE };

	for (int strip = 0; strip < 2; strip++) {
		entry.strip_set_cookie = strip;
		http_rig_start_entry(http_flow_start, &entry);
		http_rig_ask(GET);
		http_rig_reply(0, "HTTP/1.1 200 OK\r\nA: 1\r\nset-cookie: a=b\r\nSet-Cookie: c=d\r\nSET-COOKIE2: e\r\nB: 2\r\nContent-Length: 0\r\n\r\n");
		CHECK_STR(http_rig_seen(&http_rig.got),
			  strip ? "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nContent-Length: 0\r\n\r\n" :
				  "HTTP/1.1 200 OK\r\nA: 1\r\nset-cookie: a=b\r\nSet-Cookie: c=d\r\nSET-COOKIE2: e\r\nB: 2\r\nContent-Length: 0\r\n\r\n");
		CHECK_INT(http_rig.n_events, 1 + strip);
		if (strip)
			CHECK_STR(http_rig.events[1], "closed ok GET /ok site/1 (read) 200 stripped from the answer: set-cookie");
		http_rig_end();
	}
}

/* --- rules that expect the credential back --- */

#define SECRET "s3cr3t-Value.0123456789"
#define CHUNKED_OK "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

static void guard_memory(void)
{
	static bool made;

	if (!made)
		(void)secure_heap_init_sized((size_t)1 << 20, &made);
}

static void ask_reflective(void)
{
	const struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = 0, .reflective = true };

	guard_memory();
	http_rig_start_entry(http_flow_start, &entry);
	http_rig.secret = SECRET;
	http_rig_ask("GET /ok HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\nRange: bytes=3-9\r\n\r\n");
}

static void start_reflective(void)
{
	ask_reflective();
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "GET /ok HTTP/1.1\r\nHost: good.example\r\nAccept-Encoding: identity\r\nAuthorization: Bearer " SECRET "\r\n\r\n");
}

static void check_reflected(bool begun)
{
	http_rig_settle();
	CHECK(!strstr(buf_cstr(&http_rig.got), "s3cr3t"));
	CHECK(strncmp(http_rig.events[1], "failed credential_reflected GET /ok site/1 (read) 502", 53) == 0);
	CHECK_INT(http_rig.n_events, http_rig.flow ? 2 : 3); /* the flow's own end is the third */
	CHECK(begun ? !http_rig.flow : strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	CHECK(http_rig_origin_at_end(0));
	http_rig_end();
}

TEST(h4_an_answer_that_shows_the_credential_never_reaches_the_guest)
{
	static const struct {
		const char *answer;
		bool begun; /* its head was good */
	} vectors[] = {
		{ "HTTP/1.1 200 OK\r\nX-Echo: Bearer " SECRET "\r\nContent-Length: 0\r\n\r\n", false },
		{ "HTTP/1.1 200 " SECRET "\r\nContent-Length: 0\r\n\r\n", false },
		{ "HTTP/1.1 200 OK\r\n" SECRET ": x\r\nContent-Length: 0\r\n\r\n", false },
		{ "HTTP/1.1 103 Early Hints\r\nLink: <" SECRET ">\r\n\r\n" OK, false },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n" SECRET, true },
		{ "HTTP/1.1 500 No\r\n\r\n{\"you\":\"Bearer " SECRET "\"}", true },
		{ CHUNKED_OK "9\r\ns3cr3t-Va\r\n1\r\nl\r\nd\r\nue.0123456789\r\n0\r\n\r\n", true },
		{ CHUNKED_OK "1\r\nx\r\n0\r\nX-Echo: " SECRET "\r\n\r\n", true },
		{ CHUNKED_OK "20\r\nczNjcjN0LVZhbHVlLjAxMjM0NTY3ODk=\r\n0\r\n\r\n", true },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		start_reflective();
		http_rig_reply(0, vectors[i].answer);
		check_reflected(vectors[i].begun);
	}
}

TEST(h5_a_credential_that_comes_byte_by_byte_is_seen_before_its_first_byte_passes)
{
	start_reflective();
	http_rig_reply(0, CHUNKED_OK "5\r\nbegin\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), CHUNKED_OK "5\r\nbegin\r\n");
	for (const char *c = SECRET; *c; c++) {
		char chunk[16];

		(void)snprintf(chunk, sizeof(chunk), "1\r\n%c\r\n", *c);
		CHECK_INT(http_rig.got.len, 0);
		http_rig_reply(0, chunk);
	}
	CHECK_INT(http_rig.got.len, 0);
	check_reflected(true);
}

/* Guarded memory is as large as what the workspace's secrets fill. */
TEST(however_many_answers_are_scanned_for_one_value_there_is_room_for_the_next)
{
	enum { MANY = 4000, LONG = 8 * 1024 };
	static char value[LONG + 1];
	static struct http_watch *all[MANY];
	struct http_watch *fresh;

	guard_memory();
	memset(value, 'v', LONG);
	for (size_t i = 0; i < MANY; i++)
		CHECK((all[i] = http_watch_new(bytes_str(value))));
	value[0] = 'w';
	fresh = http_watch_new(bytes_str(value));
	CHECK(fresh && http_watch_leaks(fresh, bytes_str(value)) && (!all[0] || !http_watch_leaks(all[0], bytes_str(value))));
	http_watch_free(fresh);
	value[0] = 'v';
	for (size_t i = 0; i < MANY; i++) {
		CHECK(!all[i] || http_watch_leaks(all[i], bytes_str(value)));
		http_watch_free(all[i]);
	}
}

TEST(a_value_that_no_answer_is_scanned_for_any_more_takes_no_guarded_memory)
{
	static char value[8 * 1024 + 1];
	struct http_watch *w;

	guard_memory();
	memset(value, 'v', sizeof(value) - 1);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(value, sizeof(value), "%d", i);
		value[strlen(value)] = 'v';
		w = http_watch_new(bytes_str(value));
		CHECK(w && http_watch_leaks(w, bytes_str(value)));
		http_watch_free(w);
	}
}

TEST(a_request_whose_answer_could_not_be_scanned_for_want_of_memory_is_not_sent)
{
	static struct secret *all[64 * 1024];
	size_t n = 0;

	guard_memory();
	while ((all[n] = secret_new_empty(1)))
		n++;
	ask_reflective();
	while (n)
		(void)secret_free(all[--n]);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "");
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK(strncmp(http_rig.events[1], "failed too_many_flows GET /ok ", 30) == 0);
	http_rig_end();
	CHECK_INT(http_rig.n_events, 2);
	start_reflective();
	http_rig_end();
}

TEST(what_only_begins_like_the_credential_passes_whole)
{
	start_reflective();
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhi s3cr3t-Va");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nhi s3cr3t-Va");
	http_rig_ask(GET);
	http_rig_reply(0, "HTTP/1.1 200 OK\r\n\r\nhi s3cr");
	CHECK_STR(http_rig_seen(&http_rig.got), CHUNKED_OK "3\r\nhi \r\n");
	http_rig.origin[0] = fd_close(http_rig.origin[0]);
	http_rig_settle();
	CHECK_STR(http_rig_seen(&http_rig.got), "4\r\ns3cr\r\n0\r\n\r\n");
	CHECK_INT(http_rig.n_events, 2);
	http_rig_end();
}

TEST(h5_a_coded_answer_is_refused_where_it_must_be_read)
{
	start_reflective();
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b");
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	CHECK(strncmp(http_rig.events[1], "failed coded_answer GET /ok site/1 (read) 502", 45) == 0);
	http_rig_end();
	start_reflective();
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi");
	CHECK(strstr(buf_cstr(&http_rig.got), "\r\n\r\nhi"));
	http_rig_end();
}

TEST(h5_a_part_of_an_answer_is_refused_where_all_of_it_must_be_read)
{
	static const char *const parts[] = {
		"206 Partial Content\r\n", "226 IM Used\r\n", "200 OK\r\nContent-Range: bytes 0-1/25\r\n", "200 OK\r\nIM: feed\r\n",
		"200 OK\r\nContent-Type: Multipart/ByteRanges; boundary=x\r\n", "404 No\r\ncontent-range: bytes 0-1/25\r\n",
	};
	char answer[200];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		start_reflective();
		(void)snprintf(answer, sizeof(answer), "HTTP/1.1 %sContent-Length: 2\r\n\r\ns3", parts[i]);
		http_rig_reply(0, answer);
		CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
		CHECK(strncmp(http_rig.events[1], "failed partial_answer GET /ok site/1 (read) 502", 47) == 0);
		http_rig_end();
	}
	http_rig_start(http_flow_start); /* nothing is looked for */
	http_rig_ask(GET);
	http_rig_reply(0, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/25\r\nContent-Length: 2\r\n\r\nhi");
	CHECK(strstr(buf_cstr(&http_rig.got), "\r\n\r\nhi"));
	http_rig_end();
}

/* --- models --- */

#define ASK "POST /ok HTTP/1.1\r\n" HOST "Accept-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"
#define SAID "{\"model\":\"m-1\",\"usage\":{\"prompt_tokens\":12,\"completion_tokens\":34}}"

TEST(tokens_and_model_of_an_answer_go_on_record_when_it_ends)
{
	const struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = POLICY_NONE, .ai = POLICY_AI_OPENAI };
	static const struct {
		const char *answer;
		const char *event; /* NULL: none */
	} vectors[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n43\r\n" SAID "\r\n0\r\n\r\n", "model m-1 12 34 200" },
		{ "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: " SAID "\n\ndata: [DONE]\n\n", "model m-1 12 34 200" },
		{ "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" SAID, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n" SAID, NULL },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		http_rig_start_entry(http_flow_start, &entry);
		http_rig_ask(ASK);
		CHECK(strstr(buf_cstr(&http_rig.origin_got[0]), "Accept-Encoding: identity\r\n"));
		http_rig_reply(0, vectors[i].answer);
		CHECK(strstr(buf_cstr(&http_rig.got), "prompt_tokens"));
		http_rig.origin[0] = fd_close(http_rig.origin[0]);
		http_rig_settle();
		CHECK_INT(http_rig.n_events, vectors[i].event ? 2 : 1);
		if (vectors[i].event)
			CHECK_STR(http_rig.events[1], vectors[i].event);
		http_rig_end();
	}
}
