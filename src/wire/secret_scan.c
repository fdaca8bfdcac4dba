#include "wire/secret_scan.h"

#include "base/must.h"
#include "wire/layer.h"

/* No automaton, since its tables would be copies of the secrets: where a byte may begin some spelling of a secret, each spelling is tried
 * from there. A spelling is a way to take the next character off the stream, and each way is deterministic, so a try never has to go
 * back. One that the end of the bytes at hand interrupts holds them back from its beginning, and is made again when more is there.
 * Tries are short: a guest cannot steer them without knowing the secret.
 *
 * A way is one layer of encoding, or one in another. Base64 around another layer may begin at any digit, and whether it does shows only a few digits on:
 * a stream that ends in a letter would never go on to its end. So the first digits of that pass, and are looked at once more with what comes. */

enum { BITS = 6 };

static uint32_t fold(uint32_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool any_case(struct bytes secret)
{
	return secret.len >= SECRET_SCAN_CASE_MIN;
}

static enum layer_answer spelled(struct layer_source x, enum layer within, struct bytes secret)
{
	bool folds = any_case(secret);
	bool pluses = within == LAYER_PERCENT || within == LAYER_ANY || x.layer == LAYER_PERCENT || x.layer == LAYER_ANY;

	for (size_t i = 0; i < secret.len; i++) {
		uint32_t c = 0, want = secret.p[i];
		enum layer_answer t = layer_next_within(&x, within, &c);

		if (t != LAYER_DONE)
			return t;
		if (c == '+' && want == ' ' && pluses)
			continue;
		if (folds ? fold(c) != fold(want) : c != want)
			return LAYER_OVER;
	}
	return LAYER_DONE;
}

/* The six bits of `secret` from bit `at` on. */
static uint8_t sextet(struct bytes secret, size_t at)
{
	uint32_t two = (uint32_t)secret.p[at / 8] << 8;

	if (at / 8 + 1 < secret.len)
		two |= secret.p[at / 8 + 1];
	return two >> (16 - BITS - at % 8) & 0x3f;
}

/* The digits that the secret alone decides when its first bit is bit `skip` of a digit's neighbour: for the three alignments these begin
 * at bit 0, 4 and 2. */
static enum layer_answer encoded(struct layer_source x, struct bytes secret, size_t from)
{
	for (size_t at = from; at + BITS <= 8 * secret.len; at += BITS) {
		int v = -1;
		enum layer_answer t = layer_next_digit(&x, at > from, &v);

		if (t != LAYER_DONE || v != sextet(secret, at))
			return t == LAYER_DONE ? LAYER_OVER : t;
	}
	return LAYER_DONE;
}

static enum layer_answer better(enum layer_answer best, enum layer_answer t)
{
	return best == LAYER_DONE || t == LAYER_OVER ? best : t;
}

/* At any alignment. */
static enum layer_answer encoded_any(struct layer_source x, struct bytes secret)
{
	enum layer_answer best = LAYER_OVER;

	for (size_t from = 0; from < BITS && best != LAYER_DONE && secret.len >= SECRET_SCAN_BASE64_MIN; from += 2)
		best = better(best, encoded(x, secret, from));
	return best;
}

static const enum layer escapes[] = { LAYER_PERCENT, LAYER_SCRIPT, LAYER_ENTITY };

enum { N_ESCAPES = sizeof(escapes) / sizeof(escapes[0]) };

static const uint8_t *follow(const struct secret_scan *s, uint32_t c)
{
	return s->may_follow[layer_of((uint8_t)c)];
}

/* In its layer the source begins with what secret `i` may begin with, whatever layer is within. */
static enum layer_answer promises(const struct secret_scan *s, struct layer_source x, size_t i)
{
	uint32_t c = 0, d = 0;
	enum layer_answer t = layer_next(&x, &c);

	if (t != LAYER_DONE || c > 0xff || !(s->may_begin[c] >> i & 1))
		return t == LAYER_DONE ? LAYER_OVER : t;
	t = layer_next(&x, &d);
	if (t != LAYER_DONE)
		return s->secrets[i].len > 1 ? t : LAYER_DONE;
	return d <= 0xff && (follow(s, c)[d] >> i & 1) ? LAYER_DONE : LAYER_OVER;
}

/* In every layer within that of the source. Where no byte of the secret begins an escape, one that does is always an escape, in whichever layer. */
static enum layer_answer spelled_within(const struct secret_scan *s, struct layer_source x, size_t i)
{
	enum layer_answer best;

	if (!(s->marked >> i & 1))
		return spelled(x, LAYER_ANY, s->secrets[i]);
	best = spelled(x, LAYER_NONE, s->secrets[i]);
	for (size_t n = 0; n < N_ESCAPES && best != LAYER_DONE; n++)
		best = better(best, spelled(x, escapes[n], s->secrets[i]));
	return best;
}

static enum layer_answer begins(const struct secret_scan *s, struct layer_source x, size_t i)
{
	static const enum layer any[] = { LAYER_ANY, LAYER_WIDE }, each[] = { LAYER_PERCENT, LAYER_SCRIPT, LAYER_ENTITY, LAYER_WIDE };
	bool marked = s->marked >> i & 1;
	size_t n = marked ? sizeof(each) / sizeof(each[0]) : sizeof(any) / sizeof(any[0]);
	enum layer_answer best = spelled(x, LAYER_NONE, s->secrets[i]);

	for (size_t k = 0; k < n && best != LAYER_DONE; k++) {
		enum layer_answer t;

		x.layer = marked ? each[k] : any[k];
		t = promises(s, x, i);
		best = better(best, t == LAYER_DONE ? spelled_within(s, x, i) : t);
	}
	x.layer = LAYER_HEX;
	if (s->secrets[i].len >= SECRET_SCAN_BASE64_MIN)
		best = better(best, spelled(x, LAYER_NONE, s->secrets[i]));
	x.layer = LAYER_WIDE;
	best = better(best, encoded_any(x, s->secrets[i]));
	x.layer = LAYER_ANY;
	return better(best, encoded_any(x, s->secrets[i]));
}

/* In base64 there begins what is the secret in another layer. */
static enum layer_answer begins_within(const struct secret_scan *s, struct layer_source x, size_t i)
{
	enum layer_answer best = LAYER_OVER;

	x.layer = LAYER_BASE64;
	for (x.skip = 0; x.skip < BITS && best != LAYER_DONE; x.skip = (uint8_t)(x.skip + 2)) {
		enum layer_answer t = promises(s, x, i);

		best = better(best, t == LAYER_DONE ? spelled_within(s, x, i) : t);
		if (t != LAYER_DONE)
			continue;
		best = better(best, spelled(x, LAYER_WIDE, s->secrets[i]));
		best = better(best, encoded_any(x, s->secrets[i]));
	}
	return best;
}

/* Bit i of a table's line: it may be so for secret i. */
static void mark(uint8_t table[256], uint8_t bit, const char *bytes)
{
	for (; *bytes; bytes++)
		table[(uint8_t)*bytes] |= bit;
}

static void mark_letter(uint8_t table[256], uint8_t bit, struct bytes secret, size_t at)
{
	uint8_t c = secret.p[at];

	table[c] |= bit;
	if (any_case(secret) && (c | 0x20) >= 'a' && (c | 0x20) <= 'z')
		table[c ^ 0x20] |= bit;
}

/* Every byte that stands for these six bits. */
static void mark64(uint8_t table[256], uint8_t bit, uint8_t v)
{
	for (unsigned c = 0; c < 256; c++)
		if (layer_value64(c) == v)
			table[c] |= bit;
}

static void mark_hex(uint8_t table[256], uint8_t bit, unsigned half)
{
	static const char low[] = "0123456789abcdef", high[] = "0123456789ABCDEF";

	table[(uint8_t)low[half]] |= bit;
	table[(uint8_t)high[half]] |= bit;
}

static const char marks[] = "%\\&";

/* What a spelling may begin with, and behind a byte that is itself go on with. */
static void mark_plain(struct secret_scan *s, uint8_t bit, struct bytes secret)
{
	uint8_t *first = s->may_begin, *second = s->may_follow[LAYER_NONE];

	mark(first, bit, secret.p[0] == ' ' ? "%\\&+" : marks);
	mark_letter(first, bit, secret, 0);
	mark(second, bit, "%\\&+\r\n");
	second['\0'] |= bit;
	if (secret.len > 1)
		mark_letter(second, bit, secret, 1);
	for (size_t from = 0; from < BITS && secret.len >= SECRET_SCAN_BASE64_MIN; from += 2) {
		mark64(first, bit, sextet(secret, from));
		mark64(second, bit, sextet(secret, from + BITS));
	}
}

/* How an escape of a byte that may begin one goes on. */
static void mark_escapes(struct secret_scan *s, uint8_t bit, struct bytes secret)
{
	uint8_t stands_for = 0;
	const char *name;

	for (size_t i = 0; i < N_ESCAPES; i++) {
		uint8_t *second = s->may_follow[escapes[i]];

		mark(second, bit, marks);
		second['\0'] |= bit;
		if (secret.len > 1 && layer_of(secret.p[0]) == escapes[i])
			mark_letter(second, bit, secret, 1);
	}
	mark(s->may_follow[LAYER_SCRIPT], bit, "ux");
	mark(s->may_follow[LAYER_ENTITY], bit, "#");
	for (unsigned c = ' '; c <= '~'; c++) {
		if (!(s->may_begin[c] & bit))
			continue;
		mark_hex(s->may_follow[LAYER_PERCENT], bit, c >> 4);
		s->may_follow[LAYER_SCRIPT][c] |= bit;
		for (size_t i = 0; (name = layer_entity_at(i, &stands_for)) != NULL; i++)
			if (stands_for == c)
				s->may_follow[LAYER_ENTITY][(uint8_t)name[0]] |= bit;
	}
}

static void mark_pair(struct secret_scan *s, unsigned first, unsigned second)
{
	unsigned at = (first & 0x3f) << BITS | (second & 0x3f);

	s->may_pair[at / 8] = (uint8_t)(s->may_pair[at / 8] | 1U << at % 8);
}

/* Two digits of base64 in which such a byte begins, at each alignment. */
static void mark_pairs(struct secret_scan *s, uint8_t bit)
{
	for (unsigned c = 0; c < 256; c++) {
		if (!(s->may_begin[c] & bit))
			continue;
		for (unsigned other = 0; other < 16; other++) {
			mark_pair(s, c >> 2, c << 4 | other);
			mark_pair(s, other >> 2 << 4 | c >> 4, c << 2 | (other & 3));
			mark_pair(s, other << 2 | c >> 6, c);
		}
	}
}

static void mark_secret(struct secret_scan *s, uint8_t bit, struct bytes secret)
{
	for (size_t i = 0; i < secret.len; i++)
		if (layer_of(secret.p[i]) != LAYER_NONE)
			s->marked |= bit;
	mark_plain(s, bit, secret);
	mark_escapes(s, bit, secret);
	if (secret.len < SECRET_SCAN_BASE64_MIN) {
		if (secret.len == 1)
			for (size_t i = 0; i < 256; i++)
				s->may_follow[layer_of(secret.p[0])][i] |= bit;
		return;
	}
	mark_pairs(s, bit);
	mark_hex(s->may_begin, bit, secret.p[0] >> 4);
	mark_hex(s->may_follow[LAYER_NONE], bit, secret.p[0] & 15);
}

void secret_scan_init(struct secret_scan *s, const struct bytes *secrets, size_t n)
{
	must(n <= SECRET_SCAN_MAX);
	*s = (struct secret_scan){ .secrets = secrets, .n = (uint8_t)n };
	for (size_t i = 0; i < n; i++) {
		must(secrets[i].len > 0);
		mark_secret(s, (uint8_t)(1U << i), secrets[i]);
	}
}

/* Four digits as they are, and the first two bytes in them at any alignment. */
static bool may_be_in_digits(const struct secret_scan *s, const uint8_t *p)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < SECRET_SCAN_BEHIND; i++) {
		int v = layer_value64(p[i]);

		if (v < 0) /* an escape, or a line break: or the digits are over */
			return layer_of(p[i]) != LAYER_NONE || (i > 0 && (p[i] == '\r' || p[i] == '\n'));
		bits = bits << BITS | (uint32_t)v;
	}
	for (unsigned right = 16; right >= 12; right -= 2) {
		uint8_t c = (uint8_t)(bits >> right), d = (uint8_t)(bits >> (right - 8));

		if (s->may_begin[c] & follow(s, c)[d])
			return true;
	}
	return false;
}

