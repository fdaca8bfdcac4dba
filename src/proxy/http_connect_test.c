#include "proxy/http_rig.h"

#include "base/must.h"
#include "base/tap.h"
#include "net/held.h"
#include "proxy/h2_host_rig.h"

/* The flow finds a connection of HTTP/2 to its host: good.example on port 80, as the rig has it. */

#define H2_HOST_FIELD "Host: good.example:80\r\n"
#define ASK "GET /ok HTTP/1.1\r\n" H2_HOST_FIELD "\r\n"
#define ASKED "GET /ok HTTP/1.1\r\nhost: good.example:80\r\n\r\n"

static struct h2_host_rig host;

static void settle(void)
{
	do
		http_rig_settle();
	while (h2_host_rig_move(&host));
}

static void ask(const char *text)
{
	http_rig_ask(text);
	settle();
}

static void answer(size_t i, const char *text)
{
	h2_host_rig_answer(&host, i, text);
	settle();
}

static void start(const char *secret)
{
	const struct policy_entry entry = { .mode = POLICY_INTERCEPT, .rule = bytes_str("site"), .credential = *secret ? 0 : POLICY_NONE };
	struct h2_host_key k = h2_host_rig_key();

	http_rig_start_entry(http_flow_start, &entry);
	http_rig.secret = secret;
	k.secret_version = *secret ? 1 : 0;
	must(h2_host_add(http_rig.loop, &k, h2_host_rig_start(&host), NULL));
	settle();
}

static void end(void)
{
	http_rig_end();
	while (h2_host_rig_move(&host))
		;
	CHECK(host.ended || host.fd < 0);
	h2_host_rig_end(&host);
}

static void refuse_stream(uint32_t id)
{
	h2_host_rig_frame(&host, 3, id, bytes_of("\0\0\0\7", 4));
	settle();
}

TEST(requests_of_one_guest_go_as_streams_of_one_connection)
{
	start("");
	ask(ASK);
	CHECK_INT(http_rig.n_dials, 0);
	CHECK_STR(buf_cstr(&host.said[0]), ASKED);
	answer(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	ask(ASK);
	CHECK_STR(buf_cstr(&host.said[1]), ASKED);
	answer(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	CHECK_INT(http_rig.n_events, 2);
	end();
}

TEST(a_websocket_never_goes_over_http2)
{
	start("");
	http_rig.entry.websocket = true;
	http_rig.flow->entry.websocket = true;
	http_rig.hold_dials = true;
	ask("GET /ok HTTP/1.1\r\n" H2_HOST_FIELD "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
	CHECK_INT(host.n_streams, 0);
	CHECK(http_rig.dial_wait != NULL);
	end();
}

TEST(what_the_host_did_nothing_with_is_sent_once_more_and_only_once)
{
	start("");
	ask("POST /ok HTTP/1.1\r\n" H2_HOST_FIELD "Content-Length: 5\r\n\r\nhello");
	CHECK_INT(host.n_streams, 1);
	refuse_stream(1);
	CHECK_INT(host.n_streams, 2);
	CHECK_STR(buf_cstr(&host.said[1]), buf_cstr(&host.said[0]));
	CHECK(strstr(buf_cstr(&host.said[1]), "\r\n\r\nhello") != NULL);
	refuse_stream(3);
	CHECK_INT(host.n_streams, 2);
	CHECK(strncmp(http_rig_seen(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "failed upstream_closed POST /ok", 31) == 0);
	end();
}

TEST(a_request_of_which_some_is_gone_already_is_not_sent_again)
{
	start("");
	ask("POST /ok HTTP/1.1\r\n" H2_HOST_FIELD "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhel");
	CHECK_INT(host.n_streams, 1);
	refuse_stream(1);
	CHECK_INT(host.n_streams, 1);
	CHECK(strncmp(http_rig_seen(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	end();
}

TEST(a_reset_is_no_promise_so_nothing_is_sent_again)
{
	start("");
	ask(ASK);
	h2_host_rig_frame(&host, 3, 1, bytes_of("\0\0\0\2", 4));
	settle();
	CHECK_INT(host.n_streams, 1);
	CHECK(strncmp(http_rig_seen(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	CHECK(strncmp(http_rig.events[1], "failed upstream_closed GET /ok", 30) == 0);
	end();
}

TEST(an_answer_for_which_there_is_no_memory_is_no_fault_of_the_hosts)
{
	size_t others = 0;

	start("");
	ask(ASK);
	h2_host_rig_answer(&host, 0, OK);
	(void)h2_host_rig_move(&host);
	held_set(&others, HELD_CONTENT);
	settle();
	held_set(&others, 0);
	CHECK(strncmp(http_rig_seen(&http_rig.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK_INT(http_rig.n_events, 2);
	CHECK(strncmp(http_rig.events[1], "failed too_many_flows GET /ok", 29) == 0);
	end();
	CHECK_INT(held_total(), 0);
}

TEST(what_is_sent_again_wears_its_credential_again)
{
	start("s3cret");
	ask(ASK);
	CHECK(strstr(buf_cstr(&host.said[0]), "uthorization: Bearer s3cret\r\n") != NULL);
	refuse_stream(1);
	CHECK_STR(buf_cstr(&host.said[1]), buf_cstr(&host.said[0]));
	answer(1, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	end();
}

TEST(a_safe_request_that_a_dying_connection_took_is_sent_again_and_no_other)
{
	start("");
	http_rig.hold_dials = true;
	ask(ASK);
	h2_host_rig_leave(&host);
	settle();
	CHECK(http_rig.dial_wait != NULL);
	end();
	start("");
	http_rig.hold_dials = true;
	ask("POST /ok HTTP/1.1\r\n" H2_HOST_FIELD "Content-Length: 5\r\n\r\nhello");
	h2_host_rig_leave(&host);
	settle();
	CHECK(http_rig.dial_wait == NULL);
	CHECK(strncmp(http_rig_seen(&http_rig.got), "HTTP/1.1 502 ", 13) == 0);
	end();
}

TEST(a_rotated_credential_never_goes_over_the_connection_of_the_one_before)
{
	start("s3cret");
	ask(ASK);
	answer(0, OK);
	(void)http_rig_seen(&http_rig.got);
	http_rig.rotations++;
	http_rig.hold_dials = true;
	ask(ASK);
	CHECK_INT(host.n_streams, 1);
	CHECK(http_rig.dial_wait != NULL);
	end();
}

TEST(a_policy_change_between_record_and_send_takes_the_stream_back)
{
	start("");
	http_rig.hold_events = true;
	ask(ASK);
	CHECK(http_rig.event_wait != NULL);
	h2_host_retire(); /* as main does on each policy */
	http_rig_policy_changes(false);
	http_rig.hold_events = false;
	http_rig.hold_dials = true;
	http_rig_from_loop(NULL);
	settle();
	CHECK_INT(host.n_streams, 0);
	CHECK(http_rig.dial_wait != NULL);
	end();
}

TEST(a_large_body_passes_through_windows_that_open_by_and_by)
{
	static char part[4097];

	memset(part, 'x', 4096);
	start("");
	ask("POST /ok HTTP/1.1\r\n" H2_HOST_FIELD "Content-Length: 409600\r\n\r\n");
	for (int i = 0; i < 100; i++)
		ask(part);
	CHECK_INT(host.n_streams, 1);
	CHECK(host.taken >= 409600);
	answer(0, OK);
	CHECK_STR(http_rig_seen(&http_rig.got), OK);
	end();
}
