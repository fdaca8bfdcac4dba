/* One entry of `network`: its keys, and what each mode makes of them. */
#include <stdlib.h>

#include "rules/host_pattern.h"
#include "rules/policy_field.h"
#include "rules/policy_rule.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))

enum { TEXT_MAX = 500, DNS_PORT = 53 };

enum {
	KEY_NAME,
	KEY_HOSTS,
	KEY_PORTS,
	KEY_MODE,
	KEY_PROTOCOL,
	KEY_ACCESS,
	KEY_RULES,
	KEY_REASON,
	KEY_ADDRESSES,
	KEY_OBSERVE,
	KEY_BUDGET,
	KEY_ENCODED_SLASH,
	KEY_CREDENTIAL,
	KEY_REFLECTIVE,
	KEY_SET_COOKIE,
	KEY_CA,
	KEY_UPSTREAM,
	KEY_MODELS,
	KEY_AI,
	ENTRY_KEYS
};
static const struct field_key entry_keys[ENTRY_KEYS] = {
	{ "name", NULL },
	{ "hosts", NULL },
	{ "ports", NULL },
	{ "mode", NULL },
	{ "protocol", NULL },
	{ "access", NULL },
	{ "rules", NULL },
	{ "reason", NULL },
	{ "addresses", NULL },
	{ "observe", NULL },
	{ "budget", NULL },
	{ "encoded_slash", NULL },
	{ "credential", NULL },
	{ "reflective", NULL },
	{ "set_cookie", NULL },
	{ "ca", NULL },
	{ "upstream", NULL },
	{ "models", NULL },
	{ "ai", NULL },
};

static const struct field_word modes[] = {
	{ "passthrough", POLICY_PASSTHROUGH, NULL },
	{ "http", POLICY_HTTP, NULL },
	{ "tcp", POLICY_TCP, NULL },
	{ "intercept", POLICY_INTERCEPT, NULL },
};

#define PROTOCOL_LATER "is not available in this version; write `rest`, or leave the entry out"
#define PROTOCOL_OPAQUE \
	"is not available in this version; write `protocol: rest` with `websocket: opaque` in the rules that open one, or leave the entry out"
static const struct field_word protocols[] = {
	{ "rest", POLICY_REST, NULL },
	{ "git", POLICY_GIT, NULL },
	{ "grpc", POLICY_GRPC, NULL },
	{ "graphql", 0, PROTOCOL_LATER },
	{ "mcp", 0, PROTOCOL_LATER },
	{ "json-rpc", 0, PROTOCOL_LATER },
	{ "websocket", 0, PROTOCOL_OPAQUE },
	{ "opaque", 0, PROTOCOL_OPAQUE },
};

void policy_read_hosts(struct model *m, const struct yaml_tree_node *node, const char *what, struct model_text **ret, uint32_t *ret_n)
{
	char why[HOST_PATTERN_FAULT_MAX];
	struct model_text t;
	uint32_t n = 0;

	if (!field_is_list(m, node, "hosts"))
		return;
	*ret = arena_alloc(m->arena, node->n, sizeof(**ret));
	if (!*ret)
		return;
	if (node->n == 0)
		model_warning(
			m, place_of(node),
			"`hosts` is empty, so %s cannot match anything; list names, or remove %s", what, what);
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		if (v->kind == YAML_TREE_SCALAR && v->text.len == 0 && !v->plain) {
			model_error(m, place_of(v),
				    "a host is empty; write a name such as `api.example`");
			continue;
		}
		if (!field_text(m, v, "hosts", YAML_TREE_SCALAR_MAX, &t))
			continue;
		if (host_pattern_ok(t.text, why))
			(*ret)[n++] = t;
		else
			model_error(m, t.at, "host: %s", why);
	}
	field_sort_distinct(m, *ret, &n, "host");
	*ret_n = n;
}

static bool read_port(struct model *m, const struct yaml_tree_node *v, uint16_t *ret)
{
	uint64_t port;

	if (v->kind == YAML_TREE_SCALAR && v->plain && yaml_tree_guess(v) == YAML_GUESS_TEXT) {
		char shown[FIELD_SHOW_MAX];

		model_error(m, place_of(v),
			    "port `%s` is no number; list each port by itself, ranges do not exist",
			    field_show(v->text, shown));
		return false;
	}
	if (!field_number(m, v, "ports", 1, UINT16_MAX, &port))
		return false;
	if (port == DNS_PORT) {
		model_error(m, place_of(v), "port 53 is the gateway's own DNS service; remove it");
		return false;
	}
	*ret = (uint16_t)port;
	return true;
}

