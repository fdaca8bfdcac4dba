/* `saw policy test`: the questions that inlet asks, with the same code and in the same order, about a request that nobody sends. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/utf8.h"
#include "cli/policy.h"
#include "cli/policy_file.h"
#include "cli/say.h"
#include "rules/policy_ask.h"
#include "rules/policy_method.h"
#include "wire/git_pkt.h"
#include "wire/git_ref.h"
#include "wire/http1.h"
#include "wire/http1_authority.h"

enum { COMMANDS_MAX = 256 };

/* Without http there is no Host that the gateway could find fault with: what names no host and port is no question. */
static bool names_a_place(const struct policy_ask *q)
{
	struct http1_authority a = { .port = 0 };
	enum http1_fault f;

	if (q->scheme == POLICY_SCHEME_HTTP || bytes_find(q->authority, '@') < q->authority.len)
		return true;
	f = http1_authority_parse(q->authority, &a);
	return f != HTTP1_FAULT_HOST && (f != HTTP1_FAULT_NONE || q->scheme == POLICY_SCHEME_HTTPS || a.port != 0);
}

/* "create:refs/heads/x" */
static bool parse_kind(struct bytes one, struct git_command *ret)
{
	static const char *const words[] = { [GIT_CREATE] = "create:", [GIT_UPDATE] = "update:", [GIT_DELETE] = "delete:" };

	for (int kind = 0; kind < 3; kind++)
		if (bytes_starts(one, bytes_str(words[kind]))) {
			*ret = (struct git_command){ .kind = (enum git_command_kind)kind, .ref = bytes_skip(one, strlen(words[kind])) };
			return git_ref_valid(ret->ref);
		}
	return false;
}

/* "OLD NEW REF", as git gives it to its hooks and sends it: which of the three it is the ids say. */
static bool parse_ids(struct bytes one, struct git_command *ret)
{
	size_t len = bytes_find(one, ' ');
	bool none_before, none_after;

	if ((len != GIT_SHA1_LEN && len != GIT_SHA256_LEN) || one.len < 2 * len + 2 || one.p[2 * len + 1] != ' ')
		return false;
	*ret = (struct git_command){ .old_id = bytes_of(one.p, len), .new_id = bytes_of(one.p + len + 1, len), .ref = bytes_skip(one, 2 * len + 2) };
	if (!git_id_valid(ret->old_id, len == GIT_SHA256_LEN) || !git_id_valid(ret->new_id, len == GIT_SHA256_LEN))
		return false;
	none_before = git_id_is_zero(ret->old_id);
	none_after = git_id_is_zero(ret->new_id);
	ret->kind = none_before ? GIT_CREATE : none_after ? GIT_DELETE : GIT_UPDATE;
	return !(none_before && none_after) && git_ref_valid(ret->ref);
}

static bool begins_change(struct bytes text)
{
	size_t id = bytes_find(text, ' ');

	return bytes_starts(text, bytes_str("create:")) || bytes_starts(text, bytes_str("update:")) || bytes_starts(text, bytes_str("delete:")) ||
	       (id == GIT_SHA1_LEN && git_id_valid(bytes_of(text.p, id), false)) || (id == GIT_SHA256_LEN && git_id_valid(bytes_of(text.p, id), true));
}

/* Up to a comma. Behind a `%` a ref may have some, too (refs/for/main%topic=x,wip): there it goes on to the next change. */
static size_t change_len(struct bytes list)
{
	size_t end = bytes_find(list, ',');

	while (end + 1 < list.len && bytes_find(list, '%') < end && !begins_change(bytes_skip(list, end + 1)))
		end += 1 + bytes_find(bytes_skip(list, end + 1), ',');
	return end;
}

/* "create:refs/heads/x,OLD NEW refs/heads/y" */
static bool parse_push(const char *text, struct git_command commands[COMMANDS_MAX], size_t *ret_n)
{
	struct bytes list = bytes_str(text);

	*ret_n = 0;
	while (list.len) {
		struct bytes one = bytes_of(list.p, change_len(list));

		list = bytes_skip(list, one.len < list.len ? one.len + 1 : one.len);
		if (*ret_n == COMMANDS_MAX || (!parse_kind(one, &commands[*ret_n]) && !parse_ids(one, &commands[*ret_n])))
			return false;
		++*ret_n;
	}
	return true;
}

