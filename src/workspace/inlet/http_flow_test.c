#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "os/fd.h"
#include "workspace/inlet/http_flow.h"

/* A flow between two socket pairs: the test is guest and origin, and stands in for gate and policy. Origin's bytes are compared
 * exactly: a denied request leaves none, an allowed one its canonical form and nothing else. */

enum { DIALS_MAX = 8, EVENTS_MAX = 64 };

struct gate {
	struct loop *loop;
	struct policy policy;
	uint64_t generation;
	struct flow *flow;

	struct gate_wait *event_wait;
	struct gate_wait *dial_wait;
	struct loop_later later;
	bool hold_events; /* the log is slow */
	bool log_full;
	enum reason dial_refusal;
	bool hold_dials;
	bool unlisted;

	char events[EVENTS_MAX][512];
	unsigned n_events;
	int origin[DIALS_MAX];
	struct buf origin_got[DIALS_MAX];
	unsigned n_dials;
	int guest;
	struct buf got;
};

static struct gate g;

/* --- what the flow asks of its surroundings --- */

struct loop *gate_loop(const struct gate *gate)
{
	return gate->loop;
}

const struct policy *gate_policy(const struct gate *gate)
{
	return &gate->policy;
}

uint64_t gate_generation(const struct gate *gate)
{
	return gate->generation;
}

const struct gate_who *gate_who(const struct gate *gate)
{
	static struct gate_who who;

	(void)gate;
	who = (struct gate_who){ .id = bytes_str("ws-1"), .name = bytes_str("dev"), .owner = bytes_str("ann") };
	return &who;
}

void gate_wait_cancel(struct gate_wait *w)
{
	if (g.event_wait == w)
		g.event_wait = NULL;
	if (g.dial_wait == w)
		g.dial_wait = NULL;
}

static void answer_dial(void)
{
	struct gate_wait *w = g.dial_wait;
	int pair[2] = { -1, -1 };

	g.dial_wait = NULL;
	if (g.dial_refusal == REASON_OK) {
		must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
		must(g.n_dials < DIALS_MAX);
		g.origin[g.n_dials++] = pair[0];
	}
	w->on_dial(w->owner, pair[1], (struct ip){ 0 }, g.dial_refusal);
}

static void from_loop(struct loop_later *l)
{
	(void)l;
	if (g.event_wait && !g.hold_events) {
		struct gate_wait *w = g.event_wait;

		g.event_wait = NULL;
		w->on_event(w->owner, !g.log_full);
	}
	if (g.dial_wait && !g.hold_dials)
		answer_dial();
}

static void write_down(const struct event *ev)
{
	must(g.n_events < EVENTS_MAX);
	(void)snprintf(g.events[g.n_events++], sizeof(g.events[0]), "%s %s %.*s %.*s %.*s %u%s%.*s",
		       ev->action == EVENT_ALLOWED  ? "allowed" :
		       ev->action == EVENT_DENIED   ? "denied" :
		       ev->action == EVENT_OBSERVED ? "observed" :
		       ev->action == EVENT_CLOSED   ? "closed" :
						      "failed",
		       reason_code((enum reason)ev->reason), (int)ev->verb.len, (const char *)ev->verb.p, (int)ev->path.len,
		       (const char *)ev->path.p, (int)ev->rule.len, (const char *)ev->rule.p, ev->status,
		       ev->detail.len ? " " : "", (int)ev->detail.len, (const char *)ev->detail.p);
}

void gate_event(struct gate *gate, struct gate_wait *w, const struct event *ev, void (*done)(void *, bool), void *owner)
{
	must(!gate->event_wait && !gate->dial_wait);
	write_down(ev);
	w->owner = owner;
	w->on_event = done;
	gate->event_wait = w;
	loop_later(gate->loop, &gate->later, from_loop, gate);
}

void gate_note(struct gate *gate, const struct event *ev)
{
	(void)gate;
	write_down(ev);
}

void gate_dial(struct gate *gate, struct gate_wait *w, uint64_t flow, struct bytes name, uint16_t port,
	       void (*done)(void *, int, struct ip, enum reason), void *owner)
{
	must(!gate->event_wait && !gate->dial_wait);
	must(flow == 7 && bytes_is(name, "good.example") && port == 80);
	w->owner = owner;
	w->on_dial = done;
	gate->dial_wait = w;
	loop_later(gate->loop, &gate->later, from_loop, gate);
}

void flow_register(struct flow *f)
{
	must(!g.flow);
	g.flow = f;
}

void flow_unregister(struct flow *f)
{
	must(g.flow == f);
	g.flow = NULL;
}

struct event flow_event(const struct flow *f, enum event_kind kind, enum event_action action, enum reason reason)
{
	return (struct event){ .kind = kind, .action = action, .reason = (uint16_t)reason, .flow = f->id,
			       .name = name_bytes(&f->name), .rule = f->entry.rule };
}

