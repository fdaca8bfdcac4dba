#include "proxy/h2_flow.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/tap.h"
#include "crypt/sha256.h"
#include "ipc/audit_msg.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "proxy/flows.h"
#include "proxy/gate_main.h"
#include "rules/policy_compile.h"

/* A real gate; the test is the supervisor behind it, and the guest. */

enum { TOO_MANY = GATE_NOISE_BURST + 300, QUIET_TURNS = 20, PATIENCE_TURNS = 5000 };

static const char policy_text[] = "version: 1\nname: corporate\nverdicts: {read: allow}\nnetwork:\n  - {name: a, hosts: [good.example], ports: [443], mode: intercept, "
				  "protocol: rest, access: read-only}\n";

/* Preface, SETTINGS, and DELETE /x on stream 1, which no rule allows. */
static const char request[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
			      "\0\0\0\4\0\0\0\0\0"
			      "\0\0\x1b\1\5\0\0\0\1"
			      "\x02\x06" "DELETE" "\x87" "\x04\x02" "/x" "\x01\x0c" "good.example";

static struct {
	struct loop *loop;
	struct chan *supervisor;
	struct chan *parent;
	struct gate *gate;
	unsigned n_http;
	unsigned n_other;
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
