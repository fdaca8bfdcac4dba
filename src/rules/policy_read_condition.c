/* What a request must have beside its method and path: query keys, header fields, values in its JSON body. */
#include <stdlib.h>

#include "rules/policy_field.h"
#include "rules/policy_json.h"
#include "rules/policy_judge.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"
#include "rules/policy_rule.h"
#include "wire/credential_fields.h"

enum { RULE_LIST_MAX = 256, KEY_LEN_MAX = 128, BODILESS = POLICY_METHOD_GET | POLICY_METHOD_HEAD | POLICY_METHOD_WEBSOCKET };

static bool header_ok(struct bytes t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!((t.p[i] >= 'a' && t.p[i] <= 'z') || (t.p[i] >= '0' && t.p[i] <= '9') ||
		      t.p[i] == '-' || t.p[i] == '_'))
			return false;
	return t.len > 0;
}

/* What comes, but is not there any more when rules look. */
static void note_taken(struct model *m, const struct model_entry *e, const struct model_rule *r, const struct model_text *name)
{
	char shown[FIELD_SHOW_MAX];

	if (policy_field_dropped(name->text))
		model_warning(m, name->at, "header `%s` is taken out of every request before rules look, so this condition is never met; remove it, or the rule",
			      field_show(name->text, shown));
	else if (e->credential.text.len && credential_field(name->text) && r->effect != POLICY_EFFECT_DENY_RULE) /* a deny it fires */
		model_warning(m, name->at,
			      "header `%s` is taken out of requests to a host with a `credential`, so this condition is never met; remove it, or the rule",
			      field_show(name->text, shown));
}

/* Names of fields that must be there. */
static void read_headers(struct model *m, const struct model_entry *e, struct model_rule *r, const struct yaml_tree_node *node)
{
	struct model_text *list;
	uint32_t n = 0;

	if (!field_is_list(m, node, "headers"))
		return;
	if (node->n == 0)
		r->dead = true;
	list = arena_alloc(m->arena, node->n, sizeof(*list));
	for (const struct yaml_tree_node *v = node->first; v && list; v = v->next) {
		char shown[FIELD_SHOW_MAX];

		if (!field_text(m, v, "headers", KEY_LEN_MAX, &list[n]))
			continue;
		if (header_ok(list[n].text))
			n++;
		else
			model_error(
				m, place_of(v),
				"header `%s` is no field name in lower case; write it as `x-request-kind`, without a value",
				field_show(v->text, shown));
	}
	if (!list)
		return;
	field_sort_distinct(m, list, &n, "header");
	for (uint32_t i = 0; i < n; i++)
		note_taken(m, e, r, &list[i]);
	for (uint32_t i = 0; i < n; i++)
		r->conditions[r->n_conditions++] =
			(struct model_condition){ .kind = POLICY_CONDITION_HEADER, .key = list[i] };
}

static bool is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool has_escape(struct bytes t)
{
	for (size_t i = 0; i + 2 < t.len; i++)
		if (t.p[i] == '%' && is_hex(t.p[i + 1]) && is_hex(t.p[i + 2]))
			return true;
	return false;
}

/* Rules see the query as the host does: decoded, and without what the workspace says of credentials of its own. */
static void note_query(struct model *m, const struct model_entry *e, const struct model_condition *c)
{
	char shown[FIELD_SHOW_MAX];

	if (e->credential.text.len && credential_query(c->key.text))
		model_warning(m, c->key.at,
			      "query key `%s` is taken out of requests to a host with a `credential`, so this condition is never met; remove it, or the rule",
			      field_show(c->key.text, shown));
	if (has_escape(c->key.text))
		model_warning(m, c->key.at, "query key `%s` has an escape, and escapes are decoded before keys are compared; write the character itself",
			      field_show(c->key.text, shown));
	for (uint32_t i = 0; i < c->n_values; i++)
		if (has_escape(c->values[i].text))
			model_warning(m, c->values[i].at, "`%s` has an escape, and escapes are decoded before values are compared; write the character itself",
				      field_show(c->values[i].text, shown));
}

static void read_query_key(struct model *m, const struct model_entry *e, struct model_rule *r, const struct yaml_tree_node *node)
{
	struct model_condition *c = &r->conditions[r->n_conditions];
	struct model_text t;

	*c = (struct model_condition){ .kind = POLICY_CONDITION_QUERY,
				       .key = { node->key->text, place_of(node->key) } };
	if (node->key->text.len > KEY_LEN_MAX) {
		model_error(m, c->key.at, "a query key of more than %d bytes; shorten it",
			    KEY_LEN_MAX);
		return;
	}
	if (!field_is_list(m, node, "query"))
		return;
	if (node->n == 0)
		r->dead = true;
	c->values = arena_alloc(m->arena, node->n, sizeof(*c->values));
	for (const struct yaml_tree_node *v = node->first; v && c->values; v = v->next)
		if (v->kind == YAML_TREE_SCALAR && !v->plain && v->text.len == 0)
			c->values[c->n_values++] =
				(struct model_text){ .text = v->text, .at = place_of(v) };
		else if (field_text(m, v, "query", POLICY_PATH_MAX, &t))
			c->values[c->n_values++] = t;
	if (!c->values)
		return;
	field_sort_distinct(m, c->values, &c->n_values, "value");
	note_query(m, e, c);
	r->n_conditions++;
}

