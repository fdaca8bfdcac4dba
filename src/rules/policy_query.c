#include "rules/policy_query.h"

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False: servers may read this part in more than one way, or it is too long to be a value of a rule. */
static bool decode(struct bytes text, struct policy_query_value *ret)
{
	ret->len = 0;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		if (c == '+' || c == ';' || ret->len == POLICY_QUERY_VALUE_MAX)
			return false;
		if (c == '%') {
			int hi = text.len - i > 2 ? hex(text.p[i + 1]) : -1;
			int lo = text.len - i > 2 ? hex(text.p[i + 2]) : -1;

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

/* Some server takes `name` for that key: whatever the case (ASP.NET), or as an array. */
static bool is_twin(struct bytes name, struct bytes key)
{
	while (name.len && key.len && name.p[0] == ' ' && key.p[0] != ' ')
		name = bytes_skip(name, 1);
	if (name.len < key.len)
		return false;
	for (size_t i = 0; i < key.len; i++)
		if (fold(name.p[i]) != fold(key.p[i]))
			return false;
	return name.len == key.len || name.p[key.len] == '[';
}

enum policy_query_answer policy_query_find(struct bytes query, struct bytes key,
					   struct policy_query_value *ret)
{
	enum policy_query_answer answer = POLICY_QUERY_ABSENT;
	struct policy_query_value name, value;

	for (;;) {
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
		if (amp == query.len)
			break;
		query = bytes_skip(query, amp + 1);
	}
	if (answer == POLICY_QUERY_ONCE)
		*ret = value;
	return answer;
}
