#include "rules/policy_git.h"

#include <stdio.h>

#include "rules/policy_method.h"

#define GIT ".git"

/* What git keeps beside a worktree is that worktree's repository. */
static struct bytes without_folder(struct bytes path)
{
	while (path.len > strlen("/" GIT) && bytes_ends(path, bytes_str("/" GIT)))
		path.len -= strlen("/" GIT);
	return path;
}

struct bytes policy_git_repository(struct bytes whole)
{
	struct bytes path = without_folder(whole);
	struct bytes name = bytes_of(path.p, path.len > strlen(GIT) ? path.len - strlen(GIT) : 0);

	if (!bytes_ends(path, bytes_str(GIT)) || name.len == 0 || name.p[name.len - 1] == '/')
		return path;
	return name;
}

static bool take_end(struct bytes path, const char *end, struct bytes *ret_repository)
{
	size_t len = strlen(end);

	/* "/info/refs" alone names no repository */
	if (path.len <= len || !bytes_ends(path, bytes_str(end)))
		return false;
	*ret_repository = policy_git_repository(bytes_of(path.p, path.len - len));
	return true;
}

enum policy_git_kind policy_git_kind_of(const struct policy_request *r, struct bytes *ret_repository)
{
	if (r->websocket)
		return POLICY_GIT_NONE;
	if (bytes_is(r->method, "GET") && r->has_query && take_end(r->path, "/info/refs", ret_repository)) {
		if (bytes_is(r->query, "service=git-upload-pack"))
			return POLICY_GIT_FETCH_ANNOUNCED;
		if (bytes_is(r->query, "service=git-receive-pack"))
			return POLICY_GIT_PUSH_ANNOUNCED;
		return POLICY_GIT_NONE;
	}
	if (!bytes_is(r->method, "POST") || r->has_query)
		return POLICY_GIT_NONE;
	if (take_end(r->path, "/git-upload-pack", ret_repository))
		return POLICY_GIT_FETCHED;
	return take_end(r->path, "/git-receive-pack", ret_repository) ? POLICY_GIT_PUSHED : POLICY_GIT_NONE;
}

static bool segment_ok(struct bytes s, const char **why)
{
	bool stars = bytes_find(s, '*') < s.len;

	if (s.len == 0)
		*why = "an empty segment; write single slashes, and none at the end";
	else if (s.p[0] == '.')
		*why = "a segment that begins with a dot, which git refuses; mend it";
	else if (bytes_ends(s, bytes_str(".lock")))
		*why = "a segment that ends in .lock, which git refuses; mend it";
	else if (stars && !bytes_is(s, "**"))
		for (size_t i = 1; i < s.len; i++)
			if (s.p[i] == '*' && s.p[i - 1] == '*')
				*why = "`**` stands for whole segments; write it between slashes, or write one star";
	for (size_t i = 0; i < s.len && !*why; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("~^:?[\\", s.p[i]) ||
		    (i > 0 && s.p[i] == '.' && s.p[i - 1] == '.') || (i > 0 && s.p[i] == '{' && s.p[i - 1] == '@'))
			*why = "a character that no ref has; only `*` and `**` are wildcards, write the ref as git prints it";
	return !*why;
}

bool policy_ref_ok(struct bytes pattern, char ret_fault[160])
{
	const char *why = NULL;
	struct bytes rest = pattern;

	if (bytes_starts(pattern, bytes_str("refs/")) && pattern.len <= POLICY_REF_MAX)
		rest = bytes_skip(pattern, strlen("refs/"));
	else
		why = "a ref is written whole; write refs/heads/NAME, refs/tags/NAME or refs/** for any";
	while (!why) {
		struct bytes segment = bytes_of(rest.p, bytes_find(rest, '/'));

		if (!segment_ok(segment, &why) || segment.len == rest.len)
			break;
		rest = bytes_skip(rest, segment.len + 1);
	}
	if (why)
		(void)snprintf(ret_fault, 160, "%s", why);
	return !why;
}

void policy_acts_text(enum policy_protocol protocol, uint32_t set, struct buf *out)
{
	static const char *const words[] = { "create", "update", "force", "delete" };
	bool first = true;

	if (protocol != POLICY_GIT) {
		policy_methods_text(set, out);
		return;
	}
	if (set & POLICY_GIT_FETCH)
		buf_str(out, "fetch");
	if (!(set & (uint32_t)POLICY_GIT_PUSH))
		return;
	buf_str(out, set & POLICY_GIT_FETCH ? ",push " : "push ");
	for (unsigned i = 0; i < 4; i++)
		if (set & ((uint32_t)POLICY_GIT_CREATE << i)) {
			buf_fmt(out, "%s%s", first ? "" : ",", words[i]);
			first = false;
		}
}
