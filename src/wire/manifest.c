#include "wire/manifest.h"

#include "base/json_out.h"
#include "base/time_text.h"
#include "base/utf8.h"
#include "wire/json_scan.h"

enum { NODES_MAX = 24, LABEL_MAX = 40 };

static bool label_ok(struct bytes l)
{
	if (l.len == 0 || l.len > LABEL_MAX || l.p[0] == '-' || l.p[l.len - 1] == '-')
		return false;
	for (size_t i = 0; i < l.len; i++)
		if (!((l.p[i] >= 'a' && l.p[i] <= 'z') || (l.p[i] >= '0' && l.p[i] <= '9') || l.p[i] == '-'))
			return false;
	return true;
}

bool manifest_channel_ok(struct bytes name)
{
	unsigned n = 0;

	if (name.len > MANIFEST_CHANNEL_MAX)
		return false;
	for (;;) {
		size_t len = bytes_find(name, '/');

		if (!label_ok(bytes_of(name.p, len)) || ++n > MANIFEST_LABELS_MAX)
			return false;
		if (len == name.len)
			return n >= 2;
		name = bytes_skip(name, len + 1);
	}
}

bool manifest_serial_is_ahead(uint64_t serial, uint64_t now_ms)
{
	return serial > now_ms / 1000 && serial - now_ms / 1000 > MANIFEST_SERIAL_AHEAD_S;
}

bool manifest_channel_is_production(struct bytes name)
{
	return name.len && !bytes_starts(name, bytes_str("lab/"));
}

static const char *const members[] = { "format", "serial", "policy", "sha256", "compiler", "created", "expires", "channel", "key" };

static bool known(struct bytes key)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (bytes_is(key, members[i]))
			return true;
	return false;
}

/* Printable text of 1 to max bytes, into ret with a NUL. */
static bool get_text(const struct json_node *n, char *ret, size_t max)
{
	struct buf b;
	bool ok;

	buf_init(&b, max);
	ok = json_text(n, &b) && b.len && utf8_valid(buf_view(&b));
	for (size_t i = 0; ok && i < b.len; i++)
		ok = b.p[i] >= 0x20 && b.p[i] != 0x7f;
	if (ok) {
		memcpy(ret, b.p, b.len);
		ret[b.len] = '\0';
	}
	buf_deinit(&b);
	return ok;
}

static bool get_time(const struct json_node *n, uint64_t *ret)
{
	char text[MANIFEST_TEXT_MAX + 1];

	return get_text(n, text, MANIFEST_TEXT_MAX) && time_text_parse(bytes_str(text), ret);
}

/* -1 for anything but 0-9 and a-f. */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_hash(const struct json_node *n, uint8_t ret[MANIFEST_SHA256])
{
	char text[MANIFEST_TEXT_MAX + 1];

	if (!get_text(n, text, MANIFEST_TEXT_MAX) || strlen(text) != 2 * (size_t)MANIFEST_SHA256)
		return false;
	for (size_t i = 0; i < MANIFEST_SHA256; i++) {
		int high = digit(text[2 * i]);
		int low = digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static const char *read_members(const struct json_node *nodes, struct manifest *m)
{
	const struct json_node *expires = json_get(nodes, nodes, "expires");
	const struct json_node *channel = json_get(nodes, nodes, "channel");
	const struct json_node *key = json_get(nodes, nodes, "key");

	if (!json_u64(json_get(nodes, nodes, "serial"), MANIFEST_SERIAL_MAX, &m->serial) || !m->serial)
		return "`serial` is no whole number from 1 up";
	if (!get_text(json_get(nodes, nodes, "policy"), m->policy, MANIFEST_POLICY_MAX))
		return "`policy` is no name";
	if (!get_hash(json_get(nodes, nodes, "sha256"), m->sha256))
		return "`sha256` is not 64 digits of lower-case hex";
	if (!get_text(json_get(nodes, nodes, "compiler"), m->compiler, MANIFEST_TEXT_MAX))
		return "`compiler` is no version";
	if (!get_time(json_get(nodes, nodes, "created"), &m->created_ms))
		return "`created` is no time as in 2026-11-24T17:00:00Z";
	if (expires && (!get_time(expires, &m->expires_ms) || !m->expires_ms))
		return "`expires` is no time as in 2026-11-24T17:00:00Z";
	if (channel && (!get_text(channel, m->channel, MANIFEST_CHANNEL_MAX) || !manifest_channel_ok(bytes_str(m->channel))))
		return "`channel` is no channel's name, as in corporate/stable";
	if (key && !get_text(key, m->key, MANIFEST_TEXT_MAX))
		return "`key` is no fingerprint";
	return NULL;
}

enum manifest_answer manifest_get(struct bytes text, struct manifest *ret, const char **ret_why)
{
	struct json_node nodes[NODES_MAX];
	struct manifest m = { 0 };
	enum json_answer a;
	uint64_t format;
	uint32_t n;
	size_t at;

	a = json_scan(text, nodes, NODES_MAX, &n, &at);
	*ret_why = a == JSON_OK ? "it is no JSON object" : json_answer_text(a);
	if (a != JSON_OK || nodes[0].kind != JSON_OBJECT)
		return MANIFEST_BAD;
	*ret_why = "`format` is no number";
	if (!json_u64(json_get(nodes, nodes, "format"), MANIFEST_SERIAL_MAX, &format) || !format)
		return MANIFEST_BAD;
	if (format > MANIFEST_FORMAT)
		return MANIFEST_NEWER;
	*ret_why = "it has a member that format 1 does not know";
	for (uint32_t i = nodes[0].first; i; i = nodes[i].next)
		if (!known(nodes[i].key))
			return MANIFEST_BAD;
	*ret_why = read_members(nodes, &m);
	if (*ret_why)
		return MANIFEST_BAD;
	*ret = m;
	return MANIFEST_DONE;
}

static void put_time(struct json_out *j, const char *key, uint64_t ms)
{
	char text[TIME_TEXT_MAX];

	time_text(ms, text);
	json_out_key_str(j, key, text);
}

bool manifest_put(struct buf *out, const struct manifest *m)
{
	static const char digits[] = "0123456789abcdef";
	char hex[2 * MANIFEST_SHA256];
	struct json_out j;

	for (size_t i = 0; i < MANIFEST_SHA256; i++) {
		hex[2 * i] = digits[m->sha256[i] >> 4];
		hex[2 * i + 1] = digits[m->sha256[i] & 15];
	}
	json_out_init(&j, out);
	json_out_object(&j);
	json_out_key_u64(&j, "format", MANIFEST_FORMAT);
	json_out_key_u64(&j, "serial", m->serial);
	json_out_key_str(&j, "policy", m->policy);
	json_out_key_bytes(&j, "sha256", bytes_of(hex, sizeof(hex)));
	json_out_key_str(&j, "compiler", m->compiler);
	put_time(&j, "created", m->created_ms);
	if (m->expires_ms)
		put_time(&j, "expires", m->expires_ms);
	json_out_key_bytes_opt(&j, "channel", bytes_str(m->channel));
	json_out_key_bytes_opt(&j, "key", bytes_str(m->key));
	json_out_object_end(&j);
	return buf_byte(out, '\n');
}
