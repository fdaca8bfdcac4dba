/* `saw completion SHELL`: a script made from the table of verbs. Names are asked of `saw names` when the user presses the key, so the script never
 * needs to be made again for them.
 *
 * Both generators count words alike: what stands behind the verb and is neither an option nor its value is the first, the second, ... word, and
 * behind `--` there is nothing of ours. */
#include <stdio.h>
#include <string.h>

#include "cli/say.h"
#include "cli/verbs.h"

/* What to complete a kind with: words, or a command that prints them, or NULL. */
static const char *kind_words(enum cli_kind kind)
{
	switch (kind) {
	case CLI_WORKSPACE:
	case CLI_LOG:
	case CLI_COPY:
		return "$(saw names workspaces 2>/dev/null)";
	case CLI_IMAGE:
		return "$(saw image ls --names 2>/dev/null)";
	case CLI_SECRET:
		return "$(saw names secrets 2>/dev/null)";
	case CLI_CREDENTIAL:
		return "$(saw names credentials 2>/dev/null)";
	case CLI_CHANNEL:
	case CLI_POLICY:
		return "$(saw names channels 2>/dev/null)";
	case CLI_RELEASE:
		return "$(saw names releases 2>/dev/null)";
	case CLI_KEY:
		return "$(saw names keys 2>/dev/null)";
	case CLI_SESSION:
		return "$(saw names sessions 2>/dev/null)";
	case CLI_SHELL:
		return "bash zsh fish";
	case CLI_TEXT:
	case CLI_FILE:
	case CLI_CHOICE:
	case CLI_VERB:
	case CLI_UNDER:
		break;
	}
	return NULL;
}

static bool kind_has_files(enum cli_kind kind)
{
	return kind == CLI_FILE || kind == CLI_POLICY || kind == CLI_LOG || kind == CLI_COPY;
}

/* "a|b" -> "a b" */
static void spaced(const char *choices)
{
	for (; *choices; choices++)
		putchar(*choices == '|' ? ' ' : *choices);
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

static void verb_names(void)
{
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden)
			printf("%s%s", i ? " " : "", cli_verbs[i]->name);
}

static void valued_of(const struct cli_verb *v)
{
	for (const struct cli_option *o = v->options; o && o->name; o++)
		if (o->arg)
			printf(" --%s", o->name);
}

/* Every option behind which a value stands, of whichever verb: none is a flag elsewhere. */
static void valued(void)
{
	const struct cli_verb *u;

	fputs("-o", stdout);
	for (size_t i = 0; cli_verbs[i]; i++) {
		valued_of(cli_verbs[i]);
		for (size_t k = 0; cli_verbs[i]->under && (u = cli_verbs[i]->under(k)) != NULL; k++)
			valued_of(u);
	}
}

/* ---- bash, and zsh by its emulation ------------------------------------------------------------------------------ */

/* Names of files have blanks in them, and folders a slash behind them; words of ours have neither. `:` makes words of its own, behind which a path on the
 * other side begins. */
static const char bash_begin[] =
	"__saw_words() {\n\tlocal i=$1 w\n\tn=1 first=\n\twhile [ \"$i\" -lt \"$COMP_CWORD\" ]; do\n\t\tw=\"${COMP_WORDS[i]}\"\n\t\ti=$((i + 1))\n"
	"\t\tcase \"$w\" in\n\t\t--) n=0; return ;;\n\t\t-*)\n\t\t\t[ \"${COMP_WORDS[i]}\" = \"=\" ] && i=$((i + 2)) && continue\n"
	"\t\t\tcase \" $__saw_valued \" in *\" $w \"*) i=$((i + 1)) ;; esac ;;\n"
	"\t\t*)\n\t\t\t[ \"$n\" -eq 1 ] && first=\"$w\"\n\t\t\tn=$((n + 1)) ;;\n\t\tesac\n\tdone\n}\n"
	"__saw_reply() {\n\tCOMPREPLY+=($(compgen -W \"$1\" -- \"$cur\"))\n}\n"
	"__saw_hosts() {\n\tcompopt -o nospace 2>/dev/null\n\tCOMPREPLY+=($(compgen -S : -W \"$1\" -- \"$cur\"))\n}\n"
	"__saw_files() {\n\tlocal IFS=$'\\n'\n\tcompopt -o filenames 2>/dev/null\n\tCOMPREPLY+=($(compgen -f -- \"$cur\"))\n}\n"
	"_saw() {\n\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\" n first\n\tCOMPREPLY=()\n"
	"\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\t__saw_reply \"$__saw_verbs\"\n\t\treturn\n\tfi\n"
	"\tif [ \"$cur\" = \"=\" ]; then\n\t\tcur=\n\telif [ \"$prev\" = \"=\" ]; then\n\t\tprev=\"${COMP_WORDS[COMP_CWORD-2]}\"\n\tfi\n"
	"\tcase \"${COMP_WORDS[1]}\" in";

