#include "rules/policy_ask.h"

#include "rules/http_reason.h"
#include "rules/policy_change.h"
#include "wire/http1_form.h"
#include "wire/http1_head.h"
#include "wire/http1_target.h"

static bool take_scheme(struct bytes *rest, struct policy_ask *q)
{
	static const struct {
		const char *text;
		enum policy_scheme scheme;
		bool websocket;
	} schemes[] = { { "http://", POLICY_SCHEME_HTTP, false },
			{ "https://", POLICY_SCHEME_HTTPS, false },
			{ "tcp://", POLICY_SCHEME_TCP, false },
			{ "ws://", POLICY_SCHEME_HTTP, true },
			{ "wss://", POLICY_SCHEME_HTTPS, true } };

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (bytes_starts(*rest, bytes_str(schemes[i].text))) {
			*rest = bytes_skip(*rest, strlen(schemes[i].text));
			q->scheme = schemes[i].scheme;
			q->websocket = schemes[i].websocket;
			return true;
		}
	return false;
}

bool policy_ask_parse(struct bytes method, struct bytes url, struct policy_ask *ret)
{
	struct policy_ask q = *ret;
	struct bytes rest = url;
	size_t end = 0;

	q.method = method.len ? method : bytes_str("GET");
	if (!http1_is_token(q.method) || !take_scheme(&rest, &q))
		return false;
	while (end < rest.len && rest.p[end] != '/' && rest.p[end] != '?')
		end++;
	q.authority = bytes_of(rest.p, end);
	q.target = bytes_skip(rest, end);
	*ret = q;
	return true;
}

static bool given(const struct policy_ask *q, enum policy_needs needs)
{
	return (needs == POLICY_NEEDS_JSON && q->body) || (needs == POLICY_NEEDS_GIT && q->commands);
}

static void read_body(const struct policy *p, const struct policy_ask *q, const struct policy_told *t, struct arena *arena, struct policy_body *ret)
{
	if (t->entry.protocol == POLICY_GIT)
		*ret = (struct policy_body){ .commands = q->commands, .n_commands = q->n_commands, .is_push = true };
	else
		policy_body_json(p, &t->entry, *q->body, arena, ret);
}

static void propose(const struct policy *p, const struct policy_ask *q, const struct policy_request *r, struct policy_told *t)
{
	static const enum policy_mode modes[] = { POLICY_HTTP, POLICY_INTERCEPT, POLICY_TCP };
	const struct policy_refused refused = { .reason = t->reason,
						.name = name_bytes(&t->authority.name),
						.port = t->authority.port,
						.mode = modes[q->scheme],
						.request = q->scheme == POLICY_SCHEME_TCP ? NULL : r };

	if (t->reason == REASON_PORT_UNLISTED && !refused.port)
		buf_str(&t->change, "no policy allows this: raw TCP has no port of its own; write tcp://NAME:PORT");
	else if (t->reason != REASON_OK && t->verdict.needs == POLICY_NEEDS_NOTHING)
		(void)policy_change(p, &refused, &t->change);
}

static bool names_method(enum http1_form_kind kind, struct bytes text)
{
	struct http1_form form;

	http1_form_init(&form, kind);
	(void)http1_form_feed(&form, text);
	return http1_form_end(&form);
}

/* In the head, as the gateway looks before it asks any rule. */
static bool head_overrides(const struct policy_ask *q, const struct policy_request *r)
{
	static const char *const fields[] = { "x-http-method-override", "x-http-method", "x-method-override", "x-method" };

	for (size_t i = 0; q->has_header && i < sizeof(fields) / sizeof(fields[0]); i++)
		if (q->has_header(q->headers, bytes_str(fields[i])))
			return true;
	return r->has_query && names_method(HTTP1_FORM_URLENCODED, r->query);
}

/* In the body, which comes while it waits or goes on: what its head refused is refused for that. */
static bool body_overrides(const struct policy_ask *q, const struct policy_told *t)
{
	return q->body && bytes_is(q->method, "POST") &&
	       (t->verdict.reason == REASON_OK || t->verdict.observed || t->verdict.needs != POLICY_NEEDS_NOTHING) &&
	       names_method(HTTP1_FORM_JSON, *q->body);
}

