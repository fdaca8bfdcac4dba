#include "crypt/ca.h"

#include <errno.h>
#include <stdlib.h>

#include "base/der_out.h"
#include "crypt/random.h"

enum { NAME_ROOM = 256, EXTENSIONS_MAX = CA_INTERMEDIATE_MAX };

/* Whole extensions whose value never changes. */
static const uint8_t root_constraints[] = { /* critical: CA, pathlen 1 */
	0x30, 0x12, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x08, 0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x01,
};
static const uint8_t below_constraints[] = { /* critical: CA, pathlen 0 */
	0x30, 0x12, 0x06, 0x03, 0x55, 0x1d, 0x13, 0x01, 0x01, 0xff, 0x04, 0x08, 0x30, 0x06, 0x01, 0x01, 0xff, 0x02, 0x01, 0x00,
};
static const uint8_t root_usage[] = { /* critical: keyCertSign, cRLSign */
	0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x01, 0x06,
};
static const uint8_t below_usage[] = { /* critical: keyCertSign */
	0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04, 0x03, 0x02, 0x02, 0x04,
};
static const uint8_t server_auth[] = {
	0x30, 0x13, 0x06, 0x03, 0x55, 0x1d, 0x25, 0x04, 0x0c, 0x30, 0x0a, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01,
};
static const char oid_name_constraints[] = "\x55\x1d\x1e";
/* GeneralName (RFC 5280, 4.2.1.6) */
enum { MAIL = DER_CONTEXT | 1, DNS = DER_CONTEXT | 2, URI = DER_CONTEXT | 6, ADDRESS = DER_CONTEXT | 7 };
enum { PERMITTED = DER_CONTEXT | DER_CONSTRUCTED | 0, EXCLUDED = DER_CONTEXT | DER_CONSTRUCTED | 1 };

#define FIXED(array) bytes_of((array), sizeof(array))

static uint64_t day_before(uint64_t now_ms)
{
	return now_ms > CERT_DAY_MS ? now_ms - CERT_DAY_MS : 0;
}

static bool ask_ok(uint64_t now_ms, unsigned days)
{
	return days > 0 && days <= CA_DAYS_MAX && now_ms < UINT64_MAX / 2;
}

/* The id tells workspaces apart: a long name gives way to it. */
static int name_room(const char *id)
{
	size_t taken = sizeof("saw workspace  ()") - 1 + strlen(id);

	return taken < CERT_COMMON_NAME_MAX ? (int)(CERT_COMMON_NAME_MAX - taken) : 0;
}

int ca_root(const struct key *key, const char *name, const char *id, uint64_t now_ms, unsigned days, struct buf *out, struct err *e)
{
	uint8_t public_key[KEY_PUBLIC], key_id[CERT_KEY_ID];
	BUF_AUTO struct buf text, subject, extensions;
	struct cert_body body = { .public_key = public_key, .not_before_ms = day_before(now_ms) };

	buf_init(&text, 2 * NAME_ROOM);
	buf_init(&subject, NAME_ROOM);
	buf_init(&extensions, EXTENSIONS_MAX);
	if (!ask_ok(now_ms, days))
		return err_set(e, EINVAL, "root certificate: %u days: give 1 to %d", days, CA_DAYS_MAX);
	key_public(key, public_key);
	cert_key_id(public_key, key_id);
	(void)buf_fmt(&text, "saw workspace %.*s (%.*s)", name_room(id), name, NAME_ROOM / 2, id);
	if (!cert_put_name(&subject, buf_view(&text)) || !buf_bytes(&extensions, FIXED(root_constraints)) ||
	    !buf_bytes(&extensions, FIXED(root_usage)) || !cert_put_key_ids(&extensions, key_id, public_key))
		return err_set(e, ENOMEM, "root certificate: out of memory");
	body.issuer = body.subject = buf_view(&subject);
	body.not_after_ms = now_ms + (uint64_t)days * CERT_DAY_MS;
	body.extensions = buf_view(&extensions);
	return cert_put(out, key, &body) ? 0 : err_set(e, EIO, "root certificate: signing failed");
}

bool ca_subtree(struct bytes pattern, struct bytes *ret)
{
	if (bytes_starts(pattern, bytes_str("**.")))
		pattern = bytes_skip(pattern, 3);
	else if (bytes_starts(pattern, bytes_str("*.")))
		pattern = bytes_skip(pattern, 2);
	if (!cert_dns_ok(pattern))
		return false;
	*ret = pattern;
	return true;
}

static bool given_before(const struct bytes *names, size_t i, struct bytes subtree)
{
	struct bytes other;

	while (i-- > 0)
		if (ca_subtree(names[i], &other) && bytes_eq(other, subtree))
			return true;
	return false;
}

