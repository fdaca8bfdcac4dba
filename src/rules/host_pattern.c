/* A policy names each host in its one canonical form, so that what Security reads is what is compared. Whatever differs is refused with
 * the right spelling, never repaired: a repaired file and its author would disagree about what it says. */
#include "rules/host_pattern.h"

#include <idn2.h>
#include <libpsl.h>
#include <stdarg.h>
#include <stdio.h>

#include "wire/guest_net.h"
#include "wire/ip.h"
#include "wire/name.h"

enum { TEXT_MAX = 512 };

static bool fault(char ret[HOST_PATTERN_FAULT_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool fault(char ret[HOST_PATTERN_FAULT_MAX], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(ret, HOST_PATTERN_FAULT_MAX, format, ap);
	va_end(ap);
	return false;
}

static bool has(struct bytes text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; len <= text.len && i <= text.len - len; i++)
		if (memcmp(text.p + i, part, len) == 0)
			return true;
	return false;
}

static bool any_of(struct bytes text, const char *set)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] && strchr(set, text.p[i]))
			return true;
	return false;
}

static bool has_upper(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] >= 'A' && text.p[i] <= 'Z')
			return true;
	return false;
}

static bool has_8bit(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] >= 0x80)
			return true;
	return false;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static struct bytes trim(struct bytes t)
{
	while (t.len && is_blank(t.p[0]))
		t = bytes_skip(t, 1);
	while (t.len && is_blank(t.p[t.len - 1]))
		t.len--;
	return t;
}

static bool idn_fault(struct bytes text, char *ret)
{
	char name[TEXT_MAX];
	uint8_t *ascii = NULL;

	(void)snprintf(name, sizeof(name), "%.*s", (int)text.len, (const char *)text.p);
	if (idn2_lookup_u8((const uint8_t *)name, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) ==
	    IDN2_OK)
		(void)fault(ret, "`%s` is not in A-label form; write `%s`", name,
			    (const char *)ascii);
	else
		(void)fault(ret, "`%s` is no host name in any script; write its A-label (xn--...)",
			    name);
	idn2_free(ascii);
	return false;
}

/* What is not a bare name at all: URLs, ports, blanks. */
static bool shape_ok(struct bytes text, char *ret)
{
	struct bytes bare = trim(text);
	struct ip ip;

	if (bare.len == 0)
		return fault(ret, "a host is empty; write a name such as `api.example`");
	if (text.len >= TEXT_MAX / 2 + 3)
		return fault(ret, "a host of more than 253 characters; names are shorter");
	if (bare.len != text.len)
		return fault(ret, "blanks around `%.*s`; write it without them", (int)bare.len,
			     (const char *)bare.p);
	if (has(text, "://")) {
		struct bytes host = text;

		while (!bytes_starts(host, bytes_str("://")))
			host = bytes_skip(host, 1);
		host = bytes_skip(host, 3);
		host.len = bytes_find(host, '/');
		return fault(ret, "a host is not a URL; write `%.*s`", (int)host.len,
			     (const char *)host.p);
	}
	if (ip_parse(text, &ip) || (text.len > 2 && text.p[0] == '[' &&
				    ip_parse(bytes_of(text.p + 1, bytes_find(text, ']') - 1), &ip)))
		return fault(
			ret,
			"an address is no host name; write the host's name, and the range under `addresses` if it is private");
	if (bytes_find(text, '/') < text.len)
		return fault(
			ret,
			"a host has no path; write `%.*s` and the path under `paths` of a rule",
			(int)bytes_find(text, '/'), (const char *)text.p);
	if (bytes_find(text, ':') < text.len)
		return fault(ret, "a host has no port; write `%.*s` and the port under `ports`",
			     (int)bytes_find(text, ':'), (const char *)text.p);
	if (any_of(text, "@\\#%=&+,; \t\"'<>()!$^`|~"))
		return fault(
			ret,
			"`%.*s` has a character that no host name has; write letters, digits, hyphens and dots",
			(int)text.len, (const char *)text.p);
	if (has_8bit(text))
		return idn_fault(text, ret);
	return true;
}

static bool spelling_ok(struct bytes text, char *ret)
{
	char lower[TEXT_MAX];

	if (text.len > 1 && text.p[text.len - 1] == '.' && text.p[text.len - 2] != '.')
		return fault(ret, "a trailing dot; write `%.*s`", (int)text.len - 1,
			     (const char *)text.p);
	if (!has_upper(text))
		return true;
	for (size_t i = 0; i < text.len; i++)
		lower[i] =
			(char)(text.p[i] >= 'A' && text.p[i] <= 'Z' ? text.p[i] | 0x20 : text.p[i]);
	return fault(ret, "upper-case letters; write `%.*s`", (int)text.len, lower);
}

static bool label_is_wild(struct bytes label)
{
	return bytes_is(label, "*") || bytes_is(label, "**");
}

/* A wildcard stands alone in the first label, and only there. *ret_suffix: the text below it. */
static bool wildcard_ok(struct bytes text, bool *ret_wild, struct bytes *ret_suffix, char *ret)
{
	struct bytes rest = text;

	if (any_of(text, "?[]{}"))
		return fault(ret,
			     "a wildcard is a whole label, `*` or `**`; list the names one by one");
	*ret_wild = false;
	*ret_suffix = text;
	for (bool first = true;; first = false) {
		size_t dot = bytes_find(rest, '.');
		struct bytes label = bytes_of(rest.p, dot);

		if (bytes_find(label, '*') < label.len) {
			if (!label_is_wild(label))
				return fault(
					ret,
					"a wildcard is a whole label; write `*.` and the domain, or list the names one by one");
			if (!first)
				return fault(
					ret,
					"a wildcard may only be the first label; list the names one by one");
			if (dot == rest.len)
				return fault(
					ret,
					"a wildcard over everything is not allowed here; write the domain behind it, as `*.corp.example`");
			*ret_wild = true;
			*ret_suffix = bytes_skip(rest, dot + 1);
		}
		if (dot == rest.len)
			return true;
		rest = bytes_skip(rest, dot + 1);
	}
}