static void bash_reply(enum cli_kind kind, const char *choices)
{
	const char *words = kind_words(kind);

	if (choices) {
		fputs(" __saw_reply \"", stdout);
		spaced(choices);
		fputs("\";", stdout);
	}
	if (kind == CLI_VERB)
		fputs(" __saw_reply \"$__saw_verbs\";", stdout);
	if (kind == CLI_UNDER)
		fputs(" __saw_reply \"$(__saw_under \"$first\")\";", stdout);
	if (words)
		printf(" %s \"%s\";", kind == CLI_COPY ? "__saw_hosts" : "__saw_reply", words);
	if (kind_has_files(kind))
		fputs(" __saw_files;", stdout);
	puts(" return ;;");
}

static void bash_place(const struct cli_place *p)
{
	if (p->at == CLI_ANY_PLACE)
		fputs("\t\t[1-9]*:", stdout);
	else
		printf("\t\t%u:", p->at);
	printf("%s)", p->after ? p->after : "*");
	bash_reply(p->kind, p->choices);
}

static void bash_verb(const struct cli_verb *v, unsigned depth)
{
	printf("\t%s)\n\t\tcase \"$prev\" in\n", last_word(v));
	for (const struct cli_option *o = v->options; o && o->name; o++) {
		if (!o->arg)
			continue;
		printf("\t\t--%s%s)", o->name, strcmp(o->name, "output") == 0 ? "|-o" : "");
		bash_reply(o->kind, o->kind == CLI_CHOICE ? o->arg : NULL);
	}
	printf("\t\tesac\n\t\t__saw_words %u\n\t\tcase \"$n:$cur\" in\n\t\t0:*) return ;;\n\t\t*:-*) __saw_reply \"--help", depth);
	for (const struct cli_option *o = v->options; o && o->name; o++)
		printf(" --%s", o->name);
	puts("\"; return ;;\n\t\tesac");
	if (v->words_max < CLI_WORDS_MAX)
		printf("\t\t[ \"$n\" -gt %zu ] && return\n", v->words_max);
	puts("\t\tcase \"$n:$first\" in");
	for (const struct cli_place *p = v->places; p && p->at; p++)
		bash_place(p);
	fputs("\t\t*)", stdout);
	bash_reply(v->words, NULL);
	puts("\t\tesac ;;");
}

static void bash_verb_with_own(const struct cli_verb *v)
{
	const struct cli_verb *u;

	printf("\t%s)\n\tif [ \"$COMP_CWORD\" -eq 2 ]; then\n\t\t__saw_reply \"--help ", v->name);
	names_under(v);
	puts("\"\n\t\treturn\n\tfi\n\tcase \"${COMP_WORDS[2]}\" in");
	for (size_t i = 0; (u = v->under(i)) != NULL; i++)
		bash_verb(u, 3);
	puts("\tesac ;;");
}

static void bash_under(void)
{
	puts("__saw_under() {\n\tcase \"$1\" in");
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (!cli_verbs[i]->under)
			continue;
		printf("\t%s) echo \"", cli_verbs[i]->name);
		names_under(cli_verbs[i]);
		puts("\" ;;");
	}
	puts("\tesac\n}");
}

static void bash_functions(void)
{
	fputs("__saw_verbs=\"", stdout);
	verb_names();
	fputs("\"\n__saw_valued=\"", stdout);
	valued();
	puts("\"");
	bash_under();
	puts(bash_begin);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (cli_verbs[i]->under)
			bash_verb_with_own(cli_verbs[i]);
		else if (!cli_verbs[i]->hidden)
			bash_verb(cli_verbs[i], 2);
	puts("\tesac\n}");
}

static void bash(void)
{
	puts("# bash completion for saw: eval \"$(saw completion bash)\"");
	bash_functions();
	puts("complete -F _saw saw");
}

/* zsh reads bash's function through its own emulation: one generator, one behaviour. It knows no compopt. As a file that compinit finds this runs at the
 * first completion, in its place. */
static void zsh(void)
{
	puts("#compdef saw\nautoload -Uz bashcompinit && bashcompinit");
	bash_functions();
	puts("complete -o filenames -F _saw saw\nif [ \"${funcstack[1]}\" = _saw ]; then\n\t_bash_complete -o filenames -F _saw saw\nfi");
}

/* ---- fish --------------------------------------------------------------------------------------------------------- */

