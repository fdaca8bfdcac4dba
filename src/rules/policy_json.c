#include "rules/policy_json.h"

#include "rules/policy_path.h"
#include "wire/json_number.h"

static bool all_digits(struct bytes t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
	return t.len > 0;
}

bool policy_json_number_ok(struct bytes text)
{
	bool negative = text.len > 0 && text.p[0] == '-';
	struct bytes rest = bytes_skip(text, negative);
	size_t dot = bytes_find(rest, '.');
	struct bytes whole = bytes_of(rest.p, dot), fraction = bytes_skip(rest, dot < rest.len ? dot + 1 : dot);

	if (!all_digits(whole) || (whole.len > 1 && whole.p[0] == '0') || whole.len + fraction.len > POLICY_JSON_DIGITS_MAX)
		return false;
	if (dot == rest.len)
		return !(negative && bytes_is(whole, "0"));
	return all_digits(fraction) && fraction.p[fraction.len - 1] != '0';
}

bool policy_json_match(struct bytes want, const struct json_value *value)
{
	struct bytes rest = bytes_skip(want, want.len ? 1 : 0);

	switch (value->kind) {
	case JSON_VALUE_NULL:
		return bytes_is(want, "z");
	case JSON_VALUE_FALSE:
		return bytes_is(want, "f");
	case JSON_VALUE_TRUE:
		return bytes_is(want, "t");
	case JSON_VALUE_NUMBER:
		return want.len && want.p[0] == 'n' && json_number_same(rest, value->text);
	case JSON_VALUE_STRING:
		return want.len && want.p[0] == 's' && policy_value_match(rest, value->text);
	case JSON_VALUE_ABSENT:
	case JSON_VALUE_OBJECT:
	case JSON_VALUE_ARRAY:
		break;
	}
	return false;
}
