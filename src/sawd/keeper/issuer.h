/* Every workspace's certificate authority: its root, made once and kept sealed in <key folder>/ca/<workspace id>, and the intermediates
 * that its inlet gets over a channel of its own. */
#ifndef SAW_SAWD_KEEPER_ISSUER_H
#define SAW_SAWD_KEEPER_ISSUER_H

#include "base/buf.h"
#include "crypt/secret.h"
#include "ipc/chan.h"
#include "ipc/sawd_row.h"
#include "ipc/types.h"

enum {
	ISSUER_RENEW_DAYS = 10, /* intermediates are good for CA_INTERMEDIATE_DAYS */
	ISSUER_LOOK_MS = 60 * 60 * 1000,
	ISSUER_GAP_MS = 200, /* between two answers to KEEPER_WANTED */
	ISSUER_RETRY_MS = 5000, /* after an issue that failed; doubles up to ISSUER_LOOK_MS */
};

#define ISSUER_EPOCH_MS ((uint64_t)1767225600000) /* 2026-01-01: no clock that is right stands before it */

/* The other end hung up or misbehaved; the channel is gone already. */
typedef void (*issuer_end_fn)(void *owner, struct bytes workspace);

struct issuer;
/* Borrows the loop and the sealing key. Makes <folder>/ca. */
int issuer_new(struct issuer **ret, struct loop *l, const char *folder, const struct secret *key, issuer_end_fn on_end, void *owner,
	       struct err *e);
/* All channels end. Takes NULL. */
struct issuer *issuer_free(struct issuer *i);

/* The root's certificate as PEM, made now when there is none. A damaged file is an error that names it. */
int issuer_root(struct issuer *i, struct bytes workspace, struct bytes name, struct buf *pem, struct err *e);

/* A fresh channel, in place of the one before; intermediates for `n` host patterns (one a line in sealed memory; takes `names_fd`, -1
 * when n is 0) are on their way. Gives inlet's end. */
int issuer_open(struct issuer *i, struct bytes workspace, uint64_t n, int names_fd, int *ret_fd, struct err *e);
/* Other names from now on. Nothing when they are the same or it has no channel. Takes `names_fd`. */
void issuer_bind(struct issuer *i, struct bytes workspace, uint64_t n, int names_fd);
/* The system's clock was set: what is good no more, or not yet, is issued anew at once. */
void issuer_clock_was_set(struct issuer *i);
/* The workspace is gone for good: its root too. One that is not there is fine. */
int issuer_forget(struct issuer *i, struct bytes workspace, struct err *e);

#endif
