#include "workspace/supervisor/guest_ask.h"

#include "os/fd.h"
#include "workspace/supervisor/ws.h"

/* A process has one workspace, hence one table. Front's ids never repeat, so that a late answer meets nobody. */

struct ask {
	uint64_t front_id; /* 0: free */
	uint64_t id;
	guest_ask_fn done; /* NULL: forgotten */
	void *owner;
};

static struct ask asks[GUEST_ASKS_MAX];
static uint64_t last_id;
static struct msg out;

void guest_ask(struct ws *w, uint16_t port, uint64_t id, guest_ask_fn done, void *owner)
{
	struct ask *a = NULL;

	if (!w->roles[ROLE_FRONT].ready) {
		done(owner, id, -1, bytes_str("the workspace's front is not running"));
		return;
	}
	for (size_t i = 0; i < GUEST_ASKS_MAX && !a; i++)
		if (!asks[i].front_id)
			a = &asks[i];
	if (!a) {
		done(owner, id, -1, bytes_str("too many connections to the guest at once"));
		return;
	}
	*a = (struct ask){ .front_id = ++last_id, .id = id, .done = done, .owner = owner };
	msg_start(&out, MSG_GUEST_CONNECT);
	msg_u64(&out, a->front_id);
	msg_u64(&out, port);
	role_send(&w->roles[ROLE_FRONT], &out);
}

void guest_ask_forget(struct ws *w, void *owner)
{
	(void)w;
	for (size_t i = 0; i < GUEST_ASKS_MAX; i++)
		if (asks[i].front_id && asks[i].owner == owner)
			asks[i].done = NULL;
}

static void finish(struct ask *a, int fd, struct bytes why)
{
	struct ask was = *a;

	*a = (struct ask){ 0 };
	if (was.done)
		was.done(was.owner, was.id, fd, why);
	else
		(void)fd_close(fd);
}

bool guest_ask_answer(struct ws *w, uint64_t front_id, int fd, struct bytes why)
{
	(void)w;
	for (size_t i = 0; i < GUEST_ASKS_MAX && front_id; i++)
		if (asks[i].front_id == front_id) {
			finish(&asks[i], fd, why);
			return true;
		}
	(void)fd_close(fd);
	return false;
}

void guest_ask_lost(struct ws *w)
{
	(void)w;
	for (size_t i = 0; i < GUEST_ASKS_MAX; i++)
		if (asks[i].front_id)
			finish(&asks[i], -1, bytes_str("the workspace's front has ended"));
}
