/* `saw audit`: the log of one workspace's gateway, or of the control plane. A file and `saw audit verify` need no control plane. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/api.h"
#include "cli/audit_line.h"
#include "cli/audit_verify.h"
#include "cli/say.h"
#include "cli/verbs.h"

enum { A_FOLLOW, A_DENIED, A_JSON };

static int print_event(struct bytes line, const struct cli_args *a, const struct audit_line_style *style, size_t *n_shown)
{
	struct buf out BUF_AUTO = { 0 };

	if (a->value[A_DENIED] && !audit_line_denied(line))
		return CLI_DONE;
	(*n_shown)++;
	buf_init(&out, 1024 * 1024);
	if (a->value[A_JSON]) {
		buf_bytes(&out, line);
		buf_byte(&out, '\n');
	} else {
		audit_line_put(line, style, &out);
	}
	return say_out(&out);
}

/* Nothing to show is an answer, too: people hear it. */
static int say_none(const struct cli_args *a, size_t n_shown, int r)
{
	if (r == CLI_DONE && n_shown == 0 && !a->value[A_JSON])
		say_warn(a->value[A_DENIED] ? "nothing was refused" : "nothing is on record yet");
	return r;
}

/* A file may be anything: what is no event is not printed, since nobody knows what it is. */
static int print_line(struct bytes line, const struct cli_args *a, const struct audit_line_style *style, size_t *n_shown, size_t *n_bad)
{
	if (audit_line_is(line))
		return print_event(line, a, style, n_shown);
	(*n_bad)++;
	return CLI_DONE;
}

/* What `saw try --audit` kept, or a copy from elsewhere. A last line without its end is being written, or was torn by a crash. */
static int print_file(const char *path, const struct cli_args *a, const struct audit_line_style *style)
{
	FILE *f;
	struct stat st;
	char *text = NULL;
	size_t size = 0;
	ssize_t len;
	size_t n = 0, n_bad = 0, n_shown = 0;
	int r = CLI_DONE;

	if (a->value[A_FOLLOW])
		return say_fail(CLI_USAGE, "audit: --follow goes with a workspace; the file %s is read once", path);
	f = fopen(path, "re");
	if (!f)
		return say_fail(errno == ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "audit: %s: %s", path, strerror(errno));
	if (fstat(fileno(f), &st) < 0 || !(S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode))) {
		(void)fclose(f);
		return say_fail(CLI_FAILED, "audit: %s is not a file: name an audit log or a workspace", path);
	}
	for (; r == CLI_DONE && (len = getline(&text, &size, f)) > 0 && text[len - 1] == '\n'; n++)
		r = print_line(bytes_of(text, (size_t)len - 1), a, style, &n_shown, &n_bad);
	if (ferror(f))
		r = say_fail(CLI_FAILED, "audit: read %s: %s", path, strerror(errno));
	else if (n_bad)
		r = say_fail(CLI_FAILED, "audit: %s: %zu of its %zu lines are no audit events and were left out: is it the right file? `saw audit verify %s` names the first",
			     path, n_bad, n, path);
	free(text);
	(void)fclose(f);
	return say_none(a, n_shown, r);
}

static int audit_run(const struct cli_args *a)
{
	const struct audit_line_style style = { say_colour(stdout, SAY_RED), say_colour(stdout, SAY_YELLOW),
						say_colour(stdout, SAY_DIM), say_colour(stdout, SAY_PLAIN), a->value[A_DENIED] != NULL };
	struct http_client http HTTP_CLIENT_AUTO = { .fd = -1 };
	struct api_lines lines = { .http = &http };
	struct err e = { "" };
	struct bytes line;
	char target[160];
	size_t n_shown = 0;
	int r;
	int got;

	if (a->n_words > 0 && strcmp(a->word[0], "verify") == 0 && (a->value[A_FOLLOW] || a->value[A_DENIED]))
		return say_fail(CLI_USAGE, "audit verify: a log is read once and whole: leave out --%s", a->value[A_FOLLOW] ? "follow" : "denied");
	if (a->n_words > 1 && strcmp(a->word[0], "verify") == 0)
		return cli_audit_verify(a->word + 1, a->n_words - 1, a->value[A_JSON] != NULL);
	if (a->n_words == 1 && strcmp(a->word[0], "verify") == 0)
		return say_fail(CLI_USAGE, "audit verify: of what? give files, names of workspaces, or `control`");
	if (a->n_words > 1)
		return say_fail(CLI_USAGE, "audit: one name at a time (`saw audit verify LOG...` takes several)");
	if (a->n_words == 1 && strpbrk(a->word[0], "./"))
		return print_file(a->word[0], a, &style); /* no name has these */
	if (a->n_words == 1 && !api_name_ok(a->word[0]))
		return say_fail(CLI_USAGE, "audit: `%s` is no name of a workspace", a->word[0]);
	snprintf(target, sizeof(target), "/v1/audit?follow=%d%s%s", a->value[A_FOLLOW] ? 1 : 0, a->n_words ? "&workspace=" : "",
		 a->n_words ? a->word[0] : "");
	r = api_stream(target, 0, &http);
	if (r == CLI_NOT_FOUND && a->n_words)
		say_warn("a workspace that was deleted is named by its id, which `saw audit` has where it was made");
	if (r != CLI_DONE)
		return r;
	while (r == CLI_DONE && (got = api_next_line(&lines, &line, &e)) != 0) {
		if (got < 0)
			r = say_fail(CLI_UNREACHABLE, "audit: %s: where the control plane went down, `saw up` starts it", e.text);
		else
			r = print_event(line, a, &style, &n_shown);
	}
	api_lines_deinit(&lines);
	return say_none(a, n_shown, r);
}

static const struct cli_option audit_options[] = {
	[A_FOLLOW] = { "follow", NULL, "go on as events happen", CLI_TEXT },
	[A_DENIED] = { "denied", NULL, "only what was refused, each with what of the policy would have to change", CLI_TEXT },
	[A_JSON] = { "json", NULL, "print the events as they are: OCSF, one JSON object a line", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_audit_verb = {
	.name = "audit",
	.args = "[NAME | FILE | verify LOG...]",
	.help = "print what a workspace was allowed and refused",
	.more = "Without NAME: the control plane's own log. A deleted workspace is named by its id.\n"
		"FILE: a log such as `saw try --audit FILE` keeps, with a `.` or a `/` in its name.\n"
		"verify: hold each LOG (such a FILE, a workspace, or `control`) against its hash chain, offline.",
	.options = audit_options,
	.places =
		(const struct cli_place[]){
			{ 1, NULL, CLI_LOG, "verify" },
			{ CLI_ANY_PLACE, "verify", CLI_LOG, "control" },
			{ 0, NULL, CLI_TEXT, NULL },
		},
	.words_max = CLI_WORDS_MAX,
	.run = audit_run,
};
