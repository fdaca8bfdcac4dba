/* Host names in their one canonical form: lower-case A-labels, no trailing dot. */
#ifndef SAW_WIRE_NAME_H
#define SAW_WIRE_NAME_H

#include "base/bytes.h"

enum { NAME_MAX_LEN = 253, NAME_LABEL_MAX = 63 };

struct name {
	uint8_t len;
	char text[NAME_MAX_LEN + 1]; /* NUL-terminated */
};

static inline struct bytes name_bytes(const struct name *n)
{
	return bytes_of(n->text, n->len);
}

enum name_answer {
	NAME_OK,
	NAME_MALFORMED, /* empty label, over-long, a hyphen at a label's end, any byte outside letters, digits, hyphen, underscore, dot */
	NAME_ADDRESS, /* an address literal in any spelling that inet_aton or a browser would take: last label numeric or 0x... */
	NAME_NOT_CANONICAL, /* an xn-- label that does not decode, or does not encode back to itself, or decodes to ASCII */
};

/* From text as a guest sends it (DNS presentation form, SNI, Host without port). Folds case; drops one trailing dot. */
enum name_answer name_parse(struct bytes text, struct name *ret);
/* As above, but a trailing dot is NAME_MALFORMED: SNI (RFC 6066) and policy files. */
enum name_answer name_parse_strict(struct bytes text, struct name *ret);

/* True when `name` has exactly one label more than `suffix` and ends in it (`*`), or one or more (`**`). */
bool name_under(struct bytes name, struct bytes suffix, bool many);

#endif
