/* start, stop, restart, rebuild, rm: one wish each, for any number of workspaces. */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/agent.h"
#include "cli/api.h"
#include "cli/say.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "cli/watch.h"

struct wish {
	const char *method;
	const char *suffix; /* behind /v1/workspaces/NAME */
	enum watch_goal goal;
	bool must_move;
	/* asked on a terminal unless --force: "ASK NAME? LOSS"; NULL: nothing is lost */
	const char *ask;
	const char *loss;
};

enum { O_NO_WAIT, O_JSON, O_FORCE, O_GRACE = O_FORCE };

/* A rebuilt workspace ends in the state that was desired before. */
static enum watch_goal goal_of(const struct wish *w, const struct api_doc *doc)
{
	struct buf text BUF_AUTO = { 0 };

	if (w->goal == WATCH_RUNNING && strcmp(api_text(doc, "desired", &text), "stopped") == 0)
		return WATCH_STOPPED;
	return w->goal;
}

static int show(const char *name, const struct watch *watch, struct api_doc *doc, bool json, bool removed)
{
	char wanted[CELL_MAX];
	struct err e = { "" };
	char target[128];
	int r;

	if (!json) {
		/* who did not wait hears what it is, and what it will be */
		bool is_so = !*table_cell(doc, doc->nodes, "desired", wanted) || strcmp(wanted, watch->state) == 0;

		printf("%s: %s%s%s\n", name, watch->state, is_so ? "" : ", wanted: ", is_so ? "" : wanted);
		if (strcmp(watch->state, "running") == 0 && strcmp(watch->accel, "tcg") == 0)
			say_warn("%s is emulated (no KVM on this host): slow, for trying out", name);
		return CLI_DONE;
	}
	if (strcmp(watch->state, "deleted") == 0) {
		printf("{\"name\":\"%s\",\"state\":\"deleted\"}\n", name);
		return CLI_DONE;
	}
	snprintf(target, sizeof(target), "/v1/workspaces/%s", name);
	r = api_try("GET", target, NULL, doc, &e);
	if (r == CLI_NOT_FOUND && removed) { /* gone, although nobody waited for it */
		printf("{\"name\":\"%s\",\"state\":\"deleted\"}\n", name);
		return CLI_DONE;
	}
	if (r != CLI_DONE)
		return say_fail((enum cli_exit)r, "%s", e.text);
	buf_byte(&doc->text, '\n');
	return say_out(&doc->text);
}

static int make_true(const struct wish *wish, const char *name, const struct cli_args *a, const struct buf *body)
{
	struct watch watch WATCH_AUTO;
	struct api_doc doc API_DOC_AUTO = { 0 };
	char target[160];
	int r = watch_begin(&watch, name, false);

	if (r != CLI_DONE)
		return r;
	watch.must_move = wish->must_move;
	snprintf(target, sizeof(target), "/v1/workspaces/%s%s", name, wish->suffix);
	r = api_call(wish->method, target, body, &doc);
	if (r == CLI_DONE && !a->value[O_NO_WAIT])
		r = watch_until(&watch, goal_of(wish, &doc));
	if (r == CLI_DONE && wish->goal == WATCH_DELETED)
		agent_end(name);
	return r != CLI_DONE ? r : show(name, &watch, &doc, a->value[O_JSON] != NULL, wish->goal == WATCH_DELETED);
}

/* Nobody is asked about what is not there. */
static int look(const char *name)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	char target[128];

	snprintf(target, sizeof(target), "/v1/workspaces/%s", name);
	return api_call("GET", target, NULL, &doc);
}

static int each(const struct wish *wish, const struct cli_args *a, bool force, const struct buf *body)
{
	int worst = CLI_DONE;

	for (size_t i = 0; i < a->n_words; i++)
		if (!api_name_ok(a->word[i]))
			return say_fail(CLI_USAGE, "`%s` is no name of a workspace", a->word[i]);
	for (size_t i = 0; i < a->n_words; i++) {
		int r;

		if (wish->ask && !force && (r = look(a->word[i])) != CLI_DONE) {
			worst = r;
			continue;
		}
		if (wish->ask && !force && !say_confirm("%s %s? %s", wish->ask, a->word[i], wish->loss)) {
			worst = say_fail(CLI_USAGE, "%s: left alone; say --force where nobody can answer", a->word[i]);
			continue;
		}
		r = make_true(wish, a->word[i], a, body);
		if (r != CLI_DONE)
			worst = r;
	}
	return worst;
}

