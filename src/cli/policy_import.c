/* `saw policy import openshell FILE`. */
#include <stdio.h>

#include "cli/policy.h"
#include "cli/policy_file.h"
#include "cli/say.h"
#include "rules/openshell_import.h"

enum { IMPORT_OUTPUT, IMPORT_ANY_PROCESS, IMPORT_NETWORK_ONLY, IMPORT_JSON };

static void header(const char *path, const struct policy_problems *notes, struct buf *out)
{
	buf_fmt(out, "# Converted from %s by `saw policy import openshell`.\n",
		strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	for (size_t i = 0; i < notes->n; i++)
		buf_fmt(out, "# line %u: %s\n", notes->v[i].line, notes->v[i].text);
}

static int report_json(const char *path, bool ok, const struct policy_problems *notes,
		       const struct policy_problems *own, struct bytes policy)
{
	BUF_AUTO struct buf out = { .max = POLICY_BLOB_MAX };
	struct json_out j;
	int r;

	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key_str(&j, "file", path);
	json_out_key_bool(&j, "ok", ok);
	policy_file_json(&j, notes->n_errors || ok ? notes : own);
	if (ok)
		json_out_key_bytes(&j, "policy", policy);
	json_out_object_end(&j);
	buf_byte(&out, '\n');
	r = say_out(&out);
	return ok ? r : CLI_FAILED;
}

static int write_output(const struct cli_args *a, const struct buf *policy)
{
	struct err e = { 0 };

	if (a->value[IMPORT_OUTPUT] && policy_file_write(a->value[IMPORT_OUTPUT], buf_view(policy), &e) < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	return CLI_DONE;
}

static int deliver(const struct cli_args *a, const char *path, const struct policy_problems *notes,
		   const struct buf *policy)
{
	const char *output = a->value[IMPORT_OUTPUT];

	policy_file_print(path, notes);
	if (!output)
		return say_out(policy);
	printf("%s: converted, %zu differences are listed at its top\n", output, notes->n);
	return CLI_DONE;
}

static int import_run(const struct cli_args *a)
{
	const struct openshell_options options = { .any_process = a->value[IMPORT_ANY_PROCESS],
						   .network_only = a->value[IMPORT_NETWORK_ONLY] };
	POLICY_PROBLEMS_AUTO struct policy_problems notes = { 0 }, own = { 0 };
	BUF_AUTO struct buf text = { 0 }, yaml = { .max = POLICY_TEXT_MAX },
			    whole = { .max = POLICY_TEXT_MAX };
	BUF_AUTO struct buf blob = { .max = POLICY_BLOB_MAX };
	const char *path = a->word[1];
	struct err e = { 0 };
	bool ok;
	int r;

	if (strcmp(a->word[0], "openshell") != 0)
		return say_fail(CLI_USAGE,
				"policy import: `%s` is no format that is known; write `openshell`",
				a->word[0]);
	r = policy_file_read(path, &text, &e);
	if (r != CLI_DONE)
		return say_fail((enum cli_exit)r, "%s", e.text);
	ok = openshell_import(buf_view(&text), &options, &yaml, &notes);
	if (ok) {
		header(path, &notes, &whole);
		buf_bytes(&whole, buf_view(&yaml));
		if (whole.failed)
			return say_fail(CLI_FAILED, "%s: converted, it is larger than any policy (%d MiB); split it", path,
					(int)(POLICY_TEXT_MAX >> 20));
		ok = policy_file_compile(buf_view(&whole), false, &blob, &own);
	}
	r = ok ? write_output(a, &whole) : CLI_DONE;
	if (r != CLI_DONE)
		return r;
	if (a->value[IMPORT_JSON])
		return report_json(path, ok, &notes, &own, buf_view(&whole));
	if (ok)
		return deliver(a, path, &notes, &whole);
	policy_file_print(path, &notes);
	if (notes.n_errors)
		return CLI_FAILED;
	(void)fprintf(
		stderr,
		"%s: what it says cannot be said as one policy here; the converted text has these problems:\n",
		path);
	policy_file_print("converted", &own);
	return CLI_FAILED;
}

const struct cli_verb policy_import_verb = {
	.name = "policy import",
	.args = "openshell FILE [-o POLICY]",
	.help = "converts another runtime's policy, never to something wider, and lists every settled difference",
	.options =
		(const struct cli_option[]){
			[IMPORT_OUTPUT] = { "output", "POLICY",
					    "where to write it; standard output otherwise",
					    CLI_FILE },
			[IMPORT_ANY_PROCESS] = { "any-process", NULL,
						 "leave lists of programs out: every process may use each entry",
						 CLI_TEXT },
			[IMPORT_NETWORK_ONLY] = { "network-only", NULL,
						  "leave the filesystem, landlock and process sections out",
						  CLI_TEXT },
			[IMPORT_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.places = (const struct cli_place[]){ { 1, NULL, CLI_CHOICE, "openshell" }, { 0, NULL, CLI_TEXT, NULL } },
	.words_min = 2,
	.words_max = 2,
	.run = import_run,
};
