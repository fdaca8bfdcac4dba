/* The section `credentials`: bindings, never values. A secret goes to the keeper by `saw secret set`, and whatever looks like one here is refused
 * wherever it stands, since a policy is read by many. */
#include <stdlib.h>

#include "rules/policy_field.h"
#include "rules/policy_path.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))
#define VALUE "values never stand in a policy; set it with `saw secret set`, and remove it here"

enum { HEADER_LEN_MAX = 64, FORMAT_LEN_MAX = 256, SECRET_RUN = 20, SECRET_DIGITS = 3 };

enum { KEY_INJECT, KEY_HOSTS, KEY_PORTS, KEY_PATHS, KEYS_KNOWN };
static const struct field_key keys[] = {
	{ "inject", NULL },  { "hosts", NULL },     { "ports", NULL },  { "paths", NULL },    { "value", VALUE }, { "secret", VALUE },
	{ "token", VALUE },  { "password", VALUE }, { "key", VALUE },   { "api_key", VALUE }, { "file", VALUE },  { "env", VALUE },
	{ "bearer", "it belongs under `inject`; write `inject: {bearer: true}`" },
	{ "basic", "it belongs under `inject`; write `inject: {basic: {user: NAME}}`" },
	{ "header", "it belongs under `inject`; write `inject: {header: NAME, format: \"{}\"}`" },
	{ "query", "it belongs under `inject`; write `inject: {query: NAME, allow_query: true}`" },
};

enum { KEY_HEADER, KEY_FORMAT, KEY_BEARER, KEY_BASIC, KEY_QUERY, KEY_ALLOW_QUERY, INJECT_KNOWN };
static const struct field_key inject_keys[] = {
	{ "header", NULL }, { "format", NULL },      { "bearer", NULL }, { "basic", NULL },
	{ "query", NULL },  { "allow_query", NULL }, { "value", VALUE }, { "secret", VALUE },
	{ "token", VALUE }, { "password", VALUE },
};

static bool is_token(struct bytes t)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < t.len; i++) {
		uint8_t c = t.p[i] | 0x20;

		if (!((c >= 'a' && c <= 'z') || (t.p[i] >= '0' && t.p[i] <= '9') || (t.p[i] && strchr(marks, t.p[i]))))
			return false;
	}
	return t.len > 0;
}

static bool is_visible(struct bytes t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.p[i] < 0x20 || t.p[i] > 0x7e)
			return false;
	return true;
}

/* A long run of what keys are made of, with digits in it. */
static bool looks_secret(struct bytes t)
{
	size_t run = 0, digits = 0;

	for (size_t i = 0; i < t.len; i++) {
		uint8_t c = t.p[i];
		bool digit = c >= '0' && c <= '9';

		if (!digit && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !strchr("_-.+/=", c)) {
			run = digits = 0;
			continue;
		}
		run++;
		digits += digit;
		if (run >= SECRET_RUN && digits >= SECRET_DIGITS)
			return true;
	}
	return false;
}

static bool check_secret(struct model *m, const struct model_text *t, const char *key)
{
	if (!looks_secret(t->text))
		return true;
	model_error(m, t->at, "`%s` holds what looks like a secret; values never stand in a policy, set it with `saw secret set`", key);
	return false;
}

/* Fields by which messages are framed, routed or forwarded are nobody's to add. */
static bool header_free(struct bytes name)
{
	static const char *const taken[] = { "host",    "connection", "content-length",   "transfer-encoding", "te",
					     "trailer", "upgrade",    "expect",           "keep-alive",        "proxy-connection",
					     "date",    "via",        "content-encoding", "content-type",      "forwarded",
					     "range",   "accept",     "accept-encoding",  "http2-settings",    "content-range" };

	for (size_t i = 0; i < ITEMS(taken); i++)
		if (bytes_ieq(name, bytes_str(taken[i])))
			return false;
	return !(name.len > 4 && bytes_ieq(bytes_of(name.p, 4), bytes_str("sec-"))) &&
	       !(name.len > 12 && bytes_ieq(bytes_of(name.p, 12), bytes_str("x-forwarded-")));
}

static void read_format(struct model *m, struct model_credential *c, const struct yaml_tree_node *node)
{
	struct model_text t;
	size_t at = 0, n = 0;

	if (!field_text(m, node, "format", FORMAT_LEN_MAX, &t) || !check_secret(m, &t, "format"))
		return;
	for (size_t i = 0; i + 1 < t.text.len; i++)
		if (t.text.p[i] == '{' && t.text.p[i + 1] == '}') {
			at = i;
			n++;
		}
	if (n != 1 || !is_visible(t.text)) {
		model_error(m, t.at, "`format` must hold `{}` exactly once, where the secret goes, and visible ASCII beside it; write \"Bearer {}\" or \"{}\"");
		return;
	}
	c->prefix = bytes_of(t.text.p, at);
	c->suffix = bytes_skip(t.text, at + 2);
	if (c->suffix.len && c->suffix.p[c->suffix.len - 1] == ' ')
		model_error(m, t.at, "`format` ends in a blank, which no header value does; remove it");
	if (c->prefix.len && c->prefix.p[0] == ' ')
		model_error(m, t.at, "`format` begins with a blank, which no header value does; remove it");
}

