#include "wire/dns_name.h"

enum { LABEL_MAX = 63, POINTER_BITS = 0xc0 };

/* One label (or the root's zero) at *at to the end of `n`. */
static enum dns_name_answer take_label(struct bytes msg, size_t *at, struct dns_name *n)
{
	size_t len = msg.p[*at];

	if (len > LABEL_MAX)
		return DNS_NAME_LABEL;
	if (len >= msg.len - *at)
		return DNS_NAME_SHORT;
	if (len + 1 > (size_t)DNS_NAME_WIRE_MAX - n->len)
		return DNS_NAME_LONG;
	memcpy(n->wire + n->len, msg.p + *at, len + 1);
	n->len = (uint8_t)(n->len + len + 1);
	*at += len + 1;
	return DNS_NAME_OK;
}

enum dns_name_answer dns_name_read(struct bytes msg, size_t *off, bool pointers, struct dns_name *ret)
{
	struct dns_name n = { .len = 0 };
	size_t at = *off;
	size_t before = *off; /* a pointer must lead before this */
	size_t end = 0; /* behind the first pointer; 0: none yet */
	unsigned jumps = 0;

	for (;;) {
		enum dns_name_answer a;
		size_t to;

		if (at >= msg.len)
			return DNS_NAME_SHORT;
		if ((msg.p[at] & POINTER_BITS) != POINTER_BITS) {
			bool last = msg.p[at] == 0;

			a = take_label(msg, &at, &n);
			if (a != DNS_NAME_OK)
				return a;
			if (last)
				break;
			continue;
		}
		if (!pointers || jumps++ == DNS_NAME_JUMPS_MAX)
			return DNS_NAME_POINTER;
		if (msg.len - at < 2)
			return DNS_NAME_SHORT;
		to = (size_t)(msg.p[at] & ~POINTER_BITS) << 8 | msg.p[at + 1];
		if (to < DNS_HEADER_LEN || to >= before)
			return DNS_NAME_POINTER;
		if (!end)
			end = at + 2;
		at = before = to;
	}
	*off = end ? end : at;
	*ret = n;
	return DNS_NAME_OK;
}

bool dns_name_from(struct bytes text, struct dns_name *ret)
{
	struct dns_name n = { .len = 0 };

	if (text.len == 0 || text.len > DNS_NAME_WIRE_MAX - 2)
		return false;
	for (struct bytes left = text;;) {
		size_t len = bytes_find(left, '.');

		if (len == 0 || len > LABEL_MAX)
			return false;
		n.wire[n.len] = (uint8_t)len;
		memcpy(n.wire + n.len + 1, left.p, len);
		n.len = (uint8_t)(n.len + len + 1);
		if (len == left.len)
			break;
		left = bytes_skip(left, len + 1);
	}
	n.wire[n.len++] = 0;
	*ret = n;
	return true;
}

static bool plain(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '_';
}

size_t dns_name_text(const struct dns_name *n, char ret[DNS_NAME_TEXT_MAX])
{
	size_t len = 0;

	for (size_t at = 0; n->wire[at]; at += n->wire[at] + (size_t)1) {
		if (len)
			ret[len++] = '.';
		for (size_t i = 1; i <= n->wire[at]; i++) {
			uint8_t c = n->wire[at + i];

			if (plain(c)) {
				ret[len++] = (char)c;
				continue;
			}
			ret[len++] = '\\';
			ret[len++] = (char)('0' + c / 100);
			ret[len++] = (char)('0' + c / 10 % 10);
			ret[len++] = (char)('0' + c % 10);
		}
	}
	if (!len)
		ret[len++] = '.';
	ret[len] = '\0';
	return len;
}

bool dns_name_ieq(const struct dns_name *a, const struct dns_name *b)
{
	/* Length bytes are at most 63, below every letter: folding the whole run is exact. */
	return bytes_ieq(bytes_of(a->wire, a->len), bytes_of(b->wire, b->len));
}
