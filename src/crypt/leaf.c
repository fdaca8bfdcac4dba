/* A leaf is written as DER around parts that never change; the rest is one signature. See crypt/leaf_handle.c for why libcrypto's own
 * ways to make and to parse a certificate are not used. */
#include "crypt/leaf.h"

#include <errno.h>
#include <stdlib.h>

#include "base/der_out.h"
#include "base/sort.h"
#include "crypt/leaf_handle.h"

enum { SAN_MAX = 300 };

/* A permitted subtree, and the issuer that may sign below it. */
struct branch {
	struct bytes subtree; /* the issuer's */
	const struct cert *issuer;
};

struct slot {
	struct leaf leaf;
	uint64_t minted_ms;
	uint64_t used; /* tick of the last use */
	uint8_t name_len;
	uint8_t name[CERT_DNS_MAX];
};

struct leaf_minter {
	struct key *issuer_key;
	struct key *leaf_key;
	struct evp_pkey_st *handle_key;
	leaf_listed_fn *listed;
	void *ctx;
	uint8_t leaf_public[KEY_PUBLIC];
	struct buf fixed; /* the extensions of every leaf, but for its name */
	struct buf extensions; /* scratch */
	struct cert **issuers;
	size_t n_issuers;
	struct branch *branches;
	size_t n_branches;
	bool sorted; /* branches, by subtree */
	struct slot *slots; /* LEAF_CACHE */
	size_t n_slots;
	uint64_t tick;
};

static const uint8_t leaf_usage[] = { /* critical: digitalSignature */
	0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x07, 0x80,
};
static const uint8_t server_auth[] = {
	0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01,
};
static const char oid_alternative_name[] = "\x55\x1d\x11";

#define FIXED(array) bytes_of((array), sizeof(array))

static bool put_fixed(struct leaf_minter *m)
{
	uint8_t public_key[KEY_PUBLIC], key_id[CERT_KEY_ID];

	key_public(m->issuer_key, public_key);
	cert_key_id(public_key, key_id);
	return buf_bytes(&m->fixed, FIXED(leaf_usage)) && buf_bytes(&m->fixed, FIXED(server_auth)) &&
	       cert_put_key_ids(&m->fixed, key_id, m->leaf_public);
}

struct leaf_minter *leaf_minter_new(struct key *issuer, leaf_listed_fn *listed, void *ctx)
{
	struct leaf_minter *m = calloc(1, sizeof(*m));

	if (!m) {
		key_free(issuer);
		return NULL;
	}
	m->issuer_key = issuer;
	m->listed = listed;
	m->ctx = ctx;
	buf_init(&m->fixed, LEAF_MAX);
	buf_init(&m->extensions, LEAF_MAX);
	m->slots = calloc(LEAF_CACHE, sizeof(m->slots[0]));
	m->leaf_key = key_generate();
	if (!m->slots || !m->leaf_key)
		return leaf_minter_free(m);
	key_public(m->leaf_key, m->leaf_public);
	m->handle_key = leaf_handle_key_new(m->leaf_public);
	return put_fixed(m) ? m : leaf_minter_free(m);
}

static bool grow(struct leaf_minter *m, size_t n_more)
{
	struct cert **issuers = realloc(m->issuers, (m->n_issuers + 1) * sizeof(struct cert *));
	struct branch *branches;

	if (!issuers)
		return false;
	m->issuers = issuers;
	branches = realloc(m->branches, (m->n_branches + n_more) * sizeof(*branches));
	if (!branches)
		return false;
	m->branches = branches;
	return true;
}

int leaf_minter_add(struct leaf_minter *m, struct bytes der, struct err *e)
{
	uint8_t public_key[KEY_PUBLIC];
	CERT_AUTO struct cert *c = NULL;
	int r = cert_open(&c, der, e);

	if (r < 0)
		return err_in(e, r, "intermediate");
	key_public(m->issuer_key, public_key);
	if (memcmp(c->public_key, public_key, KEY_PUBLIC) != 0)
		return err_set(e, EKEYREJECTED, "intermediate: of another key");
	if (c->n_subtrees == 0)
		return err_set(e, EBADMSG, "intermediate: permits no names");
	if (!grow(m, c->n_subtrees))
		return err_set(e, ENOMEM, "intermediate: out of memory");
	for (size_t i = 0; i < c->n_subtrees; i++)
		m->branches[m->n_branches++] = (struct branch){ c->subtrees[i], c };
	m->issuers[m->n_issuers++] = c;
	m->sorted = false;
	c = NULL;
	return 0;
}

