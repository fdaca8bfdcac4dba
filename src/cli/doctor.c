/* `saw doctor`: every question about the host in one list, each with its remedy. */
#include <stdio.h>

#include "base/json_out.h"
#include "cli/probe.h"
#include "cli/say.h"
#include "cli/verbs.h"

static const struct {
	const char *name;
	void (*ask)(struct probe *);
} questions[] = {
	{ "accel", probe_kvm },	       { "namespaces", probe_namespaces },
	{ "tun", probe_tun },	       { "landlock", probe_landlock },
	{ "seccomp", probe_seccomp },  { "cgroup", probe_cgroup },
	{ "qemu", probe_qemu },	       { "image-tools", probe_image_tools },
	{ "ssh", probe_ssh },	       { "programs", probe_helpers },
	{ "folders", probe_folders },  { "logout", probe_logout },
	{ "disk", probe_disk },	       { "memory", probe_memory },
	{ "clock", probe_clock },
};
enum { N_QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

static const char *const words[] = { [PROBE_OK] = "ok", [PROBE_WARN] = "warn", [PROBE_FAIL] = "fail" };
static const enum say_colour colours[] = { [PROBE_OK] = SAY_GREEN, [PROBE_WARN] = SAY_YELLOW, [PROBE_FAIL] = SAY_RED };

static void line(const char *name, const struct probe *p)
{
	printf("%s%-4s%s  %-12s %s\n", say_colour(stdout, colours[p->level]), words[p->level],
	       say_colour(stdout, SAY_PLAIN), name, p->found);
	if (p->level != PROBE_OK && p->remedy[0])
		printf("      %-12s remedy: %s\n", "", p->remedy);
}

static void object(struct json_out *j, const char *name, const struct probe *p)
{
	json_out_object(j);
	json_out_key_str(j, "check", name);
	json_out_key_str(j, "result", words[p->level]);
	json_out_key_str(j, "found", p->found);
	if (p->remedy[0])
		json_out_key_str(j, "remedy", p->remedy);
	json_out_object_end(j);
}

static int doctor_run(const struct cli_args *a)
{
	bool json = a->value[0] != NULL;
	const struct buf nothing_more = { 0 };
	unsigned count[3] = { 0 };
	struct buf out BUF_AUTO;
	struct json_out j;
	int r;

	buf_init(&out, 256 * 1024);
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key(&j, "checks");
	json_out_array(&j);
	for (size_t i = 0; i < N_QUESTIONS; i++) {
		struct probe p = { .level = PROBE_OK };

		questions[i].ask(&p);
		count[p.level]++;
		object(&j, questions[i].name, &p);
		if (!json)
			line(questions[i].name, &p);
	}
	json_out_array_end(&j);
	json_out_key_bool(&j, "ready", count[PROBE_FAIL] == 0);
	json_out_object_end(&j);
	buf_byte(&out, '\n');
	if (json) {
		r = say_out(&out);
		return r != CLI_DONE ? r : count[PROBE_FAIL] ? CLI_FAILED : CLI_DONE;
	}
	if (count[PROBE_FAIL]) {
		printf("\n%u of %d checks failed: workspaces will not start here until they are mended.\n", count[PROBE_FAIL],
		       (int)N_QUESTIONS);
	} else {
		printf("\nReady%s.\n", count[PROBE_WARN] ? ", with the warnings above" : "");
	}
	/* said also where the host lacks something, which ends with the same code */
	r = say_out(&nothing_more);
	return r != CLI_DONE ? r : count[PROBE_FAIL] ? CLI_FAILED : CLI_DONE;
}

static const struct cli_option doctor_options[] = {
	{ "json", NULL, "print JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_doctor_verb = {
	.name = "doctor",
	.args = "",
	.help = "say what this host offers and lacks, each with a remedy",
	.more = "Exit code 1 when something that a workspace needs is missing.",
	.options = doctor_options,
	.run = doctor_run,
};
