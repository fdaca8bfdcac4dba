/* `saw policy sign`: a policy file, checked and compiled here, becomes a bundle: its text, a manifest, and a signature over the manifest. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/num.h"
#include "base/time_text.h"
#include "cli/bundle_dir.h"
#include "cli/policy.h"
#include "cli/policy_crypto.h"
#include "cli/policy_file.h"
#include "cli/say.h"
#include "os/fd.h"
#include "os/loop.h"
#include "os/paths.h"
#include "wire/key_file.h"
#include "wire/sshsig.h"

enum { SIGN_KEY, SIGN_SERIAL, SIGN_EXPIRES, SIGN_CHANNEL, SIGN_OUT, SIGN_FORM, SIGN_UNSIGNED, SIGN_FORCE, SIGN_JSON };
enum { DAYS_MAX = 36500 };
#define DAY_MS (24ULL * 60 * 60 * 1000)

struct signer {
	struct ed25519 *key; /* NULL: unsigned */
	enum key_file_form form;
};

static int read_key_text(const char *path, struct buf *text)
{
	FD_AUTO int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return say_fail(errno == ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "key %s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode) && (st.st_mode & 077))
		say_warn("%s can be read by others: chmod 0600 it", path);
	r = fd_read_all(fd, text);
	if (r == -EFBIG)
		return say_fail(CLI_FAILED, "%s is no private key: it has more than %d bytes", path, (int)KEY_FILE_MAX);
	return r < 0 ? say_fail(CLI_FAILED, "read %s: %s", path, strerror(-r)) : CLI_DONE;
}

static int refuse_key(const char *path, enum key_file_answer a)
{
	switch (a) {
	case KEY_FILE_ENCRYPTED:
		return say_fail(CLI_FAILED, "%s is under a pass phrase, which saw does not ask for: make the bundle with --unsigned and sign "
					    "its manifest.json with `ssh-keygen -Y sign -n saw-policy` (which asks, or uses ssh-agent) or "
					    "`openssl pkeyutl -sign -rawin`", path);
	case KEY_FILE_OTHER:
		return say_fail(CLI_FAILED, "%s is a key of another type than Ed25519: make one with `openssl genpkey -algorithm ed25519` or "
					    "`ssh-keygen -t ed25519`", path);
	case KEY_FILE_WRONG_HALF:
		return say_fail(CLI_FAILED, "%s is a public key: signing takes the private one", path);
	case KEY_FILE_DONE:
	case KEY_FILE_BAD:
	default:
		return say_fail(CLI_FAILED, "%s is no private key of openssl or ssh-keygen", path);
	}
}

static int open_key(const char *path, struct signer *ret)
{
	uint8_t seed[KEY_FILE_SEED] = { 0 };
	enum key_file_answer a = KEY_FILE_BAD;
	struct buf text;
	int r;

	buf_init_wiping(&text, KEY_FILE_MAX);
	r = read_key_text(path, &text);
	if (r == CLI_DONE) {
		a = key_file_private(buf_view(&text), seed, &ret->form);
		if (a == KEY_FILE_DONE)
			ret->key = ed25519_new(seed);
		if (!ret->key)
			r = refuse_key(path, a);
	}
	explicit_bzero(seed, sizeof(seed));
	buf_deinit(&text);
	return r;
}

static void raw_signature(const struct signer *s, struct bytes manifest, struct buf *out, bool *ok)
{
	uint8_t signature[ED25519_SIGNATURE];

	*ok = ed25519_sign(s->key, manifest, signature) && buf_add(out, signature, sizeof(signature));
}

static void ssh_signature(const struct signer *s, struct bytes manifest, struct buf *out, bool *ok)
{
	struct sshsig sig = { .namespace = BUNDLE_NAMESPACE, .hash = SSHSIG_SHA512 };

	ed25519_public(s->key, sig.key);
	*ok = sshsig_sign(s->key, sig.namespace, true, manifest, sig.signature) && sshsig_put(out, &sig);
}

/* "90d", or a time. */
static bool read_expires(const char *text, uint64_t now_ms, uint64_t *ret)
{
	struct bytes t = bytes_str(text);
	uint64_t days;

	if (bytes_ends(t, bytes_str("d")) && num_u64(bytes_of(t.p, t.len - 1), DAYS_MAX, &days) && days > 0) {
		*ret = now_ms + days * DAY_MS;
		return true;
	}
	return time_text_parse(t, ret) && *ret > now_ms;
}

static uint64_t own_serial(uint64_t now_ms)
{
	return now_ms / 1000;
}

int policy_serial_check(const char *verb, uint64_t serial)
{
	uint64_t now = clock_real_ms();
	uint64_t own = own_serial(now);

	if (!manifest_serial_is_ahead(serial, now))
		return CLI_DONE;
	return say_fail(CLI_USAGE, "%s: serial %llu is more than a year ahead of %llu, the seconds since 1970, and a channel takes only higher ones from then on: "
				   "sign with a lower one, or add --force", verb, (unsigned long long)serial, (unsigned long long)own);
}

static int fill_manifest(struct manifest *m, const struct cli_args *a)
{
	uint64_t now = clock_real_ms();
	const char *channel = a->value[SIGN_CHANNEL];

	*m = (struct manifest){ .serial = own_serial(now), .created_ms = now, .compiler = SAW_VERSION };
	if (a->value[SIGN_SERIAL] && (!num_u64(bytes_str(a->value[SIGN_SERIAL]), MANIFEST_SERIAL_MAX, &m->serial) || !m->serial))
		return say_fail(CLI_USAGE, "policy sign: --serial %s: a whole number from 1 up", a->value[SIGN_SERIAL]);
	if (!a->value[SIGN_FORCE] && policy_serial_check("policy sign", m->serial) != CLI_DONE)
		return CLI_USAGE;
	if (a->value[SIGN_EXPIRES] && !read_expires(a->value[SIGN_EXPIRES], now, &m->expires_ms))
		return say_fail(CLI_USAGE, "policy sign: --expires %s: days as 90d, or a coming time as 2027-01-31T00:00:00Z",
				a->value[SIGN_EXPIRES]);
	if (channel && !manifest_channel_ok(bytes_str(channel)))
		return say_fail(CLI_USAGE, "policy sign: --channel %s: two to four words of a-z, 0-9 and hyphens, as in corporate/stable",
				channel);
	if (channel)
		(void)snprintf(m->channel, sizeof(m->channel), "%s", channel);
	return CLI_DONE;
}

/* The text is good, as for where it is to stand; its name and hash go into the manifest. */
static int check_policy(const char *path, struct bytes text, struct manifest *m)
{
	POLICY_PROBLEMS_AUTO struct policy_problems problems = { 0 };
	BUF_AUTO struct buf blob;
	struct policy p = { 0 };
	struct err e = { 0 };
	bool ok;

	buf_init(&blob, POLICY_BLOB_MAX);
	ok = policy_file_compile(text, manifest_channel_is_production(bytes_str(m->channel)), &blob, &problems);
	policy_file_print(path, &problems);
	if (!ok)
		return say_fail(CLI_FAILED, "%s is not signed: correct it first", path);
	if (!policy_open(&p, buf_view(&blob), &e))
		return say_fail(CLI_FAILED, "%s", e.text);
	if (policy_label(&p).len > MANIFEST_POLICY_MAX)
		return say_fail(CLI_FAILED, "%s: its name is over %d bytes", path, MANIFEST_POLICY_MAX);
	(void)snprintf(m->policy, sizeof(m->policy), "%.*s", (int)policy_label(&p).len, (const char *)policy_label(&p).p);
	sha256(text, m->sha256);
	return CLI_DONE;
}

/* "corporate.yaml" -> "corporate.bundle" */
static int out_path(const struct cli_args *a, char ret[PATHS_MAX])
{
	struct bytes from = bytes_str(a->word[0]);
	int n;

	if (a->value[SIGN_OUT])
		return snprintf(ret, PATHS_MAX, "%s", a->value[SIGN_OUT]) < PATHS_MAX;
	if (bytes_ends(from, bytes_str(".yaml")))
		from.len -= strlen(".yaml");
	else if (bytes_ends(from, bytes_str(".yml")))
		from.len -= strlen(".yml");
	n = snprintf(ret, PATHS_MAX, "%.*s.bundle", (int)from.len, (const char *)from.p);
	return n > 0 && n < PATHS_MAX;
}

static int report(const struct cli_args *a, const char *out, const struct manifest *m, const char *fingerprint)
{
	char expires[TIME_TEXT_MAX] = "";
	BUF_AUTO struct buf text;
	struct json_out j;

	if (m->expires_ms)
		time_text(m->expires_ms, expires);
	if (!a->value[SIGN_JSON]) {
		printf("%s: policy %s, serial %llu%s%s%s%s, %s%s\n", out, m->policy, (unsigned long long)m->serial,
		       *m->channel ? ", for " : "", m->channel, *expires ? ", until " : "", expires, *fingerprint ? "signed by " : "not signed",
		       fingerprint);
		if (!*fingerprint)
			printf("sign it with one of these, then `saw policy verify %s`:\n"
			       "  ssh-keygen -Y sign -n saw-policy -f KEY < %s/manifest.json > %s/signature.sig\n"
			       "  openssl pkeyutl -sign -rawin -inkey KEY -in %s/manifest.json -out %s/signature.sig\n",
			       out, out, out, out, out);
		return CLI_DONE;
	}
	buf_init(&text, 64 * 1024);
	json_out_init(&j, &text);
	json_out_object(&j);
	json_out_key_str(&j, "bundle", out);
	json_out_key_str(&j, "policy", m->policy);
	json_out_key_u64(&j, "serial", m->serial);
	json_out_key_bytes_opt(&j, "channel", bytes_str(m->channel));
	json_out_key_bytes_opt(&j, "expires", bytes_str(expires));
	json_out_key_bytes_opt(&j, "key", bytes_str(fingerprint));
	json_out_object_end(&j);
	buf_byte(&text, '\n');
	return say_out(&text);
}

static int write_bundle(const struct cli_args *a, const struct signer *s, struct bytes policy, struct manifest *m)
{
	char fingerprint[BUNDLE_FINGERPRINT_MAX] = "";
	uint8_t key[ED25519_PUBLIC];
	BUF_AUTO struct buf manifest;
	BUF_AUTO struct buf signature;
	char out[PATHS_MAX];
	struct err e = { 0 };
	bool ok;

	buf_init(&manifest, BUNDLE_MANIFEST_MAX);
	buf_init(&signature, BUNDLE_SIGNATURE_MAX);
	if (s->key) {
		ed25519_public(s->key, key);
		bundle_fingerprint(key, &policy_crypto, fingerprint);
		(void)snprintf(m->key, sizeof(m->key), "%s", fingerprint);
	}
	ok = manifest_put(&manifest, m);
	if (ok && s->key && s->form == KEY_FILE_SSH)
		ssh_signature(s, buf_view(&manifest), &signature, &ok);
	else if (ok && s->key)
		raw_signature(s, buf_view(&manifest), &signature, &ok);
	if (!ok)
		return say_fail(CLI_FAILED, "the bundle could not be signed: is libcrypto whole?");
	if (!out_path(a, out))
		return say_fail(CLI_USAGE, "policy sign: the path is too long");
	if (bundle_dir_write(out, &(struct bundle){ buf_view(&manifest), buf_view(&signature), policy }, &e) < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	return report(a, out, m, fingerprint);
}

static int sign(const struct cli_args *a, struct signer *s)
{
	const char *form = a->value[SIGN_FORM];
	BUF_AUTO struct buf text;
	struct manifest m;
	struct err e = { 0 };
	int r;

	r = policy_file_read(a->word[0], &text, &e);
	if (r != CLI_DONE)
		return say_fail(r, "%s", e.text);
	if (text.len > BUNDLE_POLICY_MAX)
		return say_fail(CLI_FAILED, "%s is over 8 MiB", a->word[0]);
	r = fill_manifest(&m, a);
	if (r == CLI_DONE && a->value[SIGN_KEY])
		r = open_key(a->value[SIGN_KEY], s);
	if (form)
		s->form = strcmp(form, "ssh") == 0 ? KEY_FILE_SSH : KEY_FILE_PEM;
	r = r ? r : check_policy(a->word[0], buf_view(&text), &m);
	return r ? r : write_bundle(a, s, buf_view(&text), &m);
}

static int sign_run(const struct cli_args *a)
{
	struct signer s = { .key = NULL };
	int r;

	if (a->value[SIGN_KEY] && a->value[SIGN_UNSIGNED])
		return say_fail(CLI_USAGE, "policy sign: say either --key or --unsigned: one signs here, the other leaves it to another tool");
	if (!a->value[SIGN_KEY] && !a->value[SIGN_UNSIGNED])
		return say_fail(CLI_USAGE, "policy sign: with which key? add `--key FILE` (or `--unsigned`, to sign by another tool)");
	if (a->value[SIGN_FORM] && a->value[SIGN_UNSIGNED])
		return say_fail(CLI_USAGE, "policy sign: --form is of the signature, which --unsigned leaves to another tool: leave out --form");
	if (strcmp(a->word[0], "-") == 0 && !a->value[SIGN_OUT])
		return say_fail(CLI_USAGE, "policy sign: where to? add `--out DIR`");
	r = sign(a, &s);
	ed25519_free(s.key);
	return r;
}

const struct cli_verb policy_sign_verb = {
	.name = "policy sign",
	.args = "FILE --key KEY",
	.help = "checks a policy file and makes a signed bundle of it: policy.yaml, manifest.json, signature.sig",
	.options =
		(const struct cli_option[]){
			[SIGN_KEY] = { "key", "FILE", "unencrypted Ed25519 key of `openssl genpkey` or `ssh-keygen`", CLI_FILE },
			[SIGN_SERIAL] = { "serial", "N", "must grow from bundle to bundle; by itself the seconds since 1970", CLI_TEXT },
			[SIGN_EXPIRES] = { "expires", "TIME", "not loaded from then on: 90d, or 2027-01-31T00:00:00Z", CLI_TEXT },
			[SIGN_CHANNEL] = { "channel", "CHANNEL", "may stand on this channel only: corporate/stable", CLI_CHANNEL },
			[SIGN_OUT] = { "out", "DIR", "the folder to make; by itself FILE with .bundle for .yaml", CLI_FILE },
			[SIGN_FORM] = { "form", "raw|ssh", "of the signature; by itself as the key's file: openssl's or ssh-keygen's",
					CLI_CHOICE },
			[SIGN_UNSIGNED] = { "unsigned", NULL, "makes all but the signature, and says how to add it with other tools", CLI_TEXT },
			[SIGN_FORCE] = { "force", NULL, "take a serial that is more than a year ahead", CLI_TEXT },
			[SIGN_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.words_min = 1,
	.words_max = 1,
	.run = sign_run,
};
