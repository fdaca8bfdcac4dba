#include <string.h>

#include "cli/say.h"
#include "cli/verb.h"

/* `saw image build`, `saw policy check`, `saw secret set`: a small table of verbs under one of the big one. */

enum { ARGS_MAX = 64 };

static const struct cli_verb *find(const struct cli_verb *parent, const char *name)
{
	const struct cli_verb *u;

	for (size_t i = 0; (u = parent->under(i)) != NULL; i++)
		if (strcmp(u->name + strlen(parent->name) + 1, name) == 0)
			return u;
	return NULL;
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

int cli_under_run(const struct cli_verb *parent, int argc, char **argv)
{
	static char output[] = "--output";
	const struct cli_verb *v;
	char *words[ARGS_MAX];
	struct cli_args args;
	int n = argc - 1;
	int r;

	if (argc < 2 || is_help(argv[1])) {
		cli_under_help(parent, argc < 2 ? stderr : stdout);
		return argc < 2 ? CLI_USAGE : CLI_DONE;
	}
	v = find(parent, argv[1]);
	if (!v)
		return say_fail(CLI_USAGE, "there is no verb `%s %s`; `saw %s help` lists them", parent->name, argv[1], parent->name);
	if (n > ARGS_MAX)
		return say_fail(CLI_USAGE, "%s: too many words; see `saw %s help`", v->name, parent->name);
	for (int i = 0; i < n; i++) {
		/* as compilers have it; a verb without --output says so */
		words[i] = strcmp(argv[i + 1], "-o") == 0 ? output : argv[i + 1];
		if (i > 0 && is_help(words[i])) {
			cli_verb_help(v);
			return CLI_DONE;
		}
	}
	r = cli_args_parse(&args, v, n, words);
	return r != 0 ? r : v->run(&args);
}