static void read_header(struct model *m, struct model_credential *c, const struct yaml_tree_node *const *v)
{
	char shown[FIELD_SHOW_MAX];
	struct model_text t;

	c->inject = POLICY_INJECT_HEADER;
	if (!field_text(m, v[KEY_HEADER], "header", HEADER_LEN_MAX, &t))
		return;
	if (!is_token(t.text) || !header_free(t.text))
		model_error(m, t.at, "`%s` is no header field that may carry a credential; write one such as Authorization or x-api-key",
			    field_show(t.text, shown));
	c->header = t.text;
	if (v[KEY_FORMAT])
		read_format(m, c, v[KEY_FORMAT]);
	else
		model_error(m, place_of(v[KEY_HEADER]), "`header` without `format`; write how the value looks, as format: \"Bearer {}\" or \"{}\"");
}

static void read_bearer(struct model *m, struct model_credential *c, const struct yaml_tree_node *node)
{
	bool on = false;

	c->inject = POLICY_INJECT_HEADER;
	c->header = bytes_str("Authorization");
	c->prefix = bytes_str("Bearer ");
	if (field_bool(m, node, "bearer", &on) && !on)
		model_error(m, place_of(node), "`bearer: false` says nothing; write how the secret is added, or `bearer: true`");
}

static void read_basic(struct model *m, struct model_credential *c, const struct yaml_tree_node *node)
{
	static const struct field_key basic_keys[] = { { "user", NULL }, { "password", VALUE } };
	const struct yaml_tree_node *v[ITEMS(basic_keys)];
	struct model_text t;

	c->inject = POLICY_INJECT_BASIC;
	c->header = bytes_str("Authorization");
	if (!field_map(m, node, "`basic`", basic_keys, ITEMS(basic_keys), v))
		return;
	if (!v[0]) {
		model_error(m, place_of(node), "`basic` without `user`; write `basic: {user: NAME}`, the password is the secret");
		return;
	}
	if (!field_text(m, v[0], "user", FORMAT_LEN_MAX, &t) || !check_secret(m, &t, "user"))
		return;
	if (t.text.len == 0 || !is_visible(t.text) || bytes_find(t.text, ':') < t.text.len)
		model_error(m, t.at, "`user` is empty, or has a colon or more than visible ASCII; write the user's name");
	c->user = t.text;
}

/* Targets are logged by every hop, so that a secret in one is worse kept than in a header. */
static void read_query(struct model *m, struct model_credential *c, const struct yaml_tree_node *const *v)
{
	struct model_text t;
	bool allowed = false;

	c->inject = POLICY_INJECT_QUERY;
	if (v[KEY_ALLOW_QUERY] && !field_bool(m, v[KEY_ALLOW_QUERY], "allow_query", &allowed))
		return;
	if (!allowed)
		model_error(m, place_of(v[KEY_QUERY]->key),
			    "a secret in the query ends up in logs of the host; use a header, or write `allow_query: true` beside it");
	if (!field_text(m, v[KEY_QUERY], "query", HEADER_LEN_MAX, &t))
		return;
	for (size_t i = 0; i < t.text.len; i++)
		if (strchr("&=+%#;?[] ", t.text.p[i]) || t.text.p[i] < 0x21 || t.text.p[i] > 0x7e) {
			model_error(m, t.at, "`query` is no plain key; write letters, digits, hyphens, dots and underscores");
			return;
		}
	c->header = t.text;
}

