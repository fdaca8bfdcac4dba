/* `saw policy test`: the questions that inlet asks, with the same code and in the same order, about a request that nobody sends. */
#include <stdio.h>

#include "cli/policy.h"
#include "cli/policy_file.h"
#include "cli/say.h"
#include "rules/http_reason.h"
#include "wire/http1_authority.h"
#include "wire/http1_target.h"

enum scheme { SCHEME_HTTP, SCHEME_HTTPS, SCHEME_TCP };

struct question {
	enum scheme scheme;
	struct bytes method;
	struct bytes authority;
	struct bytes target; /* from the slash on; empty when there is none */
};

struct answer {
	enum reason reason;
	bool observed;
	bool has_entry;
	struct http1_authority authority;
	struct policy_entry entry;
	struct policy_verdict verdict;
	struct buf target; /* canonical */
};

static bool take_scheme(struct bytes *rest, enum scheme *ret)
{
	static const char *const words[] = { "http://", "https://", "tcp://" };

	for (int i = 0; i < 3; i++)
		if (bytes_starts(*rest, bytes_str(words[i]))) {
			*rest = bytes_skip(*rest, strlen(words[i]));
			*ret = (enum scheme)i;
			return true;
		}
	return false;
}

/* "[METHOD] SCHEME://AUTHORITY[/PATH[?QUERY]]" */
static bool parse(const char *method, const char *url, struct question *ret)
{
	struct bytes rest = bytes_str(url);
	size_t blank = bytes_find(rest, ' '), end = 0;

	ret->method = bytes_str(method ? method : "GET");
	if (!method && blank < rest.len) {
		ret->method = bytes_of(rest.p, blank);
		rest = bytes_skip(rest, blank + 1);
	}
	if (!http1_is_token(ret->method) || !take_scheme(&rest, &ret->scheme))
		return false;
	while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	ret->authority = bytes_of(rest.p, end);
	ret->target = bytes_skip(rest, end);
	return true;
}

static bool has_header(const void *headers, struct bytes name)
{
	struct bytes list = bytes_str(headers);

	while (list.len) {
		size_t comma = bytes_find(list, ',');

		if (bytes_ieq(bytes_of(list.p, comma), name))
			return true;
		list = bytes_skip(list, comma < list.len ? comma + 1 : comma);
	}
	return false;
}

static enum reason judge_http(const struct policy *p, const struct question *q, const char *headers,
			      struct answer *a)
{
	struct http1_target t;
	struct policy_request r = { .method = q->method,
				    .has_header = has_header,
				    .headers = headers ? headers : "" };
	BUF_AUTO struct buf raw;
	enum http1_fault f;

	buf_init(&raw, HTTP1_LINE_MAX);
	if (q->target.len == 0 || q->target.p[0] == '?')
		buf_byte(&raw, '/');
	if (!buf_bytes(&raw, q->target))
		return REASON_HTTP_TARGET_TOO_LONG;
	f = http1_target_canon(buf_view(&raw), a->entry.encoded_slash, &a->target, &t);
	if (f != HTTP1_FAULT_NONE)
		return http_fault_reason(f);
	r.path = bytes_of(a->target.p, t.path_len);
	r.has_query = t.has_query;
	if (t.has_query)
		r.query = bytes_of(a->target.p + t.path_len + 1, t.query_len);
	policy_judge(p, &a->entry, &r, &a->verdict);
	a->observed = a->verdict.observed;
	return a->verdict.reason;
}

static enum reason ask(const struct policy *p, const struct question *q, const char *headers,
		       struct answer *a)
{
	static const uint16_t default_port[] = { 80, 443, 0 };
	enum http1_fault f;
	enum reason reason;

	if (bytes_find(q->authority, '@') < q->authority.len)
		return REASON_HTTP_USERINFO;
	f = http1_authority_parse(q->authority, &a->authority);
	if (f != HTTP1_FAULT_NONE)
		return http_fault_reason(f);
	if (a->authority.port == 0)
		a->authority.port = default_port[q->scheme];
	reason = policy_find(p, name_bytes(&a->authority.name), a->authority.port, &a->entry);
	if (reason != REASON_OK)
		return reason;
	a->has_entry = true;
	a->verdict.rule = a->entry.rule;
	switch (a->entry.mode) {
	case POLICY_TCP:
		return REASON_OK;
	case POLICY_PASSTHROUGH:
		return q->scheme == SCHEME_HTTPS ? REASON_OK : REASON_TLS_NOT;
	case POLICY_INTERCEPT:
		return q->scheme == SCHEME_HTTPS ? judge_http(p, q, headers, a) : REASON_TLS_NOT;
	case POLICY_HTTP:
		return q->scheme == SCHEME_HTTP ? judge_http(p, q, headers, a) : REASON_HTTP_NOT;
	}
	return REASON_NAME_UNLISTED;
}

static bool judged(const struct answer *a)
{
	return a->entry.mode == POLICY_HTTP || a->entry.mode == POLICY_INTERCEPT;
}

