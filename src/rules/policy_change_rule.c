/* What must be added to the rules of an entry for one request. The same walk as the judge's, but over all rules that have the path: denies that meet the request,
 * of the others the one that decides, and failing that the first one that only its conditions keep away.
 *
 * A rule for exactly this request is narrower than whatever refuses it, so that it decides (policy_order.c), except where rules with conditions have the
 * same path: those would be neither narrower nor broader, and the compiler refuses that. There the class of the deciding rule is what must change. */
#include <stdio.h>

#include "rules/policy_change_edit.h"
#include "rules/policy_json.h"
#include "rules/policy_judge.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"
#include "rules/policy_query.h"
#include "rules/policy_walk.h"
#include "wire/credential_fields.h"

enum { DENIES_MAX = 4, VALUE_SHOW_MAX = 256 };

struct found {
	const struct change *c;
	const struct blob_rule *rules;
	uint32_t method;
	uint32_t deny[DENIES_MAX];
	uint32_t n_deny;
	uint32_t best; /* decides, were there no denies; BLOB_NONE */
	bool best_unclear;
	uint32_t unmet; /* the first that conditions keep away, of those that allow if there are any; BLOB_NONE */
	bool conditioned; /* a rule of this path and method has conditions */
};

static const struct blob_condition *conditions_of(const struct change *c, const struct blob_rule *rule)
{
	return (const struct blob_condition *)blob_at(c->p, BLOB_CONDITIONS) + rule->conditions.first;
}

static enum policy_met all_met(const struct change *c, const struct blob_rule *rule)
{
	enum policy_met all = POLICY_MET;

	for (uint32_t i = 0; i < rule->conditions.n; i++) {
		enum policy_met met = policy_condition_met(c->p, c->e, c->r->request, &conditions_of(c, rule)[i]);

		if (met == POLICY_UNMET)
			return met;
		all = met > all ? met : all;
	}
	return all;
}

static void note_deny(struct found *f, uint32_t index)
{
	for (uint32_t i = 0; i < f->n_deny; i++)
		if (f->deny[i] == index)
			return;
	if (f->n_deny < DENIES_MAX)
		f->deny[f->n_deny++] = index;
}

static bool closer(const struct found *f, uint32_t index)
{
	bool allows = f->rules[index].effect == POLICY_EFFECT_ALLOW;

	if (f->unmet == BLOB_NONE || (f->rules[f->unmet].effect == POLICY_EFFECT_ALLOW) != allows)
		return f->unmet == BLOB_NONE || allows;
	return index < f->unmet;
}

static void look(void *owner, uint32_t index)
{
	struct found *f = owner;
	const struct blob_rule *rule = &f->rules[index];
	enum policy_met met;

	if (!(rule->methods & f->method))
		return;
	met = all_met(f->c, rule);
	if (rule->effect == POLICY_EFFECT_DENY_RULE) {
		if (met != POLICY_UNMET)
			note_deny(f, index);
		return;
	}
	f->conditioned = f->conditioned || rule->conditions.n > 0;
	if (met == POLICY_UNMET) {
		f->unmet = closer(f, index) ? index : f->unmet;
	} else if (index < f->best) {
		f->best = index;
		f->best_unclear = met == POLICY_UNCLEAR;
	}
}

bool change_reads(const struct policy_request *r)
{
	return !r->websocket && (bytes_is(r->method, "GET") || bytes_is(r->method, "HEAD"));
}

bool change_put_rule(struct change *c, const char *class)
{
	const struct policy_request *r = c->r->request;
	char fault[POLICY_PATH_FAULT_MAX];
	bool grpc = c->e && c->e->protocol == POLICY_GRPC;

	if (policy_method_twin(r->method))
		c->never = "no rule grants a method in other letters than its own; send it in upper case";
	else if (!policy_method_bit(r->method))
		c->never = "no rule grants CONNECT or TRACE";
	else if (!policy_method_known(r->method))
		c->never = "a rule names the standard methods, or any method at all as `access: full` does";
	else if (r->websocket && !bytes_is(r->method, "GET"))
		c->never = "a WebSocket is opened by GET";
	else if (grpc && !bytes_is(r->method, "POST"))
		c->never = "every call of gRPC is a POST";
	else if (!policy_path_ok(r->path, !c->e || c->e->flags & BLOB_ENCODED_SLASH, fault))
		c->never = "the path is too long or too odd for a rule of its own";
	if (c->never)
		return false;
	buf_fmt(&c->text, "{class: %s, methods: [%.*s], paths: [", class, (int)r->method.len, (const char *)r->method.p);
	change_pattern(c, r->path);
	buf_fmt(&c->text, "]%s}", r->websocket ? ", websocket: opaque" : "");
	return !c->never;
}