/* --- a policy: GET, HEAD, POST, PUT, OPTIONS below /ok --- */

enum reason policy_find(const struct policy *p, struct bytes name, uint16_t port, struct policy_entry *ret)
{
	(void)p;
	(void)port;
	if (g.unlisted || !bytes_is(name, "good.example"))
		return REASON_NAME_UNLISTED;
	*ret = (struct policy_entry){ .mode = POLICY_HTTP, .rule = bytes_str("site") };
	return REASON_OK;
}

void policy_judge(const struct policy *p, const struct policy_entry *e, const struct policy_request *r,
		  struct policy_verdict *ret)
{
	static const char *const methods[] = { "GET", "HEAD", "POST", "PUT", "OPTIONS" };
	bool method = false;

	(void)p;
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		method = method || bytes_is(r->method, methods[i]);
	*ret = (struct policy_verdict){ .reason = REASON_OK, .rule = bytes_str("site/1 (read)") };
	if (!method)
		ret->reason = REASON_HTTP_METHOD_UNLISTED;
	else if (!bytes_starts(r->path, bytes_str("/ok")))
		ret->reason = REASON_HTTP_PATH_UNLISTED;
	if (ret->reason != REASON_OK)
		ret->rule = e->rule;
	ret->observed = bytes_starts(r->path, bytes_str("/watched"));
	if (r->has_header(r->headers, bytes_str("x-needed-not")))
		ret->reason = REASON_HTTP_CONDITION;
}

struct bytes policy_label(const struct policy *p)
{
	(void)p;
	return bytes_str("corporate");
}

bool policy_reach_at(const struct policy *p, uint32_t i, struct policy_reach *ret)
{
	static const uint16_t ports[] = { 80, 8080 };

	(void)p;
	*ret = (struct policy_reach){ .rule = bytes_str("site"), .host = bytes_str("good.example"), .mode = POLICY_HTTP,
				      .ports = ports, .n_ports = 2 };
	return i == 0;
}

const char *policy_mode_text(enum policy_mode m)
{
	return m == POLICY_HTTP ? "http" : "other";
}

/* --- the rig --- */

static void start(void (*flow_start)(const struct flow *))
{
	struct flow facts = { .gate = &g, .id = 7, .dst_port = 80,
			      .entry = { .mode = POLICY_HTTP, .rule = bytes_str("site") } };
	int pair[2];

	g = (struct gate){ .generation = 1, .guest = -1 };
	must(loop_new(&g.loop, NULL) == 0);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	g.guest = pair[0];
	buf_init(&g.got, 128 * 1024 * 1024);
	for (unsigned i = 0; i < DIALS_MAX; i++) {
		g.origin[i] = -1;
		buf_init(&g.origin_got[i], 128 * 1024 * 1024);
	}
	must(name_parse(bytes_str("good.example"), &facts.name) == NAME_OK);
	facts.fd = pair[1];
	flow_start(&facts);
}

static bool drain(int fd, struct buf *got)
{
	uint8_t *room = fd < 0 ? NULL : buf_room(got, 65536);
	ssize_t n = room ? recv(fd, room, 65536, 0) : -1;

	if (n > 0)
		buf_grew(got, (size_t)n);
	return n > 0;
}

static void settle(void)
{
	for (int quiet = 0; quiet < 4; quiet++) {
		must(loop_turn(g.loop, 0, NULL) == 0);
		if (drain(g.guest, &g.got))
			quiet = 0;
		for (unsigned i = 0; i < g.n_dials; i++)
			if (drain(g.origin[i], &g.origin_got[i]))
				quiet = 0;
	}
}

static void end(void)
{
	g.guest = fd_close(g.guest);
	settle();
	if (g.flow)
		g.flow->ops->on_stop(g.flow);
	settle();
	CHECK(!g.flow && !g.event_wait && !g.dial_wait);
	for (unsigned i = 0; i < DIALS_MAX; i++) {
		(void)fd_close(g.origin[i]);
		buf_deinit(&g.origin_got[i]);
	}
	buf_deinit(&g.got);
	g.loop = loop_free(g.loop);
}

