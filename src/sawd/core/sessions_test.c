#include <stdlib.h>
#include <sys/socket.h>

#include "base/tap.h"
#include "ipc/types.h"
#include "os/clock_kit.h"
#include "os/fd.h"
#include "sawd/core/api.h"
#include "sawd/core/ws.h"

/* Sessions alone: what else core does is stood in for here. */

enum { DAY_MS = 24 * 60 * 60 * 1000, MINUTE_MS = 60 * 1000 };

struct msg core_out;
static struct core core;
static struct ws dev;
static const struct ask_kind *asked;
static void *asker;
static uint64_t guest_id; /* of the last tunnel that was asked for; 0: none was */
static uint16_t last_type; /* of the last message to front */
static uint64_t last_ms; /* of the last tunnel that was opened */

void core_send(struct core *c, enum sawd_role to)
{
	struct msg_in in;

	(void)c;
	if (to != SAWD_FRONT || !msg_open(&in, bytes_of(core_out.p, core_out.len)))
		return;
	last_type = in.type;
	if (in.type != MSG_API_TUNNEL_DONE)
		return;
	(void)msg_get_u64(&in);
	(void)msg_get_u64(&in);
	(void)msg_get_bytes(&in, SAWD_ID_LEN);
	(void)msg_get_bytes(&in, SAWD_ID_LEN);
	last_ms = msg_get_u64(&in);
}

int journal_event(struct core *c, const struct event *ev, struct err *e)
{
	(void)c;
	(void)ev;
	(void)e;
	return 0;
}

int journal_call(struct core *c, const char *operation, const char *id, const char *name, const char *detail, struct err *e)
{
	(void)c;
	(void)operation;
	(void)id;
	(void)name;
	(void)detail;
	(void)e;
	return 0;
}

uint64_t ask_new(struct core *c, const struct ask_kind *kind, void *owner)
{
	(void)c;
	asked = kind;
	asker = owner;
	return 1;
}

void ask_forget(struct core *c, const void *owner)
{
	(void)c;
	(void)owner;
}

void api_problem(struct core *c, uint64_t req, const struct sawd_problem *p)
{
	(void)c;
	(void)req;
	(void)p;
	last_type = MSG_API_PROBLEM;
}

void api_error(struct core *c, uint64_t req, int r, const struct err *e)
{
	(void)r;
	(void)e;
	api_problem(c, req, NULL);
}

void api_not_found(struct core *c, uint64_t req, struct bytes name)
{
	(void)name;
	api_problem(c, req, NULL);
}

void api_row(struct core *c, uint64_t req, const struct workspace *w)
{
	(void)c;
	(void)req;
	(void)w;
}

struct ws *ws_find(const struct core *c, struct bytes id)
{
	(void)c;
	return bytes_is(id, dev.row.id) ? &dev : NULL;
}

int ws_wake(struct core *c, struct bytes name_or_id, struct ws **ret, struct err *e)
{
	(void)c;
	(void)name_or_id;
	(void)e;
	*ret = &dev;
	return 1;
}

void ws_kick(struct ws *w)
{
	(void)w;
}

void control_event(struct ws *w, const struct event *ev)
{
	(void)w;
	(void)ev;
}

void control_guest(struct ws *w, uint64_t id)
{
	(void)w;
	guest_id = id;
}

static void start(uint64_t longest_ms)
{
	kit_clock_stops();
	core = (struct core){ .session_max_ms = longest_ms, .owner = "ann" };
	CHECK(loop_new(&core.loop, NULL) == 0);
	core.peers[SAWD_KEEPER] = (struct chan *)&core; /* it is there */
	dev = (struct ws){ .core = &core, .state = SAWD_RUNNING, .control = (struct chan *)&core, .row = { .id = "ws-0123456789ab", .name = "dev" } };
	guest_id = last_ms = 0;
	sessions_start(&core);
}

static void stop(void)
{
	sessions_deinit(&core);
	loop_free(core.loop);
}

static void call(bool (*fn)(void *, struct msg_in *), const struct msg *m)
{
	struct msg_in in;

	CHECK(msg_open(&in, bytes_of(m->p, m->len)) && fn(&core, &in));
}

/* Gives its id. */
static const char *issue(void)
{
	static struct msg m;
	static char id[SAWD_ID_LEN + 1];
	uint8_t key[SAWD_KEY_LEN] = { 0 };
	struct msg_in in;

	msg_start(&m, MSG_API_SESSION);
	msg_u64(&m, 1);
	msg_str(&m, "dev");
	msg_bytes(&m, bytes_of(key, sizeof(key)));
	msg_u64(&m, 0);
	call(sessions_on_issue, &m);
	msg_start(&m, MSG_SAWD_CERT_DONE);
	msg_str(&m, "certificate");
	msg_bytes(&m, bytes_of(key, sizeof(key)));
	CHECK(msg_open(&in, bytes_of(m.p, m.len)) && asked->fn(asker, &in));
	CHECK_INT(last_type, MSG_API_SESSION_DONE);
	CHECK(msg_open(&in, bytes_of(core_out.p, core_out.len)));
	(void)msg_get_u64(&in);
	(void)snprintf(id, sizeof(id), "%.*s", SAWD_ID_LEN, (const char *)msg_get_bytes(&in, SAWD_ID_LEN).p);
	return id;
}

static void ask_tunnel(const char *id)
{
	static struct msg m;

	guest_id = 0;
	msg_start(&m, MSG_API_TUNNEL);
	msg_u64(&m, 2);
	msg_str(&m, "dev");
	msg_str(&m, id);
	call(sessions_on_tunnel, &m);
}

static void later(uint64_t ms)
{
	kit_clock_moves(ms);
	kit_clock_turns(core.loop);
}

static void guest_answers(void)
{
	int fds[2];

	CHECK(chan_pair(fds, NULL) == 0);
	sessions_connected(&core, &dev, guest_id, fds[0], bytes_str(""));
	(void)fd_close(fds[1]);
}

TEST(a_session_lasts_as_long_as_it_was_issued_for_whoever_sets_the_clock)
{
	const char *id;

	start(12 * 60 * MINUTE_MS);
	id = issue();
	kit_clock_is_set(DAY_MS);
	later(MINUTE_MS);
	CHECK_INT(core.n_sessions, 1);
	ask_tunnel(id);
	CHECK(guest_id != 0);
	guest_answers();
	CHECK_INT(last_type, MSG_API_TUNNEL_DONE);
	CHECK_INT(last_ms, 12 * 60 * MINUTE_MS - MINUTE_MS);
	kit_clock_is_set(-2 * (int64_t)DAY_MS);
	later(5 * MINUTE_MS);
	ask_tunnel(id);
	CHECK(guest_id == 0); /* its five minutes are over */
	later(12 * 60 * MINUTE_MS);
	CHECK_INT(core.n_sessions, 0);
	stop();
}

TEST(a_tunnel_that_comes_when_its_session_is_over_is_not_opened)
{
	const char *id;

	start(5000);
	id = issue();
	kit_clock_moves(4900);
	ask_tunnel(id);
	CHECK(guest_id != 0);
	kit_clock_moves(200);
	guest_answers();
	CHECK_INT(last_type, MSG_API_PROBLEM);
	CHECK_INT(last_ms, 0);
	stop();
}
