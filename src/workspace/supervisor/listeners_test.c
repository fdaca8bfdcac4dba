#include "workspace/supervisor/listeners.h"

#include <fcntl.h>

#include "base/tap.h"
#include "ipc/msg.h"
#include "rules/policy.h"
#include "workspace/supervisor/ws.h"

static struct ws ws;
static struct listeners *l;
static unsigned asked;
static unsigned closed; /* in inlet */

/* Instead of role.c: nobody is there. */
void role_send(struct role *r, const struct msg *m)
{
	asked += r == &ws.roles[ROLE_FRONT];
	closed += r == &ws.roles[ROLE_INLET] && m->type == MSG_UNLISTEN;
}

static void begin(void)
{
	struct err e = { 0 };

	ws = (struct ws){ .run = "" };
	ws.roles[ROLE_FRONT].ready = true;
	CHECK_INT(listeners_new(&l, &ws, &e), 0);
}

static void want(uint16_t first)
{
	uint16_t ports[POLICY_PORTS_MAX];

	for (uint16_t i = 0; i < POLICY_PORTS_MAX; i++)
		ports[i] = (uint16_t)(first + i);
	asked = 0;
	listeners_want(l, ports, POLICY_PORTS_MAX);
}

static bool comes(enum ipc_listener kind, uint16_t port)
{
	return listeners_came(l, kind, port, open("/dev/null", O_RDONLY | O_CLOEXEC));
}

static void fixed_come(void)
{
	CHECK(comes(IPC_LISTEN_DNS_UDP, 53) && comes(IPC_LISTEN_DNS_TCP, 53) && comes(IPC_LISTEN_OBSERVER, 0) && comes(IPC_LISTEN_TCP, 80));
}

static void all_come(uint16_t first)
{
	for (uint16_t i = 0; i < POLICY_PORTS_MAX; i++)
		CHECK(comes(IPC_LISTEN_TCP, (uint16_t)(first + i)));
}

TEST(a_front_that_withholds_what_nobody_wants_any_more_ends_nothing)
{
	begin();
	want(1000);
	CHECK_INT(asked, POLICY_PORTS_MAX + 4);
	fixed_come();
	for (uint16_t first = 2000; first < 12000; first = (uint16_t)(first + 1000)) {
		want(first);
		CHECK_INT(asked, POLICY_PORTS_MAX);
		CHECK(!listeners_complete(l));
		all_come(first);
		CHECK(listeners_complete(l));
		listeners_prune(l);
	}
	CHECK(!comes(IPC_LISTEN_TCP, 1000)); /* nobody waits for it any more */
	l = listeners_free(l);
}

TEST(one_that_comes_when_nobody_wants_it_any_more_makes_room)
{
	begin();
	want(1000);
	fixed_come();
	want(2000);
	all_come(2000);
	listeners_prune(l);
	all_come(1000);
	closed = 0;
	want(3000);
	all_come(3000);
	CHECK(listeners_complete(l));
	listeners_prune(l);
	CHECK_INT(closed, 2 * POLICY_PORTS_MAX);
	l = listeners_free(l);
}

TEST(the_policy_in_force_keeps_its_listeners_until_the_next_is)
{
	begin();
	want(1000);
	fixed_come();
	all_come(1000);
	want(2000);
	all_come(2000);
	CHECK(!comes(IPC_LISTEN_TCP, 1000)); /* still there */
	listeners_prune(l);
	want(1000);
	CHECK_INT(asked, POLICY_PORTS_MAX);
	l = listeners_free(l);
}
