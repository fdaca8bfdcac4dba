/* Names arrive from hostile peers at three doors (DNS, SNI, Host) and must be one name behind all of them. So nothing is mapped or
 * repaired here except ASCII case and, where the door allows it, one trailing dot. A label that starts with xn-- must be what
 * an encoder would have written: otherwise two spellings would be one name to a client and two to policy. Whether its characters
 * are allowed by IDNA is the compiler's business, which links the tables; a guest can only ask for names that policy lists. */
#include "wire/name.h"

#include "wire/ip.h"
#include "wire/punycode.h"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* 0, or the folded character. */
static char name_char(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' ? (char)c : 0;
}

/* A last label that a lenient parser takes as a number makes the whole name an address to it (WHATWG URL, "ends in a number"). */
static bool is_number(struct bytes label)
{
	size_t i = 0;

	if (bytes_starts(label, bytes_str("0x"))) {
		for (i = 2; i < label.len && is_hex(label.p[i]); i++)
			;
		return i == label.len;
	}
	while (i < label.len && is_digit(label.p[i]))
		i++;
	return i == label.len;
}

static bool is_bracketed_or_bare_ip(struct bytes text)
{
	struct ip ip;

	if (text.len >= 2 && text.p[0] == '[' && text.p[text.len - 1] == ']')
		text = bytes_of(text.p + 1, text.len - 2);
	return ip_parse(text, &ip);
}

static enum name_answer label_check(struct bytes label)
{
	if (label.len == 0 || label.len > NAME_LABEL_MAX)
		return NAME_MALFORMED;
	if (label.p[0] == '-' || label.p[label.len - 1] == '-')
		return NAME_MALFORMED;
	if (bytes_starts(label, bytes_str("xn--")) && !punycode_canonical(bytes_skip(label, 4)))
		return NAME_NOT_CANONICAL;
	return NAME_OK;
}

static enum name_answer labels_check(const struct name *n)
{
	struct bytes rest = name_bytes(n);

	for (;;) {
		size_t dot = bytes_find(rest, '.');
		struct bytes label = bytes_of(rest.p, dot);
		enum name_answer a = label_check(label);

		if (a != NAME_OK)
			return a;
		if (dot == rest.len)
			return is_number(label) ? NAME_ADDRESS : NAME_OK;
		rest = bytes_skip(rest, dot + 1);
	}
}

enum name_answer name_parse_strict(struct bytes text, struct name *ret)
{
	struct name n;
	enum name_answer a;

	if (text.len == 0)
		return NAME_MALFORMED;
	if (is_bracketed_or_bare_ip(text))
		return NAME_ADDRESS;
	if (text.len > NAME_MAX_LEN)
		return NAME_MALFORMED;
	for (size_t i = 0; i < text.len; i++) {
		n.text[i] = text.p[i] == '.' ? '.' : name_char(text.p[i]);
		if (!n.text[i])
			return NAME_MALFORMED;
	}
	n.text[text.len] = '\0';
	n.len = (uint8_t)text.len;
	a = labels_check(&n);
	if (a == NAME_OK)
		*ret = n;
	return a;
}

enum name_answer name_parse(struct bytes text, struct name *ret)
{
	if (text.len > 1 && text.p[text.len - 1] == '.')
		text.len--;
	return name_parse_strict(text, ret);
}

bool name_under(struct bytes name, struct bytes suffix, bool many)
{
	size_t head;

	if (suffix.len == 0 || name.len < suffix.len + 2 || !bytes_ends(name, suffix))
		return false;
	head = name.len - suffix.len - 1;
	if (name.p[head] != '.')
		return false;
	return many || bytes_find(bytes_of(name.p, head), '.') == head;
}
