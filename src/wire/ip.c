#include "wire/ip.h"

#include <stdio.h>

#include "base/must.h"
#include "base/num.h"

enum { V6_WORDS = 8 };

static bool quad_parse(struct bytes text, uint8_t ret[4])
{
	uint8_t b[4];

	for (int i = 0; i < 4; i++) {
		size_t dot = bytes_find(text, '.');
		uint64_t v;

		if ((i < 3) != (dot < text.len) || !num_u64(bytes_of(text.p, dot), 255, &v))
			return false;
		b[i] = (uint8_t)v;
		text = bytes_skip(text, i < 3 ? dot + 1 : dot);
	}
	memcpy(ret, b, 4);
	return true;
}

static bool word_parse(struct bytes text, uint16_t *ret)
{
	unsigned v = 0;

	if (text.len == 0 || text.len > 4)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = num_hex_digit(text.p[i]);

		if (digit < 0)
			return false;
		v = v << 4 | (unsigned)digit;
	}
	*ret = (uint16_t)v;
	return true;
}

/* A run of words between colons; the last one may be a dotted quad when `quad` says so. */
static bool words_parse(struct bytes text, bool quad, uint16_t ret[V6_WORDS], unsigned *ret_n)
{
	uint8_t b[4];
	unsigned n = 0;

	*ret_n = 0;
	if (text.len == 0)
		return true;
	for (;;) {
		size_t colon = bytes_find(text, ':');
		struct bytes word = bytes_of(text.p, colon);

		if (n == V6_WORDS)
			return false;
		if (quad && colon == text.len && n + 2 <= V6_WORDS && quad_parse(word, b)) {
			ret[n++] = (uint16_t)(b[0] << 8 | b[1]);
			ret[n++] = (uint16_t)(b[2] << 8 | b[3]);
			break;
		}
		if (!word_parse(word, &ret[n++]))
			return false;
		if (colon == text.len)
			break;
		text = bytes_skip(text, colon + 1);
	}
	*ret_n = n;
	return true;
}

static bool v6_parse(struct bytes text, uint8_t ret[16])
{
	uint16_t head[V6_WORDS], tail[V6_WORDS], all[V6_WORDS] = { 0 };
	unsigned n_head, n_tail;
	size_t gap = text.len;

	for (size_t i = 0; i + 1 < text.len && gap == text.len; i++)
		if (text.p[i] == ':' && text.p[i + 1] == ':')
			gap = i;
	if (gap == text.len) {
		if (!words_parse(text, true, all, &n_head) || n_head != V6_WORDS)
			return false;
	} else {
		/* "::" stands for at least one zero word; a third colon or a second gap fails as an empty word. */
		if (!words_parse(bytes_of(text.p, gap), false, head, &n_head) ||
		    !words_parse(bytes_skip(text, gap + 2), true, tail, &n_tail) ||
		    n_head + n_tail >= V6_WORDS)
			return false;
		for (unsigned i = 0; i < n_head; i++)
			all[i] = head[i];
		for (unsigned i = 0; i < n_tail; i++)
			all[V6_WORDS - n_tail + i] = tail[i];
	}
	for (unsigned i = 0; i < V6_WORDS; i++) {
		ret[2 * i] = (uint8_t)(all[i] >> 8);
		ret[2 * i + 1] = (uint8_t)all[i];
	}
	return true;
}

bool ip_parse(struct bytes text, struct ip *ret)
{
	struct ip ip = { 0 };

	if (text.len == 0 || text.len >= IP_TEXT_MAX)
		return false;
	if (bytes_find(text, ':') == text.len) {
		ip.family = 4;
		if (!quad_parse(text, ip.b))
			return false;
	} else {
		ip.family = 6;
		if (!v6_parse(text, ip.b))
			return false;
	}
	*ret = ip;
	return true;
}

static bool is_mapped(struct ip ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return ip.family == 6 && memcmp(ip.b, mapped, sizeof(mapped)) == 0;
}

