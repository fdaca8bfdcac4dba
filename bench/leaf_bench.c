/* What the first connection to a name costs an intercepting gateway before the handshake: its certificate. Prints one figure a line. */
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/must.h"
#include "crypt/ca.h"
#include "crypt/leaf.h"

enum { ROUNDS = 5000, SETS = 5, CHUNKS = 157 };

#define NOW_MS 1795539600000ULL

/* CPU time: other work on the machine must not count. */
static double now_us(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool everything(void *ctx, struct bytes name)
{
	(void)ctx;
	(void)name;
	return true;
}

/* Beside it in every set, so that a slow moment of the machine hits both: the signature alone, and libcrypto's own way. */
struct figures {
	double mint, get, again, sign, parse;
};

static void keep(double *least, double start)
{
	double took = (now_us() - start) / ROUNDS;

	*least = *least > 0 && *least < took ? *least : took;
}

static void parse(struct bytes der)
{
	const unsigned char *at = der.p;
	X509 *x = d2i_X509(NULL, &at, (long)der.len);

	must(x != NULL);
	X509_free(x);
}

static void one_set(struct leaf_minter *m, struct figures *f)
{
	uint8_t digest[KEY_DIGEST] = { 0 }, signature[KEY_SIGNATURE_MAX];
	const struct leaf *leaf;
	BUF_AUTO struct buf der;
	char name[64];
	size_t len;
	double start;

	buf_init(&der, LEAF_MAX);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++)
		must(key_sign(leaf_minter_key(m), digest, signature, &len));
	keep(&f->sign, start);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		buf_reset(&der);
		must(leaf_mint(m, bytes_str("host.wild.example"), NOW_MS, &der, NULL) == 0);
	}
	keep(&f->mint, start);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++) {
		(void)snprintf(name, sizeof(name), "host%d.wild.example", i);
		must(leaf_get(m, bytes_str(name), NOW_MS, &leaf, NULL) == 0);
	}
	keep(&f->get, start);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++)
		must(leaf_get(m, bytes_str(name), NOW_MS, &leaf, NULL) == 0);
	keep(&f->again, start);
	start = now_us();
	for (int i = 0; i < ROUNDS; i++)
		parse(buf_view(&der));
	keep(&f->parse, start);
}

/* What a load of a policy with 10,000 names costs keeper. */
static double chunks(const struct key *root_key, const struct cert *root, const uint8_t *public_key)
{
	static char text[CA_NAMES_MAX][32];
	struct bytes names[CA_NAMES_MAX];
	struct ca_intermediate ask = { .id = "bench", .public_key = public_key, .names = names, .n_names = CA_NAMES_MAX,
				       .now_ms = NOW_MS, .days = 30 };
	double start = now_us();

	for (int i = 0; i < CHUNKS; i++) {
		BUF_AUTO struct buf der;

		buf_init(&der, CA_INTERMEDIATE_MAX);
		for (int n = 0; n < CA_NAMES_MAX; n++) {
			(void)snprintf(text[n], sizeof(text[n]), "host%d.zone%d.example", n, i);
			names[n] = bytes_str(text[n]);
		}
		must(ca_intermediate(root_key, root, &ask, &der, NULL) == 0);
	}
	return (now_us() - start) / 1e3;
}

int main(void)
{
	const struct bytes names[] = { bytes_str("**.wild.example") };
	KEY_AUTO struct key *root_key = key_generate();
	struct key *key = key_generate();
	uint8_t public_key[KEY_PUBLIC];
	struct ca_intermediate ask = { .id = "bench", .public_key = public_key, .names = names, .n_names = 1,
				       .now_ms = NOW_MS, .days = 30 };
	CERT_AUTO struct cert *root = NULL;
	LEAF_MINTER_AUTO struct leaf_minter *m = NULL;
	struct figures f = { 0 };
	BUF_AUTO struct buf der;

	must(root_key && key);
	buf_init(&der, CA_INTERMEDIATE_MAX);
	key_public(key, public_key);
	must(ca_root(root_key, "bench", "bench", NOW_MS, 3650, &der, NULL) == 0 && cert_open(&root, buf_view(&der), NULL) == 0);
	buf_reset(&der);
	must(ca_intermediate(root_key, root, &ask, &der, NULL) == 0);
	m = leaf_minter_new(key, everything, NULL);
	must(m && leaf_minter_add(m, buf_view(&der), NULL) == 0);
	for (int i = 0; i < SETS; i++)
		one_set(m, &f);
	printf("leaf, minted as DER (bar <= 60 us): %.1f us\n", f.mint);
	printf("leaf, minted and made ready for libssl (bar <= 60 us): %.1f us\n", f.get);
	printf("leaf, from the cache: %.2f us\n", f.again);
	printf("of these, one ECDSA signature: %.1f us; parsing the same leaf by d2i_X509() would cost %.1f us\n", f.sign, f.parse);
	printf("intermediates for 10,000 names: %.1f ms\n", chunks(root_key, root, public_key));
	return 0;
}
