#include "sawd/core/bindings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "os/fd.h"
#include "rules/policy.h"

enum { PAGE = 500 };

/* A stored policy, opened. */
struct blob {
	const void *p;
	size_t len;
	struct policy policy;
};

static int blob_open(struct core *c, const char *sha256, struct blob *ret, struct err *e)
{
	FD_AUTO int fd = policies_open(c, sha256, e);
	int r = fd < 0 ? fd : fd_map_sealed(fd, POLICY_BLOB_MAX, &ret->p, &ret->len, e);

	if (r < 0)
		return r;
	if (policy_open(&ret->policy, bytes_of(ret->p, ret->len), e))
		return 0;
	(void)munmap((void *)(uintptr_t)ret->p, ret->len);
	return -EBADMSG;
}

static void blob_close(struct blob *b)
{
	(void)munmap((void *)(uintptr_t)b->p, b->len);
}

static void add_id(struct bindings *b, struct bytes id)
{
	size_t at = 0;

	if (!credential_id_ok(id))
		return;
	while (at < b->n && bytes_cmp(bytes_str(b->ids[at]), id) < 0)
		at++;
	if ((at < b->n && bytes_is(id, b->ids[at])) || b->n == IPC_SECRETS_MAX)
		return;
	memmove(b->ids + at + 1, b->ids + at, (b->n - at) * sizeof(b->ids[0]));
	memcpy(b->ids[at], id.p, id.len);
	b->ids[at][id.len] = '\0';
	b->n++;
}

int bindings_add(struct core *c, const char *policy_sha256, struct bindings *b, struct err *e)
{
	struct policy_credential cred;
	struct blob blob;
	int r;

	if (!*policy_sha256)
		return 0;
	r = blob_open(c, policy_sha256, &blob, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; policy_credential_at(&blob.policy, i, &cred); i++)
		add_id(b, cred.id);
	blob_close(&blob);
	return 0;
}

bool bindings_readable(struct core *c, const char *policy_sha256)
{
	struct blob blob;
	struct err e = { 0 };

	if (!*policy_sha256)
		return true;
	if (blob_open(c, policy_sha256, &blob, &e) < 0)
		return false;
	blob_close(&blob);
	return true;
}

void bindings_put(const struct bindings *b, struct msg *m)
{
	msg_u64(m, b->n);
	for (size_t i = 0; i < b->n; i++)
		msg_str(m, b->ids[i]);
}

/* Both lists come sorted: a merge. */
static uint64_t merge_names(const struct policy *a, const struct policy *b, struct buf *out)
{
	uint32_t at[2] = { 0, 0 };
	struct bytes host[2];
	bool have[2] = { a && policy_intercepted_next(a, &at[0], &host[0]), b && policy_intercepted_next(b, &at[1], &host[1]) };
	uint64_t n = 0;

	while (have[0] || have[1]) {
		int order = !have[0] ? 1 : !have[1] ? -1 : bytes_cmp(host[0], host[1]);
		bool take_a = order <= 0;

		(void)buf_bytes(out, host[take_a ? 0 : 1]);
		(void)buf_byte(out, '\n');
		n++;
		if (order >= 0)
			have[1] = policy_intercepted_next(b, &at[1], &host[1]);
		if (take_a)
			have[0] = policy_intercepted_next(a, &at[0], &host[0]);
	}
	return n;
}

int bindings_names(struct core *c, const char *a_sha256, const char *b_sha256, uint64_t *ret_n, int *ret_fd, struct err *e)
{
	bool same = strcmp(a_sha256, b_sha256) == 0;
	struct blob a = { 0 };
	struct blob b = { 0 };
	struct buf text BUF_AUTO = { 0 };
	bool have_a;
	bool have_b;

	buf_init(&text, SAWD_CA_NAMES_MAX);
	have_a = *a_sha256 && blob_open(c, a_sha256, &a, e) == 0;
	have_b = *b_sha256 && !same && blob_open(c, b_sha256, &b, e) == 0;
	*ret_n = merge_names(have_a ? &a.policy : NULL, have_b ? &b.policy : NULL, &text);
	*ret_fd = -1;
	if (have_a)
		blob_close(&a);
	if (have_b)
		blob_close(&b);
	if (text.failed)
		return err_set(e, EMSGSIZE, "the policy opens more names than certificates can be made for");
	if (*ret_n)
		*ret_fd = fd_sealed("names", text.p, text.len, e);
	return *ret_n && *ret_fd < 0 ? *ret_fd : 0;
}