static int start_run(const struct cli_args *a)
{
	static const struct wish wish = { .method = "POST", .suffix = "/start", .goal = WATCH_RUNNING };

	return each(&wish, a, true, NULL);
}

static int stop_run(const struct cli_args *a)
{
	static const struct wish wish = { .method = "POST", .suffix = "/stop", .goal = WATCH_STOPPED };
	struct buf body BUF_AUTO = { 0 };
	struct json_out j;
	uint64_t grace;

	if (!a->value[O_GRACE])
		return each(&wish, a, true, NULL);
	if (!num_u64(bytes_str(a->value[O_GRACE]), 600, &grace))
		return say_fail(CLI_USAGE, "stop: --grace %s: give seconds from 0 to 600", a->value[O_GRACE]);
	buf_init(&body, 100);
	json_out_init(&j, &body);
	json_out_object(&j);
	json_out_key_u64(&j, "grace_seconds", grace);
	json_out_object_end(&j);
	return each(&wish, a, true, &body);
}

static int restart_run(const struct cli_args *a)
{
	static const struct wish wish = { .method = "POST", .suffix = "/restart", .goal = WATCH_RUNNING, .must_move = true };

	return each(&wish, a, true, NULL);
}

static int rebuild_run(const struct cli_args *a)
{
	static const struct wish wish = { .method = "POST", .suffix = "/rebuild", .goal = WATCH_RUNNING, .must_move = true,
					  .ask = "Rebuild", .loss = "What was installed outside /home is lost." };

	return each(&wish, a, a->value[O_FORCE] != NULL, NULL);
}

static int rm_run(const struct cli_args *a)
{
	static const struct wish wish = { .method = "DELETE", .suffix = "", .goal = WATCH_DELETED,
					  .ask = "Remove", .loss = "Its disks and home are destroyed; its audit log stays." };

	return each(&wish, a, a->value[O_FORCE] != NULL, NULL);
}

static const struct cli_option plain_options[] = {
	[O_NO_WAIT] = { "no-wait", NULL, "do not wait until it is done", CLI_TEXT },
	[O_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};
static const struct cli_option stop_options[] = {
	[O_NO_WAIT] = { "no-wait", NULL, "do not wait until it is done", CLI_TEXT },
	[O_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	[O_GRACE] = { "grace", "SECONDS", "time to shut down, 0 to 600 (default 60); 0 pulls the plug", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};
static const struct cli_option force_options[] = {
	[O_NO_WAIT] = { "no-wait", NULL, "do not wait until it is done", CLI_TEXT },
	[O_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	[O_FORCE] = { "force", NULL, "do not ask", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_start_verb = {
	.name = "start",
	.args = "NAME...",
	.help = "start a workspace",
	.options = plain_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = CLI_WORDS_MAX,
	.run = start_run,
};

const struct cli_verb cli_stop_verb = {
	.name = "stop",
	.args = "NAME...",
	.help = "stop a workspace; its sessions are cut",
	.options = stop_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = CLI_WORDS_MAX,
	.run = stop_run,
};

const struct cli_verb cli_restart_verb = {
	.name = "restart",
	.args = "NAME...",
	.help = "stop a workspace and start it again",
	.options = plain_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = CLI_WORDS_MAX,
	.run = restart_run,
};

const struct cli_verb cli_rebuild_verb = {
	.name = "rebuild",
	.args = "NAME...",
	.help = "drop the system of a workspace, keep its home",
	.options = force_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = CLI_WORDS_MAX,
	.run = rebuild_run,
};

const struct cli_verb cli_rm_verb = {
	.name = "rm",
	.args = "NAME...",
	.help = "remove a workspace with its disks",
	.options = force_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = CLI_WORDS_MAX,
	.run = rm_run,
};
