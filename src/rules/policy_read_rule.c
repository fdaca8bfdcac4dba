/* Rules of an http entry, and the presets that stand for some. */
#include <stdlib.h>

#include "rules/host_pattern.h"
#include "rules/policy_field.h"
#include "rules/policy_git.h"
#include "rules/policy_method.h"
#include "rules/policy_path.h"
#include "rules/policy_rule.h"
#include "rules/word_near.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))
#define OTHER_PROTOCOL(p)                                                                          \
	"is read by protocol " p ", which is not available in this version; remove it"

enum { SAFE_METHODS = POLICY_METHOD_GET | POLICY_METHOD_HEAD, RULE_LIST_MAX = 256 };

enum {
	KEY_CLASS,
	KEY_METHODS,
	KEY_PATHS,
	KEY_DENY,
	KEY_QUERY,
	KEY_HEADERS,
	KEY_JSON,
	KEY_WEBSOCKET,
	KEY_REFLECTIVE,
	KEY_GIT,
	KEY_REFS,
	KEY_CHANGE,
	KEY_PUSH_OPTIONS,
	KEYS_KNOWN
};
static const struct field_key keys[] = {
	{ "class", NULL },
	{ "methods", NULL },
	{ "paths", NULL },
	{ "deny", NULL },
	{ "query", NULL },
	{ "headers", NULL },
	{ "json", NULL },
	{ "websocket", NULL },
	{ "reflective", NULL },
	{ "git", NULL },
	{ "refs", NULL },
	{ "change", NULL },
	{ "push_options", NULL },
	{ "tool", OTHER_PROTOCOL("mcp") },
	{ "tools", OTHER_PROTOCOL("mcp") },
	{ "operation", OTHER_PROTOCOL("graphql") },
	{ "operations", OTHER_PROTOCOL("graphql") },
	{ "fields", OTHER_PROTOCOL("graphql") },
	{ "calls", OTHER_PROTOCOL("json-rpc") },
	{ "messages", "what a WebSocket says is not read in this version; remove it" },
};

static void use_class(struct model *m, struct model_rule *r, uint32_t class, struct place at)
{
	struct model_class *c = &m->classes[class];

	r->class = class;
	r->effect = c->effect;
	if (!c->said && !c->used)
		model_error(
			m, at,
			"class `%s` has no verdict; write `%s: allow`, `review` or `deny` under `verdicts`",
			c->name, c->name);
	c->used = true;
}

static uint32_t read_method(struct model *m, const struct yaml_tree_node *v)
{
	const char *words[32];
	char shown[FIELD_SHOW_MAX];
	struct model_text t;
	uint32_t bit;
	unsigned n = 0;
	const char *near;

	if (!field_text(m, v, "methods", 64, &t))
		return 0;
	if (bytes_is(t.text, "*"))
		return POLICY_METHODS_ALL;
	bit = policy_method_known(t.text);
	if (bit)
		return bit;
	if (bytes_ieq(t.text, bytes_str("CONNECT")) || bytes_ieq(t.text, bytes_str("TRACE"))) {
		model_error(m, t.at,
			    "method `%s` is never let through, and needs no deny; remove it",
			    field_show(t.text, shown));
		return 0;
	}
	while (n < ITEMS(words) && (words[n] = policy_method_at(n, &bit)) != NULL)
		n++;
	near = word_near(t.text, words, n);
	model_error(
		m, t.at,
		"unknown method `%s`; %s%s%smethods are upper-case words such as GET, or \"*\" for any",
		field_show(t.text, shown), near ? "did you mean `" : "", near ? near : "",
		near ? "`? " : "");
	return 0;
}

static void read_methods(struct model *m, struct model_rule *r, const struct yaml_tree_node *node)
{
	uint32_t set = 0;

	r->methods_at = place_of(node);
	if (!field_is_list(m, node, "methods"))
		return;
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		uint32_t bits = read_method(m, v);

		if (bits == POLICY_METHODS_ALL && node->n > 1)
			model_error(
				m, place_of(v),
				"\"*\" beside other methods; write it alone, or list the methods");
		else if (set & bits)
			model_error(m, place_of(v), "the method `%.*s` stands here twice; keep one",
				    (int)v->text.len, (const char *)v->text.p);
		else if (bits == POLICY_METHODS_ALL && r->class == POLICY_CLASS_READ)
			model_error(
				m, place_of(v),
				"\"*\" in a rule of class read would read by DELETE; list the methods, as [GET, HEAD]");
		else if (r->class == POLICY_CLASS_READ &&
			 (bits & ~(uint32_t)SAFE_METHODS & ~(uint32_t)POLICY_METHOD_OPTIONS))
			model_warning(
				m, place_of(v),
				"%.*s in a rule of class read; be sure that it changes nothing on these paths",
				(int)v->text.len, (const char *)v->text.p);
		set |= bits;
	}
	if (r->effect == POLICY_EFFECT_DENY_RULE)
		set |= set & POLICY_METHOD_GET ? (uint32_t)POLICY_METHOD_WEBSOCKET : 0U;
	else
		set &= ~(uint32_t)POLICY_METHOD_WEBSOCKET;
	/* HEAD asks for what GET would answer: who may read one may read the other (and who may not, may not). */
	if (set & POLICY_METHOD_GET)
		set |= POLICY_METHOD_HEAD;
	r->methods = set;
	if (node->n == 0)
		r->dead = true;
}

