/* sawd-keeper: signs SSH user certificates, derives host keys, and keeps secrets. After its start it can open nothing but the sealed files
 * and reach nobody; the CA's private half and the sealing key never leave it. */
#include <errno.h>
#include <string.h>

#include "crypt/secure_heap.h"
#include "ipc/pulse.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/log.h"
#include "os/paths.h"
#include "sawd/keeper/keeper.h"
#include "wire/bundle.h"

enum { PRIVATE_FILE_MAX = 4096, HEAP = 512 * 1024 };

struct msg keeper_out;

static void fail(struct keeper *k, const struct err *e)
{
	log_line("%s", e->text);
	msg_start(&keeper_out, MSG_FAILED);
	msg_bytes(&keeper_out, bytes_of(e->text, strnlen(e->text, 300)));
	chan_send(k->parent, &keeper_out);
	loop_stop(k->loop, 1);
}

static int enter_jail(const char *folder, uint64_t running_max, struct err *e)
{
	const unsigned rights = JAIL_READ | JAIL_LIST | JAIL_WRITE | JAIL_CREATE;
	char secrets[PATHS_MAX];
	char ca[PATHS_MAX];
	const struct jail_path paths[] = { { secrets, rights, 1 }, { ca, rights, 1 } };
	int r = paths_join(secrets, folder, "secrets", e);

	r = r < 0 ? r : paths_join(ca, folder, "ca", e);
	r = r < 0 ? r : jail_capabilities(0, running_max * SAWD_RUNNING_FDS + SAWD_SPARE_FDS, 0, e);
	r = r < 0 ? r : jail_files(paths, sizeof(paths) / sizeof(paths[0]), JAIL_NET_NONE, e);
	return r < 0 ? r : jail_syscalls(JAIL_SYS_FILES | JAIL_SYS_APPEND | JAIL_SYS_PAIR, e);
}

static void on_clock(void *owner)
{
	issuer_clock_was_set(((struct keeper *)owner)->issuer);
}

static int open_all(struct keeper *k, uint64_t running_max, const char *folder, const char *credential, struct err *e)
{
	bool made = false;
	int r;

	if (!secure_heap_init_sized(HEAP, &made) && made)
		log_line("secrets may be swapped out: this process may lock too little memory (RLIMIT_MEMLOCK)");
	r = made ? keys_open(&k->keys, folder, e) : err_set(e, ENOMEM, "no guarded memory for keys and secrets");
	r = r < 0 ? r : safe_open(&k->safe, folder, credential, e);
	if (r == 0) {
		k->changes.safe = k->safe;
		k->supplies = supplies_new(k->loop, k->safe, secrets_outlet_ended, k);
		r = k->supplies ? issuer_new(&k->issuer, k->loop, folder, safe_key(k->safe), authority_inlet_ended, k, e) :
				  err_set(e, ENOMEM, "out of memory");
	}
	r = r < 0 ? r : clock_watch_start(&k->clock, k->loop, on_clock, k, e);
	return r < 0 ? r : enter_jail(folder, running_max, e);
}

static bool on_config(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t running_max = msg_get_max(in, SAWD_RUNNING_MAX);
	struct bytes folder = msg_get_bytes(in, PATHS_MAX - 1);
	struct bytes credential = msg_get_bytes(in, PATHS_MAX - 1);
	char path[PATHS_MAX] = { 0 };
	char key[PATHS_MAX] = { 0 };
	struct err e = { 0 };

	if (!msg_end(in) || !folder.len || k->keys)
		return false;
	memcpy(path, folder.p, folder.len);
	if (credential.len)
		memcpy(key, credential.p, credential.len);
	if (open_all(k, running_max, path, key, &e) < 0) {
		fail(k, &e);
		return true;
	}
	if (*jail_left_out())
		log_line("sanitized build: jail without %s", jail_left_out());
	msg_start(&keeper_out, MSG_READY);
	chan_send(k->parent, &keeper_out);
	return true;
}