static enum reason judge_request(const struct policy *p, const struct policy_ask *q, struct policy_request *r, struct policy_body *body, struct arena *arena,
				 struct policy_told *t)
{
	if (head_overrides(q, r))
		return REASON_HTTP_OVERRIDE;
	policy_judge(p, &t->entry, r, &t->verdict);
	if (body_overrides(q, t)) {
		t->verdict.needs = POLICY_NEEDS_NOTHING;
		return REASON_HTTP_OVERRIDE;
	}
	/* Read or not: what must change is told from all that is known. */
	if (t->entry.protocol == POLICY_GIT ? q->commands != NULL : q->body != NULL) {
		read_body(p, q, t, arena, body);
		r->body = body;
	}
	/* a push that none could pass is refused for its own changes */
	if (given(q, t->verdict.needs) || (t->entry.protocol == POLICY_GIT && q->commands))
		policy_judge(p, &t->entry, r, &t->verdict);
	t->observed = t->verdict.observed;
	return t->verdict.reason;
}

static enum reason canon(const struct policy_ask *q, struct policy_request *r, struct policy_told *t)
{
	struct http1_target target;
	struct buf raw BUF_AUTO = { .max = HTTP1_LINE_MAX };
	enum http1_fault f;

	if (q->target.len == 0 || q->target.p[0] == '?')
		buf_byte(&raw, '/');
	if (!buf_bytes(&raw, q->target))
		return REASON_HTTP_TARGET_TOO_LONG;
	f = http1_target_canon(buf_view(&raw), t->entry.encoded_slash, &t->target, &target);
	/* what must change is told from all that is known */
	if (f != HTTP1_FAULT_NONE && (f != HTTP1_FAULT_ENCODED_SLASH || http1_target_canon(buf_view(&raw), true, &t->target, &target) != HTTP1_FAULT_NONE))
		return http_fault_reason(f);
	r->path = bytes_of(t->target.p, target.path_len);
	r->has_query = target.has_query;
	if (target.has_query)
		r->query = bytes_of(t->target.p + target.path_len + 1, target.query_len);
	return f == HTTP1_FAULT_NONE ? REASON_OK : http_fault_reason(f);
}

static enum reason find(const struct policy *p, const struct policy_ask *q, struct policy_told *t)
{
	static const uint16_t default_port[] = { 80, 443, 0 };
	enum http1_fault f;

	if (bytes_find(q->authority, '@') < q->authority.len)
		return REASON_HTTP_USERINFO;
	f = http1_authority_parse(q->authority, &t->authority);
	if (f != HTTP1_FAULT_NONE)
		return http_fault_reason(f);
	if (t->authority.port == 0)
		t->authority.port = default_port[q->scheme];
	return policy_find(p, name_bytes(&t->authority.name), t->authority.port, &t->entry);
}

/* REASON_OK where the entry's mode carries what is asked for. */
static enum reason carried(const struct policy_ask *q, enum policy_mode mode)
{
	switch (mode) {
	case POLICY_TCP:
		return REASON_OK;
	case POLICY_PASSTHROUGH:
	case POLICY_INTERCEPT:
		return q->scheme == POLICY_SCHEME_HTTPS ? REASON_OK : REASON_TLS_NOT;
	case POLICY_HTTP:
		return q->scheme == POLICY_SCHEME_HTTP ? REASON_OK : REASON_HTTP_NOT;
	}
	return REASON_NAME_UNLISTED;
}

void policy_ask(const struct policy *p, const struct policy_ask *q, struct policy_told *ret)
{
	struct policy_request r = { .method = q->method, .websocket = q->websocket, .has_header = q->has_header, .headers = q->headers };
	struct policy_body body = { .state = POLICY_BODY_READ };
	enum reason target;
	ARENA_AUTO struct arena arena;

	arena_init(&arena, JSON_POINTER_ARENA_MAX);
	*ret = (struct policy_told){ 0 };
	buf_init(&ret->target, HTTP1_LINE_MAX);
	buf_init(&ret->change, POLICY_CHANGE_MAX);
	ret->reason = find(p, q, ret);
	if (ret->reason == REASON_OK) {
		ret->has_entry = true;
		ret->verdict.rule = ret->entry.rule;
		ret->reason = carried(q, ret->entry.mode);
	}
	r.bare = ret->has_entry && policy_guarded(p, name_bytes(&ret->authority.name));
	target = canon(q, &r, ret);
	if (ret->reason == REASON_OK && policy_told_judged(ret))
		ret->reason = target == REASON_OK ? judge_request(p, q, &r, &body, &arena, ret) : target;
	propose(p, q, r.path.len ? &r : NULL, ret);
}

void policy_told_deinit(struct policy_told *t)
{
	buf_deinit(&t->target);
	buf_deinit(&t->change);
}

bool policy_told_judged(const struct policy_told *t)
{
	return t->has_entry && (t->entry.mode == POLICY_HTTP || t->entry.mode == POLICY_INTERCEPT);
}

const char *policy_told_decision(const struct policy_told *t)
{
	return t->reason == REASON_OK ? "allowed" : t->observed ? "observed" : "denied";
}
