#include "rules/policy_ask.h"

#include "rules/http_reason.h"
#include "rules/policy_change.h"
#include "rules/policy_judge.h"
#include "rules/policy_method.h"
#include "wire/credential_fields.h"
#include "wire/http1_charset.h"
#include "wire/http1_fields.h"
#include "wire/http1_form.h"
#include "wire/http1_request.h"
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

static bool next_field(struct bytes *list, struct bytes *ret)
{
	if (!list->len)
		return false;
	*ret = bytes_of(list->p, bytes_find(*list, ','));
	*list = bytes_skip(*list, ret->len < list->len ? ret->len + 1 : ret->len);
	return true;
}

static bool has_type(const struct policy_ask *q)
{
	return q->body && q->type.len;
}

/* Every request has them when a rule looks: the gateway writes them anew. */
static bool is_own(const struct policy_ask *q, struct bytes name)
{
	static const char *const words[] = { "host", "upgrade", "connection", "sec-websocket-key", "sec-websocket-version" };

	if ((has_type(q) && bytes_ieq(name, bytes_str("content-type"))) || (q->destination && bytes_ieq(name, bytes_str("destination"))))
		return true;
	for (size_t i = 0; i < (q->websocket ? sizeof(words) / sizeof(words[0]) : 1); i++)
		if (bytes_ieq(name, bytes_str(words[i])))
			return true;
	return false;
}

static bool has_header(const void *headers, struct bytes name)
{
	const struct policy_ask *q = headers;
	struct bytes list = q->fields, one;

	if (is_own(q, name))
		return true;
	while (next_field(&list, &one))
		if (bytes_ieq(one, name) && !policy_field_dropped(one))
			return true;
	return false;
}

static bool has_like(const void *headers, struct bytes name)
{
	const struct policy_ask *q = headers;
	struct bytes list = q->fields, one;

	if ((has_type(q) && http1_names_alike(bytes_str("content-type"), name)) || (q->destination && http1_names_alike(bytes_str("destination"), name)))
		return true;
	while (next_field(&list, &one))
		if (http1_names_alike(one, name) && !policy_field_dropped(one))
			return true;
	return false;
}

/* Some field has this fate, or is another spelling of the one by which hosts tell what a body is. */
static bool some_field(const struct policy_ask *q, enum http1_fate fate)
{
	struct bytes list = q->fields, one;

	while (next_field(&list, &one))
		if (http1_request_field(one) == fate ||
		    (fate == HTTP1_CONFUSING && http1_name_matches(one, "content-type") && !bytes_ieq(one, bytes_str("content-type"))))
			return true;
	return false;
}

/* Without a value it is some coding: one of none says so by its absence. */
static bool is_coded(const struct policy_ask *q)
{
	struct bytes list = q->fields, one;

	while (next_field(&list, &one))
		if (bytes_ieq(one, bytes_str("content-encoding")))
			return true;
	return false;
}

static enum http1_form_kind kind_of(const struct policy_ask *q)
{
	return q->body ? http1_form_kind_said(q->method, q->type) : HTTP1_FORM_NONE;
}

static bool given(const struct policy_ask *q, enum policy_needs needs)
{
	return (needs == POLICY_NEEDS_JSON && q->body) || (needs == POLICY_NEEDS_GIT && q->commands);
}

/* Two changes of one ref are no push. */
static bool names_twice(const struct policy_ask *q)
{
	for (size_t i = 1; i < q->n_commands; i++)
		for (size_t k = 0; k < i; k++)
			if (bytes_eq(q->commands[i].ref, q->commands[k].ref))
				return true;
	return false;
}

static void read_body(const struct policy *p, const struct policy_ask *q, const struct policy_told *t, struct arena *arena, struct policy_body *ret)
{
	enum http1_form_kind kind = kind_of(q);

	if (t->entry.protocol == POLICY_GIT) {
		*ret = (struct policy_body){ .commands = q->commands, .n_commands = q->n_commands, .is_push = true, .push_options = q->push_options };
		if (names_twice(q))
			*ret = (struct policy_body){ .state = POLICY_BODY_UNCLEAR };
		return;
	}
	*ret = (struct policy_body){ .state = is_coded(q) ? POLICY_BODY_IS_CODED : policy_body_labelled(kind, q->type) };
	if (ret->state == POLICY_BODY_READ && policy_body_is_pairs(kind, *q->body))
		ret->state = POLICY_BODY_UNCLEAR;
	if (ret->state == POLICY_BODY_READ)
		policy_body_json(p, &t->entry, *q->body, arena, ret);
}

