#include "rules/bundle_check.h"

#include "base/tap.h"
#include "rules/bundle_check_kit.h"
#include "wire/sshsig.h"

enum { NOW = 1000000 };

static const char policy[] = "version: 1\nname: corporate\n";
static const struct bundle_keys trusted = { .key = { { 9 }, { 1, 2, 3 } }, .n = 2 };
static struct manifest m;
static struct buf text;
static struct buf raw;
static struct bundle_checked checked;
static const char *why;

static void begin(void)
{
	buf_deinit(&text);
	buf_deinit(&raw);
	buf_init(&text, BUNDLE_MANIFEST_MAX);
	buf_init(&raw, BUNDLE_MAX);
	m = (struct manifest){ .serial = 7, .created_ms = 1, .policy = "corporate", .compiler = "0.1.0" };
	kit_sha256(bytes_str(policy), m.sha256);
}

static void build(struct bytes signature)
{
	CHECK(bundle_put(&raw, &(struct bundle){ buf_view(&text), signature, bytes_str(policy) }));
}

static void build_raw(const uint8_t key[BUNDLE_KEY])
{
	uint8_t signature[64];

	CHECK(manifest_put(&text, &m));
	kit_sign(key, buf_view(&text), 0, signature);
	build(bytes_of(signature, sizeof(signature)));
}

static void build_ssh(const uint8_t key[BUNDLE_KEY], const char *namespace, enum sshsig_hash hash)
{
	struct sshsig s = { .hash = hash };
	struct buf file;

	buf_init(&file, SSHSIG_TEXT_MAX);
	CHECK(manifest_put(&text, &m));
	memcpy(s.key, key, BUNDLE_KEY);
	(void)snprintf(s.namespace, sizeof(s.namespace), "%s", namespace);
	kit_sign(key, buf_view(&text), hash == SSHSIG_SHA512 ? 2 : 1, s.signature);
	CHECK(sshsig_put(&file, &s));
	build(buf_view(&file));
	buf_deinit(&file);
}

static const char *answer_on(const char *channel)
{
	return reason_code(bundle_check(buf_view(&raw), bytes_str(channel), &trusted, NOW, &kit_crypto, &checked, &why));
}

static const char *answer(void)
{
	return answer_on("");
}

TEST(a_good_bundle_in_either_form_passes_and_names_its_key)
{
	begin();
	build_raw(trusted.key[1]);
	CHECK_STR(answer(), "ok");
	CHECK(checked.manifest.serial == 7 && memcmp(checked.key, trusted.key[1], BUNDLE_KEY) == 0);
	CHECK(bytes_is(checked.parts.policy, policy));
	for (unsigned hash = SSHSIG_SHA512; hash <= SSHSIG_SHA256; hash++) {
		begin();
		build_ssh(trusted.key[0], "saw-policy", (enum sshsig_hash)hash);
		CHECK_STR(answer(), "ok");
		CHECK(memcmp(checked.key, trusted.key[0], BUNDLE_KEY) == 0);
	}
}

TEST(unsigned_strange_and_misused_signatures_each_have_their_reason)
{
	static const uint8_t strange[BUNDLE_KEY] = { 77 };

	begin();
	CHECK(manifest_put(&text, &m));
	build(bytes_of(NULL, 0));
	CHECK_STR(answer(), "bundle_unsigned");
	begin();
	build_raw(strange);
	CHECK_STR(answer(), "bundle_signature");
	begin();
	(void)snprintf(m.key, sizeof(m.key), "SHA256:nobody");
	build_raw(strange);
	CHECK_STR(answer(), "bundle_key_not_trusted");
	begin();
	build_ssh(strange, "saw-policy", SSHSIG_SHA512);
	CHECK_STR(answer(), "bundle_key_not_trusted");
	begin();
	build_ssh(trusted.key[0], "file", SSHSIG_SHA512);
	CHECK_STR(answer(), "bundle_signature");
	CHECK(strstr(why, "namespace") != NULL);
	begin();
	CHECK(manifest_put(&text, &m));
	build(bytes_str("not a signature"));
	CHECK_STR(answer(), "bundle_signature");
}

