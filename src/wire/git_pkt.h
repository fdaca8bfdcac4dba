/* git's pkt-lines (gitprotocol-common(5)), and what the units that read git requests share. */
#ifndef SAW_WIRE_GIT_PKT_H
#define SAW_WIRE_GIT_PKT_H

#include "base/bytes.h"

enum {
	GIT_PKT_HEAD_LEN = 4,
	GIT_PKT_LEN_MAX = 65520, /* with its four digits */
	GIT_SHA1_LEN = 40, /* hex digits of an id */
	GIT_SHA256_LEN = 64,
};

enum git_answer {
	GIT_DONE,
	GIT_MORE, /* well-formed so far */
	GIT_BAD, /* with a fault */
};

enum git_fault {
	GIT_FAULT_NONE,
	GIT_FAULT_LENGTH, /* no length of a pkt-line */
	GIT_FAULT_ORDER, /* a line, flush, delimiter or end where none of its kind belongs; something behind the request */
	GIT_FAULT_LINE, /* a line that the grammar does not have */
	GIT_FAULT_ID, /* an object id of another length than the object format's, or two zero ids */
	GIT_FAULT_REF, /* no well-formed ref name */
	GIT_FAULT_DUPLICATE, /* one ref in two commands */
	GIT_FAULT_CERT, /* a signed push: its commands are text within a certificate, which we do not read */
	GIT_FAULT_CAPABILITY, /* unknown, twice, or its value is */
	GIT_FAULT_COMMAND, /* a protocol v2 command that is no way to read */
	GIT_FAULT_TOO_LARGE,
};

enum git_pkt_kind {
	GIT_PKT_LINE,
	GIT_PKT_FLUSH, /* 0000 */
	GIT_PKT_DELIM, /* 0001 */
	GIT_PKT_END, /* 0002: of a response */
};

/* The pkt-line at the start of `in`. DONE: its kind, its content (empty but for LINE, where it never is) and its length; MORE: it is
 * not complete; BAD: no length (0003, the empty 0004, over GIT_PKT_LEN_MAX, no hex digit), told at the first byte that shows it. */
enum git_answer git_pkt_next(struct bytes in, enum git_pkt_kind *ret_kind, struct bytes *ret_content, size_t *ret_len);

/* `s` without one LF at its end, which git takes off a line too. */
struct bytes git_line(struct bytes s);
/* Lower-case hex digits, exactly as many as the object format has. */
bool git_id_valid(struct bytes id, bool sha256);
bool git_id_is_zero(struct bytes id);

#endif
