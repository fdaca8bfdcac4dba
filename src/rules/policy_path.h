/* Path patterns: a star within a segment, two stars for whole segments, on canonical paths. */
// A whole-segment `*` is one segment that is not empty; `*` beside other characters is any run of them, also an empty one; `**` is
// one or more segments, of which only the path's last may be empty. So `/a/**` is `/a/` and `/a/x/y`, not `/a`; `/**` is every path.
#ifndef SAW_RULES_POLICY_PATH_H
#define SAW_RULES_POLICY_PATH_H

#include "base/bytes.h"

enum { POLICY_PATH_MAX = 512, POLICY_PATH_SEGMENTS_MAX = 64, POLICY_PATH_FAULT_MAX = 240 };

/* True when a rule may say this, else false with "what is wrong; remedy". `encoded_slash`: the entry takes %2F. */
bool policy_path_ok(struct bytes pattern, bool encoded_slash,
		    char ret_fault[POLICY_PATH_FAULT_MAX]);

/* Any bytes are safe; only patterns without fault mean anything. Both start with '/'. */
bool policy_path_match(struct bytes pattern, struct bytes path);
/* The same from the start of a segment on, without the slash before it. */
bool policy_path_match_tail(struct bytes pattern, struct bytes path);

/* Every path of `inner` is one of `outer`. Never true wrongly; false where it takes more than one look to see. */
bool policy_path_contains(struct bytes outer, struct bytes inner);
/* Some text may be a path of both. Never false wrongly. */
bool policy_path_overlaps(struct bytes a, struct bytes b);

/* Query values: `*` is any run of characters, '.' and '/' among them. At most POLICY_PATH_MAX bytes. */
bool policy_value_match(struct bytes pattern, struct bytes value);
bool policy_value_contains(struct bytes outer, struct bytes inner);
bool policy_value_overlaps(struct bytes a, struct bytes b);

#endif