static void put_subtree(struct buf *out, unsigned kind, struct bytes base)
{
	size_t mark = der_out_open(out, DER_SEQUENCE);

	(void)der_out_put(out, kind, base);
	(void)der_out_close(out, mark);
}

/* IP addresses can be excluded as a whole; of mail and URI names there is no such form, so one host that never exists (RFC 2606) is
 * permitted, which excludes every other. */
static bool put_name_constraints(struct buf *out, const struct ca_intermediate *ask)
{
	static const uint8_t all_v4[8], all_v6[32]; /* address and mask */
	BUF_AUTO struct buf value;
	size_t whole, list;

	buf_init(&value, EXTENSIONS_MAX);
	whole = der_out_open(&value, DER_SEQUENCE);
	list = der_out_open(&value, PERMITTED);
	for (size_t i = 0; i < ask->n_names; i++) {
		struct bytes subtree;

		if (ca_subtree(ask->names[i], &subtree) && !given_before(ask->names, i, subtree))
			put_subtree(&value, DNS, subtree);
	}
	put_subtree(&value, MAIL, bytes_str("nothing.invalid"));
	put_subtree(&value, URI, bytes_str("nothing.invalid"));
	(void)der_out_close(&value, list);
	list = der_out_open(&value, EXCLUDED);
	put_subtree(&value, ADDRESS, FIXED(all_v4));
	put_subtree(&value, ADDRESS, FIXED(all_v6));
	(void)der_out_close(&value, list);
	return der_out_close(&value, whole) &&
	       cert_put_extension(out, bytes_str(oid_name_constraints), true, buf_view(&value));
}

static int ask_check(const struct key *key, const struct cert *root, const struct ca_intermediate *ask, struct err *e)
{
	uint8_t public_key[KEY_PUBLIC];
	struct bytes subtree;

	/* without a permitted subtree an intermediate might sign for every name */
	if (!ask_ok(ask->now_ms, ask->days) || ask->n_names == 0 || ask->n_names > CA_NAMES_MAX)
		return err_set(e, EINVAL, "intermediate: %u days, %zu names: give 1 to %d days and 1 to %d names", ask->days,
			       ask->n_names, CA_DAYS_MAX, CA_NAMES_MAX);
	for (size_t i = 0; i < ask->n_names; i++)
		if (!ca_subtree(ask->names[i], &subtree))
			return err_set(e, EINVAL, "intermediate: name %zu is no host pattern", i + 1);
	if (!key_public_ok(bytes_of(ask->public_key, KEY_PUBLIC)))
		return err_set(e, EINVAL, "intermediate: not a P-256 public key");
	key_public(key, public_key);
	if (memcmp(public_key, root->public_key, KEY_PUBLIC) != 0)
		return err_set(e, EKEYREJECTED, "intermediate: the root certificate belongs to another key");
	if (ask->now_ms >= root->not_after_ms || ask->now_ms + CERT_DAY_MS < root->not_before_ms)
		return err_set(e, EKEYEXPIRED, "intermediate: the root certificate is not valid now");
	return 0;
}

static bool put_subject(struct buf *out, const char *id)
{
	uint8_t own[6];
	BUF_AUTO struct buf text;

	buf_init(&text, NAME_ROOM);
	random_bytes(own, sizeof(own));
	(void)buf_fmt(&text, "saw %02x%02x%02x%02x%02x%02x of %.*s", own[0], own[1], own[2], own[3], own[4], own[5],
		      NAME_ROOM / 2, id);
	return !text.failed && cert_put_name(out, buf_view(&text));
}

int ca_intermediate(const struct key *key, const struct cert *root, const struct ca_intermediate *ask, struct buf *out,
		    struct err *e)
{
	BUF_AUTO struct buf subject, extensions;
	struct cert_body body = { .issuer = root->subject, .public_key = ask->public_key, .not_before_ms = day_before(ask->now_ms) };
	int r = ask_check(key, root, ask, e);

	buf_init(&subject, NAME_ROOM);
	buf_init(&extensions, EXTENSIONS_MAX);
	if (r < 0)
		return r;
	if (!put_subject(&subject, ask->id) || !buf_bytes(&extensions, FIXED(below_constraints)) ||
	    !buf_bytes(&extensions, FIXED(below_usage)) || !buf_bytes(&extensions, FIXED(server_auth)) ||
	    !cert_put_key_ids(&extensions, root->key_id, ask->public_key) || !put_name_constraints(&extensions, ask))
		return err_set(e, ENOMEM, "intermediate: out of memory");
	body.subject = buf_view(&subject);
	body.not_after_ms = ask->now_ms + (uint64_t)ask->days * CERT_DAY_MS;
	if (body.not_after_ms > root->not_after_ms)
		body.not_after_ms = root->not_after_ms;
	body.extensions = buf_view(&extensions);
	return cert_put(out, key, &body) ? 0 : err_set(e, EIO, "intermediate: signing failed");
}