/* What the gateway takes for one: a line of text. */
static bool push_option_ok(const char *text)
{
	struct bytes o = bytes_str(text);

	for (size_t i = 0; i < o.len; i++)
		if (o.p[i] < ' ' || o.p[i] == 0x7f)
			return false;
	return o.len && utf8_valid(o);
}

/* What the class of the deciding rule says, as a policy writes it. */
static const char *verdict_word(const struct policy_told *a)
{
	return a->reason == REASON_OK ? "allow" : a->reason == REASON_REVIEW_UNAVAILABLE ? "review" : "deny";
}

/* The binding by which the request would get its secret; false when it would get none. */
static bool credential(const struct policy *p, const struct policy_told *a, struct policy_credential *ret)
{
	return a->has_entry && a->reason == REASON_OK && a->entry.credential != POLICY_NONE && policy_credential_at(p, a->entry.credential, ret);
}

static int report_json(const struct policy *p, const struct policy_ask *q, const struct policy_told *a, uint32_t at_line)
{
	BUF_AUTO struct buf out;
	struct policy_credential c;
	struct json_out j;

	buf_init(&out, 256 * 1024);
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key_str(&j, "decision", policy_told_decision(a));
	json_out_key_str(&j, "verdict", verdict_word(a));
	json_out_key_str(&j, "reason", reason_code(a->reason));
	json_out_key_str(&j, "sentence", reason_sentence(a->reason));
	json_out_key_str(&j, "remedy", reason_remedy(a->reason));
	json_out_key_bytes_opt(&j, "policy_change", buf_view(&a->change));
	json_out_key_bytes(&j, "policy", policy_label(p));
	if (a->authority.name.len) {
		json_out_key_bytes(&j, "name", name_bytes(&a->authority.name));
		json_out_key_u64(&j, "port", a->authority.port);
	}
	if (a->has_entry) {
		json_out_key_bytes(&j, "entry", a->entry.rule);
		json_out_key_str(&j, "mode", policy_mode_text(a->entry.mode));
		json_out_key_bytes(&j, "rule", a->verdict.rule);
		if (at_line)
			json_out_key_u64(&j, "line", at_line);
		json_out_key_bytes_opt(&j, "class", a->verdict.class_name);
		json_out_key_bytes_opt(&j, "protocol", bytes_str(policy_protocol_text(a->entry.protocol)));
		json_out_key_bytes_opt(&j, "upstream", a->entry.upstream);
	}
	if (credential(p, a, &c))
		json_out_key_bytes(&j, "credential", c.id);
	if (q->scheme == POLICY_SCHEME_HTTP || policy_told_judged(a)) {
		json_out_key_bytes(&j, "method", q->method);
		json_out_key_bytes_opt(&j, "target", buf_view(&a->target));
		json_out_key_bytes_opt(&j, "destination", buf_view(&a->destination));
	}
	json_out_object_end(&j);
	buf_byte(&out, '\n');
	return say_out(&out);
}

static void line(struct buf *out, const char *key, struct bytes value)
{
	if (value.len == 0)
		return;
	buf_fmt(out, "  %-7s ", key);
	(void)say_clean(out, value);
	buf_byte(out, '\n');
}