static bool begins_digit(struct layer_source x)
{
	int v = -1;

	x.layer = LAYER_ANY;
	return layer_next_digit(&x, false, &v) != LAYER_DONE || v >= 0;
}

static bool may_be_within(const struct secret_scan *s, const uint8_t *p)
{
	unsigned first = layer_digits64[p[0]], second = layer_digits64[p[1]], at = (first - 1) << BITS | (second - 1);

	if (!first)
		return layer_of(p[0]) != LAYER_NONE;
	return second && !(s->may_pair[at / 8] >> at % 8 & 1) ? false : may_be_in_digits(s, p);
}

/* What begins here: LAYER_OVER, or *safe is less where it may go on behind the end. `which`: secrets that may be spelled, `within`: or be in base64. */
static enum layer_answer look(const struct secret_scan *s, struct layer_source x, size_t at, uint8_t which, bool within, size_t *safe)
{
	for (size_t i = 0; i < s->n; i++) {
		enum layer_answer t = which >> i & 1 ? begins(s, x, i) : LAYER_OVER;

		if (t == LAYER_MORE && at < *safe)
			*safe = at;
		if (t != LAYER_DONE && within && s->secrets[i].len >= SECRET_SCAN_BASE64_MIN && (layer_value64(x.s.p[0]) >= 0 || begins_digit(x))) {
			t = begins_within(s, x, i);
			if (t == LAYER_MORE && at + SECRET_SCAN_BEHIND < *safe)
				*safe = at + SECRET_SCAN_BEHIND;
		}
		if (t == LAYER_DONE)
			return LAYER_DONE;
	}
	return LAYER_OVER;
}

bool secret_scan_find(const struct secret_scan *s, struct bytes in, size_t behind, bool last, size_t *ret_safe)
{
	size_t safe = in.len;

	must(behind <= SECRET_SCAN_BEHIND && behind <= in.len);
	for (size_t at = 0; at < in.len; at++) {
		const uint8_t *p = in.p + at;
		uint8_t which = at < behind ? 0 : s->may_begin[p[0]];
		bool within = in.len - at > SECRET_SCAN_BEHIND && may_be_within(s, p);

		if (which && at + 1 < in.len)
			which &= follow(s, p[0])[p[1]];
		if ((which || within) && look(s, (struct layer_source){ .s = bytes_skip(in, at), .last = last }, at, which, within, &safe) == LAYER_DONE)
			return true;
	}
	*ret_safe = last ? in.len : safe;
	return false;
}
