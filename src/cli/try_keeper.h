/* `saw try` in keeper's place: an authority for one run, and the secrets that its user named. */
#ifndef SAW_CLI_TRY_KEEPER_H
#define SAW_CLI_TRY_KEEPER_H

#include "ipc/chan.h"
#include "rules/policy.h"

struct try_keeper;

/* `secrets`: "ID=FILE", several with commas between; NULL: none. Unless `quiet`, credentials of the policy without one are named. If the policy
 * intercepts anything, `dir` gets what clients trust (cli/try_trust.h). */
int try_keeper_new(struct try_keeper **ret, struct loop *l, struct bytes blob, const char *dir, const char *secrets, bool quiet, struct err *e);
/* Sends the channels' other ends to the supervisor. */
int try_keeper_attach(struct try_keeper *k, struct chan *supervisor, struct err *e);
struct try_keeper *try_keeper_free(struct try_keeper *k);

#endif
