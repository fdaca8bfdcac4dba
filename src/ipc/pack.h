/* Several messages in one datagram of a channel, for those that come in numbers and carry no descriptor.
 *
 * Wire: u16 PACK_TYPE, then for each message u16 length and the message (ipc/msg.h), little-endian; one to PACK_MESSAGES_MAX of them,
 * none of which is a pack. */
#ifndef SAW_IPC_PACK_H
#define SAW_IPC_PACK_H

#include "base/bytes.h"

enum {
	PACK_TYPE = 0xffff, /* no type of a message */
	PACK_HEAD = 2, /* bytes before the first message's length */
	PACK_EACH = 2, /* bytes before each message */
	PACK_MESSAGES_MAX = 32,
};

/* Being read. */
struct pack {
	struct bytes left;
	unsigned n; /* messages taken */
	bool bad;
};

/* Borrows `datagram`. False: it is no pack, but one message. */
bool pack_open(struct pack *p, struct bytes datagram);
/* The next message, borrowed. False at the end, and when what is left is malformed (`bad`). */
bool pack_next(struct pack *p, struct bytes *ret);

/* Writes PACK_HEAD and PACK_EACH bytes. */
void pack_put_head(uint8_t *p);
void pack_put_len(uint8_t *p, size_t len);

#endif
