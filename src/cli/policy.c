/* `saw policy VERB`: a small table of its own under one verb of the big one. */
#include "cli/policy.h"

#include <stdio.h>
#include <string.h>

#include "cli/say.h"
#include "cli/verbs.h"

enum { ARGS_MAX = 64 };

static const struct cli_verb *const verbs[] = {
	&policy_check_verb, &policy_compile_verb, &policy_test_verb,
	&policy_diff_verb,  &policy_import_verb,  &policy_pack_verb,
	&policy_sign_verb,  &policy_verify_verb,
};

static const struct cli_verb *under(size_t i)
{
	return i < sizeof(verbs) / sizeof(verbs[0]) ? verbs[i] : NULL;
}

static const struct cli_verb *find(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (strcmp(verbs[i]->name + strlen("policy "), name) == 0)
			return verbs[i];
	return NULL;
}

static int help(int r)
{
	cli_under_help(&cli_policy_verb, r == CLI_DONE ? stdout : stderr);
	return r;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int cli_policy(int argc, char **argv)
{
	static char output[] = "--output";
	const struct cli_verb *v;
	char *words[ARGS_MAX];
	struct cli_args args;
	int n = argc - 1;
	int r;

	if (argc < 2)
		return help(CLI_USAGE);
	if (is_help(argv[1]))
		return help(CLI_DONE);
	v = find(argv[1]);
	if (!v)
		return say_fail(CLI_USAGE,
				"there is no verb `policy %s`; `saw policy help` lists them",
				argv[1]);
	if (n > ARGS_MAX)
		return say_fail(CLI_USAGE, "%s: too many words; see `saw policy help`", v->name);
	for (int i = 0; i < n; i++) {
		words[i] = strcmp(argv[i + 1], "-o") == 0 ? output : argv[i + 1];
		if (i > 0 && is_help(words[i])) {
			cli_verb_help(v);
			return CLI_DONE;
		}
	}
	r = cli_args_parse(&args, v, n, words);
	return r != 0 ? r : v->run(&args);
}

const struct cli_verb cli_policy_verb = {
	.name = "policy",
	.args = "check|compile|test|diff|import|pack|sign|verify ...",
	.help = "check, compile, try out, compare and sign policy files",
	.more = "policy check FILE [--production]          errors with line, column and remedy\n"
		"policy compile FILE -o BLOB               the form that the gateway maps\n"
		"policy test FILE 'GET http://host/path'   the gateway's own verdict, offline; exit code 3 when denied\n"
		"policy diff OLD NEW                       what becomes allowed, what no longer is\n"
		"policy import openshell FILE [-o POLICY]  converts, and lists every difference that it had to settle\n"
		"policy pack TEMPLATE KEY=VALUE...         fills in a template\n"
		"policy sign FILE --key KEY                checks it and makes a signed bundle\n"
		"policy verify BUNDLE                      would it be loaded?",

	.own = cli_policy,
	.under = under,
};
