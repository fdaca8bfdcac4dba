/* Every verb's entry; defined beside its function. */
#ifndef SAW_CLI_VERBS_H
#define SAW_CLI_VERBS_H

#include "cli/verb.h"

extern const struct cli_verb cli_audit_verb;
extern const struct cli_verb cli_completion_verb;
extern const struct cli_verb cli_create_verb;
extern const struct cli_verb cli_doctor_verb;
extern const struct cli_verb cli_down_verb;
extern const struct cli_verb cli_help_verb;
extern const struct cli_verb cli_image_verb;
extern const struct cli_verb cli_log_verb;
extern const struct cli_verb cli_ls_verb;
extern const struct cli_verb cli_names_verb;
extern const struct cli_verb cli_policy_verb;
extern const struct cli_verb cli_rebuild_verb;
extern const struct cli_verb cli_restart_verb;
extern const struct cli_verb cli_rm_verb;
extern const struct cli_verb cli_secret_verb;
extern const struct cli_verb cli_sessions_verb;
extern const struct cli_verb cli_set_policy_verb;
extern const struct cli_verb cli_show_verb;
extern const struct cli_verb cli_cp_verb;
extern const struct cli_verb cli_ssh_verb;
extern const struct cli_verb cli_ssh_agent_verb;
extern const struct cli_verb cli_ssh_config_verb;
extern const struct cli_verb cli_ssh_proxy_verb;
extern const struct cli_verb cli_start_verb;
extern const struct cli_verb cli_stop_verb;
extern const struct cli_verb cli_up_verb;
extern const struct cli_verb cli_try_verb;
extern const struct cli_verb cli_version_verb;

#endif