/* Sorted insertion: the list is short. */
static void add_port(struct model *m, struct model_ports *p, uint16_t port, struct place at)
{
	uint32_t i = p->n;

	for (uint32_t k = 0; k < p->n; k++)
		if (p->v[k] == port) {
			model_error(m, at, "port %u stands here twice (first on line %u); keep one",
				    port, p->at[k].line);
			return;
		}
	if (p->n == POLICY_PORTS_MAX) {
		model_error(m, at,
			    "an entry has more than %d ports; split it over several policies",
			    POLICY_PORTS_MAX);
		return;
	}
	for (; i > 0 && p->v[i - 1] > port; i--) {
		p->v[i] = p->v[i - 1];
		p->at[i] = p->at[i - 1];
	}
	p->v[i] = port;
	p->at[i] = at;
	p->n++;
}

void policy_read_ports(struct model *m, struct model_ports *ret, const struct yaml_tree_node *node)
{
	uint16_t port;

	if (!field_is_list(m, node, "ports"))
		return;
	if (node->n == 0)
		model_warning(
			m, place_of(node),
			"`ports` is empty, so the entry cannot match anything; list ports, or remove the entry");
	for (const struct yaml_tree_node *v = node->first; v; v = v->next)
		if (read_port(m, v, &port))
			add_port(m, ret, port, place_of(v));
}

static void read_address(struct model *m, struct model_entry *e, const struct yaml_tree_node *v)
{
	static const struct ip_prefix v4_in_v6 = {
		.ip = { .family = 6, .b = { [10] = 0xff, [11] = 0xff } }, .bits = 96
	};
	char shown[FIELD_SHOW_MAX];
	struct model_text t;
	struct ip_prefix p;

	if (v->kind == YAML_TREE_SCALAR && v->plain && yaml_tree_guess(v) != YAML_GUESS_NULL)
		t = (struct model_text){ .text = v->text, .at = place_of(v) };
	else if (!field_text(m, v, "addresses", 64, &t))
		return;
	if (!ip_prefix_parse(t.text, &p)) {
		model_error(
			m, t.at,
			"`%s` is no address range; write the network without host bits, blanks or leading zeros, as 10.20.0.0/16",
			field_show(t.text, shown));
		return;
	}
	if (p.bits >= v4_in_v6.bits && ip_prefix_has(v4_in_v6, p.ip)) {
		model_error(m, t.at, "`%s` is an IPv4 range in IPv6 clothes; write the IPv4 range",
			    field_show(t.text, shown));
		return;
	}
	switch (ip_prefix_scope(p)) {
	case IP_SCOPE_NEVER:
		model_error(
			m, t.at,
			"`%s` touches link-local, metadata, multicast or unassigned addresses, which are never dialled; list the private range itself",
			field_show(t.text, shown));
		return;
	case IP_SCOPE_LOOPBACK:
		if (!m->lab) {
			model_error(m, t.at,
				    "`%s` is loopback; only a policy with `lab: true` may dial it",
				    field_show(t.text, shown));
			return;
		}
		break;
	case IP_SCOPE_PUBLIC:
		model_warning(
			m, t.at,
			"`%s` is public and may be dialled anyway; `addresses` only needs private ranges",
			field_show(t.text, shown));
		break;
	case IP_SCOPE_PRIVATE:
		break;
	}
	for (uint32_t i = 0; i < e->n_prefixes; i++)
		if (ip_eq(e->prefixes[i].ip, p.ip) && e->prefixes[i].bits == p.bits) {
			model_error(m, t.at, "the range `%s` stands here twice; keep one",
				    field_show(t.text, shown));
			return;
		}
	e->prefixes[e->n_prefixes++] = p;
}

static int prefix_cmp(const void *a, const void *b)
{
	const struct ip_prefix *x = a, *y = b;
	int c = (int)x->ip.family - (int)y->ip.family;

	if (c == 0)
		c = memcmp(x->ip.b, y->ip.b, sizeof(x->ip.b));
	return c ? c : (int)x->bits - (int)y->bits;
}

