#include "proxy/h2_flow.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "crypt/sha256.h"
#include "ipc/audit_msg.h"
#include "ipc/types.h"
#include "net/held.h"
#include "os/clock_kit.h"
#include "os/fd.h"
#include "proxy/flows.h"
#include "proxy/gate_main.h"
#include "rules/policy_compile.h"

/* A real gate; the test is the supervisor behind it, and the guest. */

enum { TOO_MANY = NOISE_BURST + 300, QUIET_TURNS = 20, PATIENCE_TURNS = 5000, FRAME_HEAD = 9, RST = 3, GOAWAY = 7, REFUSED = 7, PAUSE_MS = 1000 };

static const char policy_text[] = "version: 1\nname: corporate\nverdicts: {read: allow}\nnetwork:\n  - {name: a, hosts: [good.example], ports: [443], mode: intercept, "
				  "protocol: rest, access: read-only}\n";

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" "\0\0\0\4\0\0\0\0\0"
/* DELETE /x, which no rule allows. */
#define ASK(id) "\0\0\x1b\1\5\0\0\0" id "\x02\x06" "DELETE" "\x87" "\x04\x02" "/x" "\x01\x0c" "good.example"
#define PING "\0\0\x08\6\0\0\0\0\0" "12345678"
static const char request[] = PREFACE ASK("\1");

static struct {
	struct loop *loop;
	struct chan *supervisor;
	struct chan *parent;
	struct gate *gate;
	unsigned n_http;
	unsigned n_other;
	enum reason last; /* of the others */
	enum reason last_http;
} rig;

static bool on_event(void *owner, struct msg_in *in)
{
	static struct msg out;
	uint64_t id = msg_get_u64(in);
	struct event ev;

	(void)owner;
	must(audit_msg_get(in, &ev));
	rig.n_http += ev.kind == EVENT_HTTP;
	rig.n_other += ev.kind != EVENT_HTTP;
	*(ev.kind == EVENT_HTTP ? &rig.last_http : &rig.last) = (enum reason)ev.reason;
	if (id) {
		msg_start(&out, MSG_EVENT_DONE);
		msg_u64(&out, id);
		msg_u64(&out, 1);
		chan_send(rig.supervisor, &out);
	}
	return msg_end(in);
}

static bool on_done(void *owner, struct msg_in *in)
{
	uint64_t id = msg_get_u64(in);
	bool written = msg_get_max(in, 1) == 1;

	(void)owner;
	return msg_end(in) && gate_event_done(rig.gate, id, written);
}

static void on_end(void *owner, const char *why)
{
	(void)owner;
	(void)why;
}

static void begin(struct flow *facts)
{
	static const struct chan_permit permits[] = { { MSG_EVENT, on_event } };
	static const struct chan_permit parent_permits[] = { { MSG_EVENT_DONE, on_done } };
	static const struct gate_who who;
	const struct policy_options options = { .sha256 = sha256 };
	struct policy_problems problems POLICY_PROBLEMS_AUTO = { 0 };
	struct buf blob BUF_AUTO = { 0 };
	FD_AUTO int fd = -1;
	int pair[2];

	rig.n_http = rig.n_other = 0;
	buf_init(&blob, POLICY_BLOB_MAX);
	must(policy_compile(bytes_str(policy_text), &options, &blob, &problems));
	fd = fd_sealed("policy", blob.p, blob.len, NULL);
	must(loop_new(&rig.loop, NULL) == 0 && chan_pair(pair, NULL) == 0);
	must(chan_new(&rig.supervisor, rig.loop, pair[0], permits, 1, on_end, NULL, NULL) == 0);
	must(chan_new(&rig.parent, rig.loop, pair[1], parent_permits, 1, on_end, NULL, NULL) == 0);
	must(gate_new(&rig.gate, rig.loop, &who, NULL) == 0);
	gate_set_parent(rig.gate, rig.parent);
	must(gate_policy_set(rig.gate, fd, 1, NULL) == 0);
	*facts = (struct flow){ .gate = rig.gate, .id = 7, .dst_port = 443, .started_ms = loop_now_ms(rig.loop) };
	must(name_parse(bytes_str("good.example"), &facts->name) == NAME_OK);
	must(policy_find(gate_policy(rig.gate), name_bytes(&facts->name), 443, &facts->entry) == REASON_OK);
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	facts->fd = pair[0];
	h2_flow_start(facts, NULL);
	facts->fd = pair[1];
}

