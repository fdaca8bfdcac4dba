#include "crypt/cert.h"

#include "base/base64.h"
#include "base/der_out.h"
#include "crypt/random.h"
#include "crypt/sha256.h"

enum { SERIAL = 16, PEM_LINE = 64, LABEL_MAX = 63 };

static const uint8_t version_3[] = { 0xa0, 0x03, 0x02, 0x01, 0x02 };
static const uint8_t ecdsa_with_sha256[] = { 0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02 };
/* SubjectPublicKeyInfo of P-256 up to the point (RFC 5480). */
static const uint8_t before_point[] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
	0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
};
static const char oid_common_name[] = "\x55\x04\x03";
static const char oid_subject_key_id[] = "\x55\x1d\x0e";
static const char oid_authority_key_id[] = "\x55\x1d\x23";

#define FIXED(array) bytes_of((array), sizeof(array))

/* Positive, and always of full length: the first byte is 01xxxxxx. */
static void put_serial(struct buf *out)
{
	uint8_t serial[SERIAL];

	random_bytes(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x3f) | 0x40);
	(void)der_out_put(out, DER_INTEGER, FIXED(serial));
}

static void put_tbs(struct buf *out, const struct cert_body *b)
{
	size_t tbs = der_out_open(out, DER_SEQUENCE);
	size_t inner;

	(void)buf_bytes(out, FIXED(version_3));
	put_serial(out);
	(void)buf_bytes(out, FIXED(ecdsa_with_sha256));
	(void)buf_bytes(out, b->issuer);
	inner = der_out_open(out, DER_SEQUENCE);
	(void)der_out_time(out, b->not_before_ms);
	(void)der_out_time(out, b->not_after_ms);
	(void)der_out_close(out, inner);
	(void)(b->subject.len ? buf_bytes(out, b->subject) : der_out_put(out, DER_SEQUENCE, b->subject));
	(void)buf_bytes(out, FIXED(before_point));
	(void)buf_add(out, b->public_key, KEY_PUBLIC);
	inner = der_out_open(out, DER_CONTEXT | DER_CONSTRUCTED | 3);
	(void)der_out_put(out, DER_SEQUENCE, b->extensions);
	(void)der_out_close(out, inner);
	(void)der_out_close(out, tbs);
}

/* Over what stands from `tbs` to the end. */
static bool put_signature(struct buf *out, size_t tbs, const struct key *issuer)
{
	uint8_t digest[SHA256_LEN];
	uint8_t bits[1 + KEY_SIGNATURE_MAX] = { 0 }; /* the first: no unused bits */
	size_t len;

	if (out->failed)
		return false;
	sha256(bytes_of(out->p + tbs, out->len - tbs), digest);
	return key_sign(issuer, digest, bits + 1, &len) && buf_bytes(out, FIXED(ecdsa_with_sha256)) &&
	       der_out_put(out, DER_BIT_STRING, bytes_of(bits, 1 + len));
}

bool cert_put(struct buf *out, const struct key *issuer, const struct cert_body *body)
{
	size_t start = out->len;
	size_t whole = der_out_open(out, DER_SEQUENCE);

	put_tbs(out, body);
	if (put_signature(out, whole, issuer) && der_out_close(out, whole))
		return true;
	out->len = start;
	return false;
}

bool cert_put_name(struct buf *out, struct bytes common_name)
{
	size_t name = der_out_open(out, DER_SEQUENCE);
	size_t set = der_out_open(out, DER_SET);
	size_t pair = der_out_open(out, DER_SEQUENCE);

	if (common_name.len > CERT_COMMON_NAME_MAX) {
		common_name.len = CERT_COMMON_NAME_MAX;
		while (common_name.len && (common_name.p[common_name.len] & 0xc0) == 0x80)
			common_name.len--;
	}
	(void)der_out_put(out, DER_OID, bytes_str(oid_common_name));
	(void)der_out_put(out, DER_UTF8_STRING, common_name);
	return der_out_close(out, pair) && der_out_close(out, set) && der_out_close(out, name);
}

bool cert_put_extension(struct buf *out, struct bytes oid, bool critical, struct bytes value)
{
	size_t extension = der_out_open(out, DER_SEQUENCE);

	(void)der_out_put(out, DER_OID, oid);
	if (critical)
		(void)der_out_put(out, DER_BOOLEAN, bytes_of("\xff", 1));
	(void)der_out_put(out, DER_OCTET_STRING, value);
	return der_out_close(out, extension);
}

bool cert_put_key_ids(struct buf *out, const uint8_t issuer[CERT_KEY_ID], const uint8_t public_key[KEY_PUBLIC])
{
	uint8_t authority[4 + CERT_KEY_ID] = { 0x30, 2 + CERT_KEY_ID, 0x80, CERT_KEY_ID };
	uint8_t subject[2 + CERT_KEY_ID] = { DER_OCTET_STRING, CERT_KEY_ID };

	memcpy(authority + 4, issuer, CERT_KEY_ID);
	cert_key_id(public_key, subject + 2);
	return cert_put_extension(out, bytes_str(oid_authority_key_id), false, FIXED(authority)) &&
	       cert_put_extension(out, bytes_str(oid_subject_key_id), false, FIXED(subject));
}

bool cert_put_pem(struct buf *out, struct bytes der)
{
	(void)buf_str(out, "-----BEGIN CERTIFICATE-----\n");
	for (size_t at = 0; at < der.len; at += PEM_LINE / 4 * 3) {
		size_t left = der.len - at;

		(void)base64_put(out, bytes_of(der.p + at, left < PEM_LINE / 4 * 3 ? left : PEM_LINE / 4 * 3));
		(void)buf_byte(out, '\n');
	}
	return buf_str(out, "-----END CERTIFICATE-----\n");
}

void cert_key_id(const uint8_t public_key[KEY_PUBLIC], uint8_t ret[CERT_KEY_ID])
{
	uint8_t digest[SHA256_LEN];

	sha256(bytes_of(public_key, KEY_PUBLIC), digest);
	memcpy(ret, digest, CERT_KEY_ID);
}

static bool label_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool cert_dns_ok(struct bytes name)
{
	size_t label = 0;
	bool letter = false;

	if (name.len == 0 || name.len > CERT_DNS_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (c == '.' ? label == 0 : !label_byte(c))
			return false;
		label = c == '.' ? 0 : label + 1;
		letter = c == '.' ? false : letter || c < '0' || c > '9';
		if (label > LABEL_MAX)
			return false;
	}
	return label > 0 && letter;
}
