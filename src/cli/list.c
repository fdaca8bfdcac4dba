/* `saw ls`, `saw show`, `saw sessions`: what there is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/api.h"
#include "cli/json_put.h"
#include "cli/say.h"
#include "cli/table.h"
#include "cli/verbs.h"

enum { OUT_MAX = 64 * 1024 * 1024, MARKS_MAX = 4096 };

/* "2GiB", "512MiB", or bytes where it is neither. */
static const char *size_text(uint64_t v, char ret[32])
{
	static const char *const units[] = { "TiB", "GiB", "MiB", "KiB" };

	for (unsigned i = 0; i < 4; i++) {
		unsigned shift = 40 - 10 * i;

		if (v >> shift && (v & ((1ULL << shift) - 1)) == 0) {
			snprintf(ret, 32, "%" PRIu64 "%s", v >> shift, units[i]);
			return ret;
		}
	}
	snprintf(ret, 32, "%" PRIu64, v);
	return ret;
}

static enum say_colour colour_of(const char *state)
{
	if (strcmp(state, "running") == 0)
		return SAY_GREEN;
	if (strcmp(state, "failed") == 0)
		return SAY_RED;
	return strcmp(state, "stopped") == 0 ? SAY_DIM : SAY_YELLOW;
}

/* What a policy does not enforce, or not bind, is no detail: " (lab, observes: a, b)", or "". */
static void policy_marks(const struct api_doc *d, const struct json_node *policy, const char *colour, struct buf *out)
{
	struct buf names BUF_AUTO = { 0 };
	bool lab = false;
	bool unread = false;

	buf_init(&names, MARKS_MAX);
	(void)json_bool(json_get(d->nodes, policy, "lab"), &lab);
	(void)json_bool(json_get(d->nodes, policy, "unread"), &unread);
	if (!json_text(json_get(d->nodes, policy, "observes"), &names))
		buf_reset(&names);
	if (unread)
		buf_fmt(out, " %s(binds no credential: push or set it again)%s", colour, *colour ? say_colour(stdout, SAY_PLAIN) : "");
	if (!lab && !names.len)
		return;
	buf_fmt(out, " %s(%s%s", colour, lab ? "lab" : "", lab && names.len ? ", " : "");
	if (names.len) {
		buf_str(out, "observes: ");
		say_clean(out, buf_view(&names));
	}
	buf_fmt(out, ")%s", *colour ? say_colour(stdout, SAY_PLAIN) : "");
}

static void row(struct buf *out, const struct api_doc *d, const struct json_node *w)
{
	const struct json_node *policy = json_get(d->nodes, w, "policy");
	char name[CELL_MAX], state[CELL_MAX], since[CELL_MAX], accel[CELL_MAX], label[CELL_MAX], image[CELL_MAX];
	char time[32], memory[32];

	table_cell(d, w, "name", name);
	table_cell(d, w, "state", state);
	buf_fmt(out, "%-20s %s%-12s%s %-8s %-9s %4" PRIu64 " %8s  %-16s %s", name, say_colour(stdout, colour_of(state)), state,
		say_colour(stdout, SAY_PLAIN), table_age(table_cell(d, w, "since", since), time),
		*table_cell(d, w, "accel_in_use", accel) == '\0' ? "-" : strcmp(accel, "tcg") == 0 ? "emulated" : accel,
		api_number(d, w, "cpus"), size_text(api_number(d, w, "memory_bytes"), memory), table_cell(d, w, "image", image),
		table_cell(d, policy, "name", label));
	policy_marks(d, policy, say_colour(stdout, SAY_YELLOW), out);
	buf_byte(out, '\n');
}

enum { L_JSON, L_NAMES };

/* One page; *token is the next page's, "" at the end. */
static int page(const struct cli_args *a, struct buf *token, struct buf *out, uint64_t *n)
{
	struct buf target BUF_AUTO = { 0 };
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf text BUF_AUTO = { 0 };
	const struct json_node *list;
	const struct json_node *w;
	int r;

	buf_init(&target, 4096);
	buf_str(&target, "/v1/workspaces?limit=100");
	if (token->len)
		buf_fmt(&target, "&page_token=%s", buf_cstr(token));
	r = api_call("GET", buf_cstr(&target), NULL, &doc);
	if (r != CLI_DONE)
		return r;
	list = doc.nodes ? json_get(doc.nodes, doc.nodes, "workspaces") : NULL;
	if (!list)
		return say_fail(CLI_FAILED, "ls: the control plane's answer has no list");
	for (w = list->first ? doc.nodes + list->first : NULL; w; w = w->next ? doc.nodes + w->next : NULL) {
		if (a->value[L_JSON]) {
			buf_str(out, *n ? "," : "");
			json_put(doc.nodes, w, out);
		} else if (a->value[L_NAMES]) {
			char name[CELL_MAX];

			buf_fmt(out, "%s\n", table_cell(&doc, w, "name", name));
		} else {
			row(out, &doc, w);
		}
		++*n;
	}
	buf_reset(token);
	buf_str(token, api_text(&doc, "next_page_token", &text));
	return CLI_DONE;
}

