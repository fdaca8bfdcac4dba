#include "wire/git_ref.h"

#include "base/utf8.h"

static bool component_ok(struct bytes c)
{
	if (c.len == 0 || c.p[0] == '.' || bytes_ends(c, bytes_str(".lock")))
		return false;
	for (size_t i = 0; i < c.len; i++) {
		uint8_t next = i + 1 < c.len ? c.p[i + 1] : 0;

		if (c.p[i] <= ' ' || c.p[i] == 0x7f || strchr("~^:?*[\\", c.p[i]))
			return false;
		if ((c.p[i] == '.' && next == '.') || (c.p[i] == '@' && next == '{'))
			return false;
	}
	return true;
}

bool git_ref_valid(struct bytes name)
{
	const struct bytes prefix = bytes_str("refs/");

	if (name.len > GIT_REF_LEN_MAX || !bytes_starts(name, prefix) || !utf8_valid(name) || name.p[name.len - 1] == '.')
		return false;
	for (struct bytes rest = bytes_skip(name, prefix.len);;) {
		size_t n = bytes_find(rest, '/');

		if (!component_ok(bytes_of(rest.p, n)))
			return false;
		if (n == rest.len)
			return true;
		rest = bytes_skip(rest, n + 1);
	}
}