static void put(int fd, const char *text)
{
	must(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

static void ask(const char *text)
{
	put(g.guest, text);
	settle();
}

static void reply(unsigned i, const char *text)
{
	put(g.origin[i], text);
	settle();
}

/* What came since the last look. */
static const char *seen(struct buf *b)
{
	static char text[70000];

	(void)snprintf(text, sizeof(text), "%s", buf_cstr(b));
	buf_reset(b);
	return text;
}

static bool guest_at_end(void)
{
	char c;

	return recv(g.guest, &c, 1, 0) == 0;
}

static bool origin_at_end(unsigned i)
{
	char c;

	return recv(g.origin[i], &c, 1, 0) == 0;
}

#define HOST "Host: good.example\r\n"
#define GET "GET /ok HTTP/1.1\r\n" HOST "\r\n"
#define ORIGIN_GET "GET /ok HTTP/1.1\r\nHost: good.example\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

/* --- promises --- */

TEST(an_allowed_request_is_recorded_then_forwarded_and_answered)
{
	start(http_flow_start);
	g.hold_events = true;
	ask("GET /ok/%61?q HTTP/1.1\r\nhost: GOOD.example:80\r\nX: y\r\nVia: z\r\n\r\n");
	CHECK_INT(g.n_dials, 1);
	CHECK_INT(g.origin_got[0].len, 0); /* not on disk yet */
	CHECK_INT(g.n_events, 1);
	CHECK_STR(g.events[0], "allowed ok GET /ok/a?q site/1 (read) 0 stripped: via");
	g.hold_events = false;
	loop_later(g.loop, &g.later, from_loop, &g);
	settle();
	CHECK_STR(seen(&g.origin_got[0]), "GET /ok/a?q HTTP/1.1\r\nHost: good.example\r\nX: y\r\n\r\n");
	reply(0, "HTTP/1.1 200 OK\r\nServer: s\r\nAlt-Svc: h3\r\nContent-Length: 2\r\n\r\nhi");
	CHECK_STR(seen(&g.got), "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\n\r\nhi");
	end();
	CHECK_INT(g.n_events, 2);
	CHECK_STR(g.events[1], "closed ok   site 0");
}

TEST(further_requests_use_the_kept_connection_and_have_an_event_each)
{
	start(http_flow_start);
	for (int i = 0; i < 3; i++) {
		ask(GET);
		CHECK_STR(seen(&g.origin_got[0]), ORIGIN_GET);
		reply(0, OK);
		CHECK_STR(seen(&g.got), OK);
	}
	CHECK_INT(g.n_dials, 1);
	CHECK_INT(g.n_events, 3);
	end();
}

TEST(a_denied_request_reaches_nobody_and_is_explained)
{
	start(http_flow_start);
	ask("GET /admin HTTP/1.1\r\n" HOST "\r\n" GET);
	CHECK_INT(g.n_dials, 0);
	CHECK_INT(g.n_events, 1);
	CHECK_STR(g.events[0], "denied path_not_listed GET /admin site 403");
	CHECK(strstr(buf_cstr(&g.got), "HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\n") ==
	      buf_cstr(&g.got));
	CHECK(strstr(buf_cstr(&g.got), "Connection: close\r\n"));
	CHECK(strstr(buf_cstr(&g.got), "\"reason\":\"path_not_listed\"") && strstr(buf_cstr(&g.got), "\"remedy\":\"") &&
	      strstr(buf_cstr(&g.got), "\"rule\":\"site\""));
	CHECK(!strstr(strstr(buf_cstr(&g.got), "HTTP/1.1") + 1, "HTTP/1.1")); /* E17: one answer only */
	CHECK(guest_at_end());
	end();
	CHECK_INT(g.n_events, 1);
}

TEST(a_denied_request_behind_an_allowed_one_is_answered_in_order_and_never_seen_upstream)
{
	start(http_flow_start);
	ask(GET "GET /admin HTTP/1.1\r\n" HOST "\r\n"); /* E16 */
	CHECK_STR(seen(&g.origin_got[0]), ORIGIN_GET);
	CHECK_INT(g.n_events, 1);
	reply(0, OK);
	CHECK(strncmp(buf_cstr(&g.got), OK "HTTP/1.1 403 ", strlen(OK) + 13) == 0);
	CHECK_INT(g.origin_got[0].len, 0);
	CHECK_STR(g.events[1], "denied path_not_listed GET /admin site 403");
	CHECK(origin_at_end(0));
	end();
}

TEST(pipelined_allowed_requests_are_forwarded_one_by_one)
{
	start(http_flow_start);
	ask(GET GET GET);
	for (int i = 0; i < 3; i++) {
		CHECK_STR(seen(&g.origin_got[0]), ORIGIN_GET);
		reply(0, OK);
		CHECK_STR(seen(&g.got), OK);
	}
	CHECK_INT(g.n_events, 3);
	end();
}

TEST(a_request_sent_byte_by_byte_is_the_same_request)
{
	const char *text = "POST /ok HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";

	start(http_flow_start);
	for (const char *p = text; *p; p++)
		ask((const char[]){ *p, '\0' });
	CHECK_STR(seen(&g.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n"
					  "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n");
	CHECK_INT(g.n_events, 1);
	end();
}

#define CANARY "GET /ok/canary HTTP/1.1\r\n" HOST "\r\n"
#define POST "POST /ok HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"

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
		{ "DELETE /ok HTTP/1.1\r\n" HOST "\r\n" CANARY, 403, "method_not_listed" },
		{ POST "X-HTTP-Method-Override: DELETE\r\nContent-Length: 0\r\n\r\n" CANARY, 403, "method_override" },
		{ "POST /ok?_method=DELETE HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n" CANARY, 403, "method_override" },
		{ POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 18\r\n\r\na=1&_method=DELETE" CANARY,
		  403, "method_override" },
		{ POST "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n\r\n"
		       "5\r\n--b\r\n\r\n2d\r\nContent-Disposition: form-data; name=\"_method\"\r\n0\r\n\r\n" CANARY,
		  403, "method_override" },
		{ "GET /ok HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n" CANARY, 403,
		  "upgrade_not_listed" },
		{ "GET /ok HTTP/1.1\r\n" HOST "X-Needed-Not: 1\r\n\r\n" CANARY, 403, "condition_not_met" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		char want[64];
		bool good;

		start(http_flow_start);
		ask(vectors[i].text);
		(void)snprintf(want, sizeof(want), "HTTP/1.1 %u ", vectors[i].status);
		good = CHECK(strncmp(buf_cstr(&g.got), want, strlen(want)) == 0);
		good = CHECK_INT(g.n_dials, 0) && good;
		(void)snprintf(want, sizeof(want), "denied %s ", vectors[i].reason);
		good = CHECK(strncmp(g.events[0], want, strlen(want)) == 0) && good;
		good = CHECK(guest_at_end()) && good;
		end();
		good = CHECK_INT(g.n_events, 1) && good;
		if (!good)
			printf("# vector %zu (%s): %s\n# %s\n", i, vectors[i].reason, g.events[0], vectors[i].text);
	}
}

TEST(limits_of_the_head_are_refused_with_their_status)
{
	static char text[100000];

	start(http_flow_start);
	(void)snprintf(text, sizeof(text), "GET /ok HTTP/1.1\r\n" HOST "X: %070000d\r\n\r\n", 1);
	ask(text);
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 431 ", 13) == 0);
	CHECK(strncmp(g.events[0], "denied headers_too_large GET /ok ", 33) == 0);
	end();
	start(http_flow_start);
	(void)snprintf(text, sizeof(text), "GET /ok%09000d HTTP/1.1\r\n" HOST "\r\n", 1);
	ask(text);
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 414 ", 13) == 0);
	CHECK(strncmp(g.events[0], "denied target_too_long", 22) == 0);
	end();
}

TEST(a_body_that_turns_malformed_later_never_becomes_a_whole_request)
{
	start(http_flow_start);
	ask(CHUNKED "5\r\nhello\r\n");
	CHECK_STR(seen(&g.origin_got[0]),
		  "POST /ok HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	ask("zz\r\n" CANARY);
	CHECK_INT(g.origin_got[0].len, 0);
	CHECK(origin_at_end(0));
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 400 ", 13) == 0);
	CHECK_INT(g.n_events, 2);
	CHECK(strncmp(g.events[1], "denied malformed_chunk POST /ok", 31) == 0);
	end();
}

TEST(trailers_and_extensions_are_dropped)
{
	start(http_flow_start);
	ask(CHUNKED "5;a=b\r\nhello\r\n0\r\nHost: evil.example\r\nAuthorization: x\r\n\r\n");
	CHECK_STR(seen(&g.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n"
					  "5\r\nhello\r\n0\r\n\r\n");
	end();
}

TEST(a_hidden_method_in_a_long_form_cuts_the_request_before_its_end)
{
	static char form[40000];

	start(http_flow_start);
	memset(form, 'a', sizeof(form) - 1);
	ask(POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 40014\r\n\r\n");
	ask(form);
	CHECK_INT(g.n_dials, 1);
	ask("&_method=DELETE");
	CHECK(origin_at_end(0));
	CHECK(strstr(buf_cstr(&g.origin_got[0]), "aaaa") && !strstr(buf_cstr(&g.origin_got[0]), "_method"));
	CHECK(strncmp(g.events[1], "denied method_override", 22) == 0);
	end();
}

TEST(an_ordinary_form_arrives_whole)
{
	start(http_flow_start);
	ask(POST "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\na=1&b");
	CHECK_INT(g.n_dials, 0); /* held */
	ask("=2&c=");
	CHECK_STR(seen(&g.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\n"
					  "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 10\r\n\r\na=1&b=2&c=");
	end();
}

TEST(expect_is_answered_by_us_after_the_verdict_and_not_forwarded)
{
	start(http_flow_start);
	ask(POST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	CHECK_STR(seen(&g.got), "HTTP/1.1 100 Continue\r\n\r\n");
	ask("hello");
	CHECK_STR(seen(&g.origin_got[0]), "POST /ok HTTP/1.1\r\nHost: good.example\r\nContent-Length: 5\r\n\r\nhello");
	reply(0, OK);
	CHECK_STR(seen(&g.got), OK);
	end();
	start(http_flow_start);
	ask("POST /admin HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 403 ", 13) == 0);
	end();
}

TEST(an_early_answer_ends_the_exchange_and_both_connections)
{
	start(http_flow_start);
	ask(POST "Content-Length: 100\r\n\r\nhello");
	reply(0, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
	CHECK_STR(seen(&g.got), "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	CHECK(guest_at_end());
	CHECK(origin_at_end(0));
	end();
	start(http_flow_start); /* no body at all is complete at once */
	ask(GET);
	reply(0, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	CHECK_STR(seen(&g.got), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	ask(GET);
	CHECK_INT(g.n_events, 2);
	end();
}

TEST(a_body_on_get_is_framed_and_judged_as_any_other)
{
	start(http_flow_start);
	ask("GET /ok HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nGET /" GET);
	CHECK_STR(seen(&g.origin_got[0]), "GET /ok HTTP/1.1\r\nHost: good.example\r\nContent-Length: 5\r\n\r\nGET /");
	reply(0, OK);
	CHECK_STR(seen(&g.origin_got[0]), ORIGIN_GET);
	end();
}

TEST(malformed_answers_become_502_and_nothing_of_them_reaches_the_guest)
{
	static const char *const answers[] = {
		"HTTP/1.1 200\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: y\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
		"<html>hello</html>\r\n",
	};

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		start(http_flow_start);
		ask(GET);
		reply(0, answers[i]);
		if (!CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 502 ", 13) == 0))
			printf("# answer %zu: %s\n", i, buf_cstr(&g.got));
		CHECK(strncmp(g.events[1], "failed malformed_upstream GET /ok site/1 (read) 502", 51) == 0);
		CHECK(origin_at_end(0) && guest_at_end());
		end();
	}
}

TEST(bytes_behind_an_answer_never_answer_the_next_request)
{
	start(http_flow_start);
	ask(GET);
	reply(0, OK "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"); /* E27 */
	CHECK_STR(seen(&g.got), OK);
	ask(GET);
	CHECK_INT(g.n_dials, 2);
	CHECK_STR(seen(&g.origin_got[1]), ORIGIN_GET);
	reply(1, OK);
	CHECK_STR(seen(&g.got), OK);
	end();
}

TEST(answers_with_a_body_that_their_kind_does_not_have_are_cut_off)
{
	static const struct {
		const char *request;
		const char *answer;
		const char *want;
	} vectors[] = {
		{ "HEAD /ok HTTP/1.1\r\n" HOST "\r\n", OK, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" },
		{ GET, "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", "HTTP/1.1 204 No Content\r\n\r\n" },
		{ GET, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		  "HTTP/1.1 304 Not Modified\r\n\r\n" },
	};

	for (size_t i = 0; i < 3; i++) {
		start(http_flow_start);
		ask(vectors[i].request);
		reply(0, vectors[i].answer);
		CHECK_STR(seen(&g.got), vectors[i].want);
		ask(GET);
		CHECK_INT(g.n_dials, 2);
		reply(1, OK);
		CHECK_STR(seen(&g.got), OK);
		end();
	}
}

TEST(answers_until_close_and_with_both_lengths_are_framed_again)
{
	start(http_flow_start);
	ask(GET);
	reply(0, "HTTP/1.0 200 OK\r\n\r\nhel");
	CHECK_STR(seen(&g.got), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n");
	g.origin[0] = fd_close(g.origin[0]);
	settle();
	CHECK_STR(seen(&g.got), "0\r\n\r\n");
	ask(GET);
	reply(1, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
	CHECK_STR(seen(&g.got), "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
	CHECK(origin_at_end(1));
	end();
}

TEST(a_client_of_http_1_0_gets_its_answer_until_close)
{
	start(http_flow_start);
	ask("GET /ok HTTP/1.0\r\n" HOST "\r\n");
	reply(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
	CHECK_STR(seen(&g.got), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhi");
	CHECK(guest_at_end());
	end();
}

TEST(interim_answers_are_swallowed_and_bounded)
{
	start(http_flow_start);
	ask(GET);
	reply(0, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK);
	CHECK_STR(seen(&g.got), OK);
	ask(GET);
	for (int i = 0; i < HTTP_FLOW_INTERIM_MAX; i++)
		reply(0, "HTTP/1.1 102 Processing\r\n\r\n");
	CHECK_INT(g.got.len, 0);
	reply(0, "HTTP/1.1 102 Processing\r\n\r\n");
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 502 ", 13) == 0);
	end();
}

TEST(events_of_a_stream_arrive_one_by_one)
{
	start(http_flow_start);
	ask(GET);
	reply(0, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
	CHECK_STR(seen(&g.got), "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 3; i++) {
		reply(0, "9\r\ndata: a\n\n\r\n");
		CHECK_STR(seen(&g.got), "9\r\ndata: a\n\n\r\n");
	}
	end();
}

static void transfer(size_t total, bool up)
{
	static uint8_t piece[60000];
	int from = up ? g.guest : g.origin[0];
	struct buf *got = up ? &g.origin_got[0] : &g.got;
	size_t sent = 0;
	size_t received = 0;
	struct http_flow *f = (struct http_flow *)g.flow;
	size_t worst = 0;

	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = (uint8_t)(i * 7);
	while (received < total) {
		size_t n = total - sent < sizeof(piece) ? total - sent : sizeof(piece);
		ssize_t done = n ? send(from, piece, n, MSG_NOSIGNAL) : 0;

		sent += done > 0 ? (size_t)done : 0;
		must(loop_turn(g.loop, 0, NULL) == 0);
		if (sent > total / 2 || received) /* at first nobody reads: back-pressure */
			(void)drain(up ? g.origin[0] : g.guest, got);
		else if (done < 0)
			(void)drain(up ? g.origin[0] : g.guest, got);
		received += got->len;
		buf_reset(got);
		if (g.flow && f->guest.out.len + f->upstream.out.len + f->guest.in.len + f->upstream.in.len > worst)
			worst = f->guest.out.len + f->upstream.out.len + f->guest.in.len + f->upstream.in.len;
	}
	CHECK_INT(received, total);
	CHECK(worst < 400 * 1024);
}

TEST(big_bodies_pass_both_ways_in_bounded_memory)
{
	start(http_flow_start);
	ask(POST "Content-Length: 50000000\r\n\r\n");
	ask("0123456789");
	CHECK_INT(g.n_dials, 1);
	buf_reset(&g.origin_got[0]);
	transfer(50000000 - 10, true);
	reply(0, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	buf_reset(&g.got);
	transfer(100000000, false);
	ask(GET);
	CHECK_STR(seen(&g.origin_got[0]), ORIGIN_GET);
	CHECK_INT(g.n_dials, 1);
	end();
}

TEST(an_idle_flow_keeps_no_buffers)
{
	struct http_flow *f;

	start(http_flow_start);
	ask(GET);
	reply(0, OK);
	f = (struct http_flow *)g.flow;
	CHECK_INT(f->guest.in.cap + f->guest.out.cap + f->upstream.in.cap + f->upstream.out.cap + f->canon.cap + f->held.cap, 0);
	CHECK(sizeof(*f) < 4096);
	end();
}

/* L10 */
TEST(a_safe_request_on_a_dying_connection_is_sent_once_more)
{
	start(http_flow_start);
	ask(GET);
	reply(0, OK);
	buf_reset(&g.origin_got[0]);
	buf_reset(&g.got);
	g.hold_events = true;
	ask(GET);
	g.hold_events = false;
	loop_later(g.loop, &g.later, from_loop, &g);
	must(loop_turn(g.loop, 0, NULL) == 0); /* the request leaves ... */
	g.origin[0] = fd_close(g.origin[0]); /* ... and meets a closed door */
	settle();
	CHECK_INT(g.n_dials, 2);
	CHECK_STR(seen(&g.origin_got[1]), ORIGIN_GET);
	reply(1, OK);
	CHECK_STR(seen(&g.got), OK);
	CHECK_INT(g.n_events, 2);
	end();
}

TEST(a_safe_request_is_not_sent_a_third_time)
{
	start(http_flow_start);
	ask(GET);
	reply(0, OK);
	buf_reset(&g.got);
	ask(GET);
	g.origin[0] = fd_close(g.origin[0]);
	settle();
	CHECK_INT(g.n_dials, 2);
	g.origin[1] = fd_close(g.origin[1]);
	settle();
	CHECK_INT(g.n_dials, 2);
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 502 ", 13) == 0);
	CHECK(strncmp(g.events[2], "failed upstream_closed", 22) == 0);
	end();
}

TEST(an_unsafe_request_on_a_dying_connection_is_answered_502_and_never_sent_twice)
{
	start(http_flow_start);
	ask(GET);
	reply(0, OK);
	buf_reset(&g.got);
	ask(POST "Content-Length: 0\r\n\r\n");
	g.origin[0] = fd_close(g.origin[0]);
	settle();
	CHECK_INT(g.n_dials, 1);
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 502 ", 13) == 0);
	end();
}

TEST(a_kept_connection_that_closed_while_idle_is_not_used)
{
	start(http_flow_start);
	ask(GET);
	reply(0, OK);
	buf_reset(&g.got);
	g.origin[0] = fd_close(g.origin[0]);
	settle();
	ask(POST "Content-Length: 0\r\n\r\n");
	CHECK_INT(g.n_dials, 2);
	reply(1, OK);
	CHECK_STR(seen(&g.got), OK);
	end();
}

TEST(a_kept_connection_that_closes_while_the_event_is_written_costs_nothing)
{
	start(http_flow_start);
	ask(GET);
	reply(0, OK);
	buf_reset(&g.got);
	g.hold_events = true;
	ask(POST "Content-Length: 0\r\n\r\n");
	g.origin[0] = fd_close(g.origin[0]);
	settle();
	g.hold_events = false;
	loop_later(g.loop, &g.later, from_loop, &g);
	settle();
	CHECK_INT(g.n_dials, 2);
	CHECK_INT(g.n_events, 2);
	reply(1, OK);
	CHECK_STR(seen(&g.got), OK);
	end();
}

TEST(an_answer_cut_short_resets_the_guest)
{
	start(http_flow_start);
	ask(GET);
	reply(0, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
	g.origin[0] = fd_close(g.origin[0]);
	settle();
	CHECK(!strstr(buf_cstr(&g.got), "0\r\n\r\n"));
	CHECK(!g.flow);
	CHECK(strncmp(g.events[1], "failed upstream_closed", 22) == 0);
	end();
}

TEST(a_refusal_by_dialer_is_its_event_alone)
{
	start(http_flow_start);
	g.dial_refusal = REASON_ADDRESS_FORBIDDEN;
	ask(GET);
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 403 ", 13) == 0);
	CHECK(strstr(buf_cstr(&g.got), "address_not_permitted"));
	CHECK_INT(g.n_events, 0);
	end();
	start(http_flow_start);
	g.dial_refusal = REASON_CONNECT_FAILED;
	ask(GET);
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 502 ", 13) == 0);
	CHECK_INT(g.n_events, 0);
	end();
	start(http_flow_start);
	g.dial_refusal = REASON_ROLE_DOWN;
	ask(GET);
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK_INT(g.n_events, 1);
	CHECK(strncmp(g.events[0], "denied gateway_role_down GET /ok", 32) == 0);
	end();
}

TEST(what_cannot_be_recorded_does_not_happen)
{
	start(http_flow_start);
	g.log_full = true;
	ask(GET);
	CHECK_INT(g.origin_got[0].len, 0);
	CHECK(origin_at_end(0));
	CHECK(strncmp(buf_cstr(&g.got), "HTTP/1.1 503 ", 13) == 0);
	CHECK(strstr(buf_cstr(&g.got), "audit_not_writable"));
	end();
}

TEST(an_observing_entry_lets_through_and_says_so)
{
	start(http_flow_start);
	ask("GET /watched HTTP/1.1\r\n" HOST "\r\n");
	CHECK_STR(seen(&g.origin_got[0]), "GET /watched HTTP/1.1\r\nHost: good.example\r\n\r\n");
	CHECK_STR(g.events[0], "observed path_not_listed GET /watched site 0");
	end();
}

static void policy_changes(bool unlisted)
{
	g.generation++;
	g.unlisted = unlisted;
	if (g.flow)
		g.flow->ops->on_policy(g.flow);
	settle();
}

/* The deadline that is set now passes. */
static void time_passes(void)
{
	struct loop_timer *t = &((struct http_flow *)g.flow)->timer;

	must(t->slot);
	loop_timer_disarm(t);
	t->fn(t);
	settle();
}

TEST(every_wait_has_an_end_with_its_own_reason)
{
	static const struct {
		const char *request;
		const char *answer; /* of the origin, or NULL */
		const char *status; /* of the last answer; NULL: reset */
		const char *event; /* the last but the flow's own end */
		bool hold_dials;
		bool hold_events;
	} vectors[] = {
		{ "", NULL, "HTTP/1.1 408 ", "denied first_bytes_timeout ", false, false },
		{ "GET /ok HT", NULL, "HTTP/1.1 408 ", "denied request_timeout ", false, false },
		{ CHUNKED, NULL, "HTTP/1.1 408 ", "denied request_timeout POST /ok ", false, false },
		{ CHUNKED "5;ext", NULL, "HTTP/1.1 408 ", "denied request_timeout POST /ok ", false, false },
		{ POST "Content-Length: 5\r\n\r\nhe", NULL, "HTTP/1.1 408 ", "failed request_timeout POST /ok ", false, false },
		{ GET, NULL, "HTTP/1.1 504 ", "failed upstream_timeout GET /ok ", false, false },
		{ GET, NULL, "HTTP/1.1 504 ", "denied upstream_timeout GET /ok ", true, false },
		{ GET, NULL, "HTTP/1.1 503 ", "allowed ok GET /ok ", false, true },
		{ GET, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", NULL, "failed upstream_timeout GET /ok ", false, false },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		bool good;

		start(http_flow_start);
		g.hold_dials = vectors[i].hold_dials;
		g.hold_events = vectors[i].hold_events;
		if (vectors[i].request[0])
			ask(vectors[i].request);
		if (vectors[i].answer)
			reply(0, vectors[i].answer);
		buf_reset(&g.got);
		time_passes();
		good = CHECK(vectors[i].status ? strncmp(buf_cstr(&g.got), vectors[i].status, 13) == 0 : !g.flow);
		good = CHECK(strncmp(g.events[g.n_events - 1 - !g.flow], vectors[i].event, strlen(vectors[i].event)) == 0) && good;
		if (!good)
			printf("# vector %zu: %s, %s\n", i, g.events[g.n_events - 1], buf_cstr(&g.got));
		end();
	}
}

TEST(an_idle_connection_ends_without_a_word)
{
	start(http_flow_start);
	ask(GET);
	reply(0, OK);
	buf_reset(&g.got);
	time_passes();
	CHECK(guest_at_end() && !g.flow);
	CHECK_INT(g.n_events, 2);
	end();
}

/* K3 */
TEST(a_new_policy_closes_an_idle_flow_that_it_no_longer_lists)
{
	start(http_flow_start);
	ask(GET);
	reply(0, OK);
	policy_changes(false);
	CHECK(g.flow != NULL);
	policy_changes(true);
	CHECK(guest_at_end());
	end();
}

TEST(a_request_in_flight_ends_in_its_own_time_and_is_the_last)
{
	start(http_flow_start);
	ask(GET);
	policy_changes(true);
	reply(0, OK);
	CHECK(strstr(buf_cstr(&g.got), "Connection: close\r\n") && strstr(buf_cstr(&g.got), "hi"));
	CHECK(guest_at_end() && origin_at_end(0));
	end();
}

TEST(a_request_that_waits_for_its_connection_is_judged_again_by_the_new_policy)
{
	start(http_flow_start);
	g.hold_dials = true;
	ask(GET);
	policy_changes(true);
	g.hold_dials = false;
	loop_later(g.loop, &g.later, from_loop, &g);
	settle();
	CHECK_INT(g.origin_got[0].len, 0);
	CHECK_INT(g.n_events, 1);
	CHECK(strncmp(g.events[0], "denied name_not_listed GET /ok", 30) == 0);
	end();
}

TEST(a_guest_that_leaves_takes_everything_with_it)
{
	start(http_flow_start);
	g.hold_dials = true;
	ask(GET);
	g.guest = fd_close(g.guest);
	settle();
	CHECK(!g.flow && !g.dial_wait);
	end();
	CHECK_INT(g.n_events, 0);
	start(http_flow_start);
	ask(GET);
	g.guest = fd_close(g.guest);
	settle();
	CHECK(!g.flow && origin_at_end(0));
	end();
}

TEST(a_half_closed_guest_still_gets_its_answer)
{
	start(http_flow_start);
	ask(GET);
	(void)shutdown(g.guest, SHUT_WR);
	settle();
	reply(0, OK);
	CHECK(strstr(buf_cstr(&g.got), "hi"));
	CHECK(guest_at_end());
	end();
}

TEST(a_connection_without_a_byte_leaves_no_event)
{
	start(http_flow_start);
	g.guest = fd_close(g.guest);
	settle();
	CHECK(!g.flow);
	end();
	CHECK_INT(g.n_events, 0);
}

/* --- http://saw.internal/ --- */

TEST(a_workspace_learns_who_it_is_and_what_it_may_reach)
{
	start(self_flow_start);
	ask("GET /v1/whoami HTTP/1.1\r\nHost: saw.internal\r\n\r\n");
	CHECK(strstr(buf_cstr(&g.got), "{\"id\":\"ws-1\",\"name\":\"dev\",\"owner\":\"ann\",\"policy\":\"corporate\",\"policy_generation\":1}"));
	CHECK_STR(g.events[0], "allowed ok GET /v1/whoami saw.internal 200");
	CHECK(guest_at_end());
	end();
	CHECK_INT(g.n_events, 1);
	start(self_flow_start);
	ask("GET /v1/reach HTTP/1.1\r\nHost: 100.64.0.1\r\n\r\n");
	CHECK(strstr(buf_cstr(&g.got), "{\"reach\":[{\"host\":\"good.example\",\"mode\":\"http\",\"ports\":[80,8080],\"rule\":\"site\"}]}"));
	end();
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
		{ "GET /nope HTTP/1.1\r\nHost: saw.internal:80\r\n\r\n", "HTTP/1.1 404 ", "allowed ok GET /nope saw.internal 404" },
		{ "GET / HTTP/1.1\r\nHost: good.example\r\n\r\n", "HTTP/1.1 421 ",
		  "denied authority_not_flow_name GET / saw.internal 421" },
		{ "GET /../x HTTP/1.1\r\nHost: saw.internal\r\n\r\n", "HTTP/1.1 400 ",
		  "denied dot_segment GET /../x saw.internal 400" },
		{ "\x16\x03\x01", "HTTP/1.1 400 ", "denied not_http   saw.internal 400" },
		{ "HEAD / HTTP/1.1\r\nHost: saw.internal\r\n\r\n", "HTTP/1.1 200 ", "allowed ok HEAD / saw.internal 200" },
	};

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		start(self_flow_start);
		ask(vectors[i].text);
		CHECK(strncmp(buf_cstr(&g.got), vectors[i].status, strlen(vectors[i].status)) == 0);
		CHECK_STR(g.events[0], vectors[i].event);
		end();
		CHECK_INT(g.n_events, 1);
	}
}
