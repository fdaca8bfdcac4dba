/* One message between our processes: a type, then typed fields in a fixed order (ipc/types.h says which).
 *
 * Wire: u16 type, then fields. A field is u8 kind ('u', 'b') and, for 'u', u64; for 'b', u32 length and the bytes. All
 * little-endian (one machine). Descriptors travel beside the message (ipc/chan.h). A reader must take every field in
 * order and then see the end: anything else is "bad", and a bad message ends the channel. */
#ifndef SAW_IPC_MSG_H
#define SAW_IPC_MSG_H

#include "base/bytes.h"

enum {
	MSG_MAX = 60 * 1024, /* bytes of one message; larger things travel as sealed memory files */
	MSG_FDS_MAX = 8,
};

/* Being written. Overflow is sticky: msg_done() says so once. About 60 KiB: static or heap, not on deep stacks. */
struct msg {
	uint16_t type;
	bool failed;
	size_t len;
	int fds[MSG_FDS_MAX]; /* borrowed: sending duplicates them, the caller still closes its own */
	unsigned n_fds;
	uint8_t p[MSG_MAX];
};

void msg_start(struct msg *m, uint16_t type);
void msg_u64(struct msg *m, uint64_t v);
void msg_bytes(struct msg *m, struct bytes b);
void msg_str(struct msg *m, const char *s);
void msg_fd(struct msg *m, int fd);
/* False when something did not fit. */
bool msg_done(const struct msg *m);

/* Overwrites what was written into it. */
void msg_wipe(struct msg *m);

/* Being read. Errors are sticky; outputs of a failed read are zero or empty. */
struct msg_in {
	uint16_t type;
	struct bytes left;
	bool bad;
	int fds[MSG_FDS_MAX]; /* owned: msg_take_fd() gives them away, the channel closes the rest after the callback */
	unsigned n_fds;
	unsigned at_fd;
	bool lost; /* one came with it that found no room in this process, and nobody has asked for it yet */
};

/* Borrows `raw`. False when even the type is missing. */
bool msg_open(struct msg_in *in, struct bytes raw);
uint64_t msg_get_u64(struct msg_in *in);
/* At most `max`; a larger value makes the message bad and gives 0. */
uint64_t msg_get_max(struct msg_in *in, uint64_t max);
/* Borrows from the message. At most `max` bytes. */
struct bytes msg_get_bytes(struct msg_in *in, size_t max);
/* The next descriptor, given to the caller; -1 and bad when there is none. */
int msg_take_fd(struct msg_in *in);
/* As above, of a message with one: -1 and *not* bad when it found no room in this process, for who can go on without it. */
int msg_try_fd(struct msg_in *in);
/* True when all fields were taken, nothing is left over, nothing was bad, and no descriptor is missing that nobody asked for. */
bool msg_end(const struct msg_in *in);

#endif
