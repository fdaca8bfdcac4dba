#include "proxy/http_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/clock_kit.h"
#include "os/fd.h"

TEST(an_allowed_request_is_recorded_then_forwarded_and_answered)
{
	http_rig_start(http_flow_start);
	http_rig.hold_events = true;
	http_rig_ask("GET /ok/%61?q HTTP/1.1\r\nhost: GOOD.example:80\r\nX: y\r\nVia: z\r\n\r\n");
	CHECK_INT(http_rig.n_dials, 1);
	CHECK_INT(http_rig.origin_got[0].len, 0); /* not on disk yet */
	CHECK_INT(http_rig.n_events, 1);
	CHECK_STR(http_rig.events[0], "allowed ok GET /ok/a?q site/1 (read) 0 stripped: via");
	http_rig.hold_events = false;
	loop_later(http_rig.loop, &http_rig.later, http_rig_from_loop, &http_rig);
	http_rig_settle();
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "GET /ok/a?q HTTP/1.1\r\nHost: good.example\r\nX: y\r\n\r\n");
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nServer: s\r\nAlt-Svc: h3\r\nContent-Length: 2\r\n\r\nhi");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\n\r\nhi");
	http_rig_end();
	CHECK_INT(http_rig.n_events, 2);
	CHECK_STR(http_rig.events[1], "closed ok   site 0");
}

TEST(further_requests_use_the_kept_connection_and_have_an_event_each)
{
	http_rig_start(http_flow_start);
	for (int i = 0; i < 3; i++) {
		http_rig_ask(GET);
		CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
		http_rig_reply(0, OK);
		CHECK_STR(http_rig_seen(&http_rig.got), OK);
	}
	CHECK_INT(http_rig.n_dials, 1);
	CHECK_INT(http_rig.n_events, 3);
	http_rig_end();
}

TEST(a_denied_request_reaches_nobody_and_is_explained)
{
	http_rig_start(http_flow_start);
	http_rig_ask("GET /admin HTTP/1.1\r\n" HOST "\r\n" GET);
	CHECK_INT(http_rig.n_dials, 0);
	CHECK_INT(http_rig.n_events, 1);
	CHECK_STR(http_rig.events[0], "denied path_not_listed GET /admin site 403");
	CHECK(strstr(buf_cstr(&http_rig.got), "HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\n") ==
	      buf_cstr(&http_rig.got));
	CHECK(strstr(buf_cstr(&http_rig.got), "Connection: close\r\n"));
	CHECK(strstr(buf_cstr(&http_rig.got), "\"reason\":\"path_not_listed\"") && strstr(buf_cstr(&http_rig.got), "\"remedy\":\"") &&
	      strstr(buf_cstr(&http_rig.got), "\"rule\":\"site\"") &&
	      strstr(buf_cstr(&http_rig.got), "\"policy_change\":\"network[site].rules: add /admin\""));
	CHECK(!strstr(strstr(buf_cstr(&http_rig.got), "HTTP/1.1") + 1, "HTTP/1.1")); /* E17: one answer only */
	CHECK(http_rig_guest_at_end());
	http_rig_end();
	CHECK_INT(http_rig.n_events, 1);
}

TEST(a_denied_request_behind_an_allowed_one_is_answered_in_order_and_never_seen_upstream)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET "GET /admin HTTP/1.1\r\n" HOST "\r\n"); /* E16 */
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
	CHECK_INT(http_rig.n_events, 1);
	http_rig_reply(0, OK);
	CHECK(strncmp(buf_cstr(&http_rig.got), OK "HTTP/1.1 403 ", strlen(OK) + 13) == 0);
	CHECK_INT(http_rig.origin_got[0].len, 0);
	CHECK_STR(http_rig.events[1], "denied path_not_listed GET /admin site 403");
	CHECK(http_rig_origin_at_end(0));
	http_rig_end();
}

