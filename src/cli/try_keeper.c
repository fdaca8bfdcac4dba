#include "cli/try_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/say.h"
#include "cli/try_trust.h"
#include "crypt/ca.h"
#include "ipc/types.h"
#include "os/fd.h"
#include "os/jail.h"
#include "os/paths.h"
#include "wire/credential.h"

/* The same messages as sawd-keeper's (ipc/types.h), each time that an outlet or inlet begins. The root's key never leaves this process,
 * and dies with it. */

enum { SECRETS_MAX = 16 };

struct item {
	char id[CREDENTIAL_ID_MAX + 1];
	struct buf value;
};

struct try_keeper {
	struct loop *loop;
	struct chan *outlet;
	struct chan *inlet;
	struct policy policy;
	struct key *root;
	struct buf root_der;
	uint64_t issue;
	struct item items[SECRETS_MAX];
	size_t n_items;
};

static struct msg out;

static int read_whole(const char *path, struct buf *ret, struct err *e)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : fd_read_all(fd, ret);

	return r < 0 ? err_sys(e, -r, "%s", path) : 0;
}

static bool binds(const struct policy *p, struct bytes id)
{
	struct policy_credential c;

	for (uint32_t i = 0; policy_credential_at(p, i, &c); i++)
		if (bytes_eq(c.id, id))
			return true;
	return false;
}

static int add_secret(struct try_keeper *k, struct bytes id, const char *path, struct err *e)
{
	struct item *item = &k->items[k->n_items];
	struct buf text BUF_AUTO = { 0 };
	enum credential_fault fault;
	int r;

	if (!credential_id_ok(id) || k->n_items == SECRETS_MAX)
		return err_set(e, EINVAL, "--secret: ID=FILE with an id of a-z, 0-9, - _ . is needed, %d at most", SECRETS_MAX);
	buf_init_wiping(&text, CREDENTIAL_MAX + 16);
	r = read_whole(path, &text, e);
	if (r < 0)
		return r;
	fault = credential_check(credential_trim(buf_view(&text)));
	if (fault != CREDENTIAL_OK)
		return err_set(e, EINVAL, "--secret: %s: the value %s", path, credential_fault_text(fault));
	for (size_t i = 0; i < k->n_items; i++)
		if (bytes_is(id, k->items[i].id))
			return err_set(e, EINVAL, "--secret: %.*s is given twice", (int)id.len, (const char *)id.p);
	if (!binds(&k->policy, id))
		say_warn("--secret %.*s: the policy binds no credential of this id", (int)id.len, (const char *)id.p);
	memcpy(item->id, id.p, id.len);
	buf_init_wiping(&item->value, CREDENTIAL_MAX);
	(void)buf_bytes(&item->value, credential_trim(buf_view(&text)));
	k->n_items++;
	return 0;
}

static int add_secrets(struct try_keeper *k, const char *list, struct err *e)
{
	while (*list) {
		struct bytes one = bytes_of(list, strcspn(list, ","));
		struct bytes id = bytes_of(one.p, bytes_find(one, '='));
		char path[PATHS_MAX];
		int r;

		if (id.len == one.len || one.len - id.len - 1 >= sizeof(path))
			return err_set(e, EINVAL, "--secret: ID=FILE is needed, not \"%.*s\"", (int)one.len, (const char *)one.p);
		memcpy(path, one.p + id.len + 1, one.len - id.len - 1);
		path[one.len - id.len - 1] = '\0';
		r = add_secret(k, id, path, e);
		if (r < 0)
			return r;
		list += one.len;
		list += *list == ',';
	}
	return 0;
}

static bool has_value(const struct try_keeper *k, struct bytes id)
{
	for (size_t i = 0; i < k->n_items; i++)
		if (bytes_is(id, k->items[i].id))
			return true;
	return false;
}

static void name_missing(const struct try_keeper *k)
{
	struct policy_credential c;

	for (uint32_t i = 0; policy_credential_at(&k->policy, i, &c); i++)
		if (!has_value(k, c.id))
			say_warn("credential %.*s has no value here, and what needs it is refused: --secret %.*s=FILE", (int)c.id.len,
				 (const char *)c.id.p, (int)c.id.len, (const char *)c.id.p);
}

static int make_root(struct try_keeper *k, const char *dir, struct err *e)
{
	struct bytes host;
	uint32_t at = 0;
	int r;

	if (!policy_intercepted_next(&k->policy, &at, &host))
		return 0;
	k->root = key_generate();
	if (!k->root)
		return err_set(e, EIO, "libcrypto cannot make a key");
	r = ca_root(k->root, "try", "try", clock_real_ms(), 1, &k->root_der, e);
	return r < 0 ? r : try_trust_write(dir, buf_view(&k->root_der), e);
}

