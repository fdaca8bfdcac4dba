/* `saw log`: the console's bytes come from the guest, so a terminal never gets them raw. */
#include <errno.h>
#include <stdio.h>

#include "cli/api.h"
#include "cli/say.h"
#include "cli/verbs.h"

enum { G_FOLLOW, G_SUPERVISOR, G_JSON };

/* A tab is text; a carriage return at the end belongs to the line end. */
static void clean_line(struct buf *out, struct bytes line)
{
	while (line.len > 0 && line.p[line.len - 1] == '\r')
		line.len--;
	while (line.len > 0) {
		size_t n = bytes_find(line, '\t');

		say_clean(out, bytes_of(line.p, n));
		if (n < line.len)
			buf_byte(out, '\t');
		line = bytes_skip(line, n < line.len ? n + 1 : n);
	}
}

static int print_line(struct bytes line, bool json)
{
	struct buf out BUF_AUTO = { 0 };
	struct json_out j;

	/* 6 bytes for each in the worst escape */
	buf_init(&out, 6 * line.len + 64);
	if (json) {
		json_out_init(&j, &out);
		json_out_object(&j);
		json_out_key_bytes(&j, "line", line);
		json_out_object_end(&j);
	} else {
		clean_line(&out, line);
	}
	buf_byte(&out, '\n');
	return say_out(&out);
}

static int log_run(const struct cli_args *a)
{
	struct http_client http HTTP_CLIENT_AUTO = { .fd = -1 };
	struct api_lines lines = { .http = &http };
	struct err e = { "" };
	struct bytes line;
	char target[160];
	size_t n = 0;
	int r;
	int got;

	if (!api_name_ok(a->word[0]))
		return say_fail(CLI_USAGE, "log: `%s` is no name of a workspace", a->word[0]);
	snprintf(target, sizeof(target), "/v1/workspaces/%s/log?stream=%s&follow=%d", a->word[0],
		 a->value[G_SUPERVISOR] ? "supervisor" : "console", a->value[G_FOLLOW] ? 1 : 0);
	r = api_stream(target, 0, &http);
	if (r != CLI_DONE)
		return r;
	while (r == CLI_DONE && (got = api_next_line(&lines, &line, &e)) != 0) {
		if (got < 0)
			r = say_fail(CLI_UNREACHABLE, "log: %s: where the control plane went down, `saw up` starts it", e.text);
		else
			r = print_line(line, a->value[G_JSON] != NULL);
		n++;
	}
	if (r == CLI_DONE && n == 0 && !a->value[G_JSON])
		say_warn("%s has printed nothing yet", a->value[G_SUPERVISOR] ? "the gateway" : "the machine");
	api_lines_deinit(&lines);
	return r;
}

static const struct cli_option log_options[] = {
	[G_FOLLOW] = { "follow", NULL, "go on as the log grows", CLI_TEXT },
	[G_SUPERVISOR] = { "supervisor", NULL, "the gateway's own log instead of the machine's console", CLI_TEXT },
	[G_JSON] = { "json", NULL, "print each line as JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_log_verb = {
	.name = "log",
	.args = "NAME",
	.help = "print the console of a workspace, or the log of its gateway",
	.options = log_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = 1,
	.run = log_run,
};
