/* `saw names WHAT`: what may stand in a place, one a line, for the shells' completion. Somebody has pressed a key: it is quick, and where there is
 * nobody to ask it is silent. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/api.h"
#include "cli/say.h"
#include "cli/verbs.h"
#include "ipc/trust.h"
#include "os/paths.h"

enum { WAIT_S = 2, OUT_MAX = 4 * 1024 * 1024, NAME_LEN_MAX = 200, TOKEN_MAX = 1024 };

/* The shell evaluates what it is given here: nothing that means something to it is a name. */
static void put(struct buf *out, struct bytes name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_./", name.p[i]) || !name.p[i])
			return;
	if (name.len && name.len <= NAME_LEN_MAX) {
		buf_bytes(out, name);
		buf_byte(out, '\n');
	}
}

static void put_text(struct buf *out, const struct json_node *text)
{
	struct buf name BUF_AUTO = { 0 };

	buf_init(&name, NAME_LEN_MAX);
	if (text && json_text(text, &name))
		put(out, buf_view(&name));
}

/* Of each object in the list its member, which may be a list of texts itself. `next`: where the next page begins, "" behind the last. */
static int page(const char *target, const char *list, const char *member, struct buf *out, struct buf *next)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf token BUF_AUTO = { 0 };
	struct err e = { "" };
	const struct json_node *all, *one, *text;
	int r = api_try("GET", target, NULL, &doc, &e);

	if (r != CLI_DONE || !doc.nodes)
		return r;
	all = json_get(doc.nodes, doc.nodes, list);
	for (uint32_t i = 0; (one = json_at(doc.nodes, all, i)) != NULL; i++) {
		const struct json_node *found = json_get(doc.nodes, one, member);

		if (!json_at(doc.nodes, found, 0))
			put_text(out, found);
		for (uint32_t k = 0; (text = json_at(doc.nodes, found, k)) != NULL; k++)
			put_text(out, text);
	}
	buf_reset(next);
	buf_str(next, api_text(&doc, "next_page_token", &token));
	return r;
}

static int each(const char *target, const char *list, const char *member, struct buf *out)
{
	struct buf next BUF_AUTO = { .max = TOKEN_MAX };

	return page(target, list, member, out, &next);
}

static int workspaces(struct buf *out)
{
	struct buf next BUF_AUTO = { .max = TOKEN_MAX };
	struct buf target BUF_AUTO = { .max = TOKEN_MAX + 100 };
	int r;

	do {
		buf_reset(&target);
		buf_str(&target, "/v1/workspaces?limit=100");
		if (next.len)
			buf_fmt(&target, "&page_token=%s", buf_cstr(&next));
		r = page(buf_cstr(&target), "workspaces", "name", out, &next);
	} while (r == CLI_DONE && next.len);
	return r;
}

static int secrets(struct buf *out)
{
	return each("/v1/secrets", "secrets", "id", out);
}

static int credentials(struct buf *out)
{
	int r = each("/v1/channels", "channels", "credentials", out);

	return r != CLI_DONE ? r : secrets(out);
}

static int channels(struct buf *out)
{
	return each("/v1/channels", "channels", "name", out);
}

static int releases(struct buf *out)
{
	return each("/v1/channels", "channels", "release", out);
}

static int sessions(struct buf *out)
{
	return each("/v1/sessions", "sessions", "session_id", out);
}

static bool on_key(void *ctx, const char *name, const uint8_t *key, const char *why)
{
	(void)key;
	(void)why;
	put(ctx, bytes_str(name));
	return true;
}

static int keys(struct buf *out)
{
	char state[PATHS_MAX], folder[PATHS_MAX];
	struct err e = { "" };

	if (paths_state(state, &e) < 0 || paths_join(folder, state, TRUST_FOLDER, &e) < 0)
		return CLI_FAILED;
	return trust_each(folder, on_key, out, &e) < 0 ? CLI_FAILED : CLI_DONE;
}

static const struct {
	const char *what;
	int (*list)(struct buf *out);
} lists[] = { { "workspaces", workspaces }, { "secrets", secrets },   { "credentials", credentials }, { "channels", channels },
	      { "releases", releases },	    { "sessions", sessions }, { "keys", keys } };

static void on_alarm(int signal_number)
{
	(void)signal_number;
	_exit(CLI_UNREACHABLE);
}

static int names_run(const struct cli_args *a)
{
	const struct sigaction give_up = { .sa_handler = on_alarm };
	struct buf out BUF_AUTO = { 0 };
	int r;

	sigaction(SIGALRM, &give_up, NULL);
	alarm(WAIT_S);
	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(a->word[0], lists[i].what) != 0)
			continue;
		r = lists[i].list(&out);
		return r != CLI_DONE ? r : say_out(&out);
	}
	return say_fail(CLI_USAGE, "names: there are no names of `%s`", a->word[0]);
}

static const struct cli_option no_options[] = { { NULL, NULL, NULL, CLI_TEXT } };

const struct cli_verb cli_names_verb = {
	.name = "names",
	.args = "WHAT",
	.help = "print what may stand in a place, for completion",
	.options = no_options,
	.words_min = 1,
	.words_max = 1,
	.hidden = true,
	.run = names_run,
};
