/* Every verb's entry; defined beside its function. */
#ifndef SAW_CLI_VERBS_H
#define SAW_CLI_VERBS_H

#include "cli/verb.h"

extern const struct cli_verb cli_doctor_verb;
extern const struct cli_verb cli_help_verb;
extern const struct cli_verb cli_version_verb;
extern const struct cli_verb cli_completion_verb;

#endif