static int ls_run(const struct cli_args *a)
{
	struct buf out BUF_AUTO = { 0 };
	struct buf token BUF_AUTO = { 0 };
	uint64_t n = 0;
	bool table = !a->value[L_JSON] && !a->value[L_NAMES];
	int r;

	if (a->value[L_JSON] && a->value[L_NAMES])
		return say_fail(CLI_USAGE, "ls: say either --json or --names");
	buf_init(&out, OUT_MAX);
	buf_init(&token, 1024);
	if (a->value[L_JSON])
		buf_str(&out, "{\"workspaces\":[");
	else if (table)
		buf_fmt(&out, "%s%-20s %-12s %-8s %-9s %4s %8s  %-16s %s%s\n", say_colour(stdout, SAY_BOLD), "NAME", "STATE", "SINCE",
			"ACCEL", "CPUS", "MEMORY", "IMAGE", "POLICY", say_colour(stdout, SAY_PLAIN));
	do {
		r = page(a, &token, &out, &n);
	} while (r == CLI_DONE && token.len > 0);
	if (r != CLI_DONE)
		return r;
	if (a->value[L_JSON])
		buf_str(&out, "]}\n");
	if (table && n == 0) {
		puts("no workspace yet: saw create NAME --policy FILE");
		return CLI_DONE;
	}
	return say_out(&out);
}

