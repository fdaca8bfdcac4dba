/* Other spellings of a path, under which some hosts find the same: "/" for an encoded slash, "+" for an encoded plus, none for a slash at the end. */
// RFC 3986 takes none of them for the same path. A host that decodes a path before it looks at its segments does, and a proxy before it may have decoded
// some segments only. Express, Rails, Laravel and others find the same with a slash at the end as without. What an escape stands for beside these two is written in one form already (wire/http1_target.h).
#ifndef SAW_RULES_POLICY_SPELLING_H
#define SAW_RULES_POLICY_SPELLING_H

#include "wire/http1.h"

enum { POLICY_SLASHES_MAX = 8 }; /* encoded ones of one path: each of them either way are 256 spellings, four times as many with the others */

struct policy_spelling {
	struct bytes path; /* borrowed */
	uint32_t i; /* 0: the path itself */
	uint32_t n;
	unsigned n_slashes;
	bool has_plus;
	bool without_end; /* the present one lacks the slash at the end */
	uint8_t room[HTTP1_LINE_MAX];
};

/* A canonical path has other spellings. */
bool policy_spelling_any(struct bytes path);
/* False: too many slashes, or too long. */
bool policy_spelling_start(struct policy_spelling *s, struct bytes path);
/* The next one, never the path itself; each of the slashes is either way, of the pluses all or none, with the slash at the end or without. False: that was all. *ret stays until the next
 * call. */
bool policy_spelling_next(struct policy_spelling *s, struct bytes *ret);

/* With "+" for each "%2B": in `room`, which is as long as the text. */
struct bytes policy_spelling_plus(struct bytes text, uint8_t *room);
/* With "/" for each "%2F", as a host has it that decodes all of them: likewise. */
struct bytes policy_spelling_slashes(struct bytes text, uint8_t *room);
/* A pattern that has at least the paths of this one, each with "/" for each "%2F", of which a wildcard stands for some, too: in `room`, which is twice as long. */
struct bytes policy_spelling_opened(struct bytes pattern, uint8_t *room);

#endif
