/* `saw policy check` and `saw policy compile`: the same work, the second keeps its result. */
#include <stdio.h>

#include "cli/policy.h"
#include "cli/policy_file.h"
#include "cli/say.h"
#include "crypt/sha256.h"

struct counts {
	uint32_t rows; /* pairs of entry and host */
	size_t n_ports;
};

static struct counts count(const struct policy *p)
{
	uint16_t ports[POLICY_PORTS_MAX];
	struct counts c = { .n_ports = policy_ports(p, ports) };
	struct policy_reach reach;

	while (policy_reach_at(p, c.rows, &reach))
		c.rows++;
	return c;
}

static void digest_hex(const struct policy *p, char ret[SHA256_HEX_MAX])
{
	uint8_t digest[SHA256_LEN];

	memcpy(digest, policy_sha256(p).p, sizeof(digest));
	sha256_hex(digest, ret);
}

static int report_json(const char *path, bool ok, const struct policy *p,
		       const struct policy_problems *problems, const char *output)
{
	BUF_AUTO struct buf observes = { .max = POLICY_OBSERVES_MAX + 1 };
	BUF_AUTO struct buf out;
	char hex[SHA256_HEX_MAX];
	struct json_out j;
	int r;

	buf_init(&out, 1024 * 1024);
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key_str(&j, "file", path);
	json_out_key_bool(&j, "ok", ok);
	if (ok) {
		struct counts c = count(p);

		digest_hex(p, hex);
		json_out_key_bytes(&j, "policy", policy_label(p));
		json_out_key_str(&j, "sha256", hex);
		json_out_key_bool(&j, "lab", policy_lab(p));
		policy_observes(p, &observes);
		json_out_key_bytes(&j, "observes", buf_view(&observes));
		json_out_key_u64(&j, "hosts", c.rows);
		json_out_key_u64(&j, "ports", c.n_ports);
		json_out_key_u64(&j, "bytes", p->blob.len);
		if (output)
			json_out_key_str(&j, "output", output);
	}
	policy_file_json(&j, problems);
	json_out_object_end(&j);
	buf_byte(&out, '\n');
	r = say_out(&out);
	return ok ? r : CLI_FAILED;
}

static int report(const char *path, bool ok, const struct policy *p,
		  const struct policy_problems *problems, const char *output)
{
	char hex[SHA256_HEX_MAX];
	struct counts c;

	policy_file_print(path, problems);
	if (!ok)
		return CLI_FAILED;
	c = count(p);
	digest_hex(p, hex);
	printf("%s: policy %.*s is %s: %u host%s, %zu port%s, %zu bytes, sha256 %s%s\n",
	       output ? output : path, (int)policy_label(p).len, (const char *)policy_label(p).p,
	       output ? "compiled" : "good", c.rows, c.rows == 1 ? "" : "s", c.n_ports, c.n_ports == 1 ? "" : "s", p->blob.len, hex,
	       policy_lab(p) ? "\n  lab: true, no production channel takes it" : "");
	return CLI_DONE;
}

static int check(const char *path, bool production, const char *output, bool json)
{
	POLICY_PROBLEMS_AUTO struct policy_problems problems = { 0 };
	BUF_AUTO struct buf text, blob;
	struct policy p = { 0 };
	struct err e = { 0 };
	bool ok;
	int r = policy_file_read(path, &text, &e);

	buf_init(&blob, POLICY_BLOB_MAX);
	if (r != CLI_DONE)
		return say_fail((enum cli_exit)r, "%s", e.text);
	ok = policy_file_compile(buf_view(&text), production, &blob, &problems);
	if (ok && !policy_open(&p, buf_view(&blob), &e))
		return say_fail(CLI_FAILED, "%s: %s", path, e.text);
	if (ok && output && policy_file_write(output, buf_view(&blob), &e) < 0)
		return say_fail(CLI_FAILED, "%s", e.text);
	return json ? report_json(path, ok, &p, &problems, output)
		    : report(path, ok, &p, &problems, output);
}

enum { CHECK_PRODUCTION, CHECK_JSON };

static int check_run(const struct cli_args *a)
{
	return check(a->word[0], a->value[CHECK_PRODUCTION], NULL, a->value[CHECK_JSON]);
}

const struct cli_verb policy_check_verb = {
	.name = "policy check",
	.args = "FILE",
	.help = "says what is wrong with a policy file: FILE:LINE:COLUMN: what; remedy",
	.options =
		(const struct cli_option[]){
			[CHECK_PRODUCTION] = { "production", NULL,
					       "as for a production channel: no `lab`, no `observe`",
					       CLI_TEXT },
			[CHECK_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.words_min = 1,
	.words_max = 1,
	.run = check_run,
};

enum { COMPILE_OUTPUT, COMPILE_PRODUCTION, COMPILE_JSON };

static int compile_run(const struct cli_args *a)
{
	if (!a->value[COMPILE_OUTPUT])
		return say_fail(CLI_USAGE, "policy compile: where to? add `-o BLOB`");
	return check(a->word[0], a->value[COMPILE_PRODUCTION], a->value[COMPILE_OUTPUT],
		     a->value[COMPILE_JSON]);
}

const struct cli_verb policy_compile_verb = {
	.name = "policy compile",
	.args = "FILE -o BLOB",
	.help = "compiles a policy file into the form that the gateway maps",
	.options =
		(const struct cli_option[]){
			[COMPILE_OUTPUT] = { "output", "BLOB",
					     "where to write it; -o BLOB is the same", CLI_FILE },
			[COMPILE_PRODUCTION] = { "production", NULL,
						 "as for a production channel: no `lab`, no `observe`",
						 CLI_TEXT },
			[COMPILE_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.words_min = 1,
	.words_max = 1,
	.run = compile_run,
};
