#include "workspace/outlet/vault.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ipc/chan.h"
#include "ipc/types.h"
#include "os/log.h"
#include "wire/credential.h"

struct item {
	char id[CREDENTIAL_ID_MAX + 1];
	uint64_t version;
	struct secret *value; /* NULL: free place */
};

struct vault {
	struct loop *loop;
	struct chan *keeper;
	void (*changed)(void *owner, struct bytes id);
	void *owner;
	struct item items[IPC_SECRETS_MAX];
};

static struct msg out;

int vault_new(struct vault **ret, struct loop *l, void (*changed)(void *owner, struct bytes id), void *owner, struct err *e)
{
	struct vault *v = calloc(1, sizeof(*v));

	if (!v)
		return err_set(e, ENOMEM, "out of memory for secrets");
	v->loop = l;
	v->changed = changed;
	v->owner = owner;
	*ret = v;
	return 0;
}

struct vault *vault_free(struct vault *v)
{
	if (!v)
		return NULL;
	chan_free(v->keeper);
	for (size_t i = 0; i < IPC_SECRETS_MAX; i++)
		secret_free(v->items[i].value);
	free(v);
	return NULL;
}

static struct item *find(const struct vault *v, struct bytes id)
{
	for (size_t i = 0; i < IPC_SECRETS_MAX; i++)
		if (v->items[i].value && bytes_is(id, v->items[i].id))
			return (struct item *)(uintptr_t)&v->items[i];
	return NULL;
}

static struct item *place(struct vault *v)
{
	for (size_t i = 0; i < IPC_SECRETS_MAX; i++)
		if (!v->items[i].value)
			return &v->items[i];
	return NULL;
}

static void drop(struct item *item)
{
	item->value = secret_free(item->value);
	item->id[0] = '\0';
}

/* What cannot be a credential is treated as none: the request that needs it is answered 502, never sent bare. */
static bool on_secret(void *owner, struct msg_in *in)
{
	struct vault *v = owner;
	struct bytes id = msg_get_bytes(in, CREDENTIAL_ID_MAX);
	uint64_t version = msg_get_u64(in);
	struct bytes value = msg_get_bytes(in, CREDENTIAL_MAX);
	struct item *item;
	bool same;

	if (!msg_end(in) || !credential_id_ok(id))
		return false;
	item = find(v, id);
	same = item && item->version == version && secret_eq(item->value, value);
	if (same)
		return true;
	if (item)
		drop(item);
	else
		item = place(v);
	if (item && credential_check(value) == CREDENTIAL_OK && (item->value = secret_new(value))) {
		memcpy(item->id, id.p, id.len);
		item->id[id.len] = '\0';
		item->version = version;
	}
	v->changed(v->owner, id);
	return true;
}

static bool on_gone(void *owner, struct msg_in *in)
{
	struct vault *v = owner;
	struct bytes id = msg_get_bytes(in, CREDENTIAL_ID_MAX);
	struct item *item;

	if (!msg_end(in) || !credential_id_ok(id))
		return false;
	item = find(v, id);
	if (!item)
		return true;
	drop(item);
	v->changed(v->owner, id);
	return true;
}

static void on_end(void *owner, const char *why)
{
	struct vault *v = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to keeper: %s", why);
	v->keeper = chan_free(v->keeper);
}

static const struct chan_permit permits[] = { { MSG_SECRET, on_secret }, { MSG_SECRET_GONE, on_gone } };

int vault_set_keeper(struct vault *v, int fd, struct err *e)
{
	int r;

	v->keeper = chan_free(v->keeper);
	r = chan_new(&v->keeper, v->loop, fd, permits, sizeof(permits) / sizeof(permits[0]), on_end, v, e);
	if (r < 0)
		return r;
	chan_wipe(v->keeper);
	msg_start(&out, MSG_KEEPER_WANTED);
	chan_send(v->keeper, &out);
	return 0;
}

const struct secret *vault_find(const struct vault *v, struct bytes id, uint64_t *ret_version)
{
	const struct item *item = find(v, id);

	*ret_version = item ? item->version : 0;
	return item ? item->value : NULL;
}
