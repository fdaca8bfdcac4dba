#include "wire/http1_charset.h"

static const char word[] = "charset";

/* A `*` at the end stands for any rest. Not here: what switches by escapes (ISO 2022, HZ), for in it they may stand within a word. */
static const char *const plain[] = { "utf-8", "utf8", "us-ascii", "iso-8859-1" };
static const char *const wider[] = { "ascii",	 "iso-8859-*", "iso8859-*", "iso8859_*", "latin*", "windows-12*", "cp12*", "windows-874", "windows-949", "ks_c_5601-1987", "koi8-*", "gb2312", "gbk", "gb18030",
				     "big5",	 "big5-hkscs", "euc-*",	    "shift_jis", "shift-jis", "sjis", "windows-31j", "tis-620" };

static bool is_one_of(struct bytes v, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(names[i]);
		bool open = names[i][len - 1] == '*';

		len -= open;
		if (v.len >= len && (open || v.len == len) && bytes_ieq(bytes_of(v.p, len), bytes_of(names[i], len)))
			return true;
	}
	return false;
}

enum http1_charset http1_charset_named(struct bytes name)
{
	if (is_one_of(name, plain, sizeof(plain) / sizeof(plain[0])))
		return HTTP1_CHARSET_PLAIN;
	return is_one_of(name, wider, sizeof(wider) / sizeof(wider[0])) ? HTTP1_CHARSET_WIDER : HTTP1_CHARSET_OTHER;
}

static struct bytes trimmed(struct bytes s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = bytes_skip(s, 1);
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* What stands behind the word; `type` goes on behind what was read of it. `quoted`: the mark that begins it stood before the word. */
static enum http1_charset said(struct bytes *type, bool quoted)
{
	struct bytes rest = trimmed(*type), v;
	size_t semicolon, comma;

	if (rest.len && rest.p[0] == '*') /* RFC 2231: in pieces, or encoded */
		return HTTP1_CHARSET_OTHER;
	if (!rest.len || rest.p[0] != '=')
		return HTTP1_CHARSET_PLAIN;
	rest = bytes_skip(rest, 1);
	semicolon = bytes_find(rest, ';');
	comma = bytes_find(rest, ',');
	v = trimmed(bytes_of(rest.p, semicolon < comma ? semicolon : comma));
	*type = bytes_skip(rest, semicolon < comma ? semicolon : comma);
	if (v.len >= 2 && v.p[0] == '"' && v.p[v.len - 1] == '"')
		v = bytes_of(v.p + 1, v.len - 2);
	else if (quoted && v.len && v.p[v.len - 1] == '"')
		v.len--;
	return http1_charset_named(v);
}

static bool odd_quotes(struct bytes text)
{
	bool odd = false;

	for (size_t i = 0; i < text.len; i++)
		odd ^= text.p[i] == '"';
	return odd;
}

enum http1_charset http1_charset_of(struct bytes type)
{
	const size_t n = sizeof(word) - 1;
	enum http1_charset all = HTTP1_CHARSET_PLAIN;
	const struct bytes whole = type;

	while (type.len >= n) {
		enum http1_charset one;

		if (!bytes_ieq(bytes_of(type.p, n), bytes_str(word))) {
			type = bytes_skip(type, 1);
			continue;
		}
		type = bytes_skip(type, n);
		one = said(&type, odd_quotes(bytes_of(whole.p, whole.len - type.len)));
		all = one > all ? one : all;
	}
	return all;
}