TEST(pipelined_allowed_requests_are_forwarded_one_by_one)
{
	http_rig_start(http_flow_start);
	http_rig_ask(GET GET GET);
	for (int i = 0; i < 3; i++) {
		CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
		http_rig_reply(0, OK);
		CHECK_STR(http_rig_seen(&http_rig.got), OK);
	}
	CHECK_INT(http_rig.n_events, 3);
	http_rig_end();
}

TEST(a_request_sent_byte_by_byte_is_the_same_request)
{
	const char *text = "POST /ok HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

	http_rig_start(http_flow_start);
	for (const char *p = text; *p; p++)
		http_rig_ask((const char[]){ *p, '\0' });
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n"
					  "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
	CHECK_INT(http_rig.n_events, 1);
	http_rig_end();
}

/* As Python's http.client does, which would see a broken connection and no answer. */
TEST(who_sends_all_of_a_refused_body_before_it_reads_the_answer_can_do_so)
{
	static const char *const refused[] = { "POST /admin HTTP/1.1\r\n" HOST, "POST /ok HTTP/1.1\r\nX-HTTP-Method-Override: PUT\r\n" HOST };
	static char piece[65536];

	memset(piece, 'x', sizeof(piece));
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		http_rig_start(http_flow_start);
		http_rig_ask(refused[i]);
		http_rig_ask("Content-Length: 4194304\r\n\r\n");
		for (size_t n = 0; n < 4194304; n += sizeof(piece)) {
			if (!CHECK_INT(send(http_rig.guest, piece, sizeof(piece), MSG_NOSIGNAL), sizeof(piece)))
				break;
			http_rig_settle();
		}
		CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0);
		CHECK(http_rig_guest_at_end());
		CHECK_INT(http_rig.n_events, 1);
		http_rig_end();
	}
}

/* But not for ever. */
TEST(a_refused_body_is_waited_for_no_longer_than_an_allowed_one)
{
	http_rig_start(http_flow_start);
	http_rig_ask("POST /admin HTTP/1.1\r\n" HOST "Content-Length: 4194304\r\n\r\n");
	CHECK(http_rig.flow != NULL);
	http_rig_time_passes();
	CHECK(http_rig.flow == NULL);
	http_rig_end();
}

#define CANARY "GET /ok/canary HTTP/1.1\r\n" HOST "\r\n"

