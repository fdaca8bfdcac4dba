/* `saw policy push` and `saw policy channel`: releases and the pointers to them, which the control plane keeps. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "base/time_text.h"
#include "cli/api.h"
#include "cli/bundle_dir.h"
#include "cli/policy.h"
#include "cli/say.h"
#include "cli/table.h"
#include "os/loop.h"
#include "wire/manifest.h"

enum { OUT_MAX = 1024 * 1024, BODY_MAX = 4096, TARGET_MAX = MANIFEST_CHANNEL_MAX + 64, RELEASE_SHOWN = 12 };

static int no_channel(const char *verb, const char *name)
{
	return say_fail(CLI_USAGE, "%s: `%s` is no channel's name: use two to four words of a-z, 0-9 and hyphens, as in corporate/stable", verb,
			name);
}

static int print_json(struct api_doc *doc)
{
	buf_byte(&doc->text, '\n');
	return say_out(&doc->text);
}

/* "corporate/stable: policy corporate, serial 7, release 0123456789ab, 3 workspaces" */
static int print_channel(const struct api_doc *doc)
{
	const struct json_node *policy = json_get(doc->nodes, doc->nodes, "policy");
	struct buf out BUF_AUTO = { 0 };
	char name[CELL_MAX], label[CELL_MAX], release[CELL_MAX];
	uint64_t n = api_number(doc, doc->nodes, "workspaces");
	bool back = false;

	(void)json_bool(json_get(doc->nodes, doc->nodes, "rolled_back"), &back);
	buf_init(&out, OUT_MAX);
	buf_fmt(&out, "%s: policy %s, serial %" PRIu64 "%s, release %.*s, %" PRIu64 " workspace%s\n",
		table_cell(doc, doc->nodes, "name", name), table_cell(doc, policy, "name", label), api_number(doc, doc->nodes, "serial"),
		back ? " (rolled back)" : "", RELEASE_SHOWN, table_cell(doc, doc->nodes, "release", release), n, n == 1 ? "" : "s");
	return say_out(&out);
}

static int moved(int r, struct api_doc *doc, bool json)
{
	if (r != CLI_DONE)
		return r;
	return json || !doc->nodes ? print_json(doc) : print_channel(doc);
}

enum { PUSH_CHANNEL, PUSH_FORCE, PUSH_JSON };

static int push_run(const struct cli_args *a)
{
	BUNDLE_DIR_AUTO struct bundle_dir d = { 0 };
	struct api_doc doc API_DOC_AUTO = { 0 };
	const char *channel = a->value[PUSH_CHANNEL];
	char target[TARGET_MAX];
	struct manifest m;
	struct err e = { 0 };
	const char *why;
	bool read;
	int r;

	if (channel && !manifest_channel_ok(bytes_str(channel)))
		return no_channel("policy push", channel);
	r = bundle_dir_read(a->word[0], &d, &e);
	if (r < 0)
		return say_fail(r == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED, "%s", e.text);
	read = manifest_get(buf_view(&d.manifest), &m, &why) == MANIFEST_DONE;
	if (read && !a->value[PUSH_FORCE] && policy_serial_check("policy push", m.serial) != CLI_DONE)
		return CLI_USAGE;
	if (!channel && read && *m.channel)
		channel = m.channel;
	if (!channel)
		return say_fail(CLI_USAGE, "policy push: to which channel? add `--channel CHANNEL`, such as corporate/stable");
	(void)snprintf(target, sizeof(target), "/v1/bundles?channel=%s%s", channel, a->value[PUSH_FORCE] ? "&force=1" : "");
	r = api_send("POST", target, "application/octet-stream", &d.container, &doc, &e);
	if (r != CLI_DONE)
		return say_fail((enum cli_exit)r, "%s: %s", a->word[0], e.text);
	return moved(r, &doc, a->value[PUSH_JSON]);
}

