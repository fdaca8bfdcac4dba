/* `saw ssh`, `saw cp`, `saw ssh-config`: OpenSSH does the talking; we give it the way, the key and the host key. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/agent.h"
#include "cli/say.h"
#include "cli/ssh_options.h"
#include "cli/verbs.h"

/* An agent may still hold a session of a workspace that has stopped since. */
static int check_running(const char *name)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf text BUF_AUTO = { 0 };
	const char *state;
	char target[128];
	int r;

	snprintf(target, sizeof(target), "/v1/workspaces/%s", name);
	r = api_call("GET", target, NULL, &doc);
	if (r != CLI_DONE)
		return r;
	state = api_text(&doc, "state", &text);
	if (strcmp(state, "running") == 0)
		return CLI_DONE;
	return say_fail(CLI_UNREACHABLE, "%s is %.40s, not running: `saw start %s`, or see `saw show %s`", name, state, name, name);
}

/* A session before ssh starts: what can go wrong is said by us, with our exit code, and not by ssh with 255. */
static int prepare(const char *verb, const char *name, bool forward, struct agent_place *place, struct agent_session *session)
{
	struct err e = { "" };
	int r;

	if (!api_name_ok(name))
		return say_fail(CLI_USAGE, "%s: `%s` is no name of a workspace", verb, name);
	if (agent_place_init(place, name, forward, &e) < 0)
		return say_fail(CLI_FAILED, "%s: %s", verb, e.text);
	r = check_running(name);
	if (r != CLI_DONE)
		return r;
	r = agent_ask(place, false, session, &e);
	return r == CLI_DONE ? r : say_fail((enum cli_exit)r, "%s", e.text);
}

/* One word is a line for the guest's shell, as with ssh; several words arrive exactly as they stand here. */
static bool add_command(struct argv *argv, const struct cli_args *a)
{
	struct buf line BUF_AUTO = { 0 };

	buf_init(&line, 1024 * 1024);
	if (a->n_rest == 1)
		buf_str(&line, a->rest[0]);
	for (size_t i = 0; a->n_rest > 1 && i < a->n_rest; i++) {
		buf_str(&line, i ? " " : "");
		ssh_quote(&line, a->rest[i]);
	}
	if (line.failed)
		return false;
	argv_add(argv, buf_cstr(&line));
	return true;
}

/* "PORT:HOST:PORT". The host is the workspace's business: ssh passes it on. */
static bool forward_ok(const char *text)
{
	struct bytes t = bytes_str(text);
	size_t first = bytes_find(t, ':');
	size_t last = t.len;
	uint64_t from, to;

	while (last > 0 && t.p[last - 1] != ':')
		last--;
	return last > first + 2 && num_u64(bytes_of(t.p, first), UINT16_MAX, &from) && from > 0 &&
	       num_u64(bytes_skip(t, last), UINT16_MAX, &to) && to > 0;
}

enum { H_TTY, H_FORWARD, H_LOCAL };

static int ssh_run(const struct cli_args *a)
{
	struct agent_place place;
	struct agent_session session;
	struct argv argv ARGV_AUTO = { .n = 0 };
	struct err e = { "" };
	bool forward = a->value[H_FORWARD] || a->value[H_LOCAL];
	int r;

	if (a->value[H_LOCAL] && !forward_ok(a->value[H_LOCAL]))
		return say_fail(CLI_USAGE, "ssh: --local-forward %s: say PORT:HOST:PORT, with ports from 1 to 65535", a->value[H_LOCAL]);
	r = prepare("ssh", a->word[0], forward, &place, &session);
	if (r != CLI_DONE)
		return r;
	argv_add(&argv, "ssh");
	if (ssh_options_add(&argv, &place, session.user, &e) < 0)
		return say_fail(CLI_FAILED, "ssh: %s", e.text);
	if (a->value[H_TTY])
		argv_add(&argv, "-tt");
	if (a->value[H_LOCAL]) {
		argv_add(&argv, "-L");
		argv_add(&argv, a->value[H_LOCAL]);
	}
	argv_fmt(&argv, "%s.saw", place.name);
	if (a->n_rest > 0 && !add_command(&argv, a))
		return say_fail(CLI_USAGE, "ssh: the command is too long");
	return argv_exec(&argv);
}