static int report(const struct policy *p, const struct policy_ask *q, const struct policy_told *a, uint32_t at_line)
{
	struct policy_credential c;
	BUF_AUTO struct buf out;

	buf_init(&out, 64 * 1024);
	buf_fmt(&out, "%s%s%s: %s (%s)\n",
		say_colour(stdout, a->reason == REASON_OK ? SAY_GREEN
				   : a->observed          ? SAY_YELLOW
							  : SAY_RED),
		policy_told_decision(a), say_colour(stdout, SAY_PLAIN), reason_sentence(a->reason),
		reason_code(a->reason));
	if (a->has_entry) {
		line(&out, "entry", a->entry.rule);
		line(&out, "mode", bytes_str(policy_mode_text(a->entry.mode)));
		line(&out, "protocol", bytes_str(policy_protocol_text(a->entry.protocol)));
		line(&out, "rule", a->verdict.rule);
		if (at_line)
			buf_fmt(&out, "  line    %u\n", at_line);
		line(&out, "class", a->verdict.class_name);
		line(&out, "verdict", bytes_str(verdict_word(a)));
		line(&out, "upstream", a->entry.upstream);
	}
	if (credential(p, a, &c))
		line(&out, "credential", c.id);
	if (a->has_entry && policy_told_judged(a))
		line(&out, "target", buf_view(&a->target));
	line(&out, "destination", buf_view(&a->destination));
	if (a->reason == REASON_OK && a->entry.mode == POLICY_PASSTHROUGH && q->target.len)
		buf_str(&out,
			"  note    nobody sees the path: every path of the host is allowed\n");
	if (a->observed)
		buf_str(&out,
			"  note    the entry only observes: the request passes and is recorded\n");
	line(&out, "remedy", bytes_str(reason_remedy(a->reason)));
	line(&out, "change", buf_view(&a->change));
	return say_out(&out);
}

/* "a,b": names of fields, and nothing beside them. */
static bool headers_ok(const char *text)
{
	struct bytes list = bytes_str(text);

	for (bool more = true; more;) {
		size_t comma = bytes_find(list, ',');

		if (!http1_is_token(bytes_of(list.p, comma)))
			return false;
		more = comma < list.len;
		list = bytes_skip(list, more ? comma + 1 : comma);
	}
	return true;
}

enum { TEST_HEADERS, TEST_DESTINATION, TEST_BODY, TEST_FORM, TEST_TYPE, TEST_PUSH, TEST_PUSH_OPTION, TEST_JSON };

/* FILE [METHOD] URL [BODY]: the word with "://" in it is the URL. */
static int read_body(const char *path, struct buf *ret)
{
	struct err e = { "" };
	struct stat st;
	int r;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return say_fail(CLI_FAILED, "policy test: body %s: Is a directory: give the file that holds the body, or - for standard input", path);
	r = policy_file_read(path, ret, &e);
	return r == CLI_DONE ? r : say_fail((enum cli_exit)r, "policy test: body %s", e.text);
}

static bool sort_words(const struct cli_args *args, const char **ret_method, const char **ret_url, const char **ret_body)
{
	size_t url = args->n_words > 2 && !strstr(args->word[1], "://") ? 2 : 1;

	*ret_method = url == 2 ? args->word[1] : NULL;
	*ret_url = args->word[url];
	if (args->n_words > url + 1)
		*ret_body = args->word[url + 1];
	return args->n_words <= url + 2;
}

/* "METHOD URL" in one word, or in two. */
static bool parse(const char *method, const char *url, struct policy_ask *ret)
{
	struct bytes word = bytes_str(url);
	size_t blank = method ? word.len : bytes_find(word, ' ');

	if (blank == word.len)
		return policy_ask_parse(bytes_str(method ? method : ""), word, ret);
	return policy_ask_parse(bytes_of(word.p, blank), bytes_skip(word, blank + 1), ret);
}

static bool names_destination(struct bytes list)
{
	size_t comma = 0;

	for (; list.len; list = bytes_skip(list, comma < list.len ? comma + 1 : comma)) {
		comma = bytes_find(list, ',');
		if (bytes_ieq(bytes_of(list.p, comma), bytes_str("destination")))
			return true;
	}
	return false;
}

