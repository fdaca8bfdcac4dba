/* `saw secret VERB`: values that are spent by the gateway and never enter a workspace. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/api.h"
#include "cli/say.h"
#include "cli/secret_input.h"
#include "cli/table.h"
#include "cli/verbs.h"
#include "wire/credential.h"

enum { OUT_MAX = 4 * 1024 * 1024, NAMES_SHOWN = 4 };

static bool id_ok(const char *verb, const char *id)
{
	if (credential_id_ok(bytes_str(id)))
		return true;
	say_fail(CLI_USAGE, "%s: `%s` is no id of a secret: use 1 to 64 of a-z, 0-9, '-', '_' and '.'", verb, id);
	return false;
}

/* "dev, prod and 3 more"; "" when no workspace binds it. */
static void put_names(const struct api_doc *d, const struct json_node *s, struct buf *out)
{
	const struct json_node *list = json_get(d->nodes, s, "workspaces");
	uint64_t total = api_number(d, s, "n_workspaces");
	const struct json_node *one;
	struct buf name BUF_AUTO = { 0 };
	uint32_t i;

	buf_init(&name, 256);
	for (i = 0; i < NAMES_SHOWN && (one = json_at(d->nodes, list, i)) != NULL; i++) {
		buf_reset(&name);
		(void)json_text(one, &name);
		buf_str(out, i ? ", " : "");
		say_clean(out, buf_view(&name));
	}
	if (total > i)
		buf_fmt(out, " and %" PRIu64 " more", total - i);
}

enum { SET_FILE, SET_JSON, SET_FORCE };

static int put(const char *id, const char *mode, const struct buf *value, struct api_doc *doc, struct err *e)
{
	char target[CREDENTIAL_ID_MAX + 40];

	(void)snprintf(target, sizeof(target), "/v1/secrets/%s?mode=%s", id, mode);
	return api_send("PUT", target, "application/octet-stream", value, doc, e);
}

static int say_stored(const struct api_doc *doc, const char *id, bool json)
{
	struct buf out BUF_AUTO = { 0 };
	struct buf names BUF_AUTO = { 0 };
	uint64_t version = doc->nodes ? api_number(doc, doc->nodes, "version") : 0;

	buf_init(&out, OUT_MAX);
	if (json) {
		(void)(buf_bytes(&out, buf_view(&doc->text)) && buf_byte(&out, '\n'));
		return say_out(&out);
	}
	buf_init(&names, 4096);
	if (doc->nodes)
		put_names(doc, doc->nodes, &names);
	buf_fmt(&out, "%s: stored, version %" PRIu64 "; ", id, version);
	if (names.len)
		buf_fmt(&out, "spent for %s\n", buf_cstr(&names));
	else
		buf_str(&out, "no workspace's policy binds it yet\n");
	return say_out(&out);
}

/* One that exists is replaced only when somebody says so. */
static int store(const struct cli_args *a, const char *first, bool may_ask, const struct buf *value)
{
	const char *id = a->word[0];
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct err e = { 0 };
	int r = put(id, first, value, &doc, &e);

	if (r != CLI_DONE && doc.status == 409 && may_ask && say_confirm("There is a secret %s already. Give it this value?", id))
		r = put(id, "rotate", value, &doc, &e);
	return r != CLI_DONE ? say_fail((enum cli_exit)r, "%s", e.text) : say_stored(&doc, id, a->value[SET_JSON] != NULL);
}

/* Words behind the id are taken so that a value among them is not repeated where logs are kept. */
static bool only_id(const char *verb, const struct cli_args *a)
{
	if (a->n_words == 1)
		return id_ok(verb, a->word[0]);
	say_fail(CLI_USAGE, "%s: one id, and no value: the command line is seen by every user of this machine and kept by the shell. If what stands behind "
			    "the id is the value, replace it where it came from; then give the new one with --file FILE, from a pipe, or typed unseen", verb);
	return false;
}

