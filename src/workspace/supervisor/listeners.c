#include "workspace/supervisor/listeners.h"

#include <errno.h>
#include <stdlib.h>

#include "base/must.h"
#include "os/fd.h"
#include "rules/policy.h"
#include "workspace/supervisor/ws.h"

/* At most the ports of two policies at once (during a change), and the three fixed ones. */
enum { SELF_PORT = 80, /* http://saw.internal/, whatever policy lists */ FIXED = 4, SLOTS = 2 * POLICY_PORTS_MAX + FIXED };

struct slot {
	enum ipc_listener kind; /* 0: free */
	uint16_t port;
	int fd; /* -1: asked for */
	bool wanted;
};

struct listeners {
	struct ws *ws;
	struct slot slots[SLOTS];
};

static struct msg out;

static struct slot *find(struct listeners *l, enum ipc_listener kind, uint16_t port)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind == kind && l->slots[i].port == port)
			return &l->slots[i];
	return NULL;
}

static void ask(struct listeners *l, const struct slot *s)
{
	msg_start(&out, MSG_LISTEN);
	msg_u64(&out, s->kind);
	msg_u64(&out, s->port);
	role_send(&l->ws->roles[ROLE_FRONT], &out);
}

static void want(struct listeners *l, enum ipc_listener kind, uint16_t port)
{
	struct slot *s = find(l, kind, port);

	if (s) {
		s->wanted = true;
		return;
	}
	for (size_t i = 0; !s && i < SLOTS; i++)
		if (!l->slots[i].kind)
			s = &l->slots[i];
	must(s);
	*s = (struct slot){ .kind = kind, .port = port, .fd = -1, .wanted = true };
	if (l->ws->roles[ROLE_FRONT].ready)
		ask(l, s);
}

int listeners_new(struct listeners **ret, struct ws *w, struct err *e)
{
	struct listeners *l = calloc(1, sizeof(*l));

	if (!l)
		return err_set(e, ENOMEM, "out of memory");
	l->ws = w;
	*ret = l;
	return 0;
}

struct listeners *listeners_free(struct listeners *l)
{
	for (size_t i = 0; l && i < SLOTS; i++)
		if (l->slots[i].kind)
			(void)fd_close(l->slots[i].fd);
	free(l);
	return NULL;
}

void listeners_want(struct listeners *l, const uint16_t *ports, size_t n)
{
	for (size_t i = 0; i < SLOTS; i++)
		l->slots[i].wanted = false;
	want(l, IPC_LISTEN_DNS_UDP, 53);
	want(l, IPC_LISTEN_DNS_TCP, 53);
	want(l, IPC_LISTEN_OBSERVER, 0);
	want(l, IPC_LISTEN_TCP, SELF_PORT);
	for (size_t i = 0; i < n; i++)
		want(l, IPC_LISTEN_TCP, ports[i]);
}

void listeners_ask_again(struct listeners *l)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind && l->slots[i].fd < 0)
			ask(l, &l->slots[i]);
}

static void give(struct listeners *l, const struct slot *s)
{
	msg_start(&out, MSG_LISTENER);
	msg_u64(&out, s->kind);
	msg_u64(&out, s->port);
	msg_fd(&out, s->fd);
	role_send(&l->ws->roles[ROLE_INLET], &out);
}

bool listeners_came(struct listeners *l, enum ipc_listener kind, uint16_t port, int fd)
{
	struct slot *s = find(l, kind, port);

	if (!s || s->fd >= 0) {
		(void)fd_close(fd);
		return false;
	}
	s->fd = fd;
	give(l, s);
	return true;
}

bool listeners_complete(const struct listeners *l)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind && l->slots[i].wanted && l->slots[i].fd < 0)
			return false;
	return true;
}

void listeners_give(struct listeners *l)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (l->slots[i].kind && l->slots[i].fd >= 0)
			give(l, &l->slots[i]);
}

void listeners_prune(struct listeners *l)
{
	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *s = &l->slots[i];

		/* One that was asked for and has not come is waited for: front answers each question once. */
		if (!s->kind || s->wanted || s->fd < 0)
			continue;
		msg_start(&out, MSG_UNLISTEN);
		msg_u64(&out, s->port);
		role_send(&l->ws->roles[ROLE_INLET], &out);
		*s = (struct slot){ .fd = fd_close(s->fd) };
		s->kind = (enum ipc_listener)0;
	}
}