/* The type letter and the value: policy_json.h. */
static bool add_value(struct model *m, struct model_condition *c, char type, struct bytes text, struct place at)
{
	BUF_AUTO struct buf value = { .max = POLICY_PATH_MAX };

	buf_byte(&value, (uint8_t)type);
	buf_bytes(&value, text);
	if (value.failed) {
		model_error(m, at, "a value of more than %d bytes; shorten it", POLICY_PATH_MAX - 1);
		return false;
	}
	c->values[c->n_values++] = (struct model_text){ arena_copy(m->arena, buf_view(&value)), at };
	return true;
}

static void read_json_value(struct model *m, struct model_condition *c, const struct yaml_tree_node *v)
{
	static const char *const words[] = { "true", "false", "null" };
	struct place at = place_of(v);
	char shown[FIELD_SHOW_MAX];
	struct model_text t;

	if (v->kind == YAML_TREE_SCALAR && v->plain)
		for (size_t i = 0; i < 3; i++)
			if (bytes_is(v->text, words[i])) {
				(void)add_value(m, c, "tfz"[i], bytes_of(NULL, 0), at);
				return;
			}
	if (v->kind == YAML_TREE_SCALAR && yaml_tree_guess(v) == YAML_GUESS_NUMBER) {
		if (policy_json_number_ok(v->text))
			(void)add_value(m, c, 'n', v->text, at);
		else
			model_error(m, at, "`%s` is no number as rules write it; write decimal digits, at most %d, without exponent or needless zeros",
				    field_show(v->text, shown), POLICY_JSON_DIGITS_MAX);
		return;
	}
	if (v->kind == YAML_TREE_SCALAR && !v->plain && v->text.len == 0)
		(void)add_value(m, c, 's', v->text, at);
	else if (field_text(m, v, "json", POLICY_PATH_MAX, &t))
		(void)add_value(m, c, 's', t.text, at);
}

/* The place of a pointer among the entry's, which are read from a body in one pass. */
static bool slot_of(struct model *m, struct model_entry *e, const struct model_text *pointer, uint32_t *ret)
{
	for (*ret = 0; *ret < e->n_pointers; (*ret)++)
		if (bytes_eq(e->pointers[*ret].text, pointer->text))
			return true;
	if (!e->pointers)
		e->pointers = arena_alloc(m->arena, POLICY_POINTERS_MAX, sizeof(*e->pointers));
	if (e->n_pointers == POLICY_POINTERS_MAX) {
		model_error(m, pointer->at, "the rules of an entry read more than %d JSON pointers; split it by host, or use fewer", POLICY_POINTERS_MAX);
		return false;
	}
	if (e->pointers)
		e->pointers[e->n_pointers++] = *pointer;
	return e->pointers;
}

static bool read_json_values(struct model *m, struct model_condition *c, const struct yaml_tree_node *node, const char *what)
{
	if (!field_is_list(m, node, what))
		return false;
	c->values = arena_alloc(m->arena, node->n, sizeof(*c->values));
	for (const struct yaml_tree_node *v = node->first; v && c->values; v = v->next)
		read_json_value(m, c, v);
	if (c->values)
		field_sort_distinct(m, c->values, &c->n_values, "value");
	return c->values;
}

static void read_json_key(struct model *m, struct model_entry *e, struct model_rule *r, const struct yaml_tree_node *node)
{
	struct model_condition *c = &r->conditions[r->n_conditions];
	char shown[FIELD_SHOW_MAX];

	*c = (struct model_condition){ .kind = POLICY_CONDITION_JSON, .key = { node->key->text, place_of(node->key) } };
	if (!json_pointer_valid(c->key.text) || c->key.text.len == 0) {
		model_error(m, c->key.at, "`%s` is no JSON pointer; write the way to the member, as /draft or /input/model",
			    field_show(c->key.text, shown));
		return;
	}
	if (node->kind == YAML_TREE_LIST && node->n == 0)
		r->dead = true;
	if (read_json_values(m, c, node, "json") && slot_of(m, e, &c->key, &c->slot))
		r->n_conditions++;
}

/* A body that is not there cannot be judged, and requests without one are refused by every rule that reads it. */
static void check_body(struct model *m, const struct model_rule *r, struct place at)
{
	if (r->methods & (uint32_t)BODILESS)
		model_error(m, at, "a rule that reads the body is for methods that have one; list them, such as [POST], and write another rule for GET and HEAD");
}

static int condition_cmp(const void *a, const void *b)
{
	const struct model_condition *x = a, *y = b;

	return x->kind != y->kind ? (int)x->kind - (int)y->kind
				  : bytes_cmp(x->key.text, y->key.text);
}

