#include "proxy/http_judge.h"

#include <string.h>

#include "rules/policy_method.h"
#include "wire/http1_fields.h"
#include "wire/ws_handshake.h"

static bool has_header(const void *headers, struct bytes name)
{
	const struct http1_head *h = headers;

	for (size_t i = 0; i < h->n_fields; i++)
		if (bytes_ieq(h->fields[i].name, name))
			return true;
	return false;
}

static bool has_like(const void *headers, struct bytes name)
{
	const struct http1_head *h = headers;

	for (size_t i = 0; i < h->n_fields; i++)
		if (http1_names_alike(h->fields[i].name, name))
			return true;
	return false;
}

/* A credential goes to the host, port and path that it is bound to, and a request of its entry never goes without it. */
static bool bound(const struct policy *p, const struct policy_entry *entry, const struct http_flow *f, const struct policy_request *q)
{
	struct bytes name = entry->upstream.len ? entry->upstream : name_bytes(&f->flow.name);
	uint16_t port = entry->upstream.len ? entry->upstream_port : f->flow.dst_port;

	return entry->credential == POLICY_NONE || policy_credential_bound(p, entry->credential, name, port, entry->protocol, q);
}

bool http_wants_websocket(const struct http1_head *h)
{
	struct ws_offer offer;

	return ws_request(h, &offer) == WS_REQUEST_OK;
}

/* Told to the guest and put on record, also where the entry only observes. */
static void propose(struct http_flow *f, const struct policy *p, const struct policy_request *q, enum reason reason)
{
	const struct policy_refused refused = {
		.reason = reason, .name = name_bytes(&f->flow.name), .port = f->flow.dst_port, .mode = f->flow.entry.mode, .request = q
	};

	(void)policy_change(p, &refused, &f->change);
}

static void keep_rule(struct http_flow *f, struct bytes rule)
{
	size_t n = rule.len < sizeof(f->rule) ? rule.len : sizeof(f->rule) - 1;

	if (n)
		memcpy(f->rule, rule.p, n);
	f->rule[n] = '\0';
}

bool http_without_body(const struct http_flow *f)
{
	return f->request.length.framing != HTTP1_CHUNKED && f->request.length.len == 0;
}

struct http1_place http_place_of(const struct http_flow *f, bool encoded_slash, bool websocket)
{
	return (struct http1_place){ .name = name_bytes(&f->flow.name),
				     .port = f->flow.dst_port,
				     .default_port = f->flow.entry.mode == POLICY_INTERCEPT ? 443 : 80,
				     .encoded_slash = encoded_slash, .websocket = websocket };
}

/* A canonical head, and what the policy in force says of it. */
struct answer {
	struct policy_entry entry;
	struct policy_request q;
	struct policy_verdict v;
	struct buf destination; /* what q borrows, where the second path of a request is the one that decides */
};

static void answer_deinit(struct answer *a)
{
	buf_deinit(&a->destination);
}
#define ANSWER_AUTO __attribute__((cleanup(answer_deinit)))

static void split_target(struct policy_request *q, struct bytes target)
{
	size_t mark = bytes_find(target, '?');

	q->path = bytes_of(target.p, mark);
	q->has_query = mark < target.len;
	q->query = q->has_query ? bytes_skip(target, mark + 1) : bytes_of(NULL, 0);
}

/* With the body as far as it was read, where a rule asks for it; the rule of another path may have read it already. */
static void judge_path(const struct policy *p, const struct http_flow *f, struct answer *a)
{
	policy_judge(p, &a->entry, &a->q, &a->v);
	if (a->v.needs != POLICY_NEEDS_NOTHING && f->reading && !a->q.body) {
		a->q.body = http_reading_facts(f->reading, p, &a->entry, a->v.needs);
		if (a->q.body)
			policy_judge(p, &a->entry, &a->q, &a->v);
	}
	if (a->v.reason == REASON_OK && !bound(p, &a->entry, f, &a->q))
		a->v.reason = REASON_CREDENTIAL_UNBOUND;
}

/* A COPY or MOVE is asked for two paths, and what nobody knows may be one: the second is judged as the first was. */
static enum reason judge_destination(const struct policy *p, const struct http_flow *f, const struct http1_head *h, struct answer *a)
{
	const struct http1_place place = http_place_of(f, a->entry.encoded_slash, false);
	bool reflective = a->v.reflective;
	enum http1_fault fault;

	if (!policy_method_has_destination(h->method))
		return REASON_OK;
	fault = http1_request_destination(h, &place, &a->destination);
	if (fault != HTTP1_FAULT_NONE || a->destination.len == 0)
		return http_fault_reason(fault);
	split_target(&a->q, buf_view(&a->destination));
	judge_path(p, f, a);
	a->v.reflective = a->v.reflective || reflective;
	return REASON_OK;
}

