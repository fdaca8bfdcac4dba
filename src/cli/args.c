/* Options and words of one verb, read with the verb's own table: what --help shows is what is accepted. */
#include <string.h>

#include "cli/say.h"
#include "cli/verb.h"

static int option_index(const struct cli_verb *v, const char *name, size_t len)
{
	for (int i = 0; v->options && v->options[i].name; i++)
		if (strlen(v->options[i].name) == len && memcmp(v->options[i].name, name, len) == 0)
			return i;
	return -1;
}

/* Is `value` one of "a|b|c"? */
static bool is_choice(const char *choices, const char *value)
{
	size_t len = strlen(value);

	for (size_t n; *choices; choices += n + (choices[n] == '|')) {
		n = strcspn(choices, "|");
		if (n == len && memcmp(choices, value, n) == 0)
			return true;
	}
	return false;
}

/* argv[*i] begins with "--". */
static int take_option(struct cli_args *a, const struct cli_verb *v, int argc, char **argv, int *i)
{
	const char *text = argv[*i] + 2;
	size_t len = strcspn(text, "=");
	const char *value = text[len] == '=' ? text + len + 1 : NULL;
	int at = option_index(v, text, len);
	const struct cli_option *o;

	if (at < 0)
		return say_fail(CLI_USAGE, "%s: unknown option --%.*s; see `saw help %s`", v->name, (int)len, text, v->name);
	o = &v->options[at];
	if (a->value[at])
		return say_fail(CLI_USAGE, "%s: --%s is given twice", v->name, o->name);
	if (!o->arg) {
		if (value)
			return say_fail(CLI_USAGE, "%s: --%s takes no value", v->name, o->name);
		a->value[at] = "";
		return 0;
	}
	if (!value && ++*i < argc)
		value = argv[*i];
	if (!value || *value == '\0')
		return say_fail(CLI_USAGE, "%s: --%s needs a value: --%s %s", v->name, o->name, o->name, o->arg);
	if (o->kind == CLI_CHOICE && !is_choice(o->arg, value))
		return say_fail(CLI_USAGE, "%s: --%s %s: say one of %s", v->name, o->name, value, o->arg);
	a->value[at] = value;
	return 0;
}

static int take_rest(struct cli_args *a, const struct cli_verb *v, int argc, char **argv, int i)
{
	if (!v->rest)
		return say_fail(CLI_USAGE, "%s: takes nothing behind `--`; see `saw help %s`", v->name, v->name);
	a->rest = argv + i + 1;
	a->n_rest = (size_t)(argc - i - 1);
	return 0;
}

int cli_args_parse(struct cli_args *ret, const struct cli_verb *v, int argc, char **argv)
{
	int r;

	*ret = (struct cli_args){ .rest = NULL };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			r = take_rest(ret, v, argc, argv, i);
			if (r != 0)
				return r;
			break;
		}
		if (argv[i][0] == '-' && argv[i][1] == '-') {
			r = take_option(ret, v, argc, argv, &i);
			if (r != 0)
				return r;
			continue;
		}
		if (argv[i][0] == '-' && argv[i][1] != '\0')
			return say_fail(CLI_USAGE, "%s: unknown option %s; options have two dashes", v->name, argv[i]);
		if (ret->n_words >= v->words_max || ret->n_words >= CLI_WORDS_MAX)
			return say_fail(CLI_USAGE, "%s: `%s` is one word too many: saw %s%s%s", v->name, argv[i], v->name,
					*v->args ? " " : "", v->args);
		ret->word[ret->n_words++] = argv[i];
	}
	if (ret->n_words < v->words_min)
		return say_fail(CLI_USAGE, "%s: something is missing: saw %s %s", v->name, v->name, v->args);
	return 0;
}
