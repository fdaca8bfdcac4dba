/* Messages of the SSH agent protocol (draft-ietf-sshm-ssh-agent) as our own agent and its clients speak it: list, sign, and one
 * extension that says through which session the workspace is reached. Everything else is a request we answer with FAILURE. */
#ifndef SAW_WIRE_SSH_AGENT_H
#define SAW_WIRE_SSH_AGENT_H

#include "base/buf.h"

enum {
	SSH_AGENT_MESSAGE_MAX = 256 * 1024, /* of one message, as OpenSSH's own limit */
	SSH_AGENT_KEYS_MAX = 8, /* in one list that we read */
};

/* The extension's name, "name@domain" as the protocol asks. */
#define SSH_AGENT_SESSION "session@saw.internal"

enum ssh_agent_answer {
	SSH_AGENT_DONE,
	SSH_AGENT_MORE, /* the message is not complete yet */
	SSH_AGENT_BAD, /* *ret_why says what is wrong with it; the connection is of no further use */
};

enum ssh_agent_ask {
	SSH_AGENT_LIST, /* REQUEST_IDENTITIES */
	SSH_AGENT_SIGN, /* SIGN_REQUEST: key, data, flags */
	SSH_AGENT_ASK_SESSION, /* our extension: fresh */
	SSH_AGENT_OTHER, /* a request that we do not serve */
};

/* Borrows from the bytes it was read from. */
struct ssh_agent_request {
	enum ssh_agent_ask ask;
	uint8_t type; /* the message number, for OTHER too */
	struct bytes key;
	struct bytes data;
	uint32_t flags;
	bool fresh; /* the old session is of no use: get a new one */
};

/* One request from the beginning of `in`. DONE: *ret and *ret_used (bytes of this message) are set. */
enum ssh_agent_answer ssh_agent_read_request(struct bytes in, struct ssh_agent_request *ret, size_t *ret_used,
					     const char **ret_why);
/* The reverse, for clients and tests; OTHER writes a message of that type without contents. Returns !out->failed. */
bool ssh_agent_put_request(struct buf *out, const struct ssh_agent_request *r);

/* What the agent answers to ASK_SESSION. */
struct ssh_agent_session {
	uint32_t exit; /* 0, or the exit code that `why` calls for (cli/verb.h) */
	struct bytes why; /* one sentence; empty when exit is 0 */
	struct bytes session_id;
	struct bytes workspace_id;
	struct bytes user; /* login name in the guest */
};

struct ssh_agent_key {
	struct bytes blob;
	struct bytes comment;
};

/* Answers; each returns !out->failed. `n` may be 0. `signature` is the raw 64 bytes of Ed25519. */
bool ssh_agent_put_failure(struct buf *out);
bool ssh_agent_put_keys(struct buf *out, const struct ssh_agent_key *keys, size_t n);
bool ssh_agent_put_signature(struct buf *out, struct bytes signature);
bool ssh_agent_put_session(struct buf *out, const struct ssh_agent_session *s);

enum ssh_agent_reply_kind {
	SSH_AGENT_REPLY_FAILURE,
	SSH_AGENT_REPLY_KEYS,
	SSH_AGENT_REPLY_SIGNATURE,
	SSH_AGENT_REPLY_SESSION,
};

struct ssh_agent_reply {
	enum ssh_agent_reply_kind kind;
	struct ssh_agent_key key[SSH_AGENT_KEYS_MAX];
	uint32_t n_keys;
	struct bytes signature;
	struct ssh_agent_session session;
};

/* An agent's answer; same contract as ssh_agent_read_request. Kinds that our agent never sends are BAD. */
enum ssh_agent_answer ssh_agent_read_reply(struct bytes in, struct ssh_agent_reply *ret, size_t *ret_used,
					   const char **ret_why);

#endif