/* Groups C, E and G: refused before anybody hears of it, with one event and its own reason; a canary behind it stays unread. */
TEST(every_malformed_request_leaves_no_byte_and_one_event)
{
	static const struct {
		const char *text;
		unsigned status;
		const char *reason;
	} vectors[] = {
		{ "\x16\x03\x01\x02", 400, "not_http" },
		{ "SSH-2.0-x\r\n", 400, "not_http" },
		{ POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" CANARY, 400, "two_body_lengths" },
		{ POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" CANARY, 400, "two_body_lengths" },
		{ POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" CANARY, 400, "two_body_lengths" },
		{ POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello" CANARY, 400, "two_body_lengths" },
		{ POST "Content-Length: +5\r\n\r\nhello" CANARY, 400, "malformed_content_length" },
		{ POST "Content-Length: 0005\r\n\r\nhello" CANARY, 400, "malformed_content_length" },
		{ POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" CANARY, 501, "unsupported_transfer_encoding" },
		{ POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" CANARY, 501, "unsupported_transfer_encoding" },
		{ POST "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n" CANARY, 400, "malformed_header" },
		{ POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" CANARY, 400, "malformed_header" },
		{ POST "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n" CANARY, 400, "malformed_header" },
		{ CHUNKED "0x5\r\nhello\r\n0\r\n\r\n" CANARY, 400, "malformed_chunk" },
		{ CHUNKED "5 \r\nhello\r\n0\r\n\r\n" CANARY, 400, "malformed_chunk" },
		{ CHUNKED "\r\n" CANARY, 400, "malformed_chunk" },
		{ CHUNKED "5\r\nhello0\r\n\r\n" CANARY, 400, "malformed_chunk" },
		{ CHUNKED "5;a\nhello\r\n0\r\n\r\n" CANARY, 400, "malformed_chunk_extension" },
		{ CHUNKED "5;a=\"\r\nhello\r\n0\r\n\r\n" CANARY, 400, "malformed_chunk_extension" },
		{ CHUNKED "0\r\nX : y\r\n\r\n" CANARY, 400, "malformed_header" },
		{ "GET /ok HTTP/1.1\n" HOST "\r\n" CANARY, 400, "malformed_line_end" },
		{ "GET /ok HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n" CANARY, 400, "malformed_line_end" },
		{ "GET /ok HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n" CANARY, 400, "malformed_header" },
		{ "GET /ok HTTP/1.1\r\n" HOST "X: caf\xe9\r\n\r\n" CANARY, 400, "malformed_header" },
		{ POST "Expect: tea\r\nContent-Length: 5\r\n\r\nhello" CANARY, 417, "unsupported_expect" },
		{ "GET /ok HTTP/1.1\r\n\r\n" CANARY, 400, "malformed_host" },
		{ "GET /ok HTTP/1.1\r\n" HOST HOST "\r\n" CANARY, 400, "malformed_host" },
		{ "GET /ok HTTP/1.1\r\nHost: good.example, evil.example\r\n\r\n" CANARY, 400, "malformed_host" },
		{ "GET /ok HTTP/1.1\r\nHost: evil.example\r\n\r\n" CANARY, 421, "authority_not_flow_name" },
		{ "GET http://evil.example/ok HTTP/1.1\r\n" HOST "\r\n" CANARY, 421, "authority_not_flow_name" },
		{ "GET https://good.example/ok HTTP/1.1\r\n" HOST "\r\n" CANARY, 421, "authority_not_flow_name" },
		{ "GET http://good.example@evil.example/ HTTP/1.1\r\n" HOST "\r\n", 400, "userinfo_in_target" },
		{ "GET /ok HTTP/1.1\r\nHost: good.example..\r\n\r\n" CANARY, 400, "malformed_name" },
		{ "GET /ok HTTP/1.1\r\nHost: good.example#x\r\n\r\n" CANARY, 400, "malformed_authority" },
		{ "GET /ok HTTP/1.1\r\nHost: 0177.0.0.1\r\n\r\n" CANARY, 400, "not_a_host_name" },
		{ "GET /ok\r\n" CANARY, 505, "http_version" },
		{ "GET /ok HTTP/2.0\r\n" HOST "\r\n" CANARY, 505, "http_version" },
		{ "GET /ok HTTP/1.1\r\n" HOST "Connection: authorization\r\n\r\n" CANARY, 400, "connection_names_field" },
		{ "GET /ok/../admin HTTP/1.1\r\n" HOST "\r\n" CANARY, 400, "dot_segment" },
		{ "GET /ok/.%2e/admin HTTP/1.1\r\n" HOST "\r\n" CANARY, 400, "dot_segment" },
		{ "GET /ok%2fadmin HTTP/1.1\r\n" HOST "\r\n" CANARY, 400, "encoded_slash" },
		{ "GET //ok HTTP/1.1\r\n" HOST "\r\n" CANARY, 400, "empty_segment" },
		{ "GET /ok;x HTTP/1.1\r\n" HOST "\r\n" CANARY, 400, "path_parameter" },
		{ "GET /ok%00 HTTP/1.1\r\n" HOST "\r\n" CANARY, 400, "malformed_target" },
		{ "OPTIONS * HTTP/1.1\r\n" HOST "\r\n" CANARY, 400, "malformed_target" },
		{ "CONNECT good.example:80 HTTP/1.1\r\n" HOST "\r\n" CANARY, 403, "method_not_listed" },
		{ "TRACE /ok HTTP/1.1\r\n" HOST "\r\n" CANARY, 403, "method_not_listed" },
		{ "trace /ok HTTP/1.1\r\n" HOST "\r\n" CANARY, 403, "method_not_listed" },
		{ "DELETE /ok HTTP/1.1\r\n" HOST "\r\n" CANARY, 403, "method_not_listed" },
		{ POST "X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n\r\n" CANARY, 403, "method_override" },
		{ "POST /ok?_method=DELETE HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n" CANARY, 403, "method_override" },
		{ POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello" CANARY, 403, "coded_form" },
		{ POST "Content-Encoding: identity, br\r\nContent-Type: Multipart/Form-Data; boundary=b\r\nContent-Length: 5\r\n\r\nhello" CANARY, 403,
		  "coded_form" },
		{ POST "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello" CANARY, 403, "coded_form" },
		{ POST "Content-Type: application/x-www-form-urlencoded; charset=ibm037\r\nContent-Length: 5\r\n\r\nhello" CANARY, 403, "form_charset" },
		{ POST "Content-Type: multipart/form-data; boundary=b; xcharset=UTF-16\r\nContent-Length: 5\r\n\r\nhello" CANARY, 403, "form_charset" },
		{ POST "Content-Type: ;charset*0=utf-7\r\nContent-Length: 5\r\n\r\nhello" CANARY, 403, "form_charset" },
		{ POST "Content-Type: text/plain\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\nhello" CANARY, 400,
		  "malformed_header" },
		{ POST "Content_Type: application/x-www-form-urlencoded\r\nContent-Length: 5\r\n\r\nhello" CANARY, 400, "malformed_header" },
		{ POST "Content-Length: 14\r\n\r\n_method=DELETE" CANARY, 403, "method_override" },
		{ POST "Content-Type:\r\nContent-Length: 18\r\n\r\na=1&_method=DELETE" CANARY, 403, "method_override" },
		{ POST "Content-Length: 49\r\n\r\n{\"draft\":true,\"x\":\"&draft=false&_method=DELETE&\"}" CANARY, 403, "method_override" },
		{ CHUNKED "7\r\n_method\r\n0\r\n\r\n" CANARY, 403, "method_override" },
		{ POST "Content-Type: multipart/mixed; boundary=x\r\nContent-Length: 57\r\n\r\n"
		       "--x\r\nContent-Disposition: form-data; name=\"_method\"\r\n\r\nDE" CANARY,
		  403, "method_override" },
		{ "POST /ok?X-HTTP-Method-Override=DELETE HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n" CANARY, 403, "method_override" },
		{ POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\nX-HTTP-Method-Override=DELETE" CANARY, 403,
		  "method_override" },
		{ POST "Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"_method\":\"DELETE\"}" CANARY, 403, "method_override" },
		{ POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 18\r\n\r\na=1&_method=DELETE" CANARY,
		  403, "method_override" },
		{ POST "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "5\r\n--b\r\n\r\n2d\r\nContent-Disposition: form-data; name=\"_method\"\r\n0\r\n\r\n" CANARY,
		  403, "method_override" },
		{ "GET /ok HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" CANARY, 403,
		  "upgrade_not_listed" },
		{ "GET /ok HTTP/1.1\r\n" HOST "X-Needed-Not: 1\r\n\r\n" CANARY, 403, "condition_not_met" },
		{ "GET /ok HTTP/1.1\r\n" HOST "X_Needed.Not: 1\r\n\r\n" CANARY, 403, "condition_not_met" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char want[64];
		bool good;

		http_rig_start(http_flow_start);
		http_rig_ask(vectors[i].text);
		(void)snprintf(want, sizeof(want), "HTTP/1.1 %u ", vectors[i].status);
		good = CHECK(strncmp(buf_cstr(&http_rig.got), want, strlen(want)) == 0);
		good = CHECK_INT(http_rig.n_dials, 0) && good;
		(void)snprintf(want, sizeof(want), "denied %s ", vectors[i].reason);
		good = CHECK(strncmp(http_rig.events[0], want, strlen(want)) == 0) && good;
		good = CHECK(http_rig_guest_at_end()) && good;
		http_rig_end();
		good = CHECK_INT(http_rig.n_events, 1) && good;
		if (!good)
			printf("# vector %zu (%s): %s\n# %s\n", i, vectors[i].reason, http_rig.events[0], vectors[i].text);
	}
}

TEST(limits_of_the_head_are_refused_with_their_status)
{
	static char text[100000];

	http_rig_start(http_flow_start);
	(void)snprintf(text, sizeof(text), "GET /ok HTTP/1.1\r\n" HOST "X: %070000d\r\n\r\n", 1);
	http_rig_ask(text);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 431 ", 13) == 0);
	CHECK(strncmp(http_rig.events[0], "denied headers_too_large GET /ok ", 33) == 0);
	http_rig_end();
	http_rig_start(http_flow_start);
	(void)snprintf(text, sizeof(text), "GET /ok%09000d HTTP/1.1\r\n" HOST "\r\n", 1);
	http_rig_ask(text);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 414 ", 13) == 0);
	CHECK(strncmp(http_rig.events[0], "denied target_too_long", 22) == 0);
	http_rig_end();
}

TEST(a_body_that_turns_malformed_later_never_becomes_a_whole_request)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST_TEXT "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]),
		  "POST /ok HTTP/1.1\r\nHost: good.example\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	http_rig_ask("zz\r\n" CANARY);
	CHECK_INT(http_rig.origin_got[0].len, 0);
	CHECK(http_rig_origin_at_end(0));
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 400 ", 13) == 0);
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "denied malformed_chunk POST /ok", 31) == 0);
	http_rig_end();
}

TEST(trailers_and_extensions_are_dropped)
{
	http_rig_start(http_flow_start);
	http_rig_ask(CHUNKED "5;a=b\r\nhello\r\n0\r\nHost: evil.example\r\nAuthorization: x\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n"
					  "5\r\nhello\r\n0\r\n\r\n");
	http_rig_end();
}

TEST(a_hidden_method_in_a_long_form_cuts_the_request_before_its_end)
{
	static char form[40000];

	http_rig_start(http_flow_start);
	memset(form, 'a', sizeof(form) - 1);
	http_rig_ask(POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 40014\r\n\r\n");
	http_rig_ask(form);
	CHECK_INT(http_rig.n_dials, 1);
	http_rig_ask("&_method=DELETE");
	CHECK(http_rig_origin_at_end(0));
	CHECK(strstr(buf_cstr(&http_rig.origin_got[0]), "aaaa") && !strstr(buf_cstr(&http_rig.origin_got[0]), "_method"));
	CHECK(strncmp(http_rig.events[1], "denied method_override", 22) == 0);
	http_rig_end();
}

TEST(an_ordinary_form_arrives_whole)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\na=1&b");
	CHECK_INT(http_rig.n_dials, 0); /* held */
	http_rig_ask("=2&c=");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\n"
					  "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\na=1&b=2&c=");
	http_rig_end();
}

TEST(a_hidden_method_in_json_that_goes_on_already_cuts_the_request_before_its_end)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST "Content-Type: application/json\r\nContent-Length: 23\r\n\r\n{\"a\":1,");
	CHECK_INT(http_rig.n_dials, 1); /* JSON does not wait */
	http_rig_ask("\"_method\":\"PUT\"}");
	CHECK(http_rig_origin_at_end(0));
	CHECK(strstr(buf_cstr(&http_rig.origin_got[0]), "{\"a\"") && !strstr(buf_cstr(&http_rig.origin_got[0]), "_method"));
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "denied method_override", 22) == 0);
	http_rig_end();
}

/* Only the rule of one path reads the body, here for no more than that there is one: its label says that nobody can. */
TEST(the_destination_of_a_move_is_judged_with_the_body_too)
{
	static const char *const targets[] = { "/ok/unread", "/ok/x" };

	for (size_t i = 0; i < 2; i++) {
		http_rig_start(http_flow_start);
		http_rig.reads = true;
		http_rig_ask("MOVE ");
		http_rig_ask(targets[i]);
		http_rig_ask(" HTTP/1.1\r\nDestination: ");
		http_rig_ask(targets[1 - i]);
		http_rig_ask("\r\n" HOST "Content-Type: text/yaml\r\nContent-Length: 7\r\n\r\n");
		http_rig_ask("a=1&b=2");
		CHECK_INT(http_rig.n_dials, 1);
		CHECK_INT(http_rig.n_events, 1);
		CHECK(strncmp(http_rig.events[0], "allowed ok MOVE /ok/", 20) == 0);
		CHECK(strstr(buf_cstr(&http_rig.origin_got[0]), "\r\n\r\na=1&b=2"));
		http_rig_end();
	}
}

TEST(what_only_looks_like_a_hidden_method_arrives)
{
	static const char *const vectors[] = {
		"POST /ok HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
		"POST /ok HTTP/1.1\r\n" HOST "Content-Length: 15\r\n\r\n{\"draft\": true}",
		"POST /ok HTTP/1.1\r\n" HOST "Content-Type: application/octet-stream\r\nContent-Length: 14\r\n\r\n_method=DELETE",
		"POST /ok HTTP/1.1\r\n" HOST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 12\r\n\r\nx_method=CC&",
		"POST /ok HTTP/1.1\r\n" HOST "Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
		"POST /ok HTTP/1.1\r\n" HOST "Content-Type: application/json\r\nContent-Length: 39\r\n\r\n{\"query\":\"&_method=\",\"v\":{\"_method\":1}}",
		"PUT /ok HTTP/1.1\r\n" HOST "Content-Length: 14\r\n\r\n_method=DELETE",
		"PUT /ok HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		http_rig_start(http_flow_start);
		http_rig_ask(vectors[i]);
		if (!CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), vectors[i]))
			printf("# vector %zu: %s\n", i, http_rig.events[0]);
		http_rig_end();
	}
}

