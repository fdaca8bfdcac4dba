/* sawd-compiler: policy text in, a sealed blob or a list of problems out. It holds nothing, and can open nothing. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "crypt/sha256.h"
#include "ipc/chan.h"
#include "ipc/sawd_row.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "rules/policy_compile.h"

enum { COMPILER_FDS = 32, ROOM_FOR_PROBLEMS = MSG_MAX - 4096 };

struct compiler {
	struct loop *loop;
	struct chan *parent;
	struct chan *core;
	bool jailed;
};

static struct msg out;

static void refuse(struct compiler *c, uint64_t req, const struct policy_problems *p)
{
	uint64_t n = 0;
	size_t room = ROOM_FOR_PROBLEMS;

	/* Only whole problems that fit: the message is never cut. */
	for (size_t i = 0; i < p->n && n < SAWD_PROBLEMS_MAX; i++) {
		size_t need = strlen(p->v[i].text) + 32;

		if (p->v[i].severity != POLICY_ERROR)
			continue;
		if (need > room)
			break;
		room -= need;
		n++;
	}
	msg_start(&out, MSG_SAWD_REFUSED);
	msg_u64(&out, req);
	msg_u64(&out, n);
	for (size_t i = 0; n; i++) {
		if (p->v[i].severity != POLICY_ERROR)
			continue;
		msg_u64(&out, p->v[i].line);
		msg_u64(&out, p->v[i].column);
		msg_str(&out, p->v[i].text);
		n--;
	}
	chan_send(c->core, &out);
}

static void refuse_one(struct compiler *c, uint64_t req, const char *why)
{
	msg_start(&out, MSG_SAWD_REFUSED);
	msg_u64(&out, req);
	msg_u64(&out, 1);
	msg_u64(&out, 1);
	msg_u64(&out, 1);
	msg_str(&out, why);
	chan_send(c->core, &out);
}

static void answer(struct compiler *c, uint64_t req, const struct buf *blob)
{
	struct policy p = { 0 };
	struct err e = { 0 };
	FD_AUTO int fd = fd_sealed("policy", blob->p, blob->len, &e);

	if (fd < 0 || !policy_open(&p, buf_view(blob), &e)) {
		log_line("%s", e.text);
		refuse_one(c, req, "the compiler failed by itself: see sawd.log");
		return;
	}
	msg_start(&out, MSG_SAWD_COMPILED);
	msg_u64(&out, req);
	msg_bytes(&out, policy_label(&p));
	msg_bytes(&out, policy_sha256(&p));
	msg_u64(&out, policy_lab(&p));
	msg_fd(&out, fd);
	chan_send(c->core, &out);
}

static bool on_compile(void *owner, struct msg_in *in)
{
	static const struct policy_options options = { .sha256 = sha256 };
	struct compiler *c = owner;
	uint64_t req = msg_get_u64(in);
	FD_AUTO int fd = msg_take_fd(in);
	POLICY_PROBLEMS_AUTO struct policy_problems problems = { 0 };
	struct err e = { 0 };
	const void *text = NULL;
	size_t len = 0;
	struct buf blob;

	if (!msg_end(in) || !c->jailed)
		return false;
	if (fd_map_sealed(fd, POLICY_TEXT_MAX, &text, &len, &e) < 0) {
		log_line("%s", e.text);
		refuse_one(c, req, "the policy text is empty or over 8 MiB");
		return true;
	}
	buf_init(&blob, POLICY_BLOB_MAX);
	if (policy_compile(bytes_of(text, len), &options, &blob, &problems))
		answer(c, req, &blob);
	else
		refuse(c, req, &problems);
	buf_deinit(&blob);
	(void)munmap((void *)(uintptr_t)text, len);
	return true;
}

static int enter_jail(struct err *e)
{
	uint8_t digest[SHA256_LEN];
	int r;

	sha256(bytes_str(""), digest); /* libcrypto loads now what it could not load in the jail */
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

static const struct chan_permit core_permits[] = { { MSG_SAWD_COMPILE, on_compile } };

static bool on_peer(void *owner, struct msg_in *in)
{
	struct compiler *c = owner;
	uint64_t role = msg_get_max(in, SAWD_ROLE_END - 1);
	FD_AUTO int fd = msg_take_fd(in);
	struct err e = { 0 };

	if (!msg_end(in) || role != SAWD_CORE)
		return false;
	c->core = chan_free(c->core);
	if (chan_new(&c->core, c->loop, fd_take(&fd), core_permits, sizeof(core_permits) / sizeof(core_permits[0]), on_core_end,
		     c, &e) < 0)
		log_line("%s", e.text);
	return true;
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
