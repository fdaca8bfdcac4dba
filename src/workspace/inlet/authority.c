#include "workspace/inlet/authority.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crypt/leaf.h"
#include "crypt/secure_heap.h"
#include "ipc/chan.h"
#include "ipc/types.h"
#include "net/tls.h"
#include "os/log.h"
#include "proxy/flow.h"

/* An issue is used as a whole, from its CA_DONE on; until then the one before stays. */

/* libssl's keys are there too, of a session to the guest and one to the host a flow. Where there is no room a handshake fails. */
enum { KEYS_BYTES = 2 * 1024 * 1024, FLOW_SESSIONS = 2 };

_Static_assert(KEYS_BYTES / 2 >= FLOWS_MAX * FLOW_SESSIONS * TLS_KEYS_MAX, "room for the sessions of all flows, and as much again");

struct authority {
	struct gate *gate;
	struct chan *keeper;
	struct leaf_minter *minter; /* in use; NULL: none yet */
	struct leaf_minter *next; /* being received; NULL also for an issue that opens no name */
	bool issuing; /* one is being received */
	uint64_t issue;
	uint64_t n_next;
};

static struct msg out;

int authority_guard_memory(struct err *e)
{
	bool made = false;

	if (secure_heap_init_sized(KEYS_BYTES, &made))
		return 0;
	if (!made)
		return err_set(e, ENOMEM, "guarded memory for keys cannot be made");
	log_line("keys may be swapped out: raise the limit of locked memory (ulimit -l)");
	return 0;
}

static bool listed(void *ctx, struct bytes name)
{
	const struct authority *a = ctx;
	const struct policy *p = gate_policy(a->gate);
	uint16_t ports[POLICY_PORTS_MAX];
	size_t n = policy_ports(p, ports);
	struct policy_entry entry;

	for (size_t i = 0; i < n; i++)
		if (policy_find(p, name, ports[i], &entry) == REASON_OK && entry.mode == POLICY_INTERCEPT)
			return true;
	return false;
}

int authority_new(struct authority **ret, struct gate *g, struct err *e)
{
	struct authority *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(e, ENOMEM, "out of memory for the certificate authority");
	a->gate = g;
	*ret = a;
	return 0;
}

struct authority *authority_free(struct authority *a)
{
	if (!a)
		return NULL;
	chan_free(a->keeper);
	leaf_minter_free(a->minter);
	leaf_minter_free(a->next);
	free(a);
	return NULL;
}

static bool on_key(void *owner, struct msg_in *in)
{
	struct authority *a = owner;
	uint64_t issue = msg_get_u64(in);
	struct bytes der;
	struct key *key;

	(void)msg_get_bytes(in, IPC_CA_CERT_MAX); /* the root: the guest has it, and no handshake needs it */
	der = msg_get_bytes(in, IPC_CA_KEY_MAX);
	if (!msg_end(in))
		return false;
	key = der.len ? key_from_der(der) : NULL;
	a->next = leaf_minter_free(a->next);
	a->issue = issue;
	a->n_next = 0;
	a->next = key ? leaf_minter_new(key, listed, a) : NULL;
	/* No key: the policy opens no name, and there is nothing to mint. */
	a->issuing = a->next || !der.len;
	return a->issuing;
}

static bool on_cert(void *owner, struct msg_in *in)
{
	struct authority *a = owner;
	uint64_t issue = msg_get_u64(in);
	struct bytes der = msg_get_bytes(in, IPC_CA_CERT_MAX);

	if (!msg_end(in) || !a->next || issue != a->issue)
		return false;
	a->n_next++;
	return leaf_minter_add(a->next, der, NULL) == 0;
}

static bool on_done(void *owner, struct msg_in *in)
{
	struct authority *a = owner;
	uint64_t issue = msg_get_u64(in);
	uint64_t n = msg_get_u64(in);

	if (!msg_end(in) || !a->issuing || issue != a->issue || n != a->n_next)
		return false;
	a->issuing = false;
	leaf_minter_free(a->minter);
	a->minter = a->next;
	a->next = NULL;
	return true;
}

static void on_end(void *owner, const char *why)
{
	struct authority *a = owner;

	if (strcmp(why, "closed") != 0)
		log_line("channel to keeper: %s", why);
	a->keeper = chan_free(a->keeper);
	a->next = leaf_minter_free(a->next);
	a->issuing = false;
}

static const struct chan_permit permits[] = { { MSG_CA_KEY, on_key }, { MSG_CA_CERT, on_cert }, { MSG_CA_DONE, on_done } };

int authority_set_keeper(struct authority *a, int fd, struct err *e)
{
	int r;

	a->keeper = chan_free(a->keeper);
	a->next = leaf_minter_free(a->next);
	a->issuing = false;
	r = chan_new(&a->keeper, gate_loop(a->gate), fd, permits, sizeof(permits) / sizeof(permits[0]), on_end, a, e);
	if (r < 0)
		return r;
	chan_wipe(a->keeper);
	msg_start(&out, MSG_KEEPER_WANTED);
	chan_send(a->keeper, &out);
	return 0;
}

enum reason authority_leaf(struct authority *a, struct bytes name, struct authority_leaf *ret)
{
	const struct leaf *leaf;
	int r;

	*ret = (struct authority_leaf){ 0 };
	if (!a->minter)
		return REASON_CA_MISSING;
	r = leaf_get(a->minter, name, clock_real_ms(), &leaf, NULL);
	if (r < 0)
		return r == -EACCES ? REASON_NAME_UNLISTED : REASON_CA_MISSING;
	if (tls_cert_of(leaf->handle, &ret->leaf, NULL) < 0 || tls_cert_of(leaf->issuer->handle, &ret->intermediate, NULL) < 0) {
		tls_cert_free(ret->leaf);
		return REASON_CA_MISSING;
	}
	ret->key = key_handle(leaf_minter_key(a->minter));
	return REASON_OK;
}