static void end(struct flow *facts)
{
	(void)fd_close(facts->fd);
	flows_stop(gate_flows(rig.gate));
	must(loop_turn(rig.loop, 0, NULL) == 0);
	CHECK_INT(flows_count(gate_flows(rig.gate)), 0);
	rig.gate = gate_free(rig.gate);
	rig.parent = chan_free(rig.parent);
	rig.supervisor = chan_free(rig.supervisor);
	rig.loop = loop_free(rig.loop);
}

static void make_noise(unsigned n)
{
	const struct event ev = { .kind = EVENT_FLOW, .action = EVENT_DENIED, .reason = REASON_NO_ROUTE };

	for (unsigned i = 0; i < n; i++) {
		gate_note(rig.gate, &ev);
		must(loop_turn(rig.loop, 0, NULL) == 0);
	}
}

TEST(a_guest_that_makes_noise_waits_on_the_streams_of_an_open_connection_too)
{
	struct flow facts;

	begin(&facts);
	make_noise(TOO_MANY);
	CHECK(gate_noisy(rig.gate, GATE_NOISE_FLOW));
	must(write(facts.fd, request, sizeof(request) - 1) == sizeof(request) - 1);
	for (unsigned i = 0; i < QUIET_TURNS && gate_noisy(rig.gate, GATE_NOISE_FLOW); i++)
		must(loop_turn(rig.loop, 0, NULL) == 0);
	CHECK(rig.n_http == 0 || !gate_noisy(rig.gate, GATE_NOISE_FLOW));
	for (unsigned i = 0; i < PATIENCE_TURNS && rig.n_http == 0; i++)
		must(loop_turn(rig.loop, 100, NULL) == 0);
	CHECK_INT(rig.n_http, 1);
	end(&facts);
}

/* --- how long a connection without a stream stays --- */

#define SAY(facts, text) must(write((facts)->fd, text, sizeof(text) - 1) == sizeof(text) - 1)

static void later(uint64_t ms)
{
	kit_clock_moves(ms);
	kit_clock_turns(rig.loop);
}

static void begin_in_still_time(struct flow *facts, struct buf *got)
{
	buf_init(got, SIZE_MAX / 4);
	kit_clock_stops();
	begin(facts);
}

/* What came lies in `got`. True: the connection ended, and in order. */
static bool ended(struct flow *facts, struct buf *got)
{
	uint8_t *room = buf_room(got, H2_FLOW_READ);
	ssize_t n = 1;

	kit_clock_turns(rig.loop);
	while (room && n > 0) {
		n = recv(facts->fd, room, H2_FLOW_READ, MSG_DONTWAIT);
		if (n > 0)
			buf_grew(got, (size_t)n);
		room = buf_room(got, H2_FLOW_READ);
	}
	return n == 0;
}

/* What the first frame of that kind holds; empty: there is none. */
static struct bytes first(const struct buf *got, unsigned kind)
{
	size_t at = 0;

	while (got->len - at >= FRAME_HEAD) {
		size_t len = (size_t)got->p[at] << 16 | (size_t)got->p[at + 1] << 8 | got->p[at + 2];

		if (got->p[at + 3] == kind)
			return bytes_of(got->p + at + FRAME_HEAD, len);
		at += FRAME_HEAD + len;
	}
	return bytes_of(NULL, 0);
}

static bool has_goaway(const struct buf *got)
{
	return first(got, GOAWAY).len > 0;
}

/* As many PINGs as there is time for. */
static void pings_for(struct flow *facts, struct buf *got, uint64_t ms)
{
	for (uint64_t past = 0; past + PAUSE_MS <= ms; past += PAUSE_MS) {
		SAY(facts, PING);
		CHECK(!ended(facts, got));
		later(PAUSE_MS);
	}
	later(ms % PAUSE_MS);
}

TEST(a_guest_that_only_sends_pings_does_not_keep_a_connection_that_asks_for_nothing)
{
	struct buf got BUF_AUTO = { 0 };
	struct flow facts;

	begin_in_still_time(&facts, &got);
	SAY(&facts, PREFACE ASK("\1"));
	CHECK(!ended(&facts, &got));
	CHECK_INT(rig.n_http, 1);
	pings_for(&facts, &got, H2_FLOW_IDLE_MS - 1);
	CHECK(!ended(&facts, &got) && !has_goaway(&got));
	later(1);
	CHECK(ended(&facts, &got) && has_goaway(&got));
	CHECK_INT(rig.n_other, 1);
	CHECK_INT(rig.last, REASON_OK);
	end(&facts);
}

