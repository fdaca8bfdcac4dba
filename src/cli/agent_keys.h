/* What one agent holds: its key, and the certificate and session that the control plane gave for it. */
#ifndef SAW_CLI_AGENT_KEYS_H
#define SAW_CLI_AGENT_KEYS_H

#include "cli/agent.h"
#include "crypt/ed25519.h"

struct agent_keys {
	const struct agent_place *place;
	struct ed25519 *key; /* made here, in locked memory, and never written anywhere */
	uint8_t public_key[ED25519_PUBLIC];
	struct buf certificate; /* the blob; empty: none */
	uint64_t expires_ms; /* of the certificate, real time */
	struct agent_session session;
};

/* Makes the key. 0 or a negative errno. */
int agent_keys_init(struct agent_keys *k, const struct agent_place *place, struct err *e);
void agent_keys_deinit(struct agent_keys *k);

/* Afterwards the certificate is good for another minute, and known_hosts holds the host key that came with it. An exit code; not
 * CLI_DONE: a sentence, and no certificate is held. `fresh`: even when the present one would do. */
int agent_keys_refresh(struct agent_keys *k, bool fresh, struct err *e);

#endif