static const char *decision(const struct answer *a)
{
	return a->reason == REASON_OK ? "allowed" : a->observed ? "observed" : "denied";
}

static int report_json(const struct policy *p, const struct question *q, const struct answer *a)
{
	BUF_AUTO struct buf out;
	struct json_out j;

	buf_init(&out, 256 * 1024);
	json_out_init(&j, &out);
	json_out_object(&j);
	json_out_key_str(&j, "decision", decision(a));
	json_out_key_str(&j, "reason", reason_code(a->reason));
	json_out_key_str(&j, "sentence", reason_sentence(a->reason));
	json_out_key_str(&j, "remedy", reason_remedy(a->reason));
	json_out_key_bytes(&j, "policy", policy_label(p));
	if (a->authority.name.len) {
		json_out_key_bytes(&j, "name", name_bytes(&a->authority.name));
		json_out_key_u64(&j, "port", a->authority.port);
	}
	if (a->has_entry) {
		json_out_key_bytes(&j, "entry", a->entry.rule);
		json_out_key_str(&j, "mode", policy_mode_text(a->entry.mode));
		json_out_key_bytes(&j, "rule", a->verdict.rule);
		json_out_key_bytes_opt(&j, "class", a->verdict.class_name);
	}
	if (q->scheme == SCHEME_HTTP || judged(a)) {
		json_out_key_bytes(&j, "method", q->method);
		json_out_key_bytes_opt(&j, "target", buf_view(&a->target));
	}
	json_out_object_end(&j);
	buf_byte(&out, '\n');
	return say_out(&out);
}

static void line(struct buf *out, const char *key, struct bytes value)
{
	if (value.len == 0)
		return;
	buf_fmt(out, "  %-8s", key);
	(void)say_clean(out, value);
	buf_byte(out, '\n');
}

static int report(const struct question *q, const struct answer *a)
{
	BUF_AUTO struct buf out;

	buf_init(&out, 64 * 1024);
	buf_fmt(&out, "%s%s%s: %s (%s)\n",
		say_colour(stdout, a->reason == REASON_OK ? SAY_GREEN
				   : a->observed          ? SAY_YELLOW
							  : SAY_RED),
		decision(a), say_colour(stdout, SAY_PLAIN), reason_sentence(a->reason),
		reason_code(a->reason));
	if (a->has_entry) {
		line(&out, "entry", a->entry.rule);
		line(&out, "mode", bytes_str(policy_mode_text(a->entry.mode)));
		line(&out, "rule", a->verdict.rule);
		line(&out, "class", a->verdict.class_name);
	}
	if (a->has_entry && judged(a))
		line(&out, "target", buf_view(&a->target));
	if (a->reason == REASON_OK && a->entry.mode == POLICY_PASSTHROUGH && q->target.len)
		buf_str(&out,
			"  note    nobody sees the path: every path of the host is allowed\n");
	if (a->observed)
		buf_str(&out,
			"  note    the entry only observes: the request passes and is recorded\n");
	line(&out, "remedy", bytes_str(reason_remedy(a->reason)));
	return say_out(&out);
}

enum { TEST_HEADERS, TEST_JSON };

static int test_run(const struct cli_args *args)
{
	const char *method = args->n_words == 3 ? args->word[1] : NULL;
	BUF_AUTO struct buf blob = { .max = POLICY_BLOB_MAX };
	struct question q = { 0 };
	struct answer a = { .reason = REASON_OK };
	struct policy p = { 0 };
	int r;

	if (!parse(method, args->word[args->n_words - 1], &q))
		return say_fail(
			CLI_USAGE,
			"policy test: `%s` is no request; write 'GET http://host/path', https://host or tcp://host:port",
			args->word[args->n_words - 1]);
	if (!policy_file_open(args->word[0], &blob, &p))
		return CLI_FAILED;
	buf_init(&a.target, HTTP1_LINE_MAX);
	a.reason = ask(&p, &q, args->value[TEST_HEADERS], &a);
	r = args->value[TEST_JSON] ? report_json(&p, &q, &a) : report(&q, &a);
	buf_deinit(&a.target);
	if (r != CLI_DONE)
		return r;
	return a.reason == REASON_OK || a.observed ? CLI_DONE : CLI_DENIED;
}

const struct cli_verb policy_test_verb = {
	.name = "policy test",
	.args = "FILE [METHOD] URL",
	.help = "the gateway's verdict about a request, offline; exit code 3 when denied",
	.more = "URL is http://host/path, https://host or tcp://host:port. FILE is a policy file or a compiled policy.",
	.options =
		(const struct cli_option[]){
			[TEST_HEADERS] = { "headers", "NAMES",
					   "header fields that the request has: a,b", CLI_TEXT },
			[TEST_JSON] = { "json", NULL, "one JSON object", CLI_TEXT },
			{ NULL, NULL, NULL, CLI_TEXT },
		},
	.words = CLI_FILE,
	.words_min = 2,
	.words_max = 3,
	.run = test_run,
};
