/* An audit event at the end of a message: the same fields in the same order on both sides. Only the last one, the credential, may be missing. */
#ifndef SAW_IPC_AUDIT_MSG_H
#define SAW_IPC_AUDIT_MSG_H

#include "ipc/msg.h"
#include "wire/event.h"

/* Appends; texts longer than EVENT_TEXT_MAX are cut. */
void audit_msg_put(struct msg *m, const struct event *ev);
/* Takes; false when malformed. Texts borrow from the message. */
bool audit_msg_get(struct msg_in *in, struct event *ret);

#endif
