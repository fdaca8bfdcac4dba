#include "rules/bundle_check.h"

#include "base/base64.h"
#include "base/must.h"
#include "wire/ssh_key.h"
#include "wire/sshsig.h"

/* The signature comes first: until it is known to be good, nothing of the manifest is believed. A raw signature does not say whose it is,
 * so every trusted key is tried. */

enum { RAW_SIGNATURE = 64, KEY_BLOB_MAX = 64 };

static bool is_trusted(const struct bundle_keys *trusted, const uint8_t key[BUNDLE_KEY])
{
	for (size_t i = 0; i < trusted->n; i++)
		if (memcmp(trusted->key[i], key, BUNDLE_KEY) == 0)
			return true;
	return false;
}

void bundle_fingerprint(const uint8_t key[BUNDLE_KEY], const struct bundle_crypto *crypto, char ret[BUNDLE_FINGERPRINT_MAX])
{
	uint8_t digest[32];
	struct buf b;

	buf_init(&b, KEY_BLOB_MAX + BUNDLE_FINGERPRINT_MAX);
	must(ssh_key_put_blob(&b, key));
	crypto->sha256(buf_view(&b), digest);
	buf_reset(&b);
	must(buf_str(&b, "SHA256:") && base64_put(&b, bytes_of(digest, sizeof(digest))) && b.len == BUNDLE_FINGERPRINT_MAX);
	memcpy(ret, b.p, BUNDLE_FINGERPRINT_MAX - 1);
	ret[BUNDLE_FINGERPRINT_MAX - 1] = '\0';
	buf_deinit(&b);
}

static bool holds(struct bytes text, const char *word)
{
	return text.len && memmem(text.p, text.len, word, strlen(word)) != NULL;
}

/* No trusted key made this raw signature. The manifest may say which key was meant, and that tells a changed manifest from a strange key; it
 * is looked for, not read: nobody has vouched for these bytes. */
static enum reason why_raw(struct bytes manifest, const struct bundle_keys *trusted, const struct bundle_crypto *crypto)
{
	char fingerprint[BUNDLE_FINGERPRINT_MAX];

	for (size_t i = 0; i < trusted->n; i++) {
		bundle_fingerprint(trusted->key[i], crypto, fingerprint);
		if (holds(manifest, fingerprint))
			return REASON_BUNDLE_ALTERED;
	}
	return holds(manifest, "SHA256:") ? REASON_BUNDLE_KEY : REASON_BUNDLE_SIGNATURE;
}

static enum reason check_raw(const struct bundle *b, const struct bundle_keys *trusted, const struct bundle_crypto *crypto,
			     uint8_t ret_key[BUNDLE_KEY])
{
	for (size_t i = 0; i < trusted->n; i++)
		if (crypto->ed25519(trusted->key[i], b->manifest, b->signature.p)) {
			memcpy(ret_key, trusted->key[i], BUNDLE_KEY);
			return REASON_OK;
		}
	return why_raw(b->manifest, trusted, crypto);
}

static enum reason check_ssh(const struct bundle *b, const struct bundle_keys *trusted, const struct bundle_crypto *crypto,
			     uint8_t ret_key[BUNDLE_KEY], const char **ret_why)
{
	struct sshsig s;
	enum sshsig_answer a = sshsig_get(b->signature, &s);

	if (a == SSHSIG_OTHER)
		*ret_why = "it is an SSH signature, but of no Ed25519 key";
	else if (a == SSHSIG_BAD)
		*ret_why = "it is neither 64 bytes of Ed25519 nor an SSH signature";
	else if (strcmp(s.namespace, BUNDLE_NAMESPACE) != 0)
		*ret_why = "its namespace is not saw-policy: sign with `ssh-keygen -Y sign -n saw-policy`";
	if (**ret_why)
		return REASON_BUNDLE_SIGNATURE;
	if (!is_trusted(trusted, s.key))
		return REASON_BUNDLE_KEY;
	if (!crypto->sshsig(s.key, BUNDLE_NAMESPACE, s.hash == SSHSIG_SHA512, b->manifest, s.signature))
		return REASON_BUNDLE_ALTERED;
	memcpy(ret_key, s.key, BUNDLE_KEY);
	return REASON_OK;
}

static enum reason check_signature(const struct bundle *b, const struct bundle_keys *trusted, const struct bundle_crypto *crypto,
				   uint8_t ret_key[BUNDLE_KEY], const char **ret_why)
{
	if (b->signature.len == 0)
		return REASON_BUNDLE_UNSIGNED;
	if (trusted->n == 0) {
		*ret_why = "no key at all is trusted here";
		return REASON_BUNDLE_KEY;
	}
	return b->signature.len == RAW_SIGNATURE ? check_raw(b, trusted, crypto, ret_key) :
						   check_ssh(b, trusted, crypto, ret_key, ret_why);
}

/* Everything here was signed. */
static enum reason check_contents(struct bundle_checked *c, struct bytes channel, uint64_t now_ms, const struct bundle_crypto *crypto,
				  const char **ret_why)
{
	uint8_t digest[32];
	enum manifest_answer a = manifest_get(c->parts.manifest, &c->manifest, ret_why);

	if (a == MANIFEST_NEWER) {
		*ret_why = "";
		return REASON_BUNDLE_NEWER;
	}
	if (a != MANIFEST_DONE)
		return REASON_BUNDLE_MANIFEST;
	*ret_why = "";
	crypto->sha256(c->parts.policy, digest);
	if (memcmp(digest, c->manifest.sha256, sizeof(digest)) != 0)
		return REASON_BUNDLE_ALTERED;
	if (c->manifest.expires_ms && c->manifest.expires_ms <= now_ms)
		return REASON_BUNDLE_EXPIRED;
	if (*c->manifest.channel && !bytes_is(channel, c->manifest.channel))
		return REASON_BUNDLE_CHANNEL;
	crypto->sha256(c->parts.manifest, c->id);
	return REASON_OK;
}

enum reason bundle_check(struct bytes raw, struct bytes channel, const struct bundle_keys *trusted, uint64_t now_ms,
			 const struct bundle_crypto *crypto, struct bundle_checked *ret, const char **ret_why)
{
	struct bundle_checked c = { 0 };
	enum bundle_answer a = bundle_get(raw, &c.parts);
	enum reason r;

	*ret_why = "";
	if (a == BUNDLE_NEWER)
		return REASON_BUNDLE_NEWER;
	if (a != BUNDLE_DONE)
		return REASON_BUNDLE_MALFORMED;
	r = check_signature(&c.parts, trusted, crypto, c.key, ret_why);
	if (r == REASON_OK)
		r = check_contents(&c, channel, now_ms, crypto, ret_why);
	if (r == REASON_OK)
		*ret = c;
	return r;
}

bool bundle_serial_ok(uint64_t serial, uint64_t last, uint64_t rolled_back_to)
{
	return serial >= last || (rolled_back_to && serial == rolled_back_to);
}
