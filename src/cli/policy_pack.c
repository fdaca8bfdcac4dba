/* `saw policy pack FILE KEY=VALUE...`: a template with every ${key} filled in, checked as the policy that it becomes. */
#include <stdio.h>

#include "cli/policy.h"
#include "cli/policy_file.h"
#include "cli/say.h"

enum { KEY_LEN_MAX = 32, PARAMETERS_MAX = 32 };

/* Nothing that could end a quoted text of YAML, or a line. */
static bool value_ok(struct bytes v)
{
	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.p[i];

		if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
		    !strchr("-._~/%+@,=:*", c ? c : '"'))
			return false;
	}
	return v.len > 0;
}

static bool value_of(const struct cli_args *a, struct bytes key, bool used[PARAMETERS_MAX],
		     struct bytes *ret)
{
	for (size_t i = 1; i < a->n_words; i++) {
		struct bytes word = bytes_str(a->word[i]);
		size_t equals = bytes_find(word, '=');

		if (!bytes_eq(bytes_of(word.p, equals), key))
			continue;
		used[i] = true;
		*ret = bytes_skip(word, equals + 1);
		return true;
	}
	return false;
}

static int check_words(const struct cli_args *a)
{
	for (size_t i = 1; i < a->n_words; i++) {
		struct bytes word = bytes_str(a->word[i]);
		size_t equals = bytes_find(word, '=');

		if (equals == 0 || equals == word.len || equals > KEY_LEN_MAX)
			return say_fail(CLI_USAGE, "policy pack: `%s` is no KEY=VALUE", a->word[i]);
		if (!value_ok(bytes_skip(word, equals + 1)))
			return say_fail(
				CLI_USAGE,
				"policy pack: the value of `%.*s` is empty or has a character that no host or path has",
				(int)equals, a->word[i]);
	}
	return CLI_DONE;
}

static int unused(const struct cli_args *a, const bool used[PARAMETERS_MAX], const char *path)
{
	for (size_t i = 1; i < a->n_words; i++)
		if (!used[i])
			return say_fail(CLI_USAGE, "policy pack: %s has no ${%.*s}", path,
					(int)bytes_find(bytes_str(a->word[i]), '='), a->word[i]);
	return CLI_DONE;
}

/* Comments keep their text: they explain the parameters. */
static int fill(const struct cli_args *a, struct bytes text, struct buf *out)
{
	bool used[PARAMETERS_MAX] = { false };
	struct bytes rest = text;

	while (rest.len) {
		size_t at = bytes_find(rest, '$');
		struct bytes key, value;

		buf_bytes(out, bytes_of(rest.p, at));
		rest = bytes_skip(rest, at);
		if (rest.len == 0)
			break;
		if (!bytes_starts(rest, bytes_str("${")) ||
		    bytes_find(rest, '}') > KEY_LEN_MAX + 2) {
			buf_byte(out, '$');
			rest = bytes_skip(rest, 1);
			continue;
		}
		key = bytes_of(rest.p + 2, bytes_find(rest, '}') - 2);
		if (!value_of(a, key, used, &value))
			return say_fail(CLI_USAGE, "policy pack: %s needs %.*s=VALUE", a->word[0],
					(int)key.len, (const char *)key.p);
		buf_bytes(out, value);
		rest = bytes_skip(rest, bytes_find(rest, '}') + 1);
	}
	return unused(a, used, a->word[0]);
}

enum { PACK_OUTPUT, PACK_JSON };

static int deliver(const struct cli_args *a, const struct buf *policy,
		   const struct policy_problems *problems)
{
	BUF_AUTO struct buf out = { .max = POLICY_BLOB_MAX };
	const char *output = a->value[PACK_OUTPUT];
	struct err e = { 0 };
	struct json_out j;

	if (output && policy_file_write(output, buf_view(policy), &e) < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	if (!a->value[PACK_JSON] && !output)
		return say_out(policy);
	if (!a->value[PACK_JSON]) {
		printf("%s: the policy that %s becomes, and it is good\n", output, a->word[0]);
		return CLI_DONE;
	}
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key_str(&j, "file", a->word[0]);
	json_out_key_bytes(&j, "policy", buf_view(policy));
	policy_file_json(&j, problems);
	json_out_object_end(&j);
	buf_byte(&out, '\n');
	return say_out(&out);
}

static int pack_run(const struct cli_args *a)
{
	POLICY_PROBLEMS_AUTO struct policy_problems problems = { 0 };
	BUF_AUTO struct buf text = { 0 }, policy = { .max = POLICY_TEXT_MAX },
			    blob = { .max = POLICY_BLOB_MAX };
	struct err e = { 0 };
	bool ok;
	int r = check_words(a);

	if (r != CLI_DONE)
		return r;
	r = policy_file_read(a->word[0], &text, &e);
	if (r != CLI_DONE)
		return say_fail((enum cli_exit)r, "policy pack: %s; saw's templates are in " SAW_PACKS_DIR, e.text);
	r = fill(a, buf_view(&text), &policy);
	if (r != CLI_DONE)
		return r;
	if (policy.failed)
		return say_fail(CLI_FAILED, "policy pack: %s: filled in, it is larger than any policy (%d MiB)", a->word[0],
				(int)(POLICY_TEXT_MAX >> 20));
	ok = policy_file_compile(buf_view(&policy), false, &blob, &problems);
	if (!a->value[PACK_JSON] || !ok)
		policy_file_print(a->word[0], &problems);
	return ok ? deliver(a, &policy, &problems) : CLI_FAILED;
}

const struct cli_verb policy_pack_verb = {
	.name = "policy pack",
	.args = "TEMPLATE KEY=VALUE... [-o POLICY]",
	.help = "fills in a template and checks the policy that it becomes",
	.more = "Templates for package mirrors, git hosting and model endpoints are in " SAW_PACKS_DIR ".",
	.options =
		(const struct cli_option[]){
			[PACK_OUTPUT] = { "output", "POLICY",
					  "where to write it; standard output otherwise",
					  CLI_FILE },
			[PACK_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.places = (const struct cli_place[]){ { 1, NULL, CLI_FILE, NULL }, { 0, NULL, CLI_TEXT, NULL } },
	.words_min = 1,
	.words_max = PARAMETERS_MAX,
	.run = pack_run,
};