static const char fish_begin[] =
	"# The words behind `saw` begin with these.\n"
	"function __saw_verb\n\tset -l words (commandline -opc)\n\tset -l n (math 1 + (count $argv))\n\ttest (count $words) -ge $n; or return 1\n"
	"\ttest \"$words[2..$n]\" = \"$argv\"\nend\n"
	"# Is the word at the cursor the AT-th (0: any) behind the first DEPTH, and AFTER, if there is one, the first of those?\n"
	"function __saw_place -a depth at after\n\tset -l words (commandline -opc)\n\tset -l n 1\n\tset -l first\n\tset -l skip 0\n"
	"\tset -e words[1..$depth]\n"
	"\tfor w in $words\n\t\tif test $skip = 1\n\t\t\tset skip 0\n\t\telse if test \"$w\" = --\n\t\t\treturn 1\n"
	"\t\telse if contains -- $w $__saw_valued\n\t\t\tset skip 1\n\t\telse if not string match -q -- '-*' $w\n"
	"\t\t\ttest $n = 1; and set first $w\n\t\t\tset n (math $n + 1)\n\t\tend\n\tend\n"
	"\ttest -z \"$after\"; or test \"$after\" = \"$first\"; or return 1\n"
	"\ttest $at = 0; or test $at = $n\nend\n"
	"complete -c saw -f";

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

static void fish_words(enum cli_kind kind, const char *choices)
{
	const char *words = kind_words(kind);

	fputs(kind_has_files(kind) ? " -F -a '" : " -f -a '", stdout);
	if (choices) {
		spaced(choices);
		putchar(' ');
	}
	if (kind == CLI_VERB)
		verb_names();
	else if (kind == CLI_COPY)
		fputs("(saw names workspaces 2>/dev/null | string replace -r \\$ :)", stdout);
	else if (words)
		fputs(words + (*words == '$'), stdout); /* fish before 3.4 writes (command), and newer ones still take it */
	putchar('\'');
}

static void fish_when(const struct cli_verb *v)
{
	printf("complete -c saw -n '__saw_verb %s", v->name);
}

static unsigned depth_of(const struct cli_verb *v)
{
	return strchr(v->name, ' ') ? 3 : 2;
}

static void fish_under(const struct cli_place *p)
{
	for (size_t i = 0; cli_verbs[i]; i++) {
		if (!cli_verbs[i]->under)
			continue;
		printf("complete -c saw -n '__saw_verb help; and __saw_place 2 %u %s' -f -a '", p->at, cli_verbs[i]->name);
		names_under(cli_verbs[i]);
		puts("'");
	}
}

/* `at` 0: any. */
static void fish_place(const struct cli_verb *v, size_t at, const char *after, enum cli_kind kind, const char *choices)
{
	fish_when(v);
	printf("; and __saw_place %u %zu %s'", depth_of(v), at, after ? after : "\"\"");
	fish_words(kind, choices);
	putchar('\n');
}

static bool is_named(const struct cli_verb *v, size_t at)
{
	for (const struct cli_place *p = v->places; p && p->at; p++)
		if (p->at == at)
			return true;
	return false;
}

/* Of the places that none of `places` names. */
static void fish_verb_words(const struct cli_verb *v)
{
	if (v->words == CLI_TEXT)
		return;
	if (v->words_max == CLI_WORDS_MAX)
		fish_place(v, 0, NULL, v->words, NULL);
	for (size_t at = 1; at <= v->words_max && v->words_max < CLI_WORDS_MAX; at++)
		if (!is_named(v, at))
			fish_place(v, at, NULL, v->words, NULL);
}

static void fish_verb(const struct cli_verb *v)
{
	for (const struct cli_place *p = v->places; p && p->at; p++) {
		if (p->kind == CLI_UNDER)
			fish_under(p);
		else
			fish_place(v, p->at == CLI_ANY_PLACE ? 0 : p->at, p->after, p->kind, p->choices);
	}
	fish_verb_words(v);
	for (const struct cli_option *o = v->options; o && o->name; o++) {
		fish_when(v);
		printf("' -l %s%s -d ", o->name, strcmp(o->name, "output") == 0 ? " -s o" : "");
		fish_quoted(o->help);
		if (o->arg) {
			fputs(" -r", stdout);
			fish_words(o->kind, o->kind == CLI_CHOICE ? o->arg : NULL);
		}
		putchar('\n');
	}
}

static void fish_verb_with_own(const struct cli_verb *v)
{
	const struct cli_verb *u;

	for (size_t i = 0; (u = v->under(i)) != NULL; i++) {
		fish_when(v);
		printf("; and __saw_place 2 1 \"\"' -f -a %s -d ", last_word(u));
		fish_quoted(u->help);
		putchar('\n');
	}
	for (size_t i = 0; (u = v->under(i)) != NULL; i++)
		fish_verb(u);
}

static void fish(void)
{
	fputs("# fish completion for saw: saw completion fish | source\nset -g __saw_valued ", stdout);
	valued();
	putchar('\n');
	puts(fish_begin);
	for (size_t i = 0; cli_verbs[i]; i++) {
		const struct cli_verb *v = cli_verbs[i];

		if (v->hidden)
			continue;
		printf("complete -c saw -n __fish_use_subcommand -a %s -d ", v->name);
		fish_quoted(v->help);
		putchar('\n');
		if (v->under)
			fish_verb_with_own(v);
		else
			fish_verb(v);
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
