#include "proxy/http_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "net/held.h"
#include "os/fd.h"
#include "workspace/inlet/self_reach.h"

/* In the place of the real one, which asks a real policy. */
bool self_reach(const struct policy *p, struct bytes query, struct buf *out)
{
	(void)p;
	return !bytes_is(query, "odd") && buf_fmt(out, "{\"asked\":\"%.*s\"}", (int)query.len, (const char *)query.p);
}

TEST(a_workspace_learns_who_it_is_and_what_it_may_reach)
{
	http_rig_start(self_flow_start);
	http_rig_ask("GET /v1/whoami HTTP/1.1\r\nHost: saw.internal\r\n\r\n");
	CHECK(strstr(buf_cstr(&http_rig.got), "{\"id\":\"ws-1\",\"name\":\"dev\",\"owner\":\"ann\",\"policy\":\"corporate\",\"policy_generation\":1}"));
	CHECK_STR(http_rig.events[0], "allowed ok GET /v1/whoami saw.internal 200");
	CHECK(http_rig_guest_at_end());
	http_rig_end();
	CHECK_INT(http_rig.n_events, 1);
	http_rig_start(self_flow_start);
	http_rig_ask("GET /v1/reach HTTP/1.1\r\nHost: 100.64.0.1\r\n\r\n");
	CHECK(strstr(buf_cstr(&http_rig.got), "{\"asked\":\"\"}"));
	http_rig_end();
	http_rig_start(self_flow_start);
	http_rig_ask("GET /v1/reach?url=http://a.example/&method=PUT HTTP/1.1\r\nHost: 100.64.0.1\r\n\r\n");
	CHECK(strstr(buf_cstr(&http_rig.got), "{\"asked\":\"url=http://a.example/&method=PUT\"}"));
	http_rig_end();
}

TEST(the_service_only_reads)
{
	static const struct {
		const char *text;
		const char *status;
		const char *event;
	} vectors[] = {
		{ "POST /v1/whoami HTTP/1.1\r\nHost: saw.internal\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 ",
		  "denied read_only_service POST /v1/whoami saw.internal 405" },
		{ "GET /v1/reach?odd HTTP/1.1\r\nHost: saw.internal\r\n\r\n", "HTTP/1.1 400 ",
		  "denied no_question GET /v1/reach?odd saw.internal 400" },
		{ "GET /nope HTTP/1.1\r\nHost: saw.internal:80\r\n\r\n", "HTTP/1.1 404 ", "allowed ok GET /nope saw.internal 404" },
		{ "GET / HTTP/1.1\r\nHost: good.example\r\n\r\n", "HTTP/1.1 421 ",
		  "denied authority_not_flow_name GET / saw.internal 421" },
		{ "GET /../x HTTP/1.1\r\nHost: saw.internal\r\n\r\n", "HTTP/1.1 400 ",
		  "denied dot_segment GET /../x saw.internal 400" },
		{ "\x16\x03\x01", "HTTP/1.1 400 ", "denied not_http   saw.internal 400" },
		{ "HEAD / HTTP/1.1\r\nHost: saw.internal\r\n\r\n", "HTTP/1.1 200 ", "allowed ok HEAD / saw.internal 200" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		http_rig_start(self_flow_start);
		http_rig_ask(vectors[i].text);
		CHECK(strncmp(buf_cstr(&http_rig.got), vectors[i].status, strlen(vectors[i].status)) == 0);
		CHECK_STR(http_rig.events[0], vectors[i].event);
		http_rig_end();
		CHECK_INT(http_rig.n_events, 1);
	}
}

TEST(while_the_guest_holds_what_it_may_the_service_has_no_memory_for_it)
{
	size_t others = 0;

	http_rig_start(self_flow_start);
	held_set(&others, HELD_NEW);
	http_rig_ask("GET /v1/whoami HTTP/1.1\r\nHost: saw.internal\r\n\r\n");
	CHECK(strncmp(buf_cstr(&http_rig.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK(http_rig_guest_at_end());
	http_rig_end();
	CHECK_INT(http_rig.n_events, 1);
	CHECK_STR(http_rig.events[0], "denied too_many_flows GET /v1/whoami saw.internal 503");
	held_set(&others, 0);
	CHECK_INT(held_total(), 0);
}
