/* X.509 certificates of ours (RFC 5280): written and signed with P-256 keys; and read back as far as issuing below one needs. */
#ifndef SAW_CRYPT_CERT_H
#define SAW_CRYPT_CERT_H

#include "base/buf.h"
#include "base/err.h"
#include "crypt/key.h"

enum {
	CERT_KEY_ID = 20, /* SHA-256 of the public key, cut (RFC 7093, 2, method 1) */
	CERT_COMMON_NAME_MAX = 64, /* bytes; RFC 5280, ub-common-name */
	CERT_DNS_MAX = 253,
	CERT_SUBJECT_MAX = 256, /* of an issuer; DER */
	CERT_READ_MAX = 32 * 1024,
	CERT_DAY_MS = 24 * 3600 * 1000, /* also how far back a certificate of ours is dated: a guest's clock may be late */
};

/* All borrowed. Names and extensions are DER as the functions below write it. */
struct cert_body {
	struct bytes issuer;
	struct bytes subject; /* empty: the empty Name */
	const uint8_t *public_key; /* KEY_PUBLIC */
	uint64_t not_before_ms; /* since the epoch; whole seconds count */
	uint64_t not_after_ms;
	struct bytes extensions; /* one behind the other */
};

/* Appends the certificate with a random serial number of 16 bytes, signed ecdsa-with-SHA256. False (and `out` as it was, but for
 * its `failed`) when it does not fit or libcrypto fails. */
bool cert_put(struct buf *out, const struct key *issuer, const struct cert_body *body);

/* Appends a Name of one common name, cut at a character when over CERT_COMMON_NAME_MAX. */
bool cert_put_name(struct buf *out, struct bytes common_name);
/* Appends one extension. `oid`: content only, as "\x55\x1d\x11". */
bool cert_put_extension(struct buf *out, struct bytes oid, bool critical, struct bytes value);
/* Appends authority and subject key identifiers. */
bool cert_put_key_ids(struct buf *out, const uint8_t issuer[CERT_KEY_ID], const uint8_t public_key[KEY_PUBLIC]);
/* "-----BEGIN CERTIFICATE-----" and so on. */
bool cert_put_pem(struct buf *out, struct bytes der);

void cert_key_id(const uint8_t public_key[KEY_PUBLIC], uint8_t ret[CERT_KEY_ID]);
/* A host name as it may stand in a certificate: lower-case letters, digits, hyphen, underscore, dot; no empty or over-long label; not
 * an address in disguise. */
bool cert_dns_ok(struct bytes name);

struct x509_st;
/* An issuer's certificate, read. Read only. */
struct cert {
	struct bytes der;
	struct bytes subject;
	uint8_t public_key[KEY_PUBLIC];
	uint8_t key_id[CERT_KEY_ID];
	uint64_t not_before_ms;
	uint64_t not_after_ms;
	struct bytes *subtrees; /* permitted dNSName subtrees */
	size_t n_subtrees;
	struct x509_st *handle; /* for net/tls, which takes references of its own */
};

/* Reads one whole CA certificate with a P-256 key; copies `der`. Does not verify its signature. -EBADMSG when it is none. */
int cert_open(struct cert **ret, struct bytes der, struct err *e);
struct cert *cert_free(struct cert *c);
void cert_freep(struct cert **c);
#define CERT_AUTO __attribute__((cleanup(cert_freep)))

#endif
