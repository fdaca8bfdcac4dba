#include "rules/policy_query.h"

#include "base/num.h"
#include "wire/param_name.h"

/* False: servers may read this part in more than one way, or it is too long to be a value of a rule. */
static bool decode(struct bytes text, struct policy_query_value *ret)
{
	ret->len = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		if (c == '+' || c == ';' || ret->len == POLICY_QUERY_VALUE_MAX)
			return false;
		if (c == '%') {
			int hi = text.len - i > 2 ? num_hex_digit(text.p[i + 1]) : -1;
			int lo = text.len - i > 2 ? num_hex_digit(text.p[i + 2]) : -1;

			if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
				return false;
			c = (uint8_t)(hi << 4 | lo);
			i += 2;
		}
		ret->p[ret->len++] = c;
	}
	return true;
}

/* PHP makes one name of these; blanks in front of it are dropped. */
static uint8_t fold(uint8_t c)
{
	if (c == '.' || c == ' ')
		return '_';
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

/* As Rack and qs part a name (wire/param_name.h): the parts, `[` between them. */
static struct bytes parted(struct bytes name, struct policy_query_value *room)
{
	size_t n = 0; /* of this part */

	room->len = 0;
	for (size_t i = 0; i < name.len; i++) {
		enum param_name_byte is = param_name_byte(n, name.p[i]);

		if (is == PARAM_NAME_SKIPS)
			continue;
		n = is == PARAM_NAME_HAS ? n + 1 : 0;
		room->p[room->len++] = is == PARAM_NAME_HAS ? fold(name.p[i]) : '[';
	}
	if (room->len && room->p[room->len - 1] == '[')
		room->len--;
	return bytes_of(room->p, room->len);
}

/* The parts are those of `outer`, or more. */
static bool is_within(struct bytes inner, struct bytes outer)
{
	return bytes_starts(inner, outer) && (inner.len == outer.len || inner.p[outer.len] == '[');
}

/* As PHP flattens a name. False: a bracket closes. */
static bool flat(struct bytes name, struct policy_query_value *room)
{
	room->len = 0;
	while (name.len && name.p[0] == ' ')
		name = bytes_skip(name, 1);
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.p[i];

		if (!param_name_unclosed(&c))
			return false;
		room->p[room->len++] = fold(c);
	}
	return true;
}

/* Without underscores but at the beginning of a part: readers of Protocol Buffers take dryRun and dry_run for one field. */
static struct bytes squeezed(struct policy_query_value *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->len; i++)
		if (v->p[i] != '_' || i == 0 || v->p[i - 1] == '[')
			v->p[n++] = v->p[i];
	v->len = n;
	return bytes_of(v->p, v->len);
}

/* Some server takes `name` for that key, whatever the case (ASP.NET), or for an array that has it or is in it. Neither is longer than a value. */
static bool is_twin(struct bytes name, struct bytes key)
{
	struct policy_query_value a, b;
	struct bytes x = parted(name, &a), y = parted(key, &b);

	if (is_within(x, y) || is_within(y, x))
		return true;
	if (bytes_eq(squeezed(&a), squeezed(&b)))
		return true;
	return flat(name, &a) && flat(key, &b) && bytes_eq(bytes_of(a.p, a.len), bytes_of(b.p, b.len));
}

enum policy_query_answer policy_query_find(struct bytes query, struct bytes key,
					   struct policy_query_value *ret)
{
	enum policy_query_answer answer = POLICY_QUERY_ABSENT;
	struct policy_query_value name, value;

	if (key.len > POLICY_QUERY_VALUE_MAX)
		return POLICY_QUERY_UNCLEAR;
	for (size_t n = 1;; n++) {
		size_t amp = bytes_find(query, '&');
		struct bytes part = bytes_of(query.p, amp);
		size_t equals = bytes_find(part, '=');
		struct bytes got;

		if (bytes_find(part, ';') < part.len || !decode(bytes_of(part.p, equals), &name))
			return POLICY_QUERY_UNCLEAR;
		got = bytes_of(name.p, name.len);
		if (bytes_eq(got, key)) {
			struct bytes raw = equals < part.len ? bytes_skip(part, equals + 1)
							     : bytes_of(NULL, 0);

			if (answer != POLICY_QUERY_ABSENT || !decode(raw, &value))
				return POLICY_QUERY_UNCLEAR;
			answer = POLICY_QUERY_ONCE;
		} else if (is_twin(got, key)) {
			return POLICY_QUERY_UNCLEAR;
		}
		if (answer == POLICY_QUERY_ONCE && n > POLICY_QUERY_PAIRS_MAX)
			return POLICY_QUERY_UNCLEAR;
		if (amp == query.len)
			break;
		query = bytes_skip(query, amp + 1);
	}
	if (answer == POLICY_QUERY_ONCE)
		*ret = value;
	return answer;
}