TEST(the_time_without_a_stream_counts_from_the_end_of_the_last_one)
{
	struct buf got BUF_AUTO = { 0 };
	struct flow facts;

	begin_in_still_time(&facts, &got);
	SAY(&facts, PREFACE ASK("\1"));
	CHECK(!ended(&facts, &got));
	later(H2_FLOW_IDLE_MS - 1);
	SAY(&facts, ASK("\3"));
	CHECK(!ended(&facts, &got));
	CHECK_INT(rig.n_http, 2);
	later(H2_FLOW_IDLE_MS - 1);
	CHECK(!ended(&facts, &got) && !has_goaway(&got));
	later(1);
	CHECK(ended(&facts, &got) && has_goaway(&got));
	end(&facts);
}

TEST(a_guest_that_only_sends_pings_does_not_prolong_the_time_until_its_first_request)
{
	struct buf got BUF_AUTO = { 0 };
	struct flow facts;

	begin_in_still_time(&facts, &got);
	SAY(&facts, PREFACE);
	pings_for(&facts, &got, H2_FLOW_FIRST_MS - 1);
	CHECK(!ended(&facts, &got));
	CHECK_INT(rig.n_other, 0);
	later(1);
	CHECK(ended(&facts, &got));
	CHECK_INT(rig.n_other, 1);
	CHECK_INT(rig.last, REASON_FIRST_BYTES_LATE);
	end(&facts);
}

/* --- when there are as many flows as there may be --- */

TEST(a_stream_over_the_limit_of_flows_is_refused_so_that_it_may_be_asked_again)
{
	static const uint8_t refused[] = { 0, 0, 0, REFUSED };
	static struct flow others[FLOWS_MAX];
	struct buf got BUF_AUTO = { 0 };
	struct flow facts;
	size_t n = 0;

	begin_in_still_time(&facts, &got);
	SAY(&facts, PREFACE);
	CHECK(!ended(&facts, &got));
	for (; flows_count(gate_flows(rig.gate)) < FLOWS_MAX; n++) {
		others[n] = (struct flow){ .gate = rig.gate };
		flow_register(&others[n]);
	}
	SAY(&facts, ASK("\1"));
	CHECK(!ended(&facts, &got) && !has_goaway(&got));
	CHECK(bytes_eq(first(&got, RST), bytes_of(refused, sizeof(refused))));
	CHECK_INT(rig.n_http, 0);
	CHECK_INT(rig.n_other, 1);
	CHECK_INT(rig.last, REASON_TOO_MANY_FLOWS);
	while (n)
		flow_unregister(&others[--n]);
	SAY(&facts, ASK("\3"));
	CHECK(!ended(&facts, &got));
	CHECK_INT(rig.n_http, 1);
	end(&facts);
}

/* --- when all connections together hold what they may --- */

TEST(a_stream_that_is_refused_for_want_of_memory_is_one_event_and_the_next_is_served)
{
	struct buf got BUF_AUTO = { 0 };
	struct flow facts;
	size_t others = 0;

	begin_in_still_time(&facts, &got);
	SAY(&facts, PREFACE);
	CHECK(!ended(&facts, &got));
	held_set(&others, HELD_NEW);
	SAY(&facts, ASK("\1"));
	CHECK(!ended(&facts, &got) && !has_goaway(&got));
	CHECK_INT(rig.n_http, 1);
	CHECK_INT(rig.last_http, REASON_TOO_MANY_FLOWS);
	held_set(&others, 0);
	SAY(&facts, ASK("\3"));
	CHECK(!ended(&facts, &got));
	CHECK_INT(rig.n_http, 2);
	CHECK_INT(rig.last_http, REASON_HTTP_METHOD_UNLISTED);
	CHECK_INT(rig.n_other, 0);
	end(&facts);
	CHECK_INT(held_total(), 0);
}

TEST(a_connection_that_is_refused_for_want_of_memory_is_one_event)
{
	struct buf got BUF_AUTO = { 0 };
	struct flow facts;
	size_t others = 0;

	held_set(&others, HELD_NEW);
	begin_in_still_time(&facts, &got);
	CHECK(ended(&facts, &got) && has_goaway(&got));
	CHECK_INT(flows_count(gate_flows(rig.gate)), 0);
	CHECK_INT(rig.n_http, 0);
	CHECK_INT(rig.n_other, 1);
	CHECK_INT(rig.last, REASON_TOO_MANY_FLOWS);
	end(&facts);
	buf_deinit(&got);
	held_set(&others, HELD_CONTENT); /* not even that goodbye */
	begin_in_still_time(&facts, &got);
	kit_clock_turns(rig.loop);
	CHECK_INT(flows_count(gate_flows(rig.gate)), 0);
	CHECK_INT(rig.n_other, 1);
	CHECK_INT(rig.last, REASON_TOO_MANY_FLOWS);
	end(&facts);
	held_set(&others, 0);
	CHECK_INT(held_total(), 0);
}
