/* Names inside DNS messages: labels in wire form and strict compression (RFC 1035 3.1 and 4.1.4). */
#ifndef SAW_WIRE_DNS_NAME_H
#define SAW_WIRE_DNS_NAME_H

#include "base/bytes.h"

enum {
	DNS_HEADER_LEN = 12,
	DNS_NAME_WIRE_MAX = 255, /* with the root's zero byte */
	DNS_NAME_TEXT_MAX = 4 * DNS_NAME_WIRE_MAX + 1, /* every byte escaped, and the NUL */
	DNS_NAME_JUMPS_MAX = 16, /* compression pointers followed for one name */
};

/* Uncompressed, in the case in which it came. */
struct dns_name {
	uint8_t len; /* at least 1: the root is one zero byte */
	uint8_t wire[DNS_NAME_WIRE_MAX];
};

enum dns_name_answer {
	DNS_NAME_OK,
	DNS_NAME_SHORT, /* the message ends inside the name */
	DNS_NAME_POINTER, /* a compression pointer where none may be, not to an earlier place, or too many */
	DNS_NAME_LABEL, /* a label over 63 bytes, or of an unknown type */
	DNS_NAME_LONG, /* over 255 bytes */
};

/* Reads the name at *off of a whole message; moves *off behind it only when OK. Pointers are followed when `pointers`, and
 * only to a place behind the header and before the part of the name that is being read: a loop is impossible. */
enum dns_name_answer dns_name_read(struct bytes msg, size_t *off, bool pointers, struct dns_name *ret);

/* From a canonical name (wire/name.h); false when it is none. */
bool dns_name_from(struct bytes text, struct dns_name *ret);

/* Presentation form without the last dot, NUL-terminated; gives its length. Bytes that no host name has, dots inside a label
 * and backslashes among them, are written \DDD, so that distinct names have distinct texts. The root is ".". */
size_t dns_name_text(const struct dns_name *n, char ret[DNS_NAME_TEXT_MAX]);

/* Equal but for the case of ASCII letters. */
bool dns_name_ieq(const struct dns_name *a, const struct dns_name *b);

static inline bool dns_name_root(const struct dns_name *n)
{
	return n->len == 1;
}

#endif