const struct cli_verb policy_push_verb = {
	.name = "policy push",
	.args = "BUNDLE --channel CHANNEL",
	.help = "stores a signed bundle and points a channel at it; workspaces on the channel get it at once",
	.options =
		(const struct cli_option[]){
			[PUSH_CHANNEL] = { "channel", "CHANNEL", "such as corporate/stable; by itself the one that the bundle was signed for", CLI_CHANNEL },
			[PUSH_FORCE] = { "force", NULL, "take a serial that is more than a year ahead", CLI_TEXT },
			[PUSH_JSON] = { "json", NULL, "print the channel as JSON", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.words_min = 1,
	.words_max = 1,
	.run = push_run,
};

enum { CHANNEL_TO, CHANNEL_JSON };

/* The day, or that it has come: then the release is loaded by no start and no reload any more. */
static const char *expiry(const struct api_doc *d, const struct json_node *c, char ret[CELL_MAX])
{
	char now[TIME_TEXT_MAX];

	time_text(clock_real_ms(), now);
	if (!*table_cell(d, c, "expires_at", ret))
		return "never";
	if (strcmp(ret, now) <= 0)
		return "EXPIRED";
	ret[strlen(ret) < 10 ? strlen(ret) : 10] = '\0';
	return ret;
}

static void put_row(struct buf *out, const struct api_doc *d, const struct json_node *c)
{
	const struct json_node *policy = json_get(d->nodes, c, "policy");
	char name[CELL_MAX], label[CELL_MAX], release[CELL_MAX], at[CELL_MAX], age[AGE_MAX], until[CELL_MAX];
	bool back = false;

	(void)json_bool(json_get(d->nodes, c, "rolled_back"), &back);
	table_age(table_cell(d, c, "moved_at", at), age);
	buf_fmt(out, "%-28s %-18s %12" PRIu64 "%s  %-12.*s  %5" PRIu64 "  %-10s  %s\n", table_cell(d, c, "name", name),
		table_cell(d, policy, "name", label), api_number(d, c, "serial"), back ? "<" : " ", RELEASE_SHOWN,
		table_cell(d, c, "release", release), api_number(d, c, "workspaces"), expiry(d, c, until), age);
}

static int list(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf out BUF_AUTO = { 0 };
	const struct json_node *channels;
	const struct json_node *one;
	int r = api_call("GET", "/v1/channels", NULL, &doc);

	if (r != CLI_DONE)
		return r;
	if (a->value[CHANNEL_JSON])
		return print_json(&doc);
	channels = doc.nodes ? json_get(doc.nodes, doc.nodes, "channels") : NULL;
	if (!json_at(doc.nodes, channels, 0)) {
		puts("no channel yet: saw policy push BUNDLE --channel CHANNEL");
		return CLI_DONE;
	}
	buf_init(&out, OUT_MAX);
	buf_fmt(&out, "%-28s %-18s %12s   %-12s  %5s  %-10s  %s\n", "CHANNEL", "POLICY", "SERIAL", "RELEASE", "USED", "EXPIRES", "MOVED");
	for (uint32_t i = 0; (one = json_at(doc.nodes, channels, i)) != NULL; i++)
		put_row(&out, &doc, one);
	return say_out(&out);
}

static int set(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf body BUF_AUTO = { 0 };
	struct json_out j;

	if (a->n_words != 3)
		return say_fail(CLI_USAGE, "policy channel set: which release? saw policy channel set CHANNEL RELEASE");
	if (!manifest_channel_ok(bytes_str(a->word[1])))
		return no_channel("policy channel", a->word[1]);
	buf_init(&body, BODY_MAX);
	json_out_init(&j, &body);
	json_out_object(&j);
	json_out_key_str(&j, "channel", a->word[1]);
	json_out_key_str(&j, "release", a->word[2]);
	json_out_object_end(&j);
	return moved(api_call("POST", "/v1/channels/set", &body, &doc), &doc, a->value[CHANNEL_JSON]);
}

static int rollback(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf body BUF_AUTO = { 0 };
	uint64_t serial = 0;
	struct json_out j;

	if (a->n_words != 2)
		return say_fail(CLI_USAGE, "policy channel rollback: which one? saw policy channel rollback CHANNEL");
	if (!manifest_channel_ok(bytes_str(a->word[1])))
		return no_channel("policy channel", a->word[1]);
	if (a->value[CHANNEL_TO] && (!num_u64(bytes_str(a->value[CHANNEL_TO]), MANIFEST_SERIAL_MAX, &serial) || !serial))
		return say_fail(CLI_USAGE, "policy channel rollback: --to %s: a serial that stood on the channel", a->value[CHANNEL_TO]);
	buf_init(&body, BODY_MAX);
	json_out_init(&j, &body);
	json_out_object(&j);
	json_out_key_str(&j, "channel", a->word[1]);
	if (serial)
		json_out_key_u64(&j, "serial", serial);
	json_out_object_end(&j);
	return moved(api_call("POST", "/v1/channels/rollback", &body, &doc), &doc, a->value[CHANNEL_JSON]);
}

static int channel_run(const struct cli_args *a)
{
	const char *what = a->n_words ? a->word[0] : "ls";

	if (a->value[CHANNEL_TO] && strcmp(what, "rollback") != 0)
		return say_fail(CLI_USAGE, "policy channel: --to belongs to rollback");
	if (strcmp(what, "ls") == 0 && a->n_words < 2)
		return list(a);
	if (strcmp(what, "set") == 0)
		return set(a);
	if (strcmp(what, "rollback") == 0)
		return rollback(a);
	return say_fail(CLI_USAGE, "policy channel: say ls, set or rollback; see `saw policy channel --help`");
}

const struct cli_verb policy_channel_verb = {
	.name = "policy channel",
	.args = "[ls | set CHANNEL RELEASE | rollback CHANNEL]",
	.help = "lists channels, points one at a release that was pushed, or back at an earlier one",
	.more = "A serial goes forward only; back only by `rollback`, which stands in the audit log. A second rollback goes further back, never forth\n"
		"to what was withdrawn by one; only --to does, or `set` where that is the highest that ever stood there.",
	.options =
		(const struct cli_option[]){
			[CHANNEL_TO] = { "to", "SERIAL", "for rollback: which one; by itself the last before that was not rolled back from", CLI_TEXT },
			[CHANNEL_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.places =
		(const struct cli_place[]){
			{ 1, NULL, CLI_CHOICE, "ls|set|rollback" },
			{ 2, "set", CLI_CHANNEL, NULL },
			{ 2, "rollback", CLI_CHANNEL, NULL },
			{ 3, "set", CLI_RELEASE, NULL },
			{ 0, NULL, CLI_TEXT, NULL },
		},
	.words_max = 3,
	.run = channel_run,
};