static void add_text_value(struct change *c, struct bytes value)
{
	if (value.len > VALUE_SHOW_MAX)
		c->never = "the value is too long to be listed by a rule";
	else
		change_pattern(c, value);
}

static void add_json_value(struct change *c, struct bytes pointer, const struct json_value *v)
{
	switch (v->kind) {
	case JSON_VALUE_NULL:
		buf_str(&c->text, "null");
		break;
	case JSON_VALUE_FALSE:
	case JSON_VALUE_TRUE:
		buf_str(&c->text, v->kind == JSON_VALUE_TRUE ? "true" : "false");
		break;
	case JSON_VALUE_NUMBER:
		if (policy_json_number_ok(v->text))
			buf_bytes(&c->text, v->text);
		else
			c->never = "no rule lists a number that is written like this";
		break;
	case JSON_VALUE_STRING:
		add_text_value(c, v->text);
		break;
	case JSON_VALUE_ABSENT:
	case JSON_VALUE_OBJECT:
	case JSON_VALUE_ARRAY:
		change_never(c, "the rule wants one value at %.*s of the body, where there is none; send one that it lists", (int)pointer.len,
			     (const char *)pointer.p);
		break;
	}
}

static bool same_values(const struct change *c, struct blob_run a, struct blob_run b)
{
	const struct blob_str *v = blob_at(c->p, BLOB_VALUES);

	for (uint32_t i = 0; i < a.n && a.n == b.n; i++)
		if (!bytes_eq(blob_text(c->p, v[a.first + i]), blob_text(c->p, v[b.first + i])))
			return false;
	return a.n == b.n;
}

/* Has the rule a condition like this one? */
static bool has_like(const struct change *c, const struct blob_rule *rule, const struct blob_condition *like)
{
	const struct blob_condition *v = conditions_of(c, rule);

	for (uint32_t i = 0; i < rule->conditions.n; i++)
		if (v[i].kind == like->kind && bytes_eq(blob_text(c->p, v[i].key), blob_text(c->p, like->key)))
			return same_values(c, v[i].values, like->values);
	return false;
}

enum { BODILESS = POLICY_METHOD_GET | POLICY_METHOD_HEAD | POLICY_METHOD_OPTIONS | POLICY_METHOD_WEBSOCKET };

/* `models` is a condition of every rule that takes a body; an entry that writes the same under `json` of each is the same in the compiled policy. */
static bool is_models(const struct change *c, const struct blob_condition *cond)
{
	const struct blob_rule *rules = (const struct blob_rule *)blob_at(c->p, BLOB_RULES) + c->e->rules.first;

	if (cond->kind != POLICY_CONDITION_JSON || !bytes_is(blob_text(c->p, cond->key), POLICY_JSON_MODEL))
		return false;
	for (uint32_t i = 0; i < c->e->rules.n; i++)
		if (rules[i].effect != POLICY_EFFECT_DENY_RULE && (rules[i].methods & ~(uint32_t)BODILESS) && !has_like(c, &rules[i], cond))
			return false;
	return true;
}

/* NULL: the entry has none. */
static const struct blob_condition *models_of(const struct change *c)
{
	const struct blob_rule *rules = (const struct blob_rule *)blob_at(c->p, BLOB_RULES) + c->e->rules.first;

	for (uint32_t i = 0; i < c->e->rules.n; i++)
		for (uint32_t k = 0; rules[i].effect != POLICY_EFFECT_DENY_RULE && k < rules[i].conditions.n; k++)
			if (is_models(c, &conditions_of(c, &rules[i])[k]))
				return &conditions_of(c, &rules[i])[k];
	return NULL;
}