TEST(a_request_that_is_held_goes_with_no_encoded_slash_that_the_new_policy_does_not_take)
{
	const struct policy_entry entry = { .mode = POLICY_HTTP, .rule = bytes_str("site"), .credential = POLICY_NONE, .encoded_slash = true };

	for (int taken = 0; taken < 2; taken++) {
		http_rig_start_entry(http_flow_start, &entry);
		http_rig_ask("POST /ok/a%2fb HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
		CHECK_INT(http_rig.n_events, 0);
		http_rig.entry.encoded_slash = taken;
		http_rig_policy_changes(false);
		http_rig_ask("0\r\n\r\n");
		CHECK_INT(http_rig.n_dials, taken);
		CHECK_INT(http_rig.n_events, 1);
		CHECK(strncmp(http_rig.events[0], taken ? "allowed ok POST /ok/a%2Fb" : "denied encoded_slash POST /ok/a%2Fb", taken ? 25 : 35) == 0);
		CHECK(taken || strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0);
		http_rig_end();
	}
}

TEST(expect_is_answered_by_us_after_the_verdict_and_not_forwarded)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 100 Continue\r\n\r\n");
	http_rig_ask("hello");
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\nContent-Length: 5\r\n\r\nhello");
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	http_rig_end();
	http_rig_start(http_flow_start);
	http_rig_ask("POST /admin HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 403 ", 13) == 0);
	http_rig_end();
}

