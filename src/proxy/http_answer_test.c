#include "proxy/http_rig.h"

#include "base/tap.h"
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