static void read_addresses(struct model *m, struct model_entry *e,
			   const struct yaml_tree_node *node)
{
	if (!field_is_list(m, node, "addresses"))
		return;
	if (node->n > 256) {
		model_error(m, place_of(node), "`addresses` has more than 256 ranges; join them");
		return;
	}
	if (node->n == 0)
		model_warning(
			m, place_of(node),
			"`addresses` is empty and permits no private address, as without it; list ranges, or remove it");
	e->prefixes = arena_alloc(m->arena, node->n, sizeof(*e->prefixes));
	if (!e->prefixes)
		return;
	for (const struct yaml_tree_node *v = node->first; v; v = v->next)
		read_address(m, e, v);
	if (e->n_prefixes > 1)
		qsort(e->prefixes, e->n_prefixes, sizeof(*e->prefixes), prefix_cmp);
}

static bool is_wild(const struct model_text *host)
{
	return host->text.p[0] == '*';
}

static bool any_wild(const struct model_entry *e)
{
	for (uint32_t i = 0; i < e->n_hosts; i++)
		if (is_wild(&e->hosts[i]))
			return true;
	return false;
}

/* Passthrough and tcp: nothing above the connection is read, so nothing above it can be ruled. */
static void check_blind(struct model *m, struct model_entry *e,
			const struct yaml_tree_node *const v[ENTRY_KEYS])
{
	static const int inspecting[] = { KEY_PROTOCOL,   KEY_ACCESS,     KEY_RULES, KEY_ENCODED_SLASH,
					  KEY_OBSERVE,    KEY_CREDENTIAL, KEY_CA,    KEY_REFLECTIVE,
					  KEY_SET_COOKIE, KEY_UPSTREAM,   KEY_MODELS, KEY_AI };
	const char *mode = policy_mode_text(e->mode);

	for (size_t i = 0; i < ITEMS(inspecting); i++)
		if (v[inspecting[i]])
			model_error(
				m, place_of(v[inspecting[i]]->key),
				"`%s` does not apply to mode %s, which reads no request; remove it, or use mode intercept",
				entry_keys[inspecting[i]].key, mode);
	for (uint32_t i = 0; i < e->n_hosts; i++) {
		char shown[FIELD_SHOW_MAX];

		if (is_wild(&e->hosts[i]))
			model_error(
				m, e->hosts[i].at,
				"mode %s needs exact names, and `%s` is a wildcard; list the names one by one",
				mode, field_show(e->hosts[i].text, shown));
		else if (host_pattern_shared(e->hosts[i].text))
			model_warning(
				m, e->hosts[i].at,
				"`%s` is shared by many owners and %s does not see which one is meant; data can leave to any of them",
				field_show(e->hosts[i].text, shown), mode);
	}
	if (v[KEY_REASON])
		return;
	if (e->mode == POLICY_PASSTHROUGH)
		model_error(
			m, e->at,
			"mode passthrough without `reason`; write why this host cannot be inspected");
	else
		model_warning(
			m, e->at,
			"mode tcp carries any bytes; write a `reason` for those who read this later");
}

/* observe: what the rules refuse passes. With a credential it would pass with the secret in it. */
static void read_observe(struct model *m, struct model_entry *e, const struct yaml_tree_node *node, const struct yaml_tree_node *credential)
{
	if (!node)
		return;
	e->field[FIELD_OBSERVE] = place_of(node);
	if (!field_bool(m, node, "observe", &e->observe) || !e->observe)
		return;
	if (m->options->production)
		model_error(
			m, e->field[FIELD_OBSERVE],
			"`observe: true` in a production channel; remove it, there only enforcement exists");
	else if (credential)
		model_error(m, e->field[FIELD_OBSERVE],
			    "`observe: true` beside `credential` (line %u) would send the secret with what the rules refuse; remove one of them",
			    credential->key->line);
	else
		model_warning(
			m, e->field[FIELD_OBSERVE],
			"this entry only observes, what its rules refuse passes; remove `observe` to enforce them");
}

static void read_judging(struct model *m, struct model_entry *e, const struct yaml_tree_node *rules, const struct yaml_tree_node *access)
{
	if (rules && access) {
		model_error(
			m, place_of(access->key),
			"`access` beside `rules` (line %u) says the same thing in two ways; keep one",
			rules->key->line);
		e->broken = true;
	} else if (rules) {
		e->field[FIELD_RULES] = place_of(rules->key);
		policy_read_rules(m, e, rules);
	} else if (access) {
		e->field[FIELD_RULES] = place_of(access);
		policy_read_access(m, e, access);
	} else {
		model_error(
			m, e->at,
			"mode %s grants nothing by itself; write `rules`, or `access: read-only`", policy_mode_text(e->mode));
	}
}

