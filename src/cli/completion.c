/* `saw completion SHELL`: a script made from the table of verbs. Names of workspaces are asked of `saw ls` when the user
 * presses the key, so the script never needs to be made again for them. */
#include <stdio.h>
#include <string.h>

#include "cli/say.h"
#include "cli/verbs.h"

/* What to complete a kind with: words, or a command that prints them. NULL: files. */
static const char *kind_words(enum cli_kind kind, const char *arg)
{
	switch (kind) {
	case CLI_WORKSPACE:
		return "$(saw ls --names 2>/dev/null)";
	case CLI_IMAGE:
		return "$(saw image ls --names 2>/dev/null)";
	case CLI_SECRET:
		return "$(saw secret ls --names 2>/dev/null)";
	case CLI_VERB:
		return "$__saw_verbs";
	case CLI_SHELL:
		return "bash zsh fish";
	case CLI_CHOICE:
		return arg;
	case CLI_TEXT:
		return "";
	case CLI_FILE:
		return NULL;
	}
	return "";
}

static void spaced(const char *choices)
{
	for (; *choices; choices++)
		putchar(*choices == '|' ? ' ' : *choices);
}

static void bash_reply(const char *words)
{
	if (!words) {
		puts("COMPREPLY=($(compgen -f -- \"$cur\"))");
		return;
	}
	fputs("COMPREPLY=($(compgen -W \"", stdout);
	spaced(words);
	puts("\" -- \"$cur\"))");
}

/* "check" of "policy check". */
static const char *last_word(const struct cli_verb *v)
{
	const char *blank = strrchr(v->name, ' ');

	return blank ? blank + 1 : v->name;
}

static void names_under(const struct cli_verb *v)
{
	const struct cli_verb *u;

	for (size_t i = 0; (u = v->under(i)) != NULL; i++)
		printf("%s%s", i ? " " : "", last_word(u));
}

static void bash_verb(const struct cli_verb *v)
{
	printf("\t%s)\n\t\tcase \"$prev\" in\n", last_word(v));
	for (const struct cli_option *o = v->options; o && o->name; o++) {
		if (!o->arg)
			continue;
		printf("\t\t--%s) ", o->name);
		bash_reply(kind_words(o->kind, o->arg));
		puts("\t\t\treturn ;;");
	}
	puts("\t\tesac\n\t\tcase \"$cur\" in");
	fputs("\t\t-*) COMPREPLY=($(compgen -W \"--help", stdout);
	for (const struct cli_option *o = v->options; o && o->name; o++)
		printf(" --%s", o->name);
	fputs("\" -- \"$cur\")) ;;\n\t\t*) ", stdout);
	bash_reply(kind_words(v->words, v->args));
	puts("\t\t\t;;\n\t\tesac ;;");
}

static void bash_verb_with_own(const struct cli_verb *v)
{
	const struct cli_verb *u;

	printf("\t%s)\n\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n\t\tCOMPREPLY=($(compgen -W \"--help ", v->name);
	names_under(v);
	puts("\" -- \"$cur\"))\n\t\treturn\n\tfi\n\tcase \"${COMP_WORDS[2]}\" in");
	for (size_t i = 0; (u = v->under(i)) != NULL; i++)
		bash_verb(u);
	puts("\tesac ;;");
}

static void verb_names(void)
{
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden)
			printf("%s%s", i ? " " : "", cli_verbs[i]->name);
}

static void bash(void)
{
	fputs("# bash completion for saw: eval \"$(saw completion bash)\"\n__saw_verbs=\"", stdout);
	verb_names();
	puts("\"\n_saw() {\n\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
	     "\tCOMPREPLY=()\n\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	     "\t\tCOMPREPLY=($(compgen -W \"$__saw_verbs\" -- \"$cur\"))\n\t\treturn\n\tfi\n"
	     "\tcase \"${COMP_WORDS[1]}\" in");
	for (size_t i = 0; cli_verbs[i]; i++)
		if (cli_verbs[i]->under)
			bash_verb_with_own(cli_verbs[i]);
		else if (!cli_verbs[i]->hidden)
			bash_verb(cli_verbs[i]);
	puts("\tesac\n}\ncomplete -o filenames -F _saw saw");
}

/* zsh reads bash's function through its own emulation: one generator, one behaviour. */
static void zsh(void)
{
	puts("#compdef saw\nautoload -Uz bashcompinit && bashcompinit");
	bash();
}

static void fish_quoted(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void fish_words(enum cli_kind kind, const char *arg)
{
	const char *words = kind_words(kind, arg);

	if (!words) {
		fputs(" -F", stdout);
		return;
	}
	fputs(" -f -a '", stdout);
	if (kind == CLI_VERB)
		verb_names();
	else if (words[0] == '$')
		fputs(words + 1, stdout); /* fish before 3.4 writes (command), and newer ones still take it */
	else
		spaced(words);
	putchar('\'');
}

/* What follows once `when` holds. */
static void fish_verb(const struct cli_verb *v, const char *when)
{
	printf("complete -c saw -n '%s'", when);
	fish_words(v->words, v->args);
	putchar('\n');
	for (const struct cli_option *o = v->options; o && o->name; o++) {
		printf("complete -c saw -n '%s' -l %s -d ", when, o->name);
		fish_quoted(o->help);
		if (o->arg) {
			fputs(" -r", stdout);
			fish_words(o->kind, o->arg);
		}
		putchar('\n');
	}
}

static void fish_verb_with_own(const struct cli_verb *v)
{
	const struct cli_verb *u;
	char when[160];

	printf("complete -c saw -n '__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from ", v->name);
	names_under(v);
	fputs("' -f -a '", stdout);
	names_under(v);
	puts("'");
	for (size_t i = 0; (u = v->under(i)) != NULL; i++) {
		(void)snprintf(when, sizeof(when), "__fish_seen_subcommand_from %s; and __fish_seen_subcommand_from %s", v->name, last_word(u));
		fish_verb(u, when);
	}
}

static void fish(void)
{
	char when[160];

	puts("# fish completion for saw: saw completion fish | source\ncomplete -c saw -f");
	for (size_t i = 0; cli_verbs[i]; i++) {
		const struct cli_verb *v = cli_verbs[i];

		if (v->hidden)
			continue;
		printf("complete -c saw -n __fish_use_subcommand -a %s -d ", v->name);
		fish_quoted(v->help);
		putchar('\n');
		(void)snprintf(when, sizeof(when), "__fish_seen_subcommand_from %s", v->name);
		if (v->under)
			fish_verb_with_own(v);
		else
			fish_verb(v, when);
	}
}

static int completion_run(const struct cli_args *a)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", bash }, { "zsh", zsh }, { "fish", fish } };

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++) {
		if (strcmp(a->word[0], shells[i].name) == 0) {
			shells[i].print();
			return CLI_DONE;
		}
	}
	return say_fail(CLI_USAGE, "completion: `%s` is not a shell I know; say bash, zsh or fish", a->word[0]);
}

static const struct cli_option no_options[] = { { NULL, NULL, NULL, CLI_TEXT } };

const struct cli_verb cli_completion_verb = {
	.name = "completion",
	.args = "SHELL",
	.help = "print the completion script of bash, zsh or fish",
	.more = "Put into the shell's start file: eval \"$(saw completion bash)\", or: saw completion fish | source",
	.options = no_options,
	.words = CLI_SHELL,
	.words_min = 1,
	.words_max = 1,
	.run = completion_run,
};