static int set_run(const struct cli_args *a)
{
	struct buf value BUF_AUTO = { 0 };
	int r;

	if (!only_id("secret set", a))
		return CLI_USAGE;
	buf_init_wiping(&value, CREDENTIAL_MAX + 3);
	r = secret_input_read(a->word[0], a->value[SET_FILE], &value);
	return r != CLI_DONE ? r : store(a, a->value[SET_FORCE] ? "put" : "new", true, &value);
}

static int rotate_run(const struct cli_args *a)
{
	struct buf value BUF_AUTO = { 0 };
	int r;

	if (!only_id("secret rotate", a))
		return CLI_USAGE;
	buf_init_wiping(&value, CREDENTIAL_MAX + 3);
	r = secret_input_read(a->word[0], a->value[SET_FILE], &value);
	return r != CLI_DONE ? r : store(a, "rotate", false, &value);
}

enum { LS_JSON, LS_NAMES };

static void put_row(struct buf *out, const struct api_doc *d, const struct json_node *s)
{
	struct buf names BUF_AUTO = { 0 };
	char id[CELL_MAX], created[CELL_MAX], rotated[CELL_MAX], fault[CELL_MAX], age[AGE_MAX];

	buf_init(&names, 4096);
	put_names(d, s, &names);
	table_cell(d, s, "created_at", created);
	table_cell(d, s, "rotated_at", rotated);
	if (*table_cell(d, s, "fault", fault))
		buf_fmt(out, "%-24s %s%s%s\n", table_cell(d, s, "id", id), say_colour(stdout, SAY_RED), fault, say_colour(stdout, SAY_PLAIN));
	else
		buf_fmt(out, "%-24s %7" PRIu64 "  %-8s %s\n", table_cell(d, s, "id", id), api_number(d, s, "version"),
			table_age(*rotated ? rotated : created, age), names.len ? buf_cstr(&names) : "-");
}

static int ls_run(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf out BUF_AUTO = { 0 };
	const struct json_node *s;
	int r;

	if (a->value[LS_JSON] && a->value[LS_NAMES])
		return say_fail(CLI_USAGE, "secret ls: say either --json or --names");
	r = api_call("GET", "/v1/secrets", NULL, &doc);
	if (r != CLI_DONE)
		return r;
	if (a->value[LS_JSON]) {
		buf_byte(&doc.text, '\n');
		return say_out(&doc.text);
	}
	buf_init(&out, OUT_MAX);
	s = doc.nodes ? json_get(doc.nodes, doc.nodes, "secrets") : NULL;
	s = s && s->first ? doc.nodes + s->first : NULL;
	if (!s && !a->value[LS_NAMES])
		buf_str(&out, "no secret yet: saw secret set ID --file FILE\n");
	else if (!a->value[LS_NAMES])
		buf_fmt(&out, "%s%-24s %7s  %-8s %s%s\n", say_colour(stdout, SAY_BOLD), "ID", "VERSION", "AGE", "BOUND BY",
			say_colour(stdout, SAY_PLAIN));
	for (; s; s = s->next ? doc.nodes + s->next : NULL) {
		char id[CELL_MAX];

		if (a->value[LS_NAMES])
			buf_fmt(&out, "%s\n", table_cell(&doc, s, "id", id));
		else
			put_row(&out, &doc, s);
	}
	return say_out(&out);
}

enum { RM_JSON, RM_FORCE };

/* CLI_DONE: go on. Who asks without --force hears whom it takes the secret from; nobody is asked about what is not there. */
static int may_remove(const char *id)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	struct buf names BUF_AUTO = { 0 };
	char found[CELL_MAX];
	const struct json_node *s;
	bool is_there = false, yes;
	int r = api_call("GET", "/v1/secrets", NULL, &doc);

	if (r != CLI_DONE)
		return r;
	buf_init(&names, 4096);
	s = doc.nodes ? json_get(doc.nodes, doc.nodes, "secrets") : NULL;
	for (s = s && s->first ? doc.nodes + s->first : NULL; s; s = s->next ? doc.nodes + s->next : NULL)
		if (strcmp(table_cell(&doc, s, "id", found), id) == 0) {
			is_there = true;
			put_names(&doc, s, &names);
		}
	if (!is_there)
		return say_fail(CLI_NOT_FOUND, "there is no secret %s: `saw secret ls` lists them", id);
	yes = names.len ? say_confirm("Remove secret %s? It is spent for %s: what they ask with it is refused from then on.", id, buf_cstr(&names)) :
			  say_confirm("Remove secret %s? No workspace's policy binds it.", id);
	return yes ? CLI_DONE : say_fail(CLI_USAGE, "%s: left alone; say --force where nobody can answer", id);
}

