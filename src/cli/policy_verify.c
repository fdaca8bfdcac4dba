/* `saw policy verify`: what the supervisor would say to a bundle, said here. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/time_text.h"
#include "cli/bundle_dir.h"
#include "cli/policy.h"
#include "cli/policy_crypto.h"
#include "cli/policy_file.h"
#include "cli/public_key.h"
#include "cli/say.h"
#include "ipc/trust.h"
#include "os/fd.h"
#include "os/loop.h"
#include "os/paths.h"

enum { VERIFY_KEY, VERIFY_CHANNEL, VERIFY_JSON };

static int trusted_keys(const struct cli_args *a, struct bundle_keys *ret)
{
	char state[PATHS_MAX];
	char folder[PATHS_MAX];
	struct err e = { 0 };
	int r;

	if (a->value[VERIFY_KEY]) {
		ret->n = 1;
		return cli_public_key(a->value[VERIFY_KEY], ret->key[0]);
	}
	r = paths_state(state, &e);
	r = r < 0 ? r : paths_join(folder, state, TRUST_FOLDER, &e);
	r = r < 0 ? r : trust_read(folder, ret, &e);
	if (r < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	if (r > 0)
		say_warn("%s", e.text);
	return CLI_DONE;
}

static int refused(const char *path, bool json, enum reason why, const char *more)
{
	BUF_AUTO struct buf text;
	struct json_out j;

	if (!json)
		return say_fail(CLI_FAILED, "%s: %s%s%s; %s", path, reason_sentence(why), *more ? ": " : "", more, reason_remedy(why));
	buf_init(&text, 64 * 1024);
	json_out_init(&j, &text);
	json_out_object(&j);
	json_out_key_str(&j, "bundle", path);
	json_out_key_bool(&j, "ok", false);
	json_out_key_str(&j, "reason", reason_code(why));
	json_out_key_str(&j, "detail", *more ? more : reason_sentence(why));
	json_out_object_end(&j);
	buf_byte(&text, '\n');
	(void)say_out(&text);
	return CLI_FAILED;
}

/* The policy's problems stand on standard error, as those of `saw policy check` do. CLI_DONE: the text compiles as it will in the supervisor, and bears
 * the name that was signed. */
static int check_policy(const char *path, const struct bundle_checked *c, struct bytes channel, bool json)
{
	POLICY_PROBLEMS_AUTO struct policy_problems problems = { 0 };
	struct policy p = { 0 };
	struct err e = { 0 };
	BUF_AUTO struct buf blob;

	buf_init(&blob, POLICY_BLOB_MAX);
	if (!policy_file_compile(c->parts.policy, manifest_channel_is_production(channel), &blob, &problems)) {
		policy_file_print("policy.yaml", &problems);
		return refused(path, json, REASON_POLICY_INVALID, "");
	}
	if (!policy_open(&p, buf_view(&blob), &e))
		return say_fail(CLI_FAILED, "%s: %s", path, e.text);
	if (!bytes_is(policy_label(&p), c->manifest.policy))
		return refused(path, json, REASON_BUNDLE_MANIFEST, "it calls the policy by another name than the policy itself");
	return CLI_DONE;
}

static int good(const char *path, bool json, const struct bundle_checked *c)
{
	char fingerprint[BUNDLE_FINGERPRINT_MAX];
	char created[TIME_TEXT_MAX];
	char expires[TIME_TEXT_MAX] = "";
	char release[SHA256_HEX_MAX];
	BUF_AUTO struct buf text;
	struct json_out j;

	bundle_fingerprint(c->key, &policy_crypto, fingerprint);
	time_text(c->manifest.created_ms, created);
	if (c->manifest.expires_ms)
		time_text(c->manifest.expires_ms, expires);
	sha256_hex(c->id, release);
	if (!json) {
		printf("%s: good: policy %s, serial %llu, release %.12s, made %s%s%s%s%s, signed by %s\n", path, c->manifest.policy,
		       (unsigned long long)c->manifest.serial, release, created, *expires ? ", until " : "", expires,
		       *c->manifest.channel ? ", for " : "", c->manifest.channel, fingerprint);
		return CLI_DONE;
	}
	buf_init(&text, 64 * 1024);
	json_out_init(&j, &text);
	json_out_object(&j);
	json_out_key_str(&j, "bundle", path);
	json_out_key_bool(&j, "ok", true);
	json_out_key_str(&j, "policy", c->manifest.policy);
	json_out_key_u64(&j, "serial", c->manifest.serial);
	json_out_key_str(&j, "release", release);
	json_out_key_str(&j, "created", created);
	json_out_key_bytes_opt(&j, "expires", bytes_str(expires));
	json_out_key_bytes_opt(&j, "channel", bytes_str(c->manifest.channel));
	json_out_key_str(&j, "compiler", c->manifest.compiler);
	json_out_key_str(&j, "key", fingerprint);
	json_out_object_end(&j);
	buf_byte(&text, '\n');
	return say_out(&text);
}

static int verify_run(const struct cli_args *a)
{
	BUNDLE_DIR_AUTO struct bundle_dir d = { 0 };
	struct bundle_keys keys = { .n = 0 };
	const char *path = a->word[0];
	bool json = a->value[VERIFY_JSON];
	struct bundle_checked c;
	struct bytes channel;
	struct manifest m;
	struct err e = { 0 };
	enum reason why;
	const char *more;
	int r;

	if (a->value[VERIFY_CHANNEL] && !manifest_channel_ok(bytes_str(a->value[VERIFY_CHANNEL])))
		return say_fail(CLI_USAGE, "policy verify: --channel %s: two to four words of a-z, 0-9 and hyphens, as in corporate/stable",
				a->value[VERIFY_CHANNEL]);
	r = bundle_dir_read(path, &d, &e);
	if (r < 0)
		return say_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "%s", e.text);
	r = trusted_keys(a, &keys);
	if (r != CLI_DONE)
		return r;
	/* By itself: on the channel that it was made for. */
	channel = bytes_str(a->value[VERIFY_CHANNEL] ? a->value[VERIFY_CHANNEL] : "");
	if (!channel.len && manifest_get(buf_view(&d.manifest), &m, &more) == MANIFEST_DONE)
		channel = bytes_str(m.channel);
	why = bundle_check(buf_view(&d.container), channel, &keys, clock_real_ms(), &policy_crypto, &c, &more);
	/* what this machine trusts was not asked about */
	if (why == REASON_BUNDLE_KEY && a->value[VERIFY_KEY] && !json)
		return say_fail(CLI_FAILED, "%s: another key than %s signed it", path, a->value[VERIFY_KEY]);
	if (why != REASON_OK)
		return refused(path, json, why, more);
	r = check_policy(path, &c, channel, json);
	return r != CLI_DONE ? r : good(path, json, &c);
}

const struct cli_verb policy_verify_verb = {
	.name = "policy verify",
	.args = "BUNDLE",
	.help = "says whether a bundle would be loaded: signature, contents, expiry, and the policy itself",
	.options =
		(const struct cli_option[]){
			[VERIFY_KEY] = { "key", "FILE", "the public key that must have signed it, instead of the ones trusted here", CLI_FILE },
			[VERIFY_CHANNEL] = { "channel", "CHANNEL", "as if it stood there", CLI_CHANNEL },
			[VERIFY_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.words_min = 1,
	.words_max = 1,
	.run = verify_run,
};
