/* `saw policy VERB`: a small table of its own under one verb of the big one. */
#include "cli/policy.h"

#include "cli/verbs.h"

static const struct cli_verb *const verbs[] = {
	&policy_check_verb, &policy_compile_verb, &policy_test_verb,
	&policy_diff_verb,  &policy_import_verb,  &policy_pack_verb,
	&policy_sign_verb,  &policy_verify_verb,
	&policy_push_verb,  &policy_channel_verb, &policy_key_verb,
};

static const struct cli_verb *under(size_t i)
{
	return i < sizeof(verbs) / sizeof(verbs[0]) ? verbs[i] : NULL;
}

int cli_policy(int argc, char **argv)
{
	return cli_under_run(&cli_policy_verb, argc, argv);
}

const struct cli_verb cli_policy_verb = {
	.name = "policy",
	.args = "check|compile|test|diff|import|pack|sign|verify|push|channel|key ...",
	.help = "check, compile, try out, compare and sign policy files",
	.more = "policy check FILE [--production]          errors with line, column and remedy\n"
		"policy compile FILE -o BLOB               the form that the gateway maps\n"
		"policy test FILE 'GET http://host/path'   the gateway's own verdict, offline; exit code 3 when denied\n"
		"policy diff OLD NEW                       what becomes allowed, what no longer is\n"
		"policy import openshell FILE [-o POLICY]  converts, and lists every difference that it had to settle\n"
		"policy pack TEMPLATE KEY=VALUE...         fills in a template\n"
		"policy sign FILE --key KEY                checks it and makes a signed bundle\n"
		"policy verify BUNDLE                      would it be loaded?\n"
		"policy push BUNDLE --channel CHANNEL      stores it and points a channel at it\n"
		"policy channel [ls|set|rollback]          the channels of this control plane\n"
		"policy key [ls|add|rm]                    whose signature is taken here",

	.own = cli_policy,
	.under = under,
};
