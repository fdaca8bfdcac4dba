/* The small process that holds the key of one workspace's SSH sessions: where it listens, and how to ask it.
 *
 * There are up to two for a workspace NAME: "NAME" for `saw ssh` and `saw cp`, and "NAME.saw" for stock clients that come through
 * `saw ssh-config`; only the second one's certificates permit port forwarding, which remote editors need. */
#ifndef SAW_CLI_AGENT_H
#define SAW_CLI_AGENT_H

#include "cli/api.h"
#include "os/paths.h"

/* Files of one agent, all in <run>/agent (0700). */
struct agent_place {
	char name[API_NAME_MAX + 1];
	bool forward;
	char socket[PATHS_MAX];
	char lock[PATHS_MAX]; /* held while an agent is being started or ends */
	char known_hosts[PATHS_MAX]; /* written by the agent with each session: the pinned host key */
};

/* Makes the folder. 0, or a negative errno with a sentence. */
int agent_place_init(struct agent_place *ret, const char *name, bool forward, struct err *e);

struct agent_session {
	char session_id[API_NAME_MAX + 1];
	char workspace_id[API_NAME_MAX + 1];
	char user[64]; /* in the guest; letters, digits, hyphen, underscore */
};

/* Asks the agent for a session whose certificate is good for another minute, starting the agent when there is none. `fresh`: the one
 * that it has is of no use. Afterwards known_hosts is there. An exit code (cli/verb.h), with a sentence unless CLI_DONE. */
int agent_ask(const struct agent_place *p, bool fresh, struct agent_session *ret, struct err *e);

/* Ends the agents of one workspace, or of all (NULL): the sessions they hold are of no further use. Nothing when there are none. */
void agent_end(const char *name);

/* A login name that is safe as an argument. */
bool agent_user_ok(const char *user);

#endif
