/* `saw policy diff`: + what becomes allowed, - what no longer is. */
#include <stdio.h>

#include "cli/policy.h"
#include "cli/policy_file.h"
#include "cli/say.h"
#include "rules/policy_diff.h"

enum { OUT_MAX = 64 * 1024 * 1024 };

struct lines {
	struct buf *out;
	const char *sign;
	const char *colour;
	size_t n;
};

static void on_line(void *owner, const char *text)
{
	struct lines *l = owner;

	buf_fmt(l->out, "%s%s ", l->colour, l->sign);
	(void)say_clean(l->out, bytes_str(text)); /* keys are any text: no line may hide another one */
	buf_fmt(l->out, "%s\n", say_colour(stdout, SAY_PLAIN));
	l->n++;
}

static void on_json(void *owner, const char *text)
{
	json_out_str(owner, text);
}

static int diff_json(const struct policy *before, const struct policy *after)
{
	BUF_AUTO struct buf out = { .max = OUT_MAX };
	struct json_out j;
	bool ok;

	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key_bool(&j, "same", bytes_eq(policy_sha256(before), policy_sha256(after)));
	json_out_key(&j, "added");
	json_out_array(&j);
	ok = policy_diff(before, after, on_json, &j);
	json_out_array_end(&j);
	json_out_key(&j, "removed");
	json_out_array(&j);
	ok = policy_diff(after, before, on_json, &j) && ok;
	json_out_array_end(&j);
	json_out_object_end(&j);
	buf_byte(&out, '\n');
	if (!ok || out.failed)
		return say_fail(CLI_FAILED, "policy diff: out of memory");
	return say_out(&out);
}

static int diff_text(const struct policy *before, const struct policy *after)
{
	BUF_AUTO struct buf out = { .max = OUT_MAX };
	struct lines more = { .out = &out, .sign = "+", .colour = say_colour(stdout, SAY_GREEN) };
	struct lines less = { .out = &out, .sign = "-", .colour = say_colour(stdout, SAY_RED) };

	if (!policy_diff(before, after, on_line, &more) ||
	    !policy_diff(after, before, on_line, &less) || out.failed)
		return say_fail(CLI_FAILED, "policy diff: out of memory");
	if (bytes_eq(policy_sha256(before), policy_sha256(after)))
		buf_str(&out, "the same policy\n");
	else if (more.n + less.n == 0)
		buf_str(&out,
			"nothing becomes reachable or unreachable; names, verdicts of refused requests or budgets differ\n");
	return say_out(&out);
}

enum { DIFF_JSON };

static int diff_run(const struct cli_args *a)
{
	BUF_AUTO struct buf old_blob = { .max = POLICY_BLOB_MAX },
			    new_blob = { .max = POLICY_BLOB_MAX };
	struct policy before = { 0 }, after = { 0 };
	int r = policy_file_open(a->word[0], &old_blob, &before);

	r = r != CLI_DONE ? r : policy_file_open(a->word[1], &new_blob, &after);
	if (r != CLI_DONE)
		return r;
	return a->value[DIFF_JSON] ? diff_json(&before, &after) : diff_text(&before, &after);
}

const struct cli_verb policy_diff_verb = {
	.name = "policy diff",
	.args = "OLD NEW",
	.help = "what becomes allowed (+) and what no longer is (-)",
	.more = "OLD and NEW are policy files or compiled policies.",
	.options =
		(const struct cli_option[]){
			[DIFF_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.words_min = 2,
	.words_max = 2,
	.run = diff_run,
};