static const struct cli_option ls_options[] = {
	[L_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	[L_NAMES] = { "names", NULL, "print the names only", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_ls_verb = {
	.name = "ls",
	.args = "",
	.help = "list the workspaces",
	.options = ls_options,
	.run = ls_run,
};

static void show_line(struct buf *out, const char *label, const char *text)
{
	if (*text)
		buf_fmt(out, "%-11s %s\n", label, text);
}

/* From a channel or from a file. */
static void show_policy(struct buf *out, const struct api_doc *d, const struct json_node *policy)
{
	uint64_t loaded = api_number(d, policy, "loaded_generation");
	uint64_t generation = api_number(d, policy, "generation");
	char name[CELL_MAX], from[CELL_MAX], release[CELL_MAX];
	bool rolled_back = false;

	(void)json_bool(json_get(d->nodes, policy, "rolled_back"), &rolled_back);
	buf_fmt(out, "%-11s %s (", "policy", table_cell(d, policy, "name", name));
	if (*table_cell(d, policy, "channel", from))
		buf_fmt(out, "channel %s, serial %" PRIu64 ", release %.12s%s", from, api_number(d, policy, "serial"),
			table_cell(d, policy, "release", release), rolled_back ? ", rolled back" : "");
	else
		buf_str(out, table_cell(d, policy, "file", from));
	buf_fmt(out, "), generation %" PRIu64 "%s", generation, loaded && loaded != generation ? ", not loaded yet" : "");
	policy_marks(d, policy, say_colour(stdout, SAY_YELLOW), out);
	buf_byte(out, '\n');
}

static void show_text(struct buf *out, const struct api_doc *d)
{
	const struct json_node *w = d->nodes;
	const struct json_node *policy = json_get(w, w, "policy");
	char a[CELL_MAX], b[CELL_MAX], line[3 * CELL_MAX], m[32], disk[32], time[32];

	show_line(out, "name", table_cell(d, w, "name", a));
	show_line(out, "id", table_cell(d, w, "id", a));
	table_cell(d, w, "state", a);
	table_cell(d, w, "since", b);
	snprintf(line, sizeof(line), "%s since %s (%s)", a, b, table_age(b, time));
	show_line(out, "state", line);
	if (strcmp(table_cell(d, w, "desired", b), a) != 0)
		show_line(out, "wanted", b);
	show_line(out, "detail", table_cell(d, w, "detail", a));
	snprintf(line, sizeof(line), "%" PRIu64 " CPUs, %s memory, disks up to %s", api_number(d, w, "cpus"),
		 size_text(api_number(d, w, "memory_bytes"), m), size_text(api_number(d, w, "disk_bytes"), disk));
	show_line(out, "machine", line);
	if (strcmp(table_cell(d, w, "driver", a), "try") == 0)
		show_line(out, "driver", "try: NO MACHINE, isolates nothing, for tests");
	if (strcmp(table_cell(d, w, "accel_in_use", a), "tcg") == 0)
		show_line(out, "accel", "tcg: EMULATED, slow, for trying out");
	else
		show_line(out, "accel", *a ? a : table_cell(d, w, "accel", b));
	table_cell(d, w, "image", a);
	table_cell(d, w, "image_digest", b);
	snprintf(line, sizeof(line), *b ? "%s (%.16s)" : "%s%s", a, b);
	show_line(out, "image", line);
	show_policy(out, d, policy);
	show_line(out, "proxy", table_cell(d, w, "upstream_proxy", a));
	show_line(out, "created", table_cell(d, w, "created_at", a));
	snprintf(line, sizeof(line), "%" PRIu64 " open; %" PRIu64 " restarts of gateway roles", api_number(d, w, "sessions"),
		 api_number(d, w, "restarts"));
	show_line(out, "sessions", line);
}

static int show_run(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf out BUF_AUTO = { 0 };
	char target[128];
	int r;

	if (!api_name_ok(a->word[0]))
		return say_fail(CLI_USAGE, "show: `%s` is no name of a workspace", a->word[0]);
	snprintf(target, sizeof(target), "/v1/workspaces/%s", a->word[0]);
	r = api_call("GET", target, NULL, &doc);
	if (r != CLI_DONE)
		return r;
	if (a->value[0]) {
		buf_byte(&doc.text, '\n');
		return say_out(&doc.text);
	}
	buf_init(&out, 64 * 1024);
	if (doc.nodes)
		show_text(&out, &doc);
	return say_out(&out);
}

static const struct cli_option json_option[] = {
	{ "json", NULL, "print JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_show_verb = {
	.name = "show",
	.args = "NAME",
	.help = "say everything about one workspace",
	.options = json_option,
	.words = CLI_WORKSPACE,
	.words_min = 1,
	.words_max = 1,
	.run = show_run,
};

enum { S_JSON, S_END };

static int end_session(const char *id, bool json)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	char target[128];
	int r;

	if (!api_name_ok(id))
		return say_fail(CLI_USAGE, "sessions: `%s` is no id of a session: `saw sessions` lists them", id);
	snprintf(target, sizeof(target), "/v1/sessions/%s", id);
	r = api_call("DELETE", target, NULL, &doc);
	if (r == CLI_DONE)
		printf(json ? "{\"session_id\":\"%s\",\"ended\":true}\n" : "%s: ended\n", id);
	return r;
}

static int sessions_run(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf out BUF_AUTO = { 0 };
	const struct json_node *s;
	int r;

	if (a->value[S_END])
		return end_session(a->value[S_END], a->value[S_JSON] != NULL);
	r = api_call("GET", "/v1/sessions", NULL, &doc);
	if (r != CLI_DONE)
		return r;
	if (a->value[S_JSON]) {
		buf_byte(&doc.text, '\n');
		return say_out(&doc.text);
	}
	buf_init(&out, OUT_MAX);
	s = doc.nodes ? json_get(doc.nodes, doc.nodes, "sessions") : NULL;
	s = s && s->first ? doc.nodes + s->first : NULL;
	if (s)
		buf_fmt(&out, "%s%-16s %-20s %-12s %-24s %-24s %s%s\n", say_colour(stdout, SAY_BOLD), "SESSION", "WORKSPACE", "USER", "CREATED",
			"ENDS AT LATEST", "TUNNELS", say_colour(stdout, SAY_PLAIN));
	else
		buf_str(&out, "no session is open: saw ssh NAME\n");
	for (; s; s = s->next ? doc.nodes + s->next : NULL) {
		char id[CELL_MAX], name[CELL_MAX], user[CELL_MAX], created[CELL_MAX], ends[CELL_MAX];

		buf_fmt(&out, "%-16s %-20s %-12s %-24s %-24s %" PRIu64 "\n", table_cell(&doc, s, "session_id", id),
			table_cell(&doc, s, "workspace", name), table_cell(&doc, s, "user", user), table_cell(&doc, s, "created_at", created),
			table_cell(&doc, s, "session_expires_at", ends), api_number(&doc, s, "tunnels"));
	}
	return say_out(&out);
}

static const struct cli_option sessions_options[] = {
	[S_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	[S_END] = { "end", "ID", "cut this session instead of listing", CLI_SESSION },
	{ NULL, NULL, NULL, CLI_TEXT },
};

const struct cli_verb cli_sessions_verb = {
	.name = "sessions",
	.args = "",
	.help = "list the open sessions, or cut one",
	.options = sessions_options,
	.run = sessions_run,
};