struct bound_policy {
	char sha256[65];
	struct bindings *ids; /* NULL: it cannot be read */
};

struct bound_ws {
	char name[SAWD_NAME_MAX + 1];
	size_t policy;
};

struct bound {
	struct core *core;
	struct bound_policy *policies;
	size_t n_policies;
	struct bound_ws *ws;
	size_t n_ws;
	size_t left; /* of the page */
	char last[SAWD_NAME_MAX + 1];
	bool failed;
};

static size_t policy_index(struct bound *b, const char *sha256)
{
	struct bound_policy *p;
	struct err e = { 0 };

	for (size_t i = 0; i < b->n_policies; i++)
		if (strcmp(b->policies[i].sha256, sha256) == 0)
			return i;
	p = realloc(b->policies, (b->n_policies + 1) * sizeof(*p));
	b->failed = b->failed || !p;
	if (!p)
		return 0;
	b->policies = p;
	p += b->n_policies++;
	*p = (struct bound_policy){ .ids = calloc(1, sizeof(*p->ids)) };
	memcpy(p->sha256, sha256, sizeof(p->sha256));
	if (p->ids && bindings_add(b->core, sha256, p->ids, &e) == 0 && p->ids->n)
		return b->n_policies - 1;
	free(p->ids);
	p->ids = NULL;
	return b->n_policies - 1;
}

static bool on_row(void *ctx, const struct workspace *row)
{
	struct bound *b = ctx;
	size_t policy = policy_index(b, row->policy_sha256);
	struct bound_ws *w;

	memcpy(b->last, row->name, sizeof(b->last));
	b->left--;
	if (b->failed || !b->policies[policy].ids || strcmp(row->desired, "deleted") == 0)
		return !b->failed;
	w = realloc(b->ws, (b->n_ws + 1) * sizeof(*w));
	b->failed = !w;
	if (!w)
		return false;
	b->ws = w;
	w += b->n_ws++;
	w->policy = policy;
	memcpy(w->name, row->name, sizeof(w->name));
	return true;
}

struct bound *bound_new(struct core *c)
{
	struct bound *b = calloc(1, sizeof(*b));
	struct err e = { 0 };

	if (!b)
		return NULL;
	b->core = c;
	do {
		b->left = PAGE;
		if (workspaces_page(c->db, c->owner, bytes_str(b->last), "", PAGE, on_row, b, &e) < 0)
			b->failed = true;
	} while (!b->failed && b->left == 0);
	return b->failed ? bound_free(b) : b;
}

struct bound *bound_free(struct bound *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < b->n_policies; i++)
		free(b->policies[i].ids);
	free(b->policies);
	free(b->ws);
	free(b);
	return NULL;
}

static bool binds(const struct bindings *b, struct bytes id)
{
	for (size_t i = 0; i < b->n; i++)
		if (bytes_is(id, b->ids[i]))
			return true;
	return false;
}

void bound_put(const struct bound *b, struct bytes id, struct msg *m)
{
	uint64_t total = 0;
	uint64_t n = 0;

	for (size_t i = 0; b && i < b->n_ws; i++)
		total += binds(b->policies[b->ws[i].policy].ids, id);
	n = total < SAWD_SECRET_NAMES_MAX ? total : SAWD_SECRET_NAMES_MAX;
	msg_u64(m, total);
	msg_u64(m, n);
	for (size_t i = 0; b && i < b->n_ws && n; i++)
		if (binds(b->policies[b->ws[i].policy].ids, id)) {
			msg_str(m, b->ws[i].name);
			n--;
		}
}