static bool idna_canonical(const char *name)
{
	char *unicode = NULL;
	uint8_t *again = NULL;
	bool ok = idn2_to_unicode_8z8z(name, &unicode, IDN2_NONTRANSITIONAL) == IDN2_OK &&
		  idn2_lookup_u8((const uint8_t *)unicode, &again,
				 IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) == IDN2_OK &&
		  strcmp((const char *)again, name) == 0;

	idn2_free(unicode);
	idn2_free(again);
	return ok;
}

static bool name_ok(struct bytes text, struct name *n, char *ret)
{
	switch (name_parse_strict(text, n)) {
	case NAME_OK:
		break;
	case NAME_ADDRESS:
		return fault(
			ret,
			"`%.*s` is an address to many programs, not a host name; write the host's name",
			(int)text.len, (const char *)text.p);
	case NAME_NOT_CANONICAL:
		return fault(
			ret,
			"`%.*s` has an xn-- label that no encoder writes; write the A-label of the intended name",
			(int)text.len, (const char *)text.p);
	case NAME_MALFORMED:
		return fault(
			ret,
			"`%.*s` is no host name; labels have 1 to 63 letters, digits or hyphens, no hyphen at an end, no empty label",
			(int)text.len, (const char *)text.p);
	}
	if (has(name_bytes(n), "xn--") && !idna_canonical(n->text))
		return fault(
			ret,
			"`%s` is not a valid A-label under IDNA 2008; write the A-label of the intended name",
			n->text);
	return true;
}

static bool owner_ok(const struct name *n, char *ret)
{
	const psl_ctx_t *psl = psl_builtin();
	char below[TEXT_MAX];

	if (bytes_find(name_bytes(n), '.') == n->len)
		return fault(
			ret,
			"a wildcard directly above the top level is not allowed here; write the domain, as `*.corp.%s`",
			n->text);
	(void)snprintf(below, sizeof(below), "any.%s", n->text);
	if (!psl)
		return fault(
			ret,
			"this build has no public suffix list, so wildcards cannot be checked; list the names one by one");
	if (psl_is_public_suffix2(psl, n->text, PSL_TYPE_ANY) ||
	    psl_is_public_suffix2(psl, below, PSL_TYPE_ANY))
		return fault(
			ret,
			"`%s` is a public suffix, anybody can own names below it; write the domain of the one owner, as `*.owner.%s`",
			n->text, n->text);
	return true;
}

bool host_pattern_ok(struct bytes text, char ret_fault[HOST_PATTERN_FAULT_MAX])
{
	struct bytes suffix = text;
	struct name n = { 0 };
	bool wild = false;

	if (!shape_ok(text, ret_fault) || !spelling_ok(text, ret_fault) ||
	    !wildcard_ok(text, &wild, &suffix, ret_fault) || !name_ok(suffix, &n, ret_fault))
		return false;
	if (bytes_is(suffix, NET_SELF_NAME) || name_under(suffix, bytes_str(NET_SELF_NAME), true))
		return fault(ret_fault,
			     "`" NET_SELF_NAME "` is the gateway itself and needs no rule; remove it");
	return !wild || owner_ok(&n, ret_fault);
}

bool host_pattern_shared(struct bytes text)
{
	/* Object stores, raw file hosts, paste pages, hosting of everybody's repositories: each also stands for all names below it. */
	static const char *const hosts[] = {
		"amazonaws.com",
		"azureedge.net",
		"backblazeb2.com",
		"bitbucket.org",
		"codeberg.org",
		"core.windows.net",
		"digitaloceanspaces.com",
		"discord.com",
		"docs.google.com",
		"drive.google.com",
		"dropbox.com",
		"dropboxusercontent.com",
		"file.io",
		"gist.github.com",
		"github.com",
		"githubusercontent.com",
		"gitlab.com",
		"googleapis.com",
		"hastebin.com",
		"huggingface.co",
		"ngrok.io",
		"onedrive.live.com",
		"pastebin.com",
		"r2.cloudflarestorage.com",
		"sharepoint.com",
		"slack.com",
		"telegram.org",
		"transfer.sh",
		"workers.dev",
	};
	struct bytes name = text;

	while (name.len && (name.p[0] == '*' || name.p[0] == '.'))
		name = bytes_skip(name, 1);
	if (bytes_is(name, "api.github.com"))
		return false; /* takes the owner from the path, and the account decides what may be written */
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (bytes_is(name, hosts[i]) || name_under(name, bytes_str(hosts[i]), true))
			return true;
	return false;
}

bool host_pattern_acts(struct bytes text)
{
	static const char *const labels[] = { "hook", "hooks", "webhook", "webhooks", "notify", "trigger" };
	static const char *const hosts[] = { "discord.com", "ifttt.com", "ntfy.sh", "pipedream.net", "pushover.net", "telegram.org", "webhook.site", "zapier.com" };
	struct bytes name = text;

	while (name.len && (name.p[0] == '*' || name.p[0] == '.'))
		name = bytes_skip(name, 1);
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (bytes_is(name, hosts[i]) || name_under(name, bytes_str(hosts[i]), true))
			return true;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++)
		if (bytes_is(bytes_of(name.p, bytes_find(name, '.')), labels[i]))
			return true;
	return false;
}