static int check_question(const struct policy_ask *q, const struct policy_told *a)
{
	/* the answer to any other request would say nothing about the changes */
	if (q->commands && a->has_entry && (a->entry.protocol != POLICY_GIT || !bytes_ends(q->target, bytes_str("/git-receive-pack"))))
		return say_fail(CLI_USAGE, "policy test: --push goes with the request that carries a push to an entry of protocol git: "
					   "'POST https://host/REPOSITORY/git-receive-pack'");
	if (!q->destination && names_destination(q->fields) && policy_told_judged(a) && policy_method_has_destination(q->method))
		return say_fail(CLI_USAGE, "policy test: the Destination of a %.*s is judged, too: say it with --destination URL, which takes the place of --headers destination",
				(int)q->method.len, (const char *)q->method.p);
	if (a->verdict.needs == POLICY_NEEDS_NOTHING)
		return CLI_DONE;
	return say_fail(CLI_USAGE, "policy test: rule `%.*s` reads the body; give it with %s", (int)a->verdict.rule.len, (const char *)a->verdict.rule.p,
			a->verdict.needs == POLICY_NEEDS_GIT ? "--push create:refs/heads/x" : "--body FILE");
}

/* Where the file says the deciding rule: two rules may have one name. 0: no rule decides, or it came compiled. */
static uint32_t line_of(const struct policy_told *a, const struct buf *lines)
{
	uint32_t v = 0;

	if (a->verdict.rule_number && a->verdict.rule_number <= lines->len / sizeof(v))
		memcpy(&v, lines->p + (a->verdict.rule_number - 1) * sizeof(v), sizeof(v));
	return v;
}

static int ask(const struct cli_args *args, const struct policy_ask *q)
{
	BUF_AUTO struct buf blob = { .max = POLICY_BLOB_MAX };
	BUF_AUTO struct buf lines = { .max = POLICY_BLOB_MAX };
	POLICY_TOLD_AUTO struct policy_told a = { .reason = REASON_OK };
	struct policy p = { 0 };
	int r = policy_file_open_lines(args->word[0], &blob, &p, &lines);

	if (r != CLI_DONE)
		return r;
	policy_ask(&p, q, &a);
	r = check_question(q, &a);
	if (r == CLI_DONE)
		r = args->value[TEST_JSON] ? report_json(&p, q, &a, line_of(&a, &lines)) : report(&p, q, &a, line_of(&a, &lines));
	if (r != CLI_DONE)
		return r;
	return a.reason == REASON_OK || a.observed ? CLI_DONE : CLI_DENIED;
}

static bool type_ok(const char *type)
{
	for (; *type; type++)
		if (*type < ' ' || *type > '~')
			return false;
	return true;
}

/* What is said to no purpose would be left out without a word. */
static int check_options(const struct cli_args *args, const char *body_path)
{
	const char *headers = args->value[TEST_HEADERS], *type = args->value[TEST_TYPE], *option = args->value[TEST_PUSH_OPTION];

	if (headers && !headers_ok(headers))
		return say_fail(CLI_USAGE, "policy test: --headers `%s` is no list of field names; write x-a,x-b, without blanks and values", headers);
	if (args->value[TEST_BODY] && body_path != args->value[TEST_BODY])
		return say_fail(CLI_USAGE, "policy test: --body %s beside %s: a request has one body; keep one", args->value[TEST_BODY], body_path);
	if (args->value[TEST_FORM] && body_path)
		return say_fail(CLI_USAGE, "policy test: --form beside the body %s: a request has one body; keep one", body_path);
	if (args->value[TEST_PUSH] && (body_path || args->value[TEST_FORM]))
		return say_fail(CLI_USAGE, "policy test: --push beside a body: a push is the body; keep one");
	if (type && !body_path && !args->value[TEST_FORM])
		return say_fail(CLI_USAGE, "policy test: --type says what a body is: add --body FILE or --form TEXT");
	if (type && !type_ok(type))
		return say_fail(CLI_USAGE, "policy test: --type is no value of Content-Type; write TYPE/SUBTYPE, or none");
	if (option && !args->value[TEST_PUSH])
		return say_fail(CLI_USAGE, "policy test: --push-option goes with --push");
	if (option && !push_option_ok(option))
		return say_fail(CLI_USAGE, "policy test: --push-option is no line of text");
	return CLI_DONE;
}

/* By itself a file is JSON and a form is one as a page sends it. "none": nothing is said. */
static struct bytes type_of(const struct cli_args *args)
{
	const char *type = args->value[TEST_TYPE];