static const struct cli_option ssh_options[] = {
	[H_TTY] = { "tty", NULL, "a terminal for COMMAND too", CLI_TEXT },
	[H_FORWARD] = { "forward", NULL, "a session that may forward ports", CLI_TEXT },
	[H_LOCAL] = { "local-forward", "PORT:HOST:PORT", "bring a port of the workspace here, as ssh's -L", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_ssh_verb = {
	.name = "ssh",
	.args = "NAME [-- COMMAND...]",
	.help = "log in to a workspace, or run a command there",
	.more = "The exit code is the command's. One word behind `--` is a line for the shell there; several words arrive as they are.",
	.options = ssh_options,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = 1,
	.rest = true,
	.run = ssh_run,
};

/* "NAME:PATH" -> the length of NAME, or 0 for a local path. A local name with a colon is written ./a:b. */
static size_t remote_name(const char *text)
{
	size_t n = strcspn(text, ":/");

	return text[n] == ':' ? n : 0;
}

/* The one workspace that the words name. */
static int find_remote(const struct cli_args *a, char ret[API_NAME_MAX + 1])
{
	ret[0] = '\0';
	for (size_t i = 0; i < a->n_words; i++) {
		size_t n = remote_name(a->word[i]);

		if (n == 0)
			continue;
		if (n > API_NAME_MAX || (ret[0] && (strlen(ret) != n || memcmp(ret, a->word[i], n) != 0)))
			return say_fail(CLI_USAGE, "cp: %s: one workspace at a time; copy by way of a local file", a->word[i]);
		memcpy(ret, a->word[i], n);
		ret[n] = '\0';
	}
	if (!ret[0])
		return say_fail(CLI_USAGE, "cp: no workspace is named: say NAME:PATH on one side");
	if ((remote_name(a->word[0]) > 0) == (remote_name(a->word[a->n_words - 1]) > 0))
		return say_fail(CLI_USAGE, "cp: both sides are in the workspace: use `saw ssh %s -- cp ...`", ret);
	return CLI_DONE;
}

static int cp_run(const struct cli_args *a)
{
	struct agent_place place;
	struct agent_session session;
	struct argv argv ARGV_AUTO = { .n = 0 };
	struct err e = { "" };
	char name[API_NAME_MAX + 1];
	int r = find_remote(a, name);

	if (r == CLI_DONE)
		r = prepare("cp", name, false, &place, &session);
	if (r != CLI_DONE)
		return r;
	argv_add(&argv, "scp");
	if (ssh_options_add(&argv, &place, session.user, &e) < 0)
		return say_fail(CLI_FAILED, "cp: %s", e.text);
	argv_add(&argv, isatty(STDERR_FILENO) ? "-p" : "-pq");
	if (a->value[0])
		argv_add(&argv, "-r");
	argv_add(&argv, "--");
	for (size_t i = 0; i < a->n_words; i++) {
		size_t n = remote_name(a->word[i]);

		if (n > 0)
			argv_fmt(&argv, "%s.saw:%s", name, a->word[i] + n + 1);
		else
			argv_add(&argv, a->word[i]);
	}
	return argv_exec(&argv);
}

static const struct cli_option cp_options[] = {
	{ "recursive", NULL, "folders with all that is in them", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_cp_verb = {
	.name = "cp",
	.args = "SOURCE... DESTINATION",
	.help = "copy files to or from a workspace: NAME:PATH on one side",
	.more = "PATH is relative to the home folder there. A local name with a colon in it is written ./a:b.",
	.options = cp_options,
	.words = CLI_COPY,
	.words_min = 2,
	.words_max = CLI_WORDS_MAX,
	.run = cp_run,
};

/* Editors offer the hosts that stand in a configuration by name. */
static void list_names(struct buf *out)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf name BUF_AUTO = { 0 };
	struct err e = { "" };
	const struct json_node *w;

	if (api_try("GET", "/v1/workspaces?limit=1000", NULL, &doc, &e) != CLI_DONE || !doc.nodes)
		return;
	w = json_get(doc.nodes, doc.nodes, "workspaces");
	for (w = w && w->first ? doc.nodes + w->first : NULL; w; w = w->next ? doc.nodes + w->next : NULL)
		if (api_name_ok(api_member(&doc, w, "name", &name)))
			buf_fmt(out, "Host %s.saw\n", buf_cstr(&name));
}

static int config_json(const struct buf *text)
{
	struct buf out BUF_AUTO = { 0 };
	struct json_out j;

	buf_init(&out, 8 * 1024 * 1024);
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key_bytes(&j, "config", buf_view(text));
	json_out_object_end(&j);
	buf_byte(&out, '\n');
	return say_out(&out);
}

static int ssh_config_run(const struct cli_args *a)
{
	struct buf out BUF_AUTO = { 0 };
	struct err e = { "" };
	int r = 0;

	buf_init(&out, 4 * 1024 * 1024);
	buf_str(&out, "# Workspaces of saw. Made by `saw ssh-config`; for ~/.ssh/config: Include FILE\n");
	if (a->n_words == 0) {
		list_names(&out);
		r = ssh_options_config(&out, NULL, &e);
	}
	for (size_t i = 0; i < a->n_words && r == 0; i++) {
		if (!api_name_ok(a->word[i]))
			return say_fail(CLI_USAGE, "ssh-config: `%s` is no name of a workspace", a->word[i]);
		r = ssh_options_config(&out, a->word[i], &e);
	}
	if (r < 0)
		return say_fail(CLI_FAILED, "ssh-config: %s", e.text);
	return a->value[0] ? config_json(&out) : say_out(&out);
}

static const struct cli_option config_options[] = {
	{ "json", NULL, "print JSON: the text as the member `config`", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_ssh_config_verb = {
	.name = "ssh-config",
	.args = "[NAME...]",
	.help = "print a configuration for ssh, scp, rsync and editors: host NAME.saw",
	.more = "saw ssh-config > ~/.ssh/saw.conf, and as the first line of ~/.ssh/config: Include saw.conf\n"
		"Sessions that come this way may forward ports, since remote editors need it.",
	.options = config_options,
	.words = CLI_WORKSPACE,
	.words_max = CLI_WORDS_MAX,
	.run = ssh_config_run,
};