/* A WebSocket is granted by itself: whoever may GET a path may not open one there. After 101 nobody judges what is said. */
static void read_websocket(struct model *m, const struct model_entry *e, struct model_rule *r, const struct yaml_tree_node *node)
{
	static const struct field_word words[] = { { "opaque", 1, NULL } };
	int opaque;

	if (!field_word(m, node, "websocket", words, ITEMS(words), &opaque))
		return;
	if (r->effect == POLICY_EFFECT_DENY_RULE)
		model_error(m, place_of(node->key), "`websocket` in a deny: a deny of GET forbids WebSockets too; remove it");
	else if (e->credential.text.len)
		model_error(m, place_of(node->key),
			    "`websocket: opaque` on an entry with a credential would spend it on what nobody reads; give the WebSocket a host without one, or remove it");
	else if ((r->methods & ~(uint32_t)SAFE_METHODS) || (r->methods && !(r->methods & POLICY_METHOD_GET)))
		model_error(m, r->methods_at, "a WebSocket is opened by GET; write `methods: [GET]` in this rule");
	r->methods = r->methods ? POLICY_METHOD_WEBSOCKET : 0;
}

static void read_reflective(struct model *m, const struct model_entry *e, struct model_rule *r, const struct yaml_tree_node *node)
{
	bool on = false;

	if (!field_bool(m, node, "reflective", &on) || !on)
		return;
	r->flags |= BLOB_REFLECTIVE;
	if (!e->credential.text.len)
		model_error(m, place_of(node->key),
			    "`reflective` without `credential` on the entry: there is no secret that an answer could show; remove it");
	else if (e->reflective)
		model_error(m, place_of(node->key), "`reflective` is said of the whole entry already; remove it");
	else if (r->effect == POLICY_EFFECT_DENY_RULE)
		model_error(m, place_of(node->key), "`reflective` in a deny, which has no answer; remove it");
}

static void read_paths(struct model *m, struct model_rule *r, const struct yaml_tree_node *node,
		       bool encoded_slash)
{
	struct model_text t;

	if (!field_is_list(m, node, "paths"))
		return;
	if (node->n > RULE_LIST_MAX) {
		model_error(m, place_of(node), "a rule has more than %d paths; split it",
			    RULE_LIST_MAX);
		return;
	}
	r->paths = arena_alloc(m->arena, node->n, sizeof(*r->paths));
	for (const struct yaml_tree_node *v = node->first; v && r->paths; v = v->next) {
		char shown[FIELD_SHOW_MAX];
		char fault[POLICY_PATH_FAULT_MAX];

		if (!field_text(m, v, "paths", YAML_TREE_SCALAR_MAX, &t))
			continue;
		if (policy_path_ok(t.text, encoded_slash, fault))
			r->paths[r->n_paths++] = t;
		else
			model_error(m, t.at, "path `%s`: %s", field_show(t.text, shown), fault);
	}
	field_sort_distinct(m, r->paths, &r->n_paths, "path");
	if (node->n == 0)
		r->dead = true;
}

/* Class, or deny: exactly one of them. */
static bool read_effect(struct model *m, struct model_rule *r, const struct yaml_tree_node *class,
			const struct yaml_tree_node *deny)
{
	struct field_word words[POLICY_CLASSES_MAX];
	bool is_deny = false;
	int c;

	if (deny && !field_bool(m, deny, "deny", &is_deny))
		return false;
	if (deny && !is_deny) {
		model_error(m, place_of(deny),
			    "`deny: false` says nothing; remove it and write `class`");
		return false;
	}
	if (deny && class) {
		model_error(
			m, place_of(class->key),
			"`class` beside `deny` (line %u); a deny has no class, keep one of them",
			deny->key->line);
		return false;
	}
	if (deny) {
		r->effect = POLICY_EFFECT_DENY_RULE;
		return true;
	}
	if (!class) {
		model_error(
			m, r->at,
			"a rule without `class`; write `class: read`, `draft`, `write` or a name of the policy's own, or `deny: true`");
		return false;
	}
	for (uint32_t i = POLICY_CLASS_READ; i < m->n_classes; i++)
		words[i - POLICY_CLASS_READ] = (struct field_word){ m->classes[i].name, (int)i, NULL };
	if (!field_word(m, class, "class", words, m->n_classes - POLICY_CLASS_READ, &c))
		return false;
	use_class(m, r, (uint32_t)c, place_of(class));
	return true;
}