/* What `models` of the entry asks of a rule that is added. */
static void add_model(struct change *c)
{
	const struct policy_request *r = c->r->request;
	const struct blob_condition *models = models_of(c);
	enum policy_met met;

	if (!models || r->websocket || !(policy_method_bit(r->method) & ~(uint32_t)BODILESS))
		return;
	met = policy_condition_met(c->p, c->e, r, models);
	if (met == POLICY_UNMET && r->body->values[models->slot].kind == JSON_VALUE_STRING) {
		change_place(c, ".models: where it has them, add ");
		add_text_value(c, r->body->values[models->slot].text);
	} else if (met != POLICY_MET) {
		buf_str(&c->text, " (where the entry has `models`, the request's must be one of them, too)");
	}
}

static void add_rule(struct change *c)
{
	char class[CHANGE_CLASS_MAX];

	if (c->r->request->websocket && (c->e->credential != BLOB_NONE || c->e->protocol != POLICY_REST)) {
		c->never = c->e->credential != BLOB_NONE ? "no WebSocket is opened where a credential is spent" : "only rules of protocol rest open WebSockets";
		return;
	}
	change_class(c, change_reads(c->r->request), class);
	change_write_out(c);
	change_place(c, ".rules: add ");
	if (change_put_rule(c, class))
		add_model(c);
}

static void value_place(struct change *c, const struct blob_rule *rule, const struct blob_condition *cond)
{
	bool models = is_models(c, cond);

	if (models) {
		change_place(c, ".models (or rules[");
		change_quoted(c, blob_text(c->p, rule->name));
		buf_byte(&c->text, ']');
	} else {
		change_rule_place(c, blob_text(c->p, rule->name), "");
	}
	buf_str(&c->text, cond->kind == POLICY_CONDITION_JSON ? ".json[" : ".query[");
	change_quoted(c, blob_text(c->p, cond->key));
	buf_str(&c->text, models ? "]): add " : "]: add ");
}

static void add_header(struct change *c, struct bytes name)
{
	const char *why = policy_field_dropped(name)			  ? "taken out of every request" :
			  policy_field_taken(c->p, c->e, c->r->request, name) ? "taken out of requests to this host" :
										NULL;

	if (why)
		change_never(c, "the rule wants the header field %.*s, which is %s", (int)name.len, (const char *)name.p, why);
	else
		change_never(c, "the rule wants the header field %.*s, which the request has not; send it", (int)name.len, (const char *)name.p);
}

static void add_value(struct change *c, const struct blob_rule *rule, const struct blob_condition *cond)
{
	const struct policy_request *r = c->r->request;
	struct bytes key = blob_text(c->p, cond->key);
	struct policy_query_value got;

	if (cond->kind == POLICY_CONDITION_HEADER) {
		add_header(c, key);
		return;
	}
	if (cond->kind == POLICY_CONDITION_QUERY && r->bare && credential_query(key)) {
		change_never(c, "the rule wants the query parameter %.*s, which is taken out of requests to this host", (int)key.len, (const char *)key.p);
		return;
	}
	value_place(c, rule, cond);
	if (cond->kind == POLICY_CONDITION_JSON)
		add_json_value(c, key, &r->body->values[cond->slot]);
	else if (!r->has_query || policy_query_find(r->query, key, &got) != POLICY_QUERY_ONCE)
		change_never(c, "the rule wants the query parameter %.*s once; send it with a value that it lists", (int)key.len, (const char *)key.p);
	else
		add_text_value(c, bytes_of(got.p, got.len));
}

static void add_values(struct change *c, const struct blob_rule *rule)
{
	for (uint32_t i = 0; i < rule->conditions.n && !c->never; i++)
		if (policy_condition_met(c->p, c->e, c->r->request, &conditions_of(c, rule)[i]) == POLICY_UNMET)
			add_value(c, rule, &conditions_of(c, rule)[i]);
}

/* The deciding rule is about this method and path alone; one of GET is one of HEAD too. */
static bool is_exact(const struct change *c, const struct blob_rule *rule)
{
	struct buf name BUF_AUTO = { .max = 2048 };
	struct bytes entry = blob_text(c->p, c->e->name), class = blob_text(c->p, rule->class);
	uint32_t bit = c->r->request->websocket ? (uint32_t)POLICY_METHOD_WEBSOCKET : policy_method_bit(c->r->request->method);

	buf_fmt(&name, "%.*s: %.*s ", (int)entry.len, (const char *)entry.p, (int)class.len, (const char *)class.p);
	policy_methods_text(rule->methods, &name);
	buf_fmt(&name, " %.*s", (int)c->r->request->path.len, (const char *)c->r->request->path.p);
	return bytes_find(c->r->request->path, '*') == c->r->request->path.len &&
	       (rule->methods & ~(bit == POLICY_METHOD_GET ? bit | (uint32_t)POLICY_METHOD_HEAD : bit)) == 0 &&
	       bytes_eq(buf_view(&name), blob_text(c->p, rule->name));
}