TEST(no_changed_byte_of_any_part_passes)
{
	for (unsigned form = 0; form < 2; form++) {
		begin();
		bundle_fingerprint(trusted.key[1], &kit_crypto, m.key);
		if (form)
			build_ssh(trusted.key[1], "saw-policy", SSHSIG_SHA512);
		else
			build_raw(trusted.key[1]);
		CHECK_STR(answer(), "ok");
		for (size_t i = 0; i < raw.len; i++) {
			raw.p[i] ^= 1;
			if (!CHECK(strcmp(answer(), "ok") != 0))
				printf("# byte %zu of form %u\n", i, form);
			raw.p[i] ^= 1;
		}
	}
}

TEST(a_manifest_or_a_policy_changed_after_signing_is_altered)
{
	begin();
	bundle_fingerprint(trusted.key[1], &kit_crypto, m.key);
	build_raw(trusted.key[1]);
	raw.p[raw.len - 2] ^= 1;
	CHECK_STR(answer(), "bundle_altered");
	raw.p[raw.len - 2] ^= 1;
	raw.p[13 + 4 + 12] ^= 1; /* the serial's key */
	CHECK(strcmp(answer(), "ok") != 0);
	begin();
	build_ssh(trusted.key[1], "saw-policy", SSHSIG_SHA256);
	raw.p[13 + 4 + 3] ^= 1;
	CHECK_STR(answer(), "bundle_altered");
}

TEST(a_bundle_stands_until_it_expires_and_only_on_its_channel)
{
	begin();
	m.expires_ms = NOW + 1;
	build_raw(trusted.key[1]);
	CHECK_STR(answer(), "ok");
	begin();
	m.expires_ms = NOW;
	build_raw(trusted.key[1]);
	CHECK_STR(answer(), "bundle_expired");
	begin();
	(void)snprintf(m.channel, sizeof(m.channel), "corporate/stable");
	build_raw(trusted.key[1]);
	CHECK_STR(answer_on("corporate/stable"), "ok");
	CHECK_STR(answer_on("corporate/canary"), "bundle_other_channel");
	CHECK_STR(answer_on(""), "bundle_other_channel");
	begin();
	build_raw(trusted.key[1]);
	CHECK_STR(answer_on("corporate/canary"), "ok");
}

TEST(later_formats_are_named_as_such)
{
	uint8_t signature[64];

	begin();
	CHECK(buf_str(&raw, "saw-bundle-2\n"));
	CHECK_STR(answer(), "bundle_newer");
	begin();
	CHECK(buf_str(&text, "{\"format\":2}"));
	kit_sign(trusted.key[0], buf_view(&text), 0, signature);
	build(bytes_of(signature, sizeof(signature)));
	CHECK_STR(answer(), "bundle_newer");
	begin();
	CHECK(buf_str(&text, "{\"format\":1}"));
	kit_sign(trusted.key[0], buf_view(&text), 0, signature);
	build(bytes_of(signature, sizeof(signature)));
	CHECK_STR(answer(), "bundle_manifest");
}

TEST(without_a_trusted_key_nothing_passes)
{
	static const struct bundle_keys nobody;

	begin();
	build_raw(trusted.key[1]);
	CHECK_STR(reason_code(bundle_check(buf_view(&raw), bytes_str(""), &nobody, NOW, &kit_crypto, &checked, &why)),
		  "bundle_key_not_trusted");
}

TEST(a_serial_goes_back_only_to_where_it_was_rolled_back)
{
	CHECK(bundle_serial_ok(7, 7, 0) && bundle_serial_ok(8, 7, 0) && bundle_serial_ok(1, 0, 0));
	CHECK(!bundle_serial_ok(6, 7, 0) && bundle_serial_ok(6, 7, 6) && !bundle_serial_ok(5, 7, 6));
	buf_deinit(&text);
	buf_deinit(&raw);
}