static void drop(struct slot *s)
{
	free((void *)(uintptr_t)s->leaf.der.p);
	leaf_handle_free(s->leaf.handle);
	*s = (struct slot){ 0 };
}

struct leaf_minter *leaf_minter_free(struct leaf_minter *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n_slots; i++)
		drop(&m->slots[i]);
	for (size_t i = 0; i < m->n_issuers; i++)
		cert_free(m->issuers[i]);
	free(m->slots);
	free(m->issuers);
	free(m->branches);
	buf_deinit(&m->fixed);
	buf_deinit(&m->extensions);
	leaf_handle_key_free(m->handle_key);
	key_free(m->leaf_key);
	key_free(m->issuer_key);
	free(m);
	return NULL;
}

void leaf_minter_freep(struct leaf_minter **m)
{
	*m = leaf_minter_free(*m);
}

const struct key *leaf_minter_key(const struct leaf_minter *m)
{
	return m->leaf_key;
}

static int branch_order(const void *a, const void *b, const void *context)
{
	(void)context;
	return bytes_cmp(((const struct branch *)a)->subtree, ((const struct branch *)b)->subtree);
}

static const struct cert *issuer_for(const struct leaf_minter *m, struct bytes subtree)
{
	size_t low = 0, high = m->n_branches;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = bytes_cmp(subtree, m->branches[middle].subtree);

		if (order == 0)
			return m->branches[middle].issuer;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The issuer of the longest subtree that the name is in. */
static const struct cert *issuer_of(struct leaf_minter *m, struct bytes name)
{
	const struct cert *found = NULL;

	if (!m->sorted && m->n_branches)
		sort(m->branches, m->n_branches, sizeof(m->branches[0]), branch_order, NULL);
	m->sorted = true;
	while (!found && name.len) {
		size_t dot = bytes_find(name, '.');

		found = issuer_for(m, name);
		name = bytes_skip(name, dot < name.len ? dot + 1 : name.len);
	}
	return found;
}

/* NULL, and why. */
static const struct cert *find_issuer(struct leaf_minter *m, struct bytes name, uint64_t now_ms, int *ret_why, struct err *e)
{
	const struct cert *c = NULL;
	int len = (int)name.len;
	const char *text = (const char *)name.p;

	if (!cert_dns_ok(name))
		*ret_why = err_set(e, EINVAL, "leaf: not a host name");
	else if (!m->listed(m->ctx, name))
		*ret_why = err_set(e, EACCES, "leaf: the policy does not list %.*s", len, text);
	else if (!(c = issuer_of(m, name)))
		*ret_why = err_set(e, ENOENT, "leaf: no intermediate for %.*s", len, text);
	else if (now_ms >= c->not_after_ms || now_ms + CERT_DAY_MS < c->not_before_ms)
		*ret_why = err_set(e, EKEYEXPIRED, "leaf: the intermediate for %.*s is not valid now", len, text);
	else
		return c;
	return NULL;
}

static bool put_extensions(struct leaf_minter *m, struct bytes name)
{
	uint8_t value[SAN_MAX];
	struct buf san = { .p = value, .cap = sizeof(value), .max = sizeof(value) };
	size_t names = der_out_open(&san, DER_SEQUENCE);

	buf_reset(&m->extensions);
	return der_out_put(&san, DER_CONTEXT | 2, name) && der_out_close(&san, names) &&
	       buf_bytes(&m->extensions, buf_view(&m->fixed)) &&
	       cert_put_extension(&m->extensions, bytes_str(oid_alternative_name), true, buf_view(&san));
}

static uint64_t end_of(const struct cert *issuer, uint64_t now_ms)
{
	uint64_t end = now_ms - now_ms % 1000 + (uint64_t)LEAF_DAYS * CERT_DAY_MS;

	return end < issuer->not_after_ms ? end : issuer->not_after_ms;
}

static int mint(struct leaf_minter *m, const struct cert *issuer, struct bytes name, uint64_t now_ms, struct buf *out, struct err *e)
{
	struct cert_body body = {
		.issuer = issuer->subject,
		.public_key = m->leaf_public,
		.not_before_ms = now_ms > CERT_DAY_MS ? now_ms - CERT_DAY_MS : 0,
		.not_after_ms = end_of(issuer, now_ms),
	};

	if (!put_extensions(m, name))
		return err_set(e, ENOMEM, "leaf: out of memory");
	body.extensions = buf_view(&m->extensions);
	return cert_put(out, m->issuer_key, &body) ? 0 : err_set(e, EIO, "leaf: signing failed");
}

int leaf_mint(struct leaf_minter *m, struct bytes name, uint64_t now_ms, struct buf *out, struct err *e)
{
	int r = 0;
	const struct cert *issuer = find_issuer(m, name, now_ms, &r, e);

	return issuer ? mint(m, issuer, name, now_ms, out, e) : r;
}

static struct slot *slot_of(struct leaf_minter *m, struct bytes name)
{
	for (size_t i = 0; i < m->n_slots; i++)
		if (bytes_eq(bytes_of(m->slots[i].name, m->slots[i].name_len), name))
			return &m->slots[i];
	return NULL;
}

/* An empty one, or the longest unused. */
static struct slot *slot_for(struct leaf_minter *m)
{
	struct slot *oldest = m->slots;

	if (m->n_slots < LEAF_CACHE)
		return &m->slots[m->n_slots++];
	for (size_t i = 1; i < m->n_slots; i++)
		if (m->slots[i].used < oldest->used)
			oldest = &m->slots[i];
	return oldest;
}

/* In the second half of its life a leaf is good only while a fresh one would not live longer. A clock that was set back past the
 * leaf's first day makes it one of the future. */
static bool still_good(const struct slot *s, uint64_t now_ms)
{
	uint64_t end = s->leaf.not_after_ms;

	if (now_ms >= end || now_ms + CERT_DAY_MS <= s->minted_ms)
		return false;
	return now_ms < s->minted_ms + (end - s->minted_ms) / 2 || end_of(s->leaf.issuer, now_ms) <= end;
}

static int fill(struct leaf_minter *m, struct slot *s, const struct cert *issuer, struct bytes name, uint64_t now_ms, struct err *e)
{
	struct slot made = { .minted_ms = now_ms, .name_len = (uint8_t)name.len };
	BUF_AUTO struct buf der;
	int r;

	buf_init(&der, LEAF_MAX);
	r = mint(m, issuer, name, now_ms, &der, e);
	if (r < 0)
		return r;
	made.leaf = (struct leaf){ .issuer = issuer, .not_after_ms = end_of(issuer, now_ms) };
	made.leaf.handle = leaf_handle_new(buf_view(&der), m->handle_key);
	if (!made.leaf.handle)
		return err_set(e, EIO, "leaf: libcrypto does not take it");
	made.leaf.der = buf_view(&der);
	buf_init(&der, 0); /* handed over */
	memcpy(made.name, name.p, name.len);
	drop(s);
	*s = made;
	return 0;
}

int leaf_get(struct leaf_minter *m, struct bytes name, uint64_t now_ms, const struct leaf **ret, struct err *e)
{
	int r = 0;
	const struct cert *issuer = find_issuer(m, name, now_ms, &r, e);
	struct slot *s;

	if (!issuer)
		return r;
	s = slot_of(m, name);
	if (!s || !still_good(s, now_ms)) {
		if (!s)
			s = slot_for(m);
		r = fill(m, s, issuer, name, now_ms, e);
		if (r < 0)
			return r;
	}
	s->used = ++m->tick;
	*ret = &s->leaf;
	return 0;
}