static int rm_run(const struct cli_args *a)
{
	struct api_doc doc API_DOC_AUTO = { 0 };
	char target[CREDENTIAL_ID_MAX + 20];
	const char *id = a->word[0];
	int r;

	if (!id_ok("secret rm", id))
		return CLI_USAGE;
	r = a->value[RM_FORCE] ? CLI_DONE : may_remove(id);
	if (r != CLI_DONE)
		return r;
	(void)snprintf(target, sizeof(target), "/v1/secrets/%s", id);
	r = api_call("DELETE", target, NULL, &doc);
	if (r == CLI_DONE && a->value[RM_JSON])
		printf("{\"id\":\"%s\",\"removed\":true}\n", id);
	else if (r == CLI_DONE)
		printf("%s: removed\n", id);
	return r;
}

static const struct cli_option set_options[] = {
	[SET_FILE] = { "file", "FILE", "read the value from FILE; - is standard input", CLI_FILE },
	[SET_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	[SET_FORCE] = { "force", NULL, "replace one that exists without asking", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};
static const struct cli_option rotate_options[] = {
	[SET_FILE] = { "file", "FILE", "read the value from FILE; - is standard input", CLI_FILE },
	[SET_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};
static const struct cli_option ls_options[] = {
	[LS_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	[LS_NAMES] = { "names", NULL, "print the ids only", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};
static const struct cli_option rm_options[] = {
	[RM_JSON] = { "json", NULL, "print JSON", CLI_TEXT },
	[RM_FORCE] = { "force", NULL, "do not ask", CLI_TEXT },
	{ NULL, NULL, NULL, CLI_TEXT },
};

/* Whatever stands behind it is refused: only_id(). */
static const struct cli_place id_place[] = { { 1, NULL, CLI_CREDENTIAL, NULL }, { 0, NULL, CLI_TEXT, NULL } };
static const struct cli_place old_id_place[] = { { 1, NULL, CLI_SECRET, NULL }, { 0, NULL, CLI_TEXT, NULL } };

static const struct cli_verb verbs[] = {
	{ .name = "secret set", .args = "ID [--file FILE]", .help = "store a value; policies bind it by its id",
	  .more = "Without --file the value comes from standard input; on a terminal it is typed twice and not shown. It can never be\n"
		  "given as an argument, and nothing gives it back.",
	  .options = set_options, .places = id_place, .words_min = 1, .words_max = CLI_WORDS_MAX, .run = set_run },
	{ .name = "secret ls", .args = "[--json | --names]", .help = "list ids, versions, ages, and whose policies bind them", .options = ls_options,
	  .run = ls_run },
	{ .name = "secret rotate", .args = "ID [--file FILE]", .help = "give one that exists a new value; the old one is not spent any more",
	  .options = rotate_options, .places = old_id_place, .words_min = 1, .words_max = CLI_WORDS_MAX, .run = rotate_run },
	{ .name = "secret rm", .args = "ID", .help = "remove it; what needs it is refused from then on", .options = rm_options,
	  .words = CLI_SECRET, .words_min = 1, .words_max = 1, .run = rm_run },
};

static const struct cli_verb *under(size_t i)
{
	return i < sizeof(verbs) / sizeof(verbs[0]) ? &verbs[i] : NULL;
}

static int cli_secret(int argc, char **argv)
{
	return cli_under_run(&cli_secret_verb, argc, argv);
}

const struct cli_verb cli_secret_verb = {
	.name = "secret",
	.args = "set|ls|rotate|rm ...",
	.help = "values that the gateway spends and no workspace sees",
	.more = "secret set ID [--file FILE]; secret rotate ID [--file FILE]; secret ls; secret rm ID",
	.own = cli_secret,
	.under = under,
};
