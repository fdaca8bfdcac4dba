/* A pattern is written in the one form in which paths arrive: wire/http1_target.h says what that is, so a pattern that its canonical
 * form would change is refused with that form. What is left to check here is what only patterns have. */
#include <stdio.h>

#include "rules/policy_path.h"
#include "wire/http1_target.h"

static const char *segment_fault(struct bytes seg)
{
	for (size_t i = 0; i < seg.len; i++) {
		uint8_t c = seg.p[i];

		if (c == '*' && i + 1 < seg.len && seg.p[i + 1] == '*' && seg.len > 2)
			return "`**` stands for whole segments; write it alone between slashes, or `*` within a segment";
		if (c == '?')
			return "`?` is no wildcard and starts a query; write `*`, or a `query:` condition";
		if (c < 0x80 && c > 0x20 && strchr("[]{}\\", c))
			return "[ ] { } \\ are no wildcards and never arrive; write each path out, or use `*`";
		if (c >= 0x80 || c <= 0x20 || c == 0x7f)
			return "a blank, control or non-ASCII character; write it as an escape, as %20 for a blank";
	}
	return NULL;
}

static const char *fault_text(enum http1_fault f)
{
	static const struct {
		enum http1_fault fault;
		const char *text;
	} texts[] = {
		{ HTTP1_FAULT_DOT_SEGMENT,
		  "a dot segment never arrives; write the path that it leads to" },
		{ HTTP1_FAULT_EMPTY_SEGMENT, "an empty segment never arrives; write one slash" },
		{ HTTP1_FAULT_ENCODED_SLASH,
		  "an encoded slash never arrives; set `encoded_slash: true` on the entry if the host needs it" },
		{ HTTP1_FAULT_PATH_PARAMETER,
		  "a `;` never arrives in a path; write the path without it" },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].fault == f)
			return texts[i].text;
	return "no request has such a path; write letters, digits, -._~!$&'()+,=:@ and escapes such as %20";
}

static bool shape_ok(struct bytes pattern, char ret[POLICY_PATH_FAULT_MAX])
{
	unsigned n = 0;

	for (struct bytes rest = bytes_skip(pattern, 1);;) {
		size_t slash = bytes_find(rest, '/');
		const char *fault = segment_fault(bytes_of(rest.p, slash));

		if (fault) {
			(void)snprintf(ret, POLICY_PATH_FAULT_MAX, "%s", fault);
			return false;
		}
		if (++n > POLICY_PATH_SEGMENTS_MAX) {
			(void)snprintf(ret, POLICY_PATH_FAULT_MAX,
				       "more than %d segments; use `**`", POLICY_PATH_SEGMENTS_MAX);
			return false;
		}
		if (slash == rest.len)
			return true;
		rest = bytes_skip(rest, slash + 1);
	}
}

bool policy_path_ok(struct bytes pattern, bool encoded_slash, char ret_fault[POLICY_PATH_FAULT_MAX])
{
	BUF_AUTO struct buf canonical = { .max = HTTP1_LINE_MAX };
	struct http1_target target;
	enum http1_fault f;

	if (pattern.len == 0 || pattern.p[0] != '/') {
		(void)snprintf(ret_fault, POLICY_PATH_FAULT_MAX,
			       "a path starts with a slash; write `%s` first",
			       bytes_starts(pattern, bytes_str("*")) ? "/**/` or `/" : "/");
		return false;
	}
	if (pattern.len > POLICY_PATH_MAX) {
		(void)snprintf(ret_fault, POLICY_PATH_FAULT_MAX, "more than %d bytes; shorten it",
			       POLICY_PATH_MAX);
		return false;
	}
	if (!shape_ok(pattern, ret_fault))
		return false;
	f = http1_target_canon(pattern, encoded_slash, &canonical, &target);
	if (f != HTTP1_FAULT_NONE)
		(void)snprintf(ret_fault, POLICY_PATH_FAULT_MAX, "%s", fault_text(f));
	else if (!bytes_eq(buf_view(&canonical), pattern))
		(void)snprintf(ret_fault, POLICY_PATH_FAULT_MAX,
			       "it arrives in another spelling; write `%.160s`",
			       buf_cstr(&canonical));
	else
		return true;
	return false;
}