static void check_dead(struct model *m, const struct model_rule *r)
{
	if (!r->dead)
		return;
	if (r->effect == POLICY_EFFECT_DENY_RULE)
		model_error(
			m, r->at,
			"this deny can never fire, one of its lists is empty; fill it, or remove the rule");
	else
		model_warning(
			m, r->at,
			"this rule cannot match, one of its lists is empty; fill it, or remove the rule");
}

/* G9 of the attacks: policy compares case exactly, some hosts do not. */
static void note_case(struct model *m, const struct model_rule *r)
{
	if (r->effect != POLICY_EFFECT_DENY_RULE)
		return;
	for (uint32_t i = 0; i < r->n_paths; i++)
		for (size_t k = 0; k < r->paths[i].text.len; k++) {
			uint8_t c = r->paths[i].text.p[k] | 0x20;

			if (c >= 'a' && c <= 'z') {
				model_warning(
					m, r->paths[i].at,
					"paths are compared with their case; if the host ignores it, deny the other spellings too, or list what is allowed");
				return;
			}
		}
}

/* Each protocol reads some keys; the others would say what nobody enforces. */
static void check_keys(struct model *m, const struct model_entry *e, const struct yaml_tree_node *const *v)
{
	static const uint8_t rest[] = { KEY_QUERY, KEY_HEADERS, KEY_JSON, KEY_WEBSOCKET }, git[] = { KEY_GIT, KEY_REFS, KEY_CHANGE, KEY_PUSH_OPTIONS };

	for (size_t i = 0; i < ITEMS(git); i++)
		if (v[git[i]] && e->protocol != POLICY_GIT)
			model_error(m, place_of(v[git[i]]->key), "`%s` is read by protocol git, and this entry has protocol %s; remove it",
				    keys[git[i]].key, policy_protocol_text(e->protocol));
	for (size_t i = 0; i < ITEMS(rest); i++)
		if (v[rest[i]] && e->protocol != POLICY_REST)
			model_error(m, place_of(v[rest[i]]->key), "`%s` is read by protocol rest, and this entry has protocol %s; remove it",
				    keys[rest[i]].key, policy_protocol_text(e->protocol));
	if (v[KEY_METHODS] && e->protocol == POLICY_GIT)
		model_error(m, place_of(v[KEY_METHODS]->key), "`methods` is read by protocol rest; write `git: fetch` or `git: push` instead");
}

/* Every call of gRPC is a POST; its path says the rest. */
static void read_grpc(struct model *m, struct model_rule *r, const struct yaml_tree_node *methods)
{
	if (methods)
		read_methods(m, r, methods);
	if (methods && r->methods & ~(uint32_t)POLICY_METHOD_POST)
		model_error(m, place_of(methods), "a call of gRPC is a POST; write `methods: [POST]`, or leave it out");
	r->methods = methods && !r->methods ? 0 : POLICY_METHOD_POST;
}

static void read_acts(struct model *m, struct model_entry *e, struct model_rule *r, const struct yaml_tree_node *const *v)
{
	if (e->protocol == POLICY_GIT)
		policy_read_git(m, r,
				&(struct policy_git_nodes){ .git = v[KEY_GIT],
							    .refs = v[KEY_REFS],
							    .change = v[KEY_CHANGE],
							    .push_options = v[KEY_PUSH_OPTIONS] });
	else if (e->protocol == POLICY_GRPC)
		read_grpc(m, r, v[KEY_METHODS]);
	else if (v[KEY_METHODS])
		read_methods(m, r, v[KEY_METHODS]);
	else
		model_error(m, r->at,
			    "a rule without `methods`; list them, or write [\"*\"] for any");
}

static void read_rule(struct model *m, struct model_entry *e, struct model_rule *r,
		      const struct yaml_tree_node *node)
{
	const struct yaml_tree_node *v[ITEMS(keys)];
	bool known;

	r->at = r->methods_at = place_of(node);
	if (!field_map(m, node, "a rule", keys, ITEMS(keys), v))
		return;
	known = read_effect(m, r, v[KEY_CLASS], v[KEY_DENY]);
	check_keys(m, e, v);
	read_acts(m, e, r, v);
	if (v[KEY_PATHS])
		read_paths(m, r, v[KEY_PATHS], e->encoded_slash);
	else
		model_error(m, r->at,
			    "a rule without `paths`; list them, or write [\"/**\"] for any");
	if (e->protocol == POLICY_GIT)
		policy_git_paths(r);
	else if (e->protocol == POLICY_REST)
		policy_read_conditions(m, e, r,
				       &(struct policy_condition_nodes){ .query = v[KEY_QUERY], .headers = v[KEY_HEADERS], .json = v[KEY_JSON] });
	if (v[KEY_WEBSOCKET] && e->protocol == POLICY_REST)
		read_websocket(m, e, r, v[KEY_WEBSOCKET]);
	if (v[KEY_REFLECTIVE])
		read_reflective(m, e, r, v[KEY_REFLECTIVE]);
	if (!known)
		return;
	check_dead(m, r);
	note_case(m, r);
}