/* A rule decides, and its class is held back. */
static void lift(struct change *c, const struct found *f)
{
	const struct blob_rule *rule = &f->rules[f->best];

	if (!f->conditioned && !is_exact(c, rule))
		add_rule(c);
	else
		change_lift(c, blob_text(c->p, rule->name), blob_text(c->p, rule->class), change_reads(c->r->request));
}

/* Only its conditions keep the rule away; then its class decides. */
static void meet(struct change *c, const struct blob_rule *rule)
{
	add_values(c, rule);
	if (!c->never && rule->effect != POLICY_EFFECT_ALLOW)
		change_lift(c, blob_text(c->p, rule->name), blob_text(c->p, rule->class), change_reads(c->r->request));
}

void change_bind(struct change *c, struct bytes path)
{
	struct policy_credential credential;

	if (c->e->credential == BLOB_NONE || blob_path_bound(c->p, c->e->credential, path) ||
	    !policy_credential_at(c->p, c->e->credential, &credential))
		return;
	change_edit(c, "credentials[%.*s].paths: add ", (int)credential.id.len, (const char *)credential.id.p);
	change_pattern(c, path);
}

static const char *unclear(const struct change *c)
{
	enum reason r = c->r->reason;

	if (r == REASON_HTTP_CONDITION && c->r->request->form)
		return "a rule reads a query parameter, and some servers take the fields of a form before it; send no form";
	return r == REASON_BODY_TOO_LARGE || r == REASON_BODY_CODED || r == REASON_BODY_NOT_PARSABLE || r == REASON_BODY_AMBIGUOUS ?
		       "a rule reads the body, and what it cannot read is never let through" :
		       "a rule reads a query parameter or a header field that comes twice, in a form that servers read in different ways, or "
		       "is taken out of requests to this host";
}

/* `as_it_came`: some rule must have it. Of another spelling only what holds it back counts. */
static void change_spelling(struct change *c, bool as_it_came)
{
	const struct policy_request *r = c->r->request;
	struct found f = { .c = c, .best = BLOB_NONE, .unmet = BLOB_NONE };
	const uint32_t none = BLOB_NONE;

	f.rules = (const struct blob_rule *)blob_at(c->p, BLOB_RULES) + c->e->rules.first;
	f.method = r->websocket ? (uint32_t)POLICY_METHOD_WEBSOCKET : policy_method_bit(r->method);
	policy_walk(c->p, c->e, r->path, &none, look, &f);
	for (uint32_t i = 0; i < f.n_deny; i++) {
		change_rule_place(c, blob_text(c->p, f.rules[f.deny[i]].name), ": remove, or narrow it so that ");
		buf_fmt(&c->text, "%.*s %.*s is left out", (int)r->method.len, (const char *)r->method.p, (int)r->path.len, (const char *)r->path.p);
	}
	if (f.best == BLOB_NONE && !as_it_came)
		return;
	if (f.best == BLOB_NONE && f.unmet == BLOB_NONE)
		add_rule(c);
	else if (f.best == BLOB_NONE)
		meet(c, &f.rules[f.unmet]);
	else if (f.best_unclear)
		c->never = unclear(c);
	else if (f.rules[f.best].effect != POLICY_EFFECT_ALLOW)
		lift(c, &f);
}

/* Some hosts read the path in another spelling, in which a rule holds it back. */
static void change_other_spelling(struct change *c)
{
	const struct policy_refused *as_it_came = c->r;
	struct policy_request other = *c->r->request;
	struct policy_refused refused = *c->r;
	struct policy_spelling s;

	refused.request = &other;
	if (!policy_judge_other(c->p, c->e, as_it_came->request, &s, &other.path))
		return;
	c->r = &refused;
	change_spelling(c, false);
	c->r = as_it_came;
}

void change_request(struct change *c)
{
	change_spelling(c, true);
	if (!c->never && policy_spelling_any(c->r->request->path))
		change_other_spelling(c);
	if (!c->never)
		change_bind(c, c->r->request->path);
}