static void read_inject(struct model *m, struct model_credential *c, const struct yaml_tree_node *node)
{
	static const int forms[] = { KEY_HEADER, KEY_BEARER, KEY_BASIC, KEY_QUERY };
	const struct yaml_tree_node *v[ITEMS(inject_keys)];
	int form = -1;

	if (!field_map(m, node, "`inject`", inject_keys, ITEMS(inject_keys), v))
		return;
	for (size_t i = 0; i < ITEMS(forms); i++)
		if (v[forms[i]] && form >= 0)
			model_error(m, place_of(v[forms[i]]->key), "`%s` beside `%s`: a secret is added in one way; keep one",
				    inject_keys[forms[i]].key, inject_keys[form].key);
		else if (v[forms[i]])
			form = forms[i];
	if (v[KEY_FORMAT] && form != KEY_HEADER)
		model_error(m, place_of(v[KEY_FORMAT]->key), "`format` belongs to `header`; write `header: NAME` beside it, or remove it");
	if (v[KEY_ALLOW_QUERY] && form != KEY_QUERY)
		model_error(m, place_of(v[KEY_ALLOW_QUERY]->key), "`allow_query` belongs to `query`; remove it");
	if (form == KEY_HEADER)
		read_header(m, c, v);
	else if (form == KEY_BEARER)
		read_bearer(m, c, v[KEY_BEARER]);
	else if (form == KEY_BASIC)
		read_basic(m, c, v[KEY_BASIC]);
	else if (form == KEY_QUERY)
		read_query(m, c, v);
	else
		model_error(m, place_of(node),
			    "`inject` says no way to add the secret; write {bearer: true}, {header: NAME, format: \"{}\"} or {basic: {user: NAME}}");
}

static void read_paths(struct model *m, struct model_credential *c, const struct yaml_tree_node *node)
{
	char fault[POLICY_PATH_FAULT_MAX], shown[FIELD_SHOW_MAX];
	struct model_text t;

	if (!field_is_list(m, node, "paths"))
		return;
	if (node->n == 0 || node->n > POLICY_BOUND_MAX) {
		model_error(m, place_of(node), "`paths` of a credential has none or more than %d; list where it may be sent, or [\"/**\"]",
			    POLICY_BOUND_MAX);
		return;
	}
	c->paths = arena_alloc(m->arena, node->n, sizeof(*c->paths));
	for (const struct yaml_tree_node *v = node->first; v && c->paths; v = v->next) {
		if (!field_text(m, v, "paths", YAML_TREE_SCALAR_MAX, &t))
			continue;
		if (policy_path_ok(t.text, true, fault))
			c->paths[c->n_paths++] = t;
		else
			model_error(m, t.at, "path `%s`: %s", field_show(t.text, shown), fault);
	}
	field_sort_distinct(m, c->paths, &c->n_paths, "path");
}

static void read_credential(struct model *m, struct model_credential *c, const struct yaml_tree_node *node)
{
	const struct yaml_tree_node *v[ITEMS(keys)];
	size_t n_errors = m->problems->n_errors;

	c->at = place_of(node->key);
	(void)field_name(m, node->key, "credentials", &c->id);
	c->broken = !field_map(m, node, "a credential", keys, ITEMS(keys), v);
	if (c->broken)
		return;
	if (v[KEY_INJECT])
		read_inject(m, c, v[KEY_INJECT]);
	else
		model_error(m, c->at, "a credential without `inject`; write how it is added, as {bearer: true}");
	if (v[KEY_HOSTS])
		policy_read_hosts(m, v[KEY_HOSTS], "the credential", &c->hosts, &c->n_hosts);
	else
		model_error(m, c->at, "a credential without `hosts`; list where it may be sent");
	if (c->n_hosts > POLICY_BOUND_MAX)
		model_error(m, v[KEY_HOSTS] ? place_of(v[KEY_HOSTS]) : c->at,
			    "`hosts` of a credential has more than %d; bind it more narrowly", POLICY_BOUND_MAX);
	if (v[KEY_PATHS])
		read_paths(m, c, v[KEY_PATHS]);
	else
		model_error(m, c->at, "a credential without `paths`; list where it may be sent, or [\"/**\"]");
	c->ports_said = v[KEY_PORTS];
	if (v[KEY_PORTS])
		policy_read_ports(m, &c->ports, v[KEY_PORTS]);
	c->broken = m->problems->n_errors != n_errors;
}

static int credential_cmp(const void *a, const void *b)
{
	const struct model_credential *x = a, *y = b;

	return bytes_cmp(x->id.text, y->id.text);
}

void policy_read_credentials(struct model *m, const struct yaml_tree_node *node)
{
	if (node->kind != YAML_TREE_MAP) {
		model_error(m, place_of(node), "`credentials` is not a mapping; write `ID: {inject: ..., hosts: [...], paths: [...]}` lines");
		return;
	}
	if (node->n > POLICY_CREDENTIALS_MAX) {
		model_error(m, place_of(node), "more than %d credentials; split the policy", POLICY_CREDENTIALS_MAX);
		return;
	}
	m->credentials = arena_alloc(m->arena, node->n, sizeof(*m->credentials));
	for (const struct yaml_tree_node *v = node->first; v && m->credentials; v = v->next)
		read_credential(m, &m->credentials[m->n_credentials++], v);
	if (m->credentials && m->n_credentials > 1)
		qsort(m->credentials, m->n_credentials, sizeof(*m->credentials), credential_cmp);
}
