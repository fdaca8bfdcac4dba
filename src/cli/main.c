/* `saw`: the command line. One table of verbs is dispatch, help, completion and (held against it by a test) the man pages. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/say.h"
#include "cli/verb.h"
#include "cli/verbs.h"
#include "os/fd.h"

const struct cli_verb *const cli_verbs[] = {
	&cli_up_verb,
	&cli_down_verb,
	&cli_doctor_verb,
	&cli_create_verb,
	&cli_ls_verb,
	&cli_show_verb,
	&cli_start_verb,
	&cli_stop_verb,
	&cli_restart_verb,
	&cli_rebuild_verb,
	&cli_rm_verb,
	&cli_set_policy_verb,
	&cli_ssh_verb,
	&cli_cp_verb,
	&cli_ssh_config_verb,
	&cli_log_verb,
	&cli_audit_verb,
	&cli_sessions_verb,
	&cli_policy_verb,
	&cli_secret_verb,
	&cli_image_verb,
	&cli_try_verb,
	&cli_completion_verb,
	&cli_version_verb,
	&cli_help_verb,
	&cli_names_verb,
	&cli_ssh_agent_verb,
	&cli_ssh_proxy_verb,
	NULL,
};

const struct cli_verb *cli_verb_find(const char *name)
{
	for (size_t i = 0; cli_verbs[i]; i++)
		if (strcmp(cli_verbs[i]->name, name) == 0)
			return cli_verbs[i];
	return NULL;
}

static bool asks_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

static int run_verb(const struct cli_verb *v, int argc, char **argv)
{
	struct cli_args args;
	int r;

	if (v->own)
		return v->own(argc, argv);
	if (asks_help(argc, argv)) {
		cli_verb_help(v);
		return CLI_DONE;
	}
	r = cli_args_parse(&args, v, argc, argv);
	return r != 0 ? r : v->run(&args);
}

/* Nothing is done whose answer did not arrive. */
static int run(const struct cli_verb *v, int argc, char **argv)
{
	const struct buf nothing_more = { 0 };
	int r = run_verb(v, argc, argv);

	return r == CLI_DONE ? say_out(&nothing_more) : r;
}

int main(int argc, char **argv)
{
	const struct cli_verb *v;
	char help[] = "help";
	char *no_verb[] = { help, NULL };
	/* a reader that went away shows as EPIPE where it is written, not as a death without a word */
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	fd_hold_standard();
	sigaction(SIGPIPE, &ignore, NULL);
	if (argc < 2) {
		run(&cli_help_verb, 1, no_verb);
		return CLI_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return run(&cli_help_verb, 1, no_verb);
	if (strcmp(argv[1], "--version") == 0)
		return run(&cli_version_verb, 1, no_verb);
	v = cli_verb_find(argv[1]);
	if (!v)
		return say_fail(CLI_USAGE, "there is no verb `%s`; `saw help` lists them", argv[1]);
	return run(v, argc - 1, argv + 1);
}