static bool names_method(enum http1_form_kind kind, struct bytes text)
{
	struct http1_form form;

	http1_form_init(&form, kind);
	(void)http1_form_feed(&form, text);
	return http1_form_end(&form);
}

/* What a form must not have, since servers would find another one in it. */
static enum reason form_fault(const struct policy_ask *q)
{
	enum http1_form_kind kind = kind_of(q);

	if (!http1_form_is_form(kind))
		return REASON_OK;
	if (kind != HTTP1_FORM_PARTS && is_coded(q))
		return REASON_HTTP_FORM_CODED;
	return http1_charset_of(q->type) == HTTP1_CHARSET_OTHER ? REASON_HTTP_FORM_CHARSET : REASON_OK;
}

/* What no policy allows, whatever its rules say: as the gateway looks at a head before it asks any. `target`: what is wrong with that. */
static enum reason never(const struct policy_ask *q, const struct policy_request *r, enum reason target)
{
	if (q->scheme == POLICY_SCHEME_TCP)
		return REASON_OK;
	if (bytes_is(q->method, "CONNECT"))
		return REASON_HTTP_METHOD_UNLISTED;
	if (target != REASON_OK && target != REASON_HTTP_ENCODED_SLASH)
		return target;
	if (some_field(q, HTTP1_CONFUSING))
		return REASON_HTTP_HEADER;
	if (some_field(q, HTTP1_OVERRIDE) || (r->has_query && names_method(HTTP1_FORM_URLENCODED, r->query)))
		return REASON_HTTP_OVERRIDE;
	if (form_fault(q) != REASON_OK)
		return form_fault(q);
	if (q->websocket && !bytes_is(q->method, "GET"))
		return REASON_UPGRADE_REFUSED;
	return bytes_ieq(q->method, bytes_str("TRACE")) ? REASON_HTTP_METHOD_UNLISTED : REASON_OK;
}

/* What the client says of its own credentials is taken out before a rule looks, where it is taken out at all. */
static void strip_query(struct policy_request *r, struct policy_told *t)
{
	struct buf query BUF_AUTO = { .max = HTTP1_LINE_MAX };
	size_t n = 0;

	if (!r->bare || !r->has_query || !credential_query_strip(r->query, &query, &n) || n == 0)
		return;
	t->target.len = r->path.len;
	r->has_query = query.len > 0;
	if (r->has_query) {
		buf_byte(&t->target, '?');
		buf_bytes(&t->target, buf_view(&query));
	}
	r->query = bytes_of(t->target.p + t->target.len - query.len, query.len);
}

/* In the body, which comes while it waits or goes on: what its head refused is refused for that. */
static bool body_overrides(const struct policy_ask *q, const struct policy_told *t)
{
	return q->body && (t->verdict.reason == REASON_OK || t->verdict.observed || t->verdict.needs != POLICY_NEEDS_NOTHING) &&
	       names_method(kind_of(q), *q->body);
}

/* The second path, where the first is allowed: `r` is about it then. */
static enum reason judge_destination(const struct policy *p, const struct policy_ask *q, struct policy_request *r, struct policy_told *t)
{
	const struct http1_place place = { .name = name_bytes(&t->authority.name),
					   .port = t->authority.port,
					   .default_port = t->entry.mode == POLICY_INTERCEPT ? 443 : 80,
					   .encoded_slash = t->entry.encoded_slash };
	const struct http1_head h = { .n_fields = 1, .fields = { { .name = bytes_str("destination"), .value = *q->destination } } };
	enum http1_fault f;
	size_t mark;

	buf_reset(&t->destination);
	f = http1_request_destination(&h, &place, &t->destination);
	if (f != HTTP1_FAULT_NONE) {
		r->path.len = 0;
		return http_fault_reason(f);
	}
	mark = bytes_find(buf_view(&t->destination), '?');
	r->path = bytes_of(t->destination.p, mark);
	r->has_query = mark < t->destination.len;
	r->query = r->has_query ? bytes_skip(buf_view(&t->destination), mark + 1) : bytes_of(NULL, 0);
	policy_judge(p, &t->entry, r, &t->verdict);
	return t->verdict.reason;
}