int try_keeper_new(struct try_keeper **ret, struct loop *l, struct bytes blob, const char *dir, const char *secrets, bool quiet, struct err *e)
{
	struct try_keeper *k = calloc(1, sizeof(*k));
	int r = 0;

	if (!k)
		return err_set(e, ENOMEM, "out of memory");
	k->loop = l;
	buf_init(&k->root_der, CA_ROOT_MAX);
	if (!policy_open(&k->policy, blob, e))
		r = -EINVAL;
	r = r < 0 ? r : jail_hide_memory(e);
	r = r < 0 || !secrets ? r : add_secrets(k, secrets, e);
	if (r == 0 && !quiet)
		name_missing(k);
	r = r < 0 ? r : make_root(k, dir, e);
	if (r < 0)
		try_keeper_free(k);
	else
		*ret = k;
	return r;
}

static void send_secrets(struct try_keeper *k)
{
	for (size_t i = 0; i < k->n_items; i++) {
		msg_start(&out, MSG_SECRET);
		msg_str(&out, k->items[i].id);
		msg_u64(&out, 1);
		msg_bytes(&out, buf_view(&k->items[i].value));
		chan_send(k->outlet, &out);
		msg_wipe(&out); /* each: the next one may be shorter */
	}
}

static void send_intermediate(struct try_keeper *k, const struct cert *root, const struct key *key, const struct bytes *names, size_t n)
{
	uint8_t public_key[KEY_PUBLIC];
	struct buf der BUF_AUTO = { 0 };
	const struct ca_intermediate ask = { .id = "try", .public_key = public_key, .names = names, .n_names = n, .now_ms = clock_real_ms(), .days = 1 };

	buf_init(&der, CA_INTERMEDIATE_MAX);
	key_public(key, public_key);
	(void)ca_intermediate(k->root, root, &ask, &der, NULL);
	msg_start(&out, MSG_CA_CERT);
	msg_u64(&out, k->issue);
	msg_bytes(&out, buf_view(&der));
	chan_send(k->inlet, &out);
}

static void send_authority(struct try_keeper *k)
{
	struct bytes names[CA_NAMES_MAX];
	KEY_AUTO struct key *key = key_generate();
	KEY_DER_AUTO struct key_der der;
	CERT_AUTO struct cert *root = NULL;
	uint64_t n_certs = 0;
	uint32_t at = 0;
	size_t n = 0;

	if (!k->root || !key || !key_to_der(key, &der) || cert_open(&root, buf_view(&k->root_der), NULL) < 0)
		return;
	msg_start(&out, MSG_CA_KEY);
	msg_u64(&out, ++k->issue);
	msg_bytes(&out, buf_view(&k->root_der));
	msg_bytes(&out, bytes_of(der.p, sizeof(der.p)));
	chan_send(k->inlet, &out);
	msg_wipe(&out);
	while (policy_intercepted_next(&k->policy, &at, &names[n])) {
		if (++n < CA_NAMES_MAX)
			continue;
		send_intermediate(k, root, key, names, n);
		n_certs++;
		n = 0;
	}
	if (n) {
		send_intermediate(k, root, key, names, n);
		n_certs++;
	}
	msg_start(&out, MSG_CA_DONE);
	msg_u64(&out, k->issue);
	msg_u64(&out, n_certs);
	chan_send(k->inlet, &out);
}

static bool on_outlet_wants(void *owner, struct msg_in *in)
{
	(void)in;
	send_secrets(owner);
	return true;
}

static bool on_inlet_wants(void *owner, struct msg_in *in)
{
	(void)in;
	send_authority(owner);
	return true;
}

static void on_end(void *owner, const char *why)
{
	(void)owner;
	(void)why;
}

static const struct chan_permit outlet_permits[] = { { MSG_KEEPER_WANTED, on_outlet_wants } };
static const struct chan_permit inlet_permits[] = { { MSG_KEEPER_WANTED, on_inlet_wants } };

static int attach_one(struct try_keeper *k, struct chan **ours, const struct chan_permit *permits, struct chan *supervisor, uint16_t type,
		      struct err *e)
{
	int pair[2];
	int r = chan_pair(pair, e);

	if (r < 0)
		return r;
	r = chan_new(ours, k->loop, pair[0], permits, 1, on_end, k, e);
	if (r == 0) {
		chan_wipe(*ours);
		msg_start(&out, type);
		msg_fd(&out, pair[1]);
		chan_send(supervisor, &out);
	}
	(void)fd_close(pair[1]);
	return r;
}

int try_keeper_attach(struct try_keeper *k, struct chan *supervisor, struct err *e)
{
	int r = attach_one(k, &k->outlet, outlet_permits, supervisor, MSG_KEEPER_OUTLET, e);

	return r < 0 ? r : attach_one(k, &k->inlet, inlet_permits, supervisor, MSG_KEEPER_INLET, e);
}

struct try_keeper *try_keeper_free(struct try_keeper *k)
{
	if (!k)
		return NULL;
	chan_free(k->outlet);
	chan_free(k->inlet);
	key_free(k->root);
	buf_deinit(&k->root_der);
	for (size_t i = 0; i < k->n_items; i++)
		buf_deinit(&k->items[i].value);
	free(k);
	return NULL;
}
