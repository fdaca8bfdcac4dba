/* A channel to another of our processes: SOCK_SEQPACKET, messages with descriptors, a permit table of what may come in.
 *
 * A message whose type is not in the table, or that its handler calls bad, ends the channel: on_end is called once with
 * a sentence. Writes that would block are queued up to CHAN_QUEUE_MAX bytes; over that the channel ends too. */
#ifndef SAW_IPC_CHAN_H
#define SAW_IPC_CHAN_H

#include "base/err.h"
#include "ipc/msg.h"
#include "os/loop.h"

enum { CHAN_QUEUE_MAX = 4 * 1024 * 1024, CHAN_BATCH_MAX = 16 * 32 /* datagrams, messages of a pack */ };

struct chan;

/* Returns false when the message is bad. The handler must reach msg_end() (the channel checks it too). It may free the
 * channel's owner only through loop_later(). */
typedef bool (*chan_msg_fn)(void *owner, struct msg_in *in);
/* The channel is at its end: closed by the peer (why: "closed") or broken. Called once, from the loop, never from chan_send. */
typedef void (*chan_end_fn)(void *owner, const char *why);

struct chan_permit {
	uint16_t type;
	chan_msg_fn fn;
};

/* Takes `fd` (also on failure). Borrows `permits` (n entries) and `owner`. */
int chan_new(struct chan **ret, struct loop *l, int fd, const struct chan_permit *permits, size_t n_permits,
	     chan_end_fn on_end, void *owner, struct err *e);
struct chan *chan_free(struct chan *c);

/* Sends or queues; descriptors in `m` are duplicated. A failed channel swallows it: on_end will come. */
void chan_send(struct chan *c, const struct msg *m);

/* The same at the end of the loop's turn, in one system call and as few datagrams (ipc/pack.h) as go with all others that were posted in
 * it; in order with what is sent. For what comes in numbers, between processes of one build. */
void chan_post(struct chan *c, const struct msg *m);

/* Held: nothing more is read, not even the channel's end, so that the peer waits once the kernel's buffer is full. What came in one system
 * call with the message being handled is still handled: at most CHAN_BATCH_MAX messages. What we send meanwhile goes out
 * at once; what the kernel has no room for may wait until the channel is no longer held, so hold it only for a moment. */
void chan_hold(struct chan *c, bool held);

/* Its messages are handled after whatever else came in the same turn (loop_io_rank). */
void chan_last(struct chan *c);

/* From now on what this channel carries is overwritten in this process's buffers once it was handled or sent. The caller wipes what it
 * wrote itself: msg_wipe(). */
void chan_wipe(struct chan *c);

/* Bytes queued but not yet sent: for callers that want to stop producing. */
size_t chan_queued(const struct chan *c);

/* A connected pair, close-on-exec, for handing one end to a child. */
int chan_pair(int ret_fds[2], struct err *e);

#endif
