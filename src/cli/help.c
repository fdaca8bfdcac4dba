/* `saw help [VERB]` and `saw version`. */
#include <stdio.h>
#include <string.h>

#include "base/json_out.h"
#include "cli/say.h"
#include "cli/verbs.h"

static void put_options(FILE *f, const struct cli_option *o, const char *before)
{
	char left[80];

	for (; o && o->name; o++) {
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		fprintf(f, "%s%-26s %s\n", before, left, o->help);
	}
}

void cli_verb_help(const struct cli_verb *v)
{
	printf("saw %s%s%s\n\n%s\n", v->name, *v->args ? " " : "", v->args, v->help);
	if (v->more)
		printf("\n%s\n", v->more);
	if (!v->options || !v->options[0].name)
		return;
	puts("\nOptions:");
	put_options(stdout, v->options, "  ");
}

void cli_under_help(const struct cli_verb *v, FILE *f)
{
	const struct cli_verb *u;

	fprintf(f, "saw %s VERB [ARGUMENTS]\n\n%s\n", v->name, v->help);
	for (size_t i = 0; (u = v->under(i)) != NULL; i++) {
		fprintf(f, "\n  %s %s\n      %s\n", u->name, u->args, u->help);
		put_options(f, u->options, "        ");
	}
}

static void overview(void)
{
	puts("saw: a governed workspace of your own for an autonomous agent\n\nUsage: saw VERB [ARGUMENTS]\n");
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden)
			printf("  %-12s %s\n", cli_verbs[i]->name, cli_verbs[i]->help);
	puts("\n`saw help VERB` says more. Exit codes: 0 done, 1 failed, 2 usage, 3 denied by policy,\n"
	     "4 not found, 5 not reachable.");
}

static void option_json(struct json_out *j, const struct cli_option *o)
{
	json_out_object(j);
	json_out_key_str(j, "name", o->name);
	if (o->arg)
		json_out_key_str(j, "value", o->arg);
	json_out_key_str(j, "help", o->help);
	json_out_object_end(j);
}

static void verb_json(struct json_out *j, const struct cli_verb *v)
{
	const struct cli_verb *u;

	json_out_object(j);
	json_out_key_str(j, "verb", v->name);
	json_out_key_str(j, "arguments", v->args);
	json_out_key_str(j, "help", v->help);
	if (v->options) {
		json_out_key(j, "options");
		json_out_array(j);
		for (const struct cli_option *o = v->options; o->name; o++)
			option_json(j, o);
		json_out_array_end(j);
	}
	if (v->under) {
		json_out_key(j, "verbs");
		json_out_array(j);
		for (size_t i = 0; (u = v->under(i)) != NULL; i++)
			verb_json(j, u);
		json_out_array_end(j);
	}
	json_out_object_end(j);
}

/* All, or only one, or one that stands under that. */
static int help_json(const struct cli_verb *only, const struct cli_verb *under)
{
	struct buf out BUF_AUTO;
	struct json_out j;

	buf_init(&out, 256 * 1024);
	json_out_init(&j, &out);
	json_out_array(&j);
	for (size_t i = 0; cli_verbs[i]; i++)
		if (only ? cli_verbs[i] == only : !cli_verbs[i]->hidden)
			verb_json(&j, under ? under : cli_verbs[i]);
	json_out_array_end(&j);
	buf_byte(&out, '\n');
	return say_out(&out);
}

/* "policy", "test" */
static const struct cli_verb *find_under(const struct cli_verb *v, const char *name)
{
	const struct cli_verb *u;

	for (size_t i = 0; v->under && (u = v->under(i)) != NULL; i++)
		if (strcmp(u->name + strlen(v->name) + 1, name) == 0)
			return u;
	return NULL;
}

static int help_run(const struct cli_args *a)
{
	const struct cli_verb *v = NULL, *u = NULL;
	char flag[] = "--help";
	char *argv[] = { NULL, flag, NULL };

	if (a->n_words) {
		v = cli_verb_find(a->word[0]);
		if (!v)
			return say_fail(CLI_USAGE, "there is no verb `%s`; `saw help` lists them", a->word[0]);
	}
	if (a->n_words == 2) {
		u = find_under(v, a->word[1]);
		if (!u)
			return say_fail(CLI_USAGE, "there is no verb `%s %s`; `saw help %s` lists what there is", v->name, a->word[1], v->name);
	}
	if (a->value[0])
		return help_json(v, u);
	if (!v) {
		overview();
	} else if (u) {
		cli_verb_help(u);
	} else if (v->own) {
		char name[32];

		snprintf(name, sizeof(name), "%s", v->name);
		argv[0] = name;
		return v->own(2, argv);
	} else {
		cli_verb_help(v);
	}
	return CLI_DONE;
}

static const struct cli_option json_option[] = {
	{ "json", NULL, "print JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_help_verb = {
	.name = "help",
	.args = "[VERB [VERB]]",
	.help = "list the verbs, or say more about one",
	.options = json_option,
	.words = CLI_VERB,
	.places = (const struct cli_place[]){ { 2, NULL, CLI_UNDER, NULL }, { 0, NULL, CLI_TEXT, NULL } },
	.words_max = 2,
	.run = help_run,
};

static int version_run(const struct cli_args *a)
{
	if (a->value[0])
		printf("{\"version\":\"%s\"}\n", SAW_VERSION);
	else
		printf("saw %s\n", SAW_VERSION);
	return CLI_DONE;
}

const struct cli_verb cli_version_verb = {
	.name = "version",
	.args = "",
	.help = "print the version",
	.options = json_option,
	.run = version_run,
};
