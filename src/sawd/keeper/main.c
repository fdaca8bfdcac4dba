/* sawd-keeper: signs SSH user certificates and derives host keys. After its start it can open nothing and reach nobody; the CA's
 * private half never leaves it. */
#include <string.h>

#include "ipc/chan.h"
#include "ipc/sawd_row.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "os/paths.h"
#include "sawd/keeper/keys.h"

enum { KEEPER_FDS = 32, PRIVATE_FILE_MAX = 4096 };

struct keeper {
	struct loop *loop;
	struct chan *parent;
	struct chan *core;
	struct keys *keys;
};

static struct msg out;

static void fail(struct keeper *k, const struct err *e)
{
	log_line("%s", e->text);
	msg_start(&out, MSG_FAILED);
	msg_bytes(&out, bytes_of(e->text, strnlen(e->text, 300)));
	chan_send(k->parent, &out);
	loop_stop(k->loop, 1);
}

static int enter_jail(struct err *e)
{
	int r = jail_capabilities(0, KEEPER_FDS, 0, e);

	r = r < 0 ? r : jail_no_files(JAIL_NET_NONE, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_BASE, e);
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	struct bytes folder = msg_get_bytes(in, PATHS_MAX - 1);
	char path[PATHS_MAX] = { 0 };
	struct err e = { 0 };
	int r;

	if (!msg_end(in) || !folder.len || k->keys)
		return false;
	memcpy(path, folder.p, folder.len);
	r = keys_open(&k->keys, path, &e);
	r = r < 0 ? r : enter_jail(&e);
	if (r < 0) {
		fail(k, &e);
		return true;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	msg_start(&out, MSG_READY);
	chan_send(k->parent, &out);
	return true;
}

static bool on_host_key(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	uint8_t key[SSH_KEY_PUBLIC];
	uint8_t ca[SSH_KEY_PUBLIC];
	struct buf file;

	if (!msg_end(in) || !k->keys || !sawd_id_ok(id, "ws-") || !keys_host_public(k->keys, id, key))
		return false;
	buf_init(&file, PRIVATE_FILE_MAX);
	(void)buf_room(&file, PRIVATE_FILE_MAX); /* at once, so that no copy of a smaller buffer is left behind */
	keys_ca(k->keys, ca);
	msg_start(&out, MSG_SAWD_HOST_KEY_DONE);
	msg_u64(&out, req);
	msg_bytes(&out, bytes_of(key, sizeof(key)));
	msg_bytes(&out, keys_host_private(k->keys, id, &file) ? buf_view(&file) : bytes_of(NULL, 0));
	msg_bytes(&out, bytes_of(ca, sizeof(ca)));
	chan_send(k->core, &out);
	explicit_bzero(out.p, out.len);
	if (file.p)
		explicit_bzero(file.p, file.cap);
	buf_deinit(&file);
	return true;
}

static bool on_cert(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct ssh_cert c = { .key_id = msg_get_bytes(in, SSH_CERT_TEXT_MAX), .principal = msg_get_bytes(in, SAWD_ID_LEN) };
	struct bytes key = msg_get_bytes(in, SSH_KEY_PUBLIC);
	uint8_t host[SSH_KEY_PUBLIC];
	struct buf blob;

	c.permits = (unsigned)msg_get_max(in, SSH_CERT_PTY | SSH_CERT_PORT_FORWARDING | SSH_CERT_AGENT_FORWARDING);
	c.valid_after = msg_get_u64(in);
	c.valid_before = msg_get_u64(in);
	if (!msg_end(in) || !k->keys || key.len != SSH_KEY_PUBLIC || !sawd_id_ok(c.principal, "ws-") ||
	    !keys_host_public(k->keys, c.principal, host))
		return false;
	memcpy(c.key, key.p, key.len);
	buf_init(&blob, SSH_CERT_MAX);
	if (!keys_certify(k->keys, &c, &blob))
		buf_reset(&blob);
	msg_start(&out, MSG_SAWD_CERT_DONE);
	msg_u64(&out, req);
	msg_bytes(&out, buf_view(&blob));
	msg_bytes(&out, bytes_of(host, sizeof(host)));
	chan_send(k->core, &out);
	buf_deinit(&blob);
	return true;
}

static void on_core_end(void *owner, const char *why)
{
	struct keeper *k = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to core: %s", why);
	k->core = chan_free(k->core);
}

static const struct chan_permit core_permits[] = { { MSG_SAWD_HOST_KEY, on_host_key }, { MSG_SAWD_CERT, on_cert } };

static bool on_peer(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t role = msg_get_max(in, SAWD_ROLE_END - 1);
	FD_AUTO int fd = msg_take_fd(in);
	struct err e = { 0 };

	if (!msg_end(in) || role != SAWD_CORE)
		return false;
	k->core = chan_free(k->core);
	if (chan_new(&k->core, k->loop, fd_take(&fd), core_permits, sizeof(core_permits) / sizeof(core_permits[0]), on_core_end,
		     k, &e) < 0)
		log_line("%s", e.text);
	return true;
}

static bool on_stop(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;

	(void)in;
	loop_stop(k->loop, 0);
	return true;
}

static void on_parent_end(void *owner, const char *why)
{
	struct keeper *k = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to sawd: %s", why);
	loop_stop(k->loop, 1);
}

static const struct chan_permit parent_permits[] = {
	{ MSG_SAWD_KEEPER_CONFIG, on_config },
	{ MSG_SAWD_PEER, on_peer },
	{ MSG_STOP, on_stop },
};

int main(void)
{
	static struct keeper k;
	struct err e = { 0 };
	int r;

	log_init("sawd-keeper");
	r = jail_identity(0, &e);
	r = r < 0 ? r : loop_new(&k.loop, &e);
	r = r < 0 ? r :
		    chan_new(&k.parent, k.loop, IPC_PARENT_FD, parent_permits,
			     sizeof(parent_permits) / sizeof(parent_permits[0]), on_parent_end, &k, &e);
	r = r < 0 ? r : loop_run(k.loop, &e);
	if (r < 0)
		log_line("%s", e.text);
	chan_free(k.core);
	chan_free(k.parent);
	keys_free(k.keys);
	loop_free(k.loop);
	return r == 0 ? 0 : 1;
}
