#include "rules/policy_method.h"

/* Bit i belongs to word i: the order is part of the blob format. */
static const char *const words[] = { "GET",    "HEAD",  "OPTIONS",  "POST",      "PUT",   "PATCH",
				     "DELETE", "QUERY", "PROPFIND", "PROPPATCH", "MKCOL", "COPY",
				     "MOVE",   "LOCK",  "UNLOCK",   "REPORT",    "SEARCH" };

enum { N_WORDS = sizeof(words) / sizeof(words[0]) };

const char *policy_method_at(unsigned i, uint32_t *ret_bit)
{
	if (i >= N_WORDS)
		return NULL;
	*ret_bit = 1U << i;
	return words[i];
}

uint32_t policy_method_known(struct bytes text)
{
	for (unsigned i = 0; i < N_WORDS; i++)
		if (bytes_is(text, words[i]))
			return 1U << i;
	return 0;
}

bool policy_method_twin(struct bytes method)
{
	for (unsigned i = 0; i < N_WORDS; i++)
		if (bytes_ieq(method, bytes_str(words[i])))
			return !bytes_is(method, words[i]);
	return false;
}

uint32_t policy_method_bit(struct bytes method)
{
	uint32_t bit = policy_method_known(method);

	if (bit)
		return bit;
	if (bytes_ieq(method, bytes_str("CONNECT")) || bytes_ieq(method, bytes_str("TRACE")))
		return 0;
	return policy_method_twin(method) ? 0 : POLICY_METHOD_OTHER;
}

bool policy_method_has_destination(struct bytes method)
{
	enum { USUAL = POLICY_METHOD_DELETE | (POLICY_METHOD_DELETE - 1) };

	return (policy_method_bit(method) & (uint32_t)USUAL) == 0;
}

void policy_methods_text(uint32_t set, struct buf *out)
{
	bool first = true;

	if ((set | POLICY_METHOD_WEBSOCKET) == POLICY_METHODS_ALL) {
		buf_str(out, "any");
		return;
	}
	for (unsigned i = 0; i < N_WORDS; i++) {
		if (!(set & 1U << i))
			continue;
		if (!first)
			buf_byte(out, ',');
		buf_str(out, words[i]);
		first = false;
	}
	if ((set & POLICY_METHOD_WEBSOCKET) && !(set & POLICY_METHOD_GET)) {
		buf_str(out, first ? "websocket" : ",websocket");
		first = false;
	}
	if (set & POLICY_METHOD_OTHER)
		buf_str(out, first ? "others" : ",others");
}
