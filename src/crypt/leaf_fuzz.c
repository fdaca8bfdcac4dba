#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "crypt/ca_kit.h"
#include "crypt/leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define END_MS (KIT_NOW_MS + CA_DAYS_MAX * KIT_DAY_MS) /* of the authority: 2126 */

enum { CLOCK_LEN = 6 };

static bool everything(void *ctx, struct bytes name)
{
	(void)ctx;
	(void)name;
	return true;
}

/* For all names below "z", a hundred years long. */
static struct leaf_minter *minter(struct cert **ret_issuer)
{
	static uint8_t public_key[KEY_PUBLIC];
	const struct bytes names[] = { bytes_str("**.z") };
	struct ca_intermediate ask = { .id = "fuzz", .public_key = public_key, .names = names, .n_names = 1,
				       .now_ms = KIT_NOW_MS, .days = CA_DAYS_MAX };
	KEY_AUTO struct key *root_key = key_generate();
	struct key *key = key_generate();
	CERT_AUTO struct cert *root = NULL;
	struct leaf_minter *m;
	BUF_AUTO struct buf der;

	buf_init(&der, CA_INTERMEDIATE_MAX);
	must(root_key && key);
	key_public(key, public_key);
	must(ca_root(root_key, "fuzz", "fuzz", KIT_NOW_MS, CA_DAYS_MAX, &der, NULL) == 0 &&
	     cert_open(&root, buf_view(&der), NULL) == 0);
	buf_reset(&der);
	must(ca_intermediate(root_key, root, &ask, &der, NULL) == 0 && cert_open(ret_issuer, buf_view(&der), NULL) == 0);
	m = leaf_minter_new(key, everything, NULL);
	must(m && leaf_minter_add(m, buf_view(&der), NULL) == 0);
	return m;
}

static void check(const struct cert *issuer, struct bytes der, struct bytes name, uint64_t now_ms)
{
	X509 *x = kit_x509(der);
	GENERAL_NAMES *san = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	uint64_t end = now_ms / 1000 * 1000 + LEAF_DAYS * KIT_DAY_MS;
	uint8_t *again = NULL;
	const GENERAL_NAME *only;
	int len = i2d_X509(x, &again);

	must(len > 0 && bytes_eq(bytes_of(again, (size_t)len), der));
	must(san && sk_GENERAL_NAME_num(san) == 1);
	only = sk_GENERAL_NAME_value(san, 0);
	must(only->type == GEN_DNS && bytes_eq(bytes_of(ASN1_STRING_get0_data(only->d.dNSName),
							 (size_t)ASN1_STRING_length(only->d.dNSName)), name));
	must(ASN1_TIME_cmp_time_t(X509_get0_notBefore(x), (time_t)((now_ms - KIT_DAY_MS) / 1000)) == 0);
	must(ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), (time_t)((end < END_MS ? end : END_MS) / 1000)) == 0);
	must(X509_verify(x, X509_get0_pubkey(issuer->handle)) == 1 && X509_check_issued(issuer->handle, x) == X509_V_OK);
	OPENSSL_free(again);
	GENERAL_NAMES_free(san);
	X509_free(x);
}

/* Six bytes of clock, then the name. What is minted parses, carries exactly that name and life, and verifies; what is not minted was
 * no name, not below "z", or out of the issuer's time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct leaf_minter *m;
	static struct cert *issuer;
	uint64_t now_ms = 0;
	struct bytes name;
	const struct leaf *leaf;
	BUF_AUTO struct buf der;
	int r;

	buf_init(&der, LEAF_MAX);
	if (size < CLOCK_LEN)
		return 0;
	if (!m)
		m = minter(&issuer);
	for (size_t i = 0; i < CLOCK_LEN; i++)
		now_ms = now_ms << 8 | data[i];
	now_ms = KIT_NOW_MS - 3 * KIT_DAY_MS + now_ms % ((CA_DAYS_MAX + 6) * KIT_DAY_MS);
	name = bytes_of(data + CLOCK_LEN, size - CLOCK_LEN);
	r = leaf_mint(m, name, now_ms, &der, NULL);
	if (!cert_dns_ok(name))
		must(r == -EINVAL);
	else if (!bytes_is(name, "z") && !bytes_ends(name, bytes_str(".z")))
		must(r == -ENOENT);
	else if (now_ms >= END_MS || now_ms + 2 * KIT_DAY_MS < KIT_NOW_MS)
		must(r == -EKEYEXPIRED);
	else
		must(r == 0);
	must(leaf_get(m, name, now_ms, &leaf, NULL) == r);
	if (r == 0) {
		check(issuer, buf_view(&der), name, now_ms);
		must(leaf->not_after_ms > now_ms);
	} else {
		must(der.len == 0);
	}
	return 0;
}
