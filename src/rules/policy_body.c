#include "rules/policy_body.h"

#include "base/must.h"
#include "rules/policy_view.h"
#include "wire/http1_charset.h"

static enum policy_body_state state_of(enum json_pointer_answer answer)
{
	switch (answer) {
	case JSON_POINTER_DONE:
		return POLICY_BODY_READ;
	case JSON_POINTER_AMBIGUOUS:
	case JSON_POINTER_TOO_DEEP:
		return POLICY_BODY_UNCLEAR;
	case JSON_POINTER_TOO_LARGE:
		return POLICY_BODY_TOO_LARGE;
	case JSON_POINTER_NOT_PARSABLE:
		break;
	}
	return POLICY_BODY_UNPARSABLE;
}

void policy_body_json(const struct policy *p, const struct policy_entry *e, struct bytes body, struct arena *a, struct policy_body *ret)
{
	const struct blob_str *pointers;
	const struct blob_entry *entry;
	struct bytes texts[POLICY_POINTERS_MAX];
	size_t at;

	must(e->index < blob_n(p, BLOB_ENTRIES));
	entry = (const struct blob_entry *)blob_at(p, BLOB_ENTRIES) + e->index;
	pointers = (const struct blob_str *)blob_at(p, BLOB_VALUES) + entry->pointers.first;
	*ret = (struct policy_body){ .n_values = entry->pointers.n };
	for (uint32_t i = 0; i < entry->pointers.n; i++)
		texts[i] = blob_text(p, pointers[i]);
	ret->state = state_of(json_pointer_read(body, texts, ret->n_values, a, ret->values, &at));
}

/* Nearly every JSON text is YAML too, but there `<<` merges the members of another mapping, and 1e3 is a text. */
static bool says_yaml(struct bytes type)
{
	for (; type.len >= strlen("yaml"); type = bytes_skip(type, 1))
		if (bytes_ieq(bytes_of(type.p, strlen("yaml")), bytes_str("yaml")))
			return true;
	return false;
}

enum policy_body_state policy_body_labelled(enum http1_form_kind kind, struct bytes content_type)
{
	/* in UTF-7 a host would find quotation marks where we find none, in others the end of a text earlier or later */
	if (http1_charset_of(content_type) != HTTP1_CHARSET_PLAIN || says_yaml(content_type))
		return POLICY_BODY_UNCLEAR;
	return kind == HTTP1_FORM_MULTIPART || kind == HTTP1_FORM_PARTS ? POLICY_BODY_UNCLEAR : POLICY_BODY_READ;
}

/* As a form it is one pair, whose name begins with a brace, unless something in it separates pairs. */
bool policy_body_is_pairs(enum http1_form_kind kind, struct bytes body)
{
	return kind == HTTP1_FORM_URLENCODED && (bytes_find(body, '&') < body.len || bytes_find(body, ';') < body.len);
}

void policy_body_push(const struct git_push *push, const struct git_command *commands, struct policy_body *ret)
{
	*ret = (struct policy_body){ .commands = commands, .n_commands = push->n_commands, .is_push = true, .push_options = push->n_options > 0 };
}

enum policy_body_state policy_body_git_fault(enum git_fault fault)
{
	if (fault == GIT_FAULT_TOO_LARGE)
		return POLICY_BODY_TOO_LARGE;
	return fault == GIT_FAULT_DUPLICATE ? POLICY_BODY_UNCLEAR : POLICY_BODY_UNPARSABLE;
}