static void note_shared(struct model *m, const struct model_entry *e)
{
	char shown[FIELD_SHOW_MAX];

	for (uint32_t i = 0; i < e->n_hosts; i++)
		if (host_pattern_shared(e->hosts[i].text))
			model_warning(
				m, e->hosts[i].at,
				"`%s` is shared by many owners; name the owner, bucket or organisation in `paths`",
				field_show(e->hosts[i].text, shown));
}

void policy_read_rules(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	bool wide = false;

	if (!field_is_list(m, node, "rules"))
		return;
	if (node->n > POLICY_RULES_MAX) {
		model_error(
			m, place_of(node),
			"an entry has more than %d rules; join paths, or split the entry by host",
			POLICY_RULES_MAX);
		return;
	}
	if (node->n == 0)
		model_warning(
			m, place_of(node),
			"`rules` is empty, so every request is refused; write rules, or remove the entry");
	e->rules = arena_alloc(m->arena, node->n, sizeof(*e->rules));
	for (const struct yaml_tree_node *v = node->first; v && e->rules; v = v->next) {
		struct model_rule *r = &e->rules[e->n_rules];

		read_rule(m, e, r, v);
		e->n_rules += !r->dead;
		for (uint32_t i = 0; i < r->n_paths; i++)
			wide = wide || (r->class != POLICY_CLASS_NONE &&
					bytes_starts(r->paths[i].text, bytes_str("/*")));
		if (r->dead)
			*r = (struct model_rule){ 0 };
	}
	if (wide)
		note_shared(m, e);
}

/* G16 of the attacks: what a GET does there is no reading. */
static void note_acting(struct model *m, const struct model_entry *e)
{
	char shown[FIELD_SHOW_MAX];

	for (uint32_t i = 0; i < e->n_hosts; i++)
		if (host_pattern_acts(e->hosts[i].text))
			model_warning(m, e->hosts[i].at,
				      "`%s` acts on what it is asked, by GET too, and a preset cannot tell reading from acting; write `rules` with its paths",
				      field_show(e->hosts[i].text, shown));
}

static void preset_rule(struct model *m, struct model_entry *e, uint32_t class,
			uint32_t methods, struct place at)
{
	struct model_rule *r = &e->rules[e->n_rules++];

	r->at = r->methods_at = at;
	r->methods = methods;
	r->paths = arena_alloc(m->arena, 1, sizeof(*r->paths));
	if (!r->paths)
		return;
	r->paths[0] = (struct model_text){ .text = bytes_str("/**"), .at = at };
	r->n_paths = 1;
	use_class(m, r, class, at);
}

/* Each preset has this one expansion: class read for what reads, class write for the rest. For git: fetch; with it, pushes that create and update
 * branches and tags; with it, pushes that delete. */
void policy_read_access(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	static const struct field_word presets[] = { { "read-only", 0, NULL }, { "read-write", 1, NULL }, { "full", 2, NULL } };
	static const uint32_t rest[] = { 0, POLICY_METHOD_POST | POLICY_METHOD_PUT | POLICY_METHOD_PATCH,
					 POLICY_METHODS_ALL & ~(uint32_t)SAFE_METHODS & ~(uint32_t)POLICY_METHOD_WEBSOCKET };
	static const uint32_t git[] = { 0, POLICY_GIT_CREATE | POLICY_GIT_UPDATE | POLICY_GIT_FORCE, POLICY_GIT_PUSH };
	bool is_git = e->protocol == POLICY_GIT;
	int access;

	if (!field_word(m, node, "access", presets, ITEMS(presets), &access))
		return;
	if (e->protocol == POLICY_GRPC) {
		model_error(m, place_of(node->key), "every call of gRPC is a POST, so that no preset tells reading from writing; write `rules`");
		return;
	}
	e->rules = arena_alloc(m->arena, 2, sizeof(*e->rules));
	if (!e->rules)
		return;
	preset_rule(m, e, POLICY_CLASS_READ, is_git ? (uint32_t)POLICY_GIT_FETCH : (uint32_t)SAFE_METHODS, place_of(node));
	if (access)
		preset_rule(m, e, POLICY_CLASS_WRITE, is_git ? git[access] : rest[access], place_of(node));
	note_shared(m, e);
	note_acting(m, e);
}