static enum reason judge_paths(const struct policy *p, const struct policy_ask *q, const struct policy_request *first, struct policy_request *r,
			       struct policy_told *t)
{
	*r = *first;
	policy_judge(p, &t->entry, r, &t->verdict);
	if (t->verdict.reason != REASON_OK || !q->destination || !policy_method_has_destination(q->method))
		return t->verdict.reason;
	return judge_destination(p, q, r, t);
}

static enum reason judge_request(const struct policy *p, const struct policy_ask *q, struct policy_request *r, struct policy_body *body, struct arena *arena,
				 struct policy_told *t)
{
	struct policy_request first;
	enum reason reason;

	strip_query(r, t);
	first = *r;
	reason = judge_paths(p, q, &first, r, t);
	if (reason != t->verdict.reason) /* the second is no path */
		return reason;
	if (body_overrides(q, t)) {
		t->verdict.needs = POLICY_NEEDS_NOTHING;
		return REASON_HTTP_OVERRIDE;
	}
	/* Read or not: what must change is told from all that is known. */
	if (t->entry.protocol == POLICY_GIT ? q->commands != NULL : q->body != NULL) {
		read_body(p, q, t, arena, body);
		first.body = r->body = body;
	}
	/* a push that none could pass is refused for its own changes */
	if (given(q, t->verdict.needs) || (t->entry.protocol == POLICY_GIT && q->commands))
		reason = judge_paths(p, q, &first, r, t);
	t->observed = t->verdict.observed && reason == t->verdict.reason;
	return reason;
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

/* What stands in the way of a request before anything else of it is looked at. */
static bool is_listable(enum reason r)
{
	return r == REASON_NAME_UNLISTED || r == REASON_PORT_UNLISTED || r == REASON_HTTP_ENCODED_SLASH;
}

/* `barred`: what no policy allows of the request, so that listing what stands before it would not help. */
static void propose(const struct policy *p, const struct policy_ask *q, const struct policy_request *r, enum reason barred, struct policy_told *t)
{
	static const enum policy_mode modes[] = { POLICY_HTTP, POLICY_INTERCEPT, POLICY_TCP };
	const struct policy_refused other = { .reason = barred };
	const struct policy_refused refused = { .reason = t->reason,
						.name = name_bytes(&t->authority.name),
						.port = t->authority.port,
						.mode = modes[q->scheme],
						.request = q->scheme == POLICY_SCHEME_TCP ? NULL : r };

	if (t->reason == REASON_PORT_UNLISTED && !refused.port)
		buf_str(&t->change, "no policy allows this: raw TCP has no port of its own; write tcp://NAME:PORT");
	else if (barred != REASON_OK && is_listable(t->reason))
		(void)policy_change(p, &other, &t->change);
	else if (t->reason != REASON_OK && t->verdict.needs == POLICY_NEEDS_NOTHING)
		(void)policy_change(p, &refused, &t->change);
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
	struct policy_request r = { .method = q->method, .websocket = q->websocket, .has_header = has_header, .has_like = has_like, .headers = q };
	struct policy_body body = { .state = POLICY_BODY_READ };
	enum reason target, barred;
	ARENA_AUTO struct arena arena;

	arena_init(&arena, JSON_POINTER_ARENA_MAX);
	*ret = (struct policy_told){ 0 };
	buf_init(&ret->target, HTTP1_LINE_MAX);
	buf_init(&ret->destination, HTTP1_LINE_MAX);
	buf_init(&ret->change, POLICY_CHANGE_MAX);
	ret->reason = find(p, q, ret);
	if (ret->reason == REASON_OK) {
		ret->has_entry = true;
		ret->verdict.rule = ret->entry.rule;
		ret->reason = carried(q, ret->entry.mode);
	}
	r.form = q->body && q->body->len && http1_form_is_form(kind_of(q));
	r.bare = ret->has_entry && policy_guarded(p, name_bytes(&ret->authority.name));
	target = canon(q, &r, ret);
	barred = never(q, &r, target);
	if (ret->reason == REASON_OK && policy_told_judged(ret)) {
		if (target == REASON_HTTP_ENCODED_SLASH && !bytes_is(q->method, "CONNECT"))
			ret->reason = target;
		else
			ret->reason = barred != REASON_OK ? barred : judge_request(p, q, &r, &body, &arena, ret);
	}
	if (barred != REASON_OK) /* nothing of it could be listed */
		r.path.len = 0;
	propose(p, q, r.path.len ? &r : NULL, barred, ret);
}

void policy_told_deinit(struct policy_told *t)
{
	buf_deinit(&t->target);
	buf_deinit(&t->destination);
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