TEST(an_early_answer_ends_the_exchange_and_both_connections)
{
	http_rig_start(http_flow_start);
	http_rig_ask(POST_TEXT "Content-Length: 100\r\n\r\nhello");
	http_rig_reply(0, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	CHECK(http_rig_guest_at_end());
	CHECK(http_rig_origin_at_end(0));
	http_rig_end();
	http_rig_start(http_flow_start); /* no body at all is complete at once */
	http_rig_ask(GET);
	http_rig_reply(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	CHECK_STR(http_rig_seen(&http_rig.got), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	http_rig_ask(GET);
	CHECK_INT(http_rig.n_events, 2);
	http_rig_end();
}

TEST(a_body_on_get_is_framed_and_judged_as_any_other)
{
	http_rig_start(http_flow_start);
	http_rig_ask("GET /ok HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nGET /" GET);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), "GET /ok HTTP/1.1\r\nHost: good.example\r\nContent-Length: 5\r\n\r\nGET /");
	http_rig_reply(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.origin_got[0]), ORIGIN_GET);
	http_rig_end();
}

#define FORM POST "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"

/* F13: one byte, each time just before the wait for it would end. Gives how long that went on, in ms. */
static uint64_t drips(bool reads, const char *head, const char *byte)
{
	uint64_t ms = 0;

	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig.reads = reads;
	http_rig_ask(head);
	while (http_rig.got.len == 0 && ms < 10 * (uint64_t)HTTP_FLOW_HOLD_MS) {
		http_rig_ask(byte);
		kit_clock_moves(HTTP_FLOW_STALL_MS - 1000);
		ms += HTTP_FLOW_STALL_MS - 1000;
		http_rig_settle();
	}
	return ms;
}