static bool on_host_key(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	uint8_t key[SSH_KEY_PUBLIC];
	uint8_t ca[SSH_KEY_PUBLIC];
	BUF_AUTO struct buf file;

	buf_init_wiping(&file, PRIVATE_FILE_MAX);
	if (!msg_end(in) || !k->keys || !sawd_id_ok(id, "ws-") || !keys_host_public(k->keys, id, key))
		return false;
	keys_ca(k->keys, ca);
	msg_start(&keeper_out, MSG_SAWD_HOST_KEY_DONE);
	msg_u64(&keeper_out, req);
	msg_bytes(&keeper_out, bytes_of(key, sizeof(key)));
	msg_bytes(&keeper_out, keys_host_private(k->keys, id, &file) ? buf_view(&file) : bytes_of(NULL, 0));
	msg_bytes(&keeper_out, bytes_of(ca, sizeof(ca)));
	chan_send(k->core, &keeper_out);
	msg_wipe(&keeper_out);
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
	msg_start(&keeper_out, MSG_SAWD_CERT_DONE);
	msg_u64(&keeper_out, req);
	msg_bytes(&keeper_out, buf_view(&blob));
	msg_bytes(&keeper_out, bytes_of(host, sizeof(host)));
	chan_send(k->core, &keeper_out);
	buf_deinit(&blob);
	return true;
}

static bool on_sign(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes manifest = msg_get_bytes(in, BUNDLE_MANIFEST_MAX);
	uint8_t key[ED25519_PUBLIC];
	uint8_t signature[ED25519_SIGNATURE];
	bool ok;

	if (!msg_end(in) || !k->keys || !manifest.len)
		return false;
	ok = keys_sign_policy(k->keys, manifest, key, signature);
	msg_start(&keeper_out, MSG_SAWD_SIGNED);
	msg_u64(&keeper_out, req);
	msg_bytes(&keeper_out, bytes_of(key, ok ? sizeof(key) : 0));
	msg_bytes(&keeper_out, bytes_of(signature, ok ? sizeof(signature) : 0));
	chan_send(k->core, &keeper_out);
	return true;
}

static bool on_forget(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t req = msg_get_u64(in);
	struct bytes id = msg_get_bytes(in, SAWD_ID_LEN);
	struct err e = { 0 };

	if (!msg_end(in) || !k->safe || !sawd_id_ok(id, "ws-"))
		return false;
	supply_end(k->supplies, id);
	(void)issuer_forget(k->issuer, id, &e);
	msg_start(&keeper_out, MSG_SAWD_FORGOTTEN);
	msg_u64(&keeper_out, req);
	msg_bytes(&keeper_out, bytes_of(e.text, strnlen(e.text, SAWD_SECRET_WHY_MAX)));
	chan_send(k->core, &keeper_out);
	return true;
}

static void on_core_end(void *owner, const char *why)
{
	struct keeper *k = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to core: %s", why);
	k->core = chan_free(k->core);
	/* What it prepared, nobody will ask for again. */
	changes_drop_all(&k->changes);
}

static const struct chan_permit core_permits[] = {
	{ MSG_SAWD_HOST_KEY, on_host_key },
	{ MSG_SAWD_CERT, on_cert },
	{ MSG_SAWD_SIGN, on_sign },
	{ MSG_SAWD_SECRET_CHANGE, secrets_on_change },
	{ MSG_SAWD_SECRET_COMMIT, secrets_on_commit },
	{ MSG_SAWD_SECRET_LIST, secrets_on_list },
	{ MSG_SAWD_SECRET_OPEN, secrets_on_open },
	{ MSG_SAWD_SECRET_BIND, secrets_on_bind },
	{ MSG_SAWD_CA_ROOT, authority_on_root },
	{ MSG_SAWD_CA_OPEN, authority_on_open },
	{ MSG_SAWD_CA_BIND, authority_on_bind },
	{ MSG_SAWD_FORGET, on_forget },
};

static bool on_peer(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;
	uint64_t role = msg_get_max(in, SAWD_ROLE_END - 1);
	FD_AUTO int fd = msg_try_fd(in);
	struct err e = { .text = "no descriptor is free for the channel to core" };

	if (!msg_end(in) || role != SAWD_CORE)
		return false;
	k->core = chan_free(k->core);
	changes_drop_all(&k->changes);
	if (fd < 0 ||
	    chan_new(&k->core, k->loop, fd_take(&fd), core_permits, sizeof(core_permits) / sizeof(core_permits[0]), on_core_end,
		     k, &e) < 0)
		log_line("%s", e.text);
	return true;
}

static bool on_ping(void *owner, struct msg_in *in)
{
	struct keeper *k = owner;

	(void)in;
	pulse_answer(k->parent);
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
	{ MSG_STOP, on_stop }, { MSG_PING, on_ping },
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
	clock_watch_stop(&k.clock);
	supplies_free(k.supplies);
	issuer_free(k.issuer);
	changes_drop_all(&k.changes);
	chan_free(k.core);
	chan_free(k.parent);
	safe_free(k.safe);
	keys_free(k.keys);
	loop_free(k.loop);
	return r == 0 ? 0 : 1;
}