/* Changes nothing of the request. Where REASON_OK is the answer, there is a verdict, or it needs the body. */
static enum reason ask_policy(const struct http_flow *f, const struct http1_head *h, struct answer *ret)
{
	const struct policy *p = gate_policy(f->flow.gate);
	enum reason r = policy_find(p, name_bytes(&f->flow.name), f->flow.dst_port, &ret->entry);

	ret->v = (struct policy_verdict){ 0 };
	buf_init(&ret->destination, HTTP1_CANON_MAX);
	ret->q = (struct policy_request){
		.method = h->method,
		.has_header = has_header,
		.has_like = has_like,
		.headers = h,
		.bare = policy_guarded(p, name_bytes(&f->flow.name)),
		.websocket = http_wants_websocket(h),
		.form = !http_without_body(f) && http1_form_is_form(http1_form_kind_of(h)),
	};
	split_target(&ret->q, h->target);
	if (r != REASON_OK)
		return r;
	if (ret->entry.mode != f->flow.entry.mode)
		return REASON_POLICY_CHANGED;
	if (!ret->q.websocket && http1_find(h, "upgrade", NULL)) /* it lost on the way what makes it one (RFC 9110, 7.6.1) */
		return REASON_UPGRADE_REFUSED;
	if (!ret->entry.encoded_slash && memmem(ret->q.path.p, ret->q.path.len, "%2F", 3)) /* made canonical under a policy that took it */
		return REASON_HTTP_ENCODED_SLASH;
	judge_path(p, f, ret);
	return ret->v.reason == REASON_OK ? judge_destination(p, f, h, ret) : REASON_OK;
}

static enum reason judge_head(struct http_flow *f, const struct http1_head *h)
{
	struct answer a ANSWER_AUTO;
	enum reason r = ask_policy(f, h, &a);

	if (r != REASON_OK)
		return r;
	if (a.v.needs != POLICY_NEEDS_NOTHING && !f->reading && !f->judged) {
		f->reading = http_reading_new(a.v.needs, h);
		return f->reading ? REASON_OK : REASON_TOO_MANY_FLOWS; /* no verdict yet: http_ask_hold() asks again */
	}
	f->judged = true;
	f->observed = a.v.observed;
	f->reflective = a.v.reflective;
	f->websocket = a.q.websocket;
	if (a.v.reason != REASON_OK)
		propose(f, gate_policy(f->flow.gate), &a.q, a.v.reason);
	keep_rule(f, a.v.rule);
	return a.v.reason;
}

static bool canonical_head(const struct http_flow *f, struct http1_head *ret, enum http1_fault *ret_fault)
{
	struct http1_scan s = { 0 };
	size_t len;

	return http1_request_head(&s, buf_view(&f->canon), ret, &len, ret_fault) == HTTP1_DONE;
}

static enum reason judge(struct http_flow *f)
{
	struct http1_head h;
	enum http1_fault fault = HTTP1_FAULT_NONE;

	if (canonical_head(f, &h, &fault))
		return judge_head(f, &h);
	return http_fault_reason(fault); /* escapes carried it over a limit */
}

bool http_judge_stands(const struct http_flow *f)
{
	struct http1_head h;
	enum http1_fault fault;
	struct answer a ANSWER_AUTO = { 0 };

	return canonical_head(f, &h, &fault) && ask_policy(f, &h, &a) == REASON_OK &&
	       (a.v.reason == REASON_OK || a.v.observed || a.v.needs != POLICY_NEEDS_NOTHING);
}

static unsigned status_of(enum reason r)
{
	switch ((int)r) {
	case REASON_HTTP_TARGET_TOO_LONG:
		return 414;
	case REASON_HTTP_TOO_LARGE:
		return 431;
	default:
		return 403;
	}
}

static bool judge_again(struct http_flow *f)
{
	f->observed = false;
	f->rule[0] = '\0';
	buf_reset(&f->change);
	f->generation = gate_generation(f->flow.gate);
	f->verdict = judge(f);
	return f->verdict == REASON_OK || f->observed;
}

bool http_judge(struct http_flow *f)
{
	if (judge_again(f))
		return true;
	http_refuse(f, status_of(f->verdict), EVENT_DENIED, f->verdict);
	return false;
}

bool http_judge_granted(struct http_flow *f)
{
	if (judge_again(f))
		return true;
	http_refuse(f, 403, EVENT_DENIED, REASON_POLICY_CHANGED);
	return false;
}