static void dripped(uint64_t ms)
{
	CHECK(ms >= HTTP_FLOW_HOLD_MS && ms < HTTP_FLOW_HOLD_MS + HTTP_FLOW_STALL_MS);
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 408 ", 13) == 0);
	CHECK_INT(http_rig.n_dials, 0);
	CHECK_INT(http_rig.n_events, 1);
	CHECK(strncmp(http_rig.events[0], "denied request_timeout POST /ok ", 32) == 0);
	http_rig_end();
	CHECK_INT(http_rig.n_events, 1);
}

TEST(a_body_that_is_held_has_an_end_however_steadily_it_comes)
{
	dripped(drips(true, POST "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n", "["));
	dripped(drips(true, CHUNKED, "1\r\n[\r\n"));
	dripped(drips(false, FORM, "1\r\na\r\n"));
}

TEST(a_body_that_stalls_while_it_is_held_ends_sooner)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	http_rig_ask(FORM "1\r\na\r\n");
	kit_clock_moves(HTTP_FLOW_STALL_MS - 1);
	http_rig_settle();
	CHECK_INT(http_rig.got.len, 0);
	kit_clock_moves(1);
	http_rig_settle();
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 408 ", 13) == 0);
	http_rig_end();
	CHECK_INT(http_rig.n_events, 1);
}

TEST(a_held_body_that_is_whole_in_time_is_forwarded_and_the_next_has_a_time_of_its_own)
{
	kit_clock_stops();
	http_rig_start(http_flow_start);
	for (unsigned n = 0; n < 3; n++) {
		http_rig_ask(FORM);
		for (uint64_t ms = 0; ms + 50 * 1000 < HTTP_FLOW_HOLD_MS; ms += 50 * 1000) {
			http_rig_ask("1\r\na\r\n");
			kit_clock_moves((uint64_t)50 * 1000);
			http_rig_settle();
		}
		CHECK_INT(http_rig.n_events, n);
		http_rig_ask("0\r\n\r\n");
		CHECK(strstr(http_rig_seen(&http_rig.origin_got[http_rig.n_dials - 1]), "1\r\na\r\n0\r\n\r\n"));
		http_rig_reply(http_rig.n_dials - 1, OK);
		CHECK_STR(http_rig_seen(&http_rig.got), OK);
		CHECK_INT(http_rig.n_events, n + 1);
	}
	http_rig_end();
}
