#include "rules/policy_spelling.h"

#define SLASH "%2F"
#define PLUS "%2B"

enum { ESCAPE_LEN = 3 };

static unsigned count(struct bytes path, const char *escape)
{
	unsigned n = 0;

	for (size_t i = 0; i < path.len; i++)
		n += path.p[i] == '%' && bytes_starts(bytes_skip(path, i), bytes_str(escape));
	return n;
}

/* Decoded or not. */
static bool has_slash_at_end(struct bytes path)
{
	return (path.len > 1 && path.p[path.len - 1] == '/') || (path.len > 1 + ESCAPE_LEN && bytes_ends(path, bytes_str(SLASH)));
}

bool policy_spelling_any(struct bytes path)
{
	return has_slash_at_end(path) || (bytes_find(path, '%') < path.len && (count(path, SLASH) || count(path, PLUS)));
}

bool policy_spelling_start(struct policy_spelling *s, struct bytes path)
{
	unsigned n = count(path, SLASH);

	if (n > POLICY_SLASHES_MAX || path.len > sizeof(s->room))
		return false;
	s->path = path;
	s->i = 0;
	s->n_slashes = n;
	s->has_plus = count(path, PLUS) > 0;
	s->n = 1U << (n + s->has_plus + has_slash_at_end(path));
	return true;
}

/* Bit k of `slashes`: the k-th one is decoded. */
static size_t spell(struct bytes path, uint32_t slashes, bool plus, uint8_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < path.len; i++) {
		struct bytes rest = bytes_skip(path, i);
		bool slash = path.p[i] == '%' && bytes_starts(rest, bytes_str(SLASH));

		if ((slash && (slashes & 1)) || (plus && path.p[i] == '%' && bytes_starts(rest, bytes_str(PLUS)))) {
			out[n++] = slash ? '/' : '+';
			i += ESCAPE_LEN - 1;
		} else {
			out[n++] = path.p[i];
		}
		slashes >>= slash;
	}
	return n;
}

/* False: the same as another one. */
static bool take_end(const struct policy_spelling *s, size_t *len)
{
	bool ends = *len > 1 && s->room[*len - 1] == '/';

	*len -= ends;
	return ends;
}

bool policy_spelling_next(struct policy_spelling *s, struct bytes *ret)
{
	while (++s->i < s->n) {
		uint32_t rest = s->i >> s->n_slashes;
		size_t len = spell(s->path, s->i & ((1U << s->n_slashes) - 1), s->has_plus && (rest & 1), s->room);

		s->without_end = rest >> s->has_plus & 1;
		if (s->without_end && !take_end(s, &len))
			continue;
		*ret = bytes_of(s->room, len);
		return true;
	}
	return false;
}

struct bytes policy_spelling_plus(struct bytes text, uint8_t *room)
{
	return bytes_of(room, spell(text, 0, true, room));
}

struct bytes policy_spelling_slashes(struct bytes text, uint8_t *room)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		bool slash = text.p[i] == '%' && bytes_starts(bytes_skip(text, i), bytes_str(SLASH));

		room[n++] = slash ? '/' : text.p[i];
		i += slash ? ESCAPE_LEN - 1 : 0;
	}
	return bytes_of(room, n);
}

struct bytes policy_spelling_opened(struct bytes pattern, uint8_t *room)
{
	size_t n = 0, segment = 0;
	bool wild = false;

	for (size_t i = 0; i <= pattern.len; i++) {
		bool slash = i < pattern.len && pattern.p[i] == '%' && bytes_starts(bytes_skip(pattern, i), bytes_str(SLASH));

		if (i < pattern.len && pattern.p[i] != '/' && !slash) {
			wild = wild || pattern.p[i] == '*';
			room[n++] = pattern.p[i];
			continue;
		}
		if (wild) {
			memcpy(room + segment, "**", 2);
			n = segment + 2;
		}
		if (i < pattern.len)
			room[n++] = '/';
		i += slash ? ESCAPE_LEN - 1 : 0;
		segment = n;
		wild = false;
	}
	return bytes_of(room, n);
}
