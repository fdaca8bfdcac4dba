/* sawd-compiler: policy text in, a sealed blob or a list of problems out. It holds nothing, and can open nothing. One serves sawd; each
 * supervisor starts its own for each policy that it loads, and talks to it as its parent. */
#include <string.h>

#include "crypt/ed25519.h"
#include "crypt/sha256.h"
#include "ipc/sawd_types.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "os/loop.h"
#include "sawd/compiler/work.h"

enum { COMPILER_FDS = 32 };

struct compiler {
	struct loop *loop;
	struct chan *parent;
	struct chan *core;
	bool jailed;
};

static struct msg out;

static int enter_jail(struct err *e)
{
	uint8_t digest[SHA256_LEN];
	uint8_t key[ED25519_PUBLIC] = { 0 };
	uint8_t signature[ED25519_SIGNATURE] = { 0 };
	int r;

	/* libcrypto loads now what it could not load in the jail */
	sha256(bytes_str(""), digest);
	(void)ed25519_verify(key, bytes_str(""), signature);
	r = jail_capabilities(0, COMPILER_FDS, 0, e);
	r = r < 0 ? r : jail_no_files(JAIL_NET_NONE, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_MEMFD, e);
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct compiler *c = owner;
	uint64_t uid = msg_get_max(in, UINT32_MAX - 1);
	struct err e = { 0 };
	int r;

	if (!msg_end(in) || c->jailed)
		return false;
	r = jail_identity(uid, &e);
	r = r < 0 ? r : enter_jail(&e);
	if (r < 0) {
		log_line("%s", e.text);
		msg_start(&out, MSG_FAILED);
		msg_bytes(&out, bytes_of(e.text, strnlen(e.text, 300)));
		chan_send(c->parent, &out);
		loop_stop(c->loop, 1);
		return true;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	c->jailed = true;
	msg_start(&out, MSG_READY);
	chan_send(c->parent, &out);
	return true;
}

static void on_core_end(void *owner, const char *why)
{
	struct compiler *c = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to core: %s", why);
	c->core = chan_free(c->core);
}

static bool on_core_compile(void *owner, struct msg_in *in)
{
	struct compiler *c = owner;

	return c->jailed && work_compile(c->core, in);
}

static bool on_core_check(void *owner, struct msg_in *in)
{
	struct compiler *c = owner;

	return c->jailed && work_check(c->core, in);
}

static const struct chan_permit core_permits[] = { { MSG_SAWD_COMPILE, on_core_compile }, { MSG_SAWD_CHECK, on_core_check } };

static bool on_peer(void *owner, struct msg_in *in)
{
	struct compiler *c = owner;
	uint64_t role = msg_get_max(in, SAWD_ROLE_END - 1);
	FD_AUTO int fd = msg_try_fd(in);
	struct err e = { .text = "no descriptor is free for the channel to core" };

	if (!msg_end(in) || role != SAWD_CORE)
		return false;
	c->core = chan_free(c->core);
	if (fd < 0 ||
	    chan_new(&c->core, c->loop, fd_take(&fd), core_permits, sizeof(core_permits) / sizeof(core_permits[0]), on_core_end,
		     c, &e) < 0)
		log_line("%s", e.text);
	return true;
}

/* From a supervisor. */
static bool on_parent_compile(void *owner, struct msg_in *in)
{
	struct compiler *c = owner;

	return c->jailed && work_compile(c->parent, in);
}

static bool on_stop(void *owner, struct msg_in *in)
{
	struct compiler *c = owner;

	(void)in;
	loop_stop(c->loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct compiler *c = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to sawd: %s", why);
	loop_stop(c->loop, 1);
}

static const struct chan_permit parent_permits[] = {
	{ MSG_SAWD_COMPILER_CONFIG, on_config },
	{ MSG_SAWD_PEER, on_peer },
	{ MSG_SAWD_COMPILE, on_parent_compile },
	{ MSG_STOP, on_stop },
};

int main(void)
{
	static struct compiler c;
	struct err e = { 0 };
	int r;

	log_init("sawd-compiler");
	r = loop_new(&c.loop, &e);
	r = r < 0 ? r :
		    chan_new(&c.parent, c.loop, IPC_PARENT_FD, parent_permits,
			     sizeof(parent_permits) / sizeof(parent_permits[0]), on_parent_end, &c, &e);
	r = r < 0 ? r : loop_run(c.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	chan_free(c.core);
	chan_free(c.parent);
	loop_free(c.loop);
	return r == 0 ? 0 : 1;
}