/* Intercept and http: each request is judged. */
static void check_judged(struct model *m, struct model_entry *e,
			 const struct yaml_tree_node *const v[ENTRY_KEYS])
{
	int protocol = POLICY_PROTOCOL_NONE;
	bool protocol_ok = v[KEY_PROTOCOL] && field_word(m, v[KEY_PROTOCOL], "protocol", protocols,
							 ITEMS(protocols), &protocol);

	if (!v[KEY_PROTOCOL])
		model_error(m, e->at, "mode %s without `protocol`; write `protocol: rest`", policy_mode_text(e->mode));
	else
		e->field[FIELD_PROTOCOL] = place_of(v[KEY_PROTOCOL]);
	e->protocol = (enum policy_protocol)protocol;
	e->broken = e->broken || !protocol_ok;
	if (v[KEY_ENCODED_SLASH]) {
		e->field[FIELD_ENCODED_SLASH] = place_of(v[KEY_ENCODED_SLASH]);
		(void)field_bool(m, v[KEY_ENCODED_SLASH], "encoded_slash", &e->encoded_slash);
	}
	read_observe(m, e, v[KEY_OBSERVE], v[KEY_CREDENTIAL]);
	policy_read_options(m, e, &(struct policy_option_nodes){ .credential = v[KEY_CREDENTIAL],
								 .reflective = v[KEY_REFLECTIVE],
								 .set_cookie = v[KEY_SET_COOKIE],
								 .ca = v[KEY_CA],
								 .upstream = v[KEY_UPSTREAM],
								 .ai = v[KEY_AI] });
	read_judging(m, e, v[KEY_RULES], v[KEY_ACCESS]);
	if (v[KEY_MODELS])
		policy_read_models(m, e, v[KEY_MODELS]);
	policy_read_pointers(e);
}

static void check_mode(struct model *m, struct model_entry *e,
		       const struct yaml_tree_node *const v[ENTRY_KEYS])
{
	int mode;

	if (!v[KEY_MODE]) {
		model_error(
			m, e->at,
			"`mode` is missing; write intercept or http to inspect requests, passthrough for TLS that nobody opens, or tcp");
		e->broken = true;
		return;
	}
	e->field[FIELD_MODE] = place_of(v[KEY_MODE]);
	if (!field_word(m, v[KEY_MODE], "mode", modes, ITEMS(modes), &mode)) {
		e->broken = true;
		return;
	}
	e->mode = (enum policy_mode)mode;
	if (model_judged(e))
		check_judged(m, e, v);
	else
		check_blind(m, e, v);
}

static void read_budget(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	uint64_t budget = POLICY_WILDCARD_BUDGET;

	if (node) {
		e->field[FIELD_BUDGET] = place_of(node);
		(void)field_number(m, node, "budget", 1, POLICY_BUDGET_MAX, &budget);
		if (e->n_hosts && !any_wild(e))
			model_error(
				m, place_of(node->key),
				"`budget` counts names below a wildcard, and no host here is one; remove it");
	}
	e->budget = (uint32_t)budget;
}

void policy_read_entry(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	const struct yaml_tree_node *v[ENTRY_KEYS];
	size_t n_errors = m->problems->n_errors;
	struct model_text reason;

	e->at = place_of(node);
	e->credential_index = BLOB_NONE;
	for (int i = 0; i < FIELD_END; i++)
		e->field[i] = e->at;
	e->broken = !field_map(m, node, "an entry of `network`", entry_keys, ENTRY_KEYS, v);
	if (e->broken)
		return;
	if (!v[KEY_NAME])
		model_error(m, e->at,
			    "an entry without `name`; write one, it stands in every record");
	else
		(void)field_name(m, v[KEY_NAME], "name", &e->name);
	if (v[KEY_HOSTS])
		policy_read_hosts(m, v[KEY_HOSTS], "the entry", &e->hosts, &e->n_hosts);
	else
		model_error(m, e->at, "an entry without `hosts`; list the names");
	if (v[KEY_PORTS])
		policy_read_ports(m, &e->ports, v[KEY_PORTS]);
	else
		model_error(m, e->at,
			    "an entry without `ports`; write `ports: [443]` or whatever it needs");
	if (v[KEY_REASON])
		(void)field_text(m, v[KEY_REASON], "reason", TEXT_MAX, &reason);
	read_budget(m, e, v[KEY_BUDGET]);
	if (v[KEY_ADDRESSES]) {
		e->field[FIELD_ADDRESSES] = place_of(v[KEY_ADDRESSES]->key);
		read_addresses(m, e, v[KEY_ADDRESSES]);
	}
	check_mode(m, e, v);
	e->broken = e->broken || m->problems->n_errors != n_errors;
}