/* The longest run of two or more zero words, the first of equals (RFC 5952, 4.2). */
static void zero_run(const uint16_t w[V6_WORDS], unsigned *ret_at, unsigned *ret_len)
{
	*ret_at = V6_WORDS;
	*ret_len = 1;
	for (unsigned i = 0; i < V6_WORDS; i++) {
		unsigned n = 0;

		while (i + n < V6_WORDS && w[i + n] == 0)
			n++;
		if (n > *ret_len) {
			*ret_at = i;
			*ret_len = n;
		}
	}
}

/* Without printf: two of them stand in each line of an audit log. */
static void v4_text(const uint8_t b[4], char *ret)
{
	char text[NUM_TEXT_MAX + 1];

	for (unsigned i = 0; i < 4; i++) {
		size_t n = num_text(b[i], text);

		memcpy(ret, text, n);
		ret += n;
		*ret++ = i < 3 ? '.' : '\0';
	}
}

void ip_text(struct ip ip, char ret[IP_TEXT_MAX])
{
	uint16_t w[V6_WORDS];
	unsigned gap, gap_len;
	size_t at = 0;

	if (ip.family != 6) {
		must(ip.family == 4 || ip.family == 0);
		v4_text(ip.b, ret);
		return;
	}
	if (is_mapped(ip)) {
		memcpy(ret, "::ffff:", 7);
		v4_text(ip.b + 12, ret + 7);
		return;
	}
	for (unsigned i = 0; i < V6_WORDS; i++)
		w[i] = (uint16_t)(ip.b[2 * i] << 8 | ip.b[2 * i + 1]);
	zero_run(w, &gap, &gap_len);
	ret[0] = '\0';
	for (unsigned i = 0; i < V6_WORDS; i++) {
		if (i == gap) {
			at += (size_t)snprintf(ret + at, IP_TEXT_MAX - at, "::");
			i += gap_len - 1;
			continue;
		}
		at += (size_t)snprintf(ret + at, IP_TEXT_MAX - at, "%s%x",
				       i == 0 || i == gap + gap_len ? "" : ":", w[i]);
	}
}

bool ip_eq(struct ip a, struct ip b)
{
	return a.family == b.family && memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static unsigned family_bits(uint8_t family)
{
	return family == 4 ? 32 : family == 6 ? 128 : 0;
}

/* Equal in the first `bits` bits. */
static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(a, b, whole) != 0)
		return false;
	return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

bool ip_prefix_has(struct ip_prefix p, struct ip ip)
{
	return p.ip.family == ip.family && ip.family != 0 && p.bits <= family_bits(ip.family) &&
	       same_bits(p.ip.b, ip.b, p.bits);
}

bool ip_prefix_parse(struct bytes text, struct ip_prefix *ret)
{
	size_t slash = bytes_find(text, '/');
	struct ip_prefix p = { 0 };
	struct ip zero;
	uint64_t bits;

	if (!ip_parse(bytes_of(text.p, slash), &p.ip))
		return false;
	bits = family_bits(p.ip.family);
	if (slash < text.len && !num_u64(bytes_skip(text, slash + 1), bits, &bits))
		return false;
	p.bits = (uint8_t)bits;
	zero = p.ip;
	for (unsigned i = p.bits; i < family_bits(p.ip.family); i++)
		zero.b[i / 8] = (uint8_t)(zero.b[i / 8] & ~(0x80U >> (i % 8)));
	if (!ip_eq(zero, p.ip))
		return false;
	*ret = p;
	return true;
}

void ip_prefix_text(struct ip_prefix p, char ret[IP_PREFIX_TEXT_MAX])
{
	size_t len;

	ip_text(p.ip, ret);
	len = strlen(ret);
	(void)snprintf(ret + len, IP_PREFIX_TEXT_MAX - len, "/%u", p.bits);
}
