/* `saw policy`: the verbs around policy files. Only push, channel and key need the control plane. */
#ifndef SAW_CLI_POLICY_H
#define SAW_CLI_POLICY_H

#include <stdint.h>

#include "cli/verb.h"

/* argv[0] is "policy". */
int cli_policy(int argc, char **argv);

/* Refuses, and says so, a serial that is more than a year above what `sign` gives by itself: no channel that has it can go on from there. */
int policy_serial_check(const char *verb, uint64_t serial);

extern const struct cli_verb policy_check_verb;
extern const struct cli_verb policy_compile_verb;
extern const struct cli_verb policy_diff_verb;
extern const struct cli_verb policy_import_verb;
extern const struct cli_verb policy_pack_verb;
extern const struct cli_verb policy_channel_verb;
extern const struct cli_verb policy_key_verb;
extern const struct cli_verb policy_push_verb;
extern const struct cli_verb policy_sign_verb;
extern const struct cli_verb policy_test_verb;
extern const struct cli_verb policy_verify_verb;

#endif
