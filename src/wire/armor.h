/* Base64 between a BEGIN and an END line (RFC 7468, and what ssh-keygen writes): one block, strict, nothing around it. */
#ifndef SAW_WIRE_ARMOR_H
#define SAW_WIRE_ARMOR_H

#include "base/buf.h"

enum {
	ARMOR_TEXT_MAX = 16 * 1024,
	ARMOR_LINE_MAX = 128, /* bytes of one line of base64 that is read */
	ARMOR_LABEL_MAX = 64,
};

/* `text` begins with the BEGIN line of any block; its label ("PRIVATE KEY") is given, borrowed. False: it does not. */
bool armor_label(struct bytes text, struct bytes *ret);
/* Appends the bytes of the one block `label`. Lines end in LF, the last one may lack it. False (nothing appended) for another label,
 * header lines, an empty line, or anything before or behind the block. Memory that held a part of them is wiped. */
bool armor_get(struct bytes text, const char *label, struct buf *out);
/* Appends such a block, `line` digits a line (64 as openssl writes, 70 as ssh-keygen). Returns !out->failed. */
bool armor_put(struct buf *out, const char *label, struct bytes data, size_t line);

#endif