	if (!type)
		return bytes_str(args->value[TEST_FORM] ? "application/x-www-form-urlencoded" : "application/json");
	return bytes_str(strcmp(type, "none") == 0 ? "" : type);
}

static int test_run(const struct cli_args *args)
{
	const char *method, *url, *body_path = args->value[TEST_BODY], *headers = args->value[TEST_HEADERS], *push = args->value[TEST_PUSH];
	struct policy_ask q = { .fields = bytes_str(headers ? headers : ""), .type = type_of(args), .push_options = args->value[TEST_PUSH_OPTION] };
	struct git_command commands[COMMANDS_MAX];
	BUF_AUTO struct buf body = { 0 };
	struct bytes text, destination = bytes_str(args->value[TEST_DESTINATION] ? args->value[TEST_DESTINATION] : "");
	int r;

	q.destination = args->value[TEST_DESTINATION] ? &destination : NULL;
	if (!sort_words(args, &method, &url, &body_path) || !parse(method, url, &q))
		return say_fail(
			CLI_USAGE,
			"policy test: `%s` is no request; write 'GET http://host/path', https://host/path, ws://host/path, wss://host/path or tcp://host:port",
			url);
	if (!names_a_place(&q))
		return say_fail(CLI_USAGE, "policy test: `%s` names no host and port: write %s, with a port from 1 to 65535", url,
				q.scheme == POLICY_SCHEME_TCP ? "tcp://host:port" : "https://host or https://host:port");
	if (push && !parse_push(push, commands, &q.n_commands))
		return say_fail(CLI_USAGE,
				"policy test: `%s` is no list of changes; write create:refs/heads/x, update:..., delete:... or OLD NEW refs/heads/x, with commas between",
				push);
	q.commands = push ? commands : NULL;
	r = check_options(args, body_path);
	r = r == CLI_DONE && body_path ? read_body(body_path, &body) : r;
	if (r != CLI_DONE)
		return r;
	text = args->value[TEST_FORM] ? bytes_str(args->value[TEST_FORM]) : buf_view(&body);
	q.body = body_path || args->value[TEST_FORM] ? &text : NULL;
	return ask(args, &q);
}

const struct cli_verb policy_test_verb = {
	.name = "policy test",
	.args = "FILE [METHOD] URL [BODY]",
	.help = "the gateway's verdict about a request, offline; exit code 3 when denied",
	.more = "URL is http://host/path, https://host/path, wss://host/path or tcp://host:port. FILE is a policy file or a compiled policy, BODY a file.\n"
		"A body is JSON unless --type says otherwise; --form 'a=1&b=2' is the body of a form.\n"
		"A git push is asked about as 'POST https://host/REPOSITORY/git-receive-pack' --push create:refs/heads/x, or with OLD NEW REF for each change.",
	.options =
		(const struct cli_option[]){
			[TEST_HEADERS] = { "headers", "NAMES",
					   "header fields that the request has: a,b", CLI_TEXT },
			[TEST_DESTINATION] = { "destination", "URL", "the Destination of a COPY or MOVE, a URL or a path", CLI_TEXT },
			[TEST_BODY] = { "body", "FILE", "the request's body, JSON by itself; as BODY", CLI_FILE },
			[TEST_FORM] = { "form", "TEXT", "the body of a form, as it is sent: a=1&b=2", CLI_TEXT },
			[TEST_TYPE] = { "type", "TYPE", "the body's Content-Type: 'multipart/form-data; boundary=x'; none: it says none", CLI_TEXT },
			[TEST_PUSH] = { "push", "CHANGES", "what a git push changes: create:refs/heads/x,update:...", CLI_TEXT },
			[TEST_PUSH_OPTION] = { "push-option", "TEXT", "what the push says with `git push -o TEXT`", CLI_TEXT },
			[TEST_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.places = (const struct cli_place[]){ { 2, NULL, CLI_CHOICE, "GET|HEAD|POST|PUT|PATCH|DELETE" }, { 0, NULL, CLI_TEXT, NULL } },
	.words_min = 2,
	.words_max = 4,
	.run = test_run,
};