static void sort_conditions(struct model_rule *r)
{
	if (r->n_conditions > 1)
		qsort(r->conditions, r->n_conditions, sizeof(*r->conditions), condition_cmp);
}

/* False: `node` is there and is no mapping. */
static bool is_map(struct model *m, const struct yaml_tree_node *node, const char *key, const char *like)
{
	if (!node)
		return false;
	if (node->kind == YAML_TREE_MAP)
		return true;
	model_error(m, place_of(node), "`%s` is not a mapping; write `%s`", key, like);
	return false;
}

void policy_read_conditions(struct model *m, struct model_entry *e, struct model_rule *r, const struct policy_condition_nodes *v)
{
	uint32_t n = (v->query ? v->query->n : 0) + (v->headers ? v->headers->n : 0) + (v->json ? v->json->n : 0);

	if (n > RULE_LIST_MAX) {
		model_error(m, r->at, "a rule has more than %d conditions; split it",
			    RULE_LIST_MAX);
		return;
	}
	/* one more for the models of the entry */
	r->conditions = arena_alloc(m->arena, n + 1, sizeof(*r->conditions));
	if (!r->conditions)
		return;
	if (is_map(m, v->query, "query", "query: {key: [value]}")) {
		r->dead = r->dead || v->query->n == 0;
		for (const struct yaml_tree_node *q = v->query->first; q; q = q->next)
			read_query_key(m, e, r, q);
	}
	if (v->headers)
		read_headers(m, e, r, v->headers);
	if (is_map(m, v->json, "json", "json: {/pointer: [value]}")) {
		r->dead = r->dead || v->json->n == 0;
		for (const struct yaml_tree_node *q = v->json->first; q; q = q->next)
			read_json_key(m, e, r, q);
		check_body(m, r, place_of(v->json->key));
	}
	sort_conditions(r);
}

static bool has_model(const struct model_rule *r)
{
	for (uint32_t i = 0; i < r->n_conditions; i++)
		if (r->conditions[i].kind == POLICY_CONDITION_JSON && bytes_is(r->conditions[i].key.text, POLICY_JSON_MODEL))
			return true;
	return false;
}

static void add_models(struct model *m, struct model_rule *r, const struct model_condition *c)
{
	struct model_condition *all = arena_alloc(m->arena, r->n_conditions + 1, sizeof(*all));

	if (!all)
		return;
	if (r->n_conditions)
		memcpy(all, r->conditions, r->n_conditions * sizeof(*all));
	all[r->n_conditions++] = *c;
	r->conditions = all;
	sort_conditions(r);
}

void policy_read_models(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	struct model_condition c = { .kind = POLICY_CONDITION_JSON, .key = { bytes_str(POLICY_JSON_MODEL), place_of(node) } };
	uint32_t n = 0, kept = 0;

	if (e->protocol != POLICY_REST) {
		model_error(m, place_of(node->key), "`models` reads the JSON of protocol rest; remove it");
		return;
	}
	if (!read_json_values(m, &c, node, "models") || !slot_of(m, e, &c.key, &c.slot))
		return;
	for (uint32_t i = 0; i < e->n_rules; i++) {
		struct model_rule *r = &e->rules[i];

		if (r->effect == POLICY_EFFECT_DENY_RULE || !(r->methods & ~(uint32_t)BODILESS & ~(uint32_t)POLICY_METHOD_OPTIONS))
			continue;
		n++;
		if (has_model(r))
			model_error(m, r->at, "`json` of " POLICY_JSON_MODEL " beside `models` of the entry (line %u) says it in two ways; keep one", node->key->line);
		else if (r->methods & (uint32_t)BODILESS)
			model_error(m, r->methods_at, "`models` of the entry (line %u) reads bodies, and GET has none; write a rule of its own for GET and HEAD",
				    node->key->line);
		else
			add_models(m, r, &c);
	}
	if (n == 0)
		model_error(m, place_of(node->key), "`models` applies to no rule of the entry; write one with methods that have a body");
	if (node->n > 0)
		return;
	model_warning(m, place_of(node), "`models` is empty, so no request that names one matches; list models, or remove the key");
	for (uint32_t i = 0; i < e->n_rules; i++)
		if (e->rules[i].effect == POLICY_EFFECT_DENY_RULE || !has_model(&e->rules[i]))
			e->rules[kept++] = e->rules[i];
	e->n_rules = kept;
}

static void number(struct model_entry *e, struct bytes pointer, uint32_t slot)
{
	for (uint32_t i = 0; i < e->n_rules; i++)
		for (uint32_t k = 0; k < e->rules[i].n_conditions; k++)
			if (e->rules[i].conditions[k].kind == POLICY_CONDITION_JSON && bytes_eq(e->rules[i].conditions[k].key.text, pointer))
				e->rules[i].conditions[k].slot = slot;
}

void policy_read_pointers(struct model_entry *e)
{
	if (e->n_pointers > 1)
		qsort(e->pointers, e->n_pointers, sizeof(*e->pointers), model_text_cmp);
	for (uint32_t i = 0; i < e->n_pointers; i++)
		number(e, e->pointers[i].text, i);
}
