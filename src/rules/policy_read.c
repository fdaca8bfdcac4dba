/* From the YAML tree to the model: one table of keys for each kind of mapping, one function for each value that has a meaning of its own. */
#include <stdlib.h>

#include "rules/host_pattern.h"
#include "rules/policy_field.h"

#define LATER "not available in this version, so nothing would enforce it; remove it"
#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))

enum { TEXT_MAX = 500, DNS_PORT = 53 };

enum {
	KEY_VERSION,
	KEY_LABEL,
	KEY_LAB,
	KEY_VERDICTS,
	KEY_NETWORK,
	KEY_CREDENTIALS,
	KEY_FILESYSTEM,
	KEY_PROCESS,
	TOP_KEYS
};
static const struct field_key top_keys[TOP_KEYS] = {
	{ "version", NULL },     { "name", NULL },     { "lab", NULL },
	{ "verdicts", NULL },    { "network", NULL },  { "credentials", LATER },
	{ "filesystem", LATER }, { "process", LATER },
};

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
	{ "credential",
	  "credentials are only added to intercepted https, which is not available in this version; remove it" },
};

static const struct field_word modes[] = {
	{ "passthrough", POLICY_PASSTHROUGH, NULL },
	{ "http", POLICY_HTTP, NULL },
	{ "tcp", POLICY_TCP, NULL },
	{ "intercept", 0,
	  "interception is not available in this version; write `passthrough` with a `reason`, or leave the host out" },
};

#define PROTOCOL_LATER "is not available in this version; write `rest`, or leave the entry out"
static const struct field_word protocols[] = {
	{ "rest", 1, NULL },
	{ "git", 0, PROTOCOL_LATER },
	{ "graphql", 0, PROTOCOL_LATER },
	{ "mcp", 0, PROTOCOL_LATER },
	{ "json-rpc", 0, PROTOCOL_LATER },
	{ "websocket", 0, PROTOCOL_LATER },
	{ "grpc", 0, PROTOCOL_LATER },
	{ "opaque", 0, PROTOCOL_LATER },
};

static const struct field_word verdict_words[] = {
	{ "allow", POLICY_EFFECT_ALLOW, NULL },
	{ "review", POLICY_EFFECT_REVIEW, NULL },
	{ "deny", POLICY_EFFECT_DENY, NULL },
};

static bool read_version(struct model *m, const struct yaml_tree_node *root)
{
	const struct yaml_tree_node *v = root ? yaml_tree_get(root, "version") : NULL;
	const struct place start = { 1, 1 };
	char shown[FIELD_SHOW_MAX];

	if (root && root->kind != YAML_TREE_MAP) {
		model_error(m, place_of(root),
			    "the file is not a mapping; start it with `version: 1`");
		return false;
	}
	if (!v) {
		model_error(m, start, "`version` is missing; write `version: 1` on the first line");
		return false;
	}
	if (v->kind == YAML_TREE_SCALAR && v->plain && bytes_is(v->text, "1"))
		return true;
	model_error(
		m, place_of(v),
		"version `%s` is not one that this program reads; write `version: 1`, without quotes",
		v->kind == YAML_TREE_SCALAR ? field_show(v->text, shown) : "?");
	return false;
}

static void read_verdicts(struct model *m, const struct yaml_tree_node *node)
{
	static const struct field_key keys[] = {
		{ "read", NULL },
		{ "draft", NULL },
		{ "write", NULL },
		{ "unclassified", "what no rule classifies is always denied; remove it" },
	};
	const struct yaml_tree_node *values[ITEMS(keys)];

	if (!node || !field_map(m, node, "`verdicts`", keys, ITEMS(keys), values))
		return;
	for (int c = POLICY_CLASS_READ; c < POLICY_CLASS_END; c++) {
		const struct yaml_tree_node *v = values[c - POLICY_CLASS_READ];
		int effect;

		if (!v)
			continue;
		m->verdicts[c].said = true;
		m->verdicts[c].at = place_of(v->key);
		if (!field_word(m, v, keys[c - POLICY_CLASS_READ].key, verdict_words,
				ITEMS(verdict_words), &effect))
			continue;
		m->verdicts[c].effect = (enum policy_effect)effect;
		if (effect == POLICY_EFFECT_REVIEW)
			model_warning(
				m, place_of(v),
				"reviews are not available in this version; requests of class `%s` are denied",
				keys[c - POLICY_CLASS_READ].key);
	}
}

static void read_hosts(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	char why[HOST_PATTERN_FAULT_MAX];
	struct model_text t;

	if (!field_is_list(m, node, "hosts"))
		return;
	e->hosts = arena_alloc(m->arena, node->n, sizeof(*e->hosts));
	if (!e->hosts)
		return;
	if (node->n == 0)
		model_warning(
			m, place_of(node),
			"`hosts` is empty, so the entry cannot match anything; list names, or remove the entry");
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		if (v->kind == YAML_TREE_SCALAR && v->text.len == 0 && !v->plain) {
			model_error(m, place_of(v),
				    "a host is empty; write a name such as `api.example`");
			continue;
		}
		if (!field_text(m, v, "hosts", YAML_TREE_SCALAR_MAX, &t))
			continue;
		if (host_pattern_ok(t.text, why))
			e->hosts[e->n_hosts++] = t;
		else
			model_error(m, t.at, "host: %s", why);
	}
	field_sort_distinct(m, e->hosts, &e->n_hosts, "host");
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
static void add_port(struct model *m, struct model_entry *e, uint16_t port, struct place at)
{
	uint32_t i = e->n_ports;

	for (uint32_t k = 0; k < e->n_ports; k++)
		if (e->ports[k] == port) {
			model_error(m, at, "port %u stands here twice (first on line %u); keep one",
				    port, e->ports_at[k].line);
			return;
		}
	if (e->n_ports == POLICY_PORTS_MAX) {
		model_error(m, at,
			    "an entry has more than %d ports; split it over several policies",
			    POLICY_PORTS_MAX);
		return;
	}
	for (; i > 0 && e->ports[i - 1] > port; i--) {
		e->ports[i] = e->ports[i - 1];
		e->ports_at[i] = e->ports_at[i - 1];
	}
	e->ports[i] = port;
	e->ports_at[i] = at;
	e->n_ports++;
}

static void read_ports(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
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
			add_port(m, e, port, place_of(v));
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
			"`%s` touches link-local, multicast or unassigned addresses, which are never dialled; list the private range itself",
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
	static const int inspecting[] = { KEY_PROTOCOL, KEY_ACCESS, KEY_RULES, KEY_ENCODED_SLASH,
					  KEY_OBSERVE };
	const char *mode = policy_mode_text(e->mode);

	for (size_t i = 0; i < ITEMS(inspecting); i++)
		if (v[inspecting[i]])
			model_error(
				m, place_of(v[inspecting[i]]->key),
				"`%s` does not apply to mode %s, which reads no request; remove it, or use mode http",
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

static void check_http(struct model *m, struct model_entry *e,
		       const struct yaml_tree_node *const v[ENTRY_KEYS])
{
	int protocol;
	bool protocol_ok = v[KEY_PROTOCOL] && field_word(m, v[KEY_PROTOCOL], "protocol", protocols,
							 ITEMS(protocols), &protocol);

	if (!v[KEY_PROTOCOL])
		model_error(m, e->at, "mode http without `protocol`; write `protocol: rest`");
	e->broken = e->broken || !protocol_ok;
	if (v[KEY_ENCODED_SLASH]) {
		e->field[FIELD_ENCODED_SLASH] = place_of(v[KEY_ENCODED_SLASH]);
		(void)field_bool(m, v[KEY_ENCODED_SLASH], "encoded_slash", &e->encoded_slash);
	}
	if (v[KEY_OBSERVE]) {
		e->field[FIELD_OBSERVE] = place_of(v[KEY_OBSERVE]);
		(void)field_bool(m, v[KEY_OBSERVE], "observe", &e->observe);
	}
	if (e->observe && m->options->production)
		model_error(
			m, e->field[FIELD_OBSERVE],
			"`observe: true` in a production channel; remove it, there only enforcement exists");
	else if (e->observe)
		model_warning(
			m, e->field[FIELD_OBSERVE],
			"this entry only observes, what its rules refuse passes; remove `observe` to enforce them");
	if (v[KEY_RULES] && v[KEY_ACCESS]) {
		model_error(
			m, place_of(v[KEY_ACCESS]->key),
			"`access` beside `rules` (line %u) says the same thing in two ways; keep one",
			v[KEY_RULES]->key->line);
		e->broken = true;
	} else if (v[KEY_RULES]) {
		e->field[FIELD_RULES] = place_of(v[KEY_RULES]->key);
		policy_read_rules(m, e, v[KEY_RULES]);
	} else if (v[KEY_ACCESS]) {
		e->field[FIELD_RULES] = place_of(v[KEY_ACCESS]);
		policy_read_access(m, e, v[KEY_ACCESS]);
	} else {
		model_error(
			m, e->at,
			"mode http grants nothing by itself; write `rules`, or `access: read-only`");
	}
}

static void check_mode(struct model *m, struct model_entry *e,
		       const struct yaml_tree_node *const v[ENTRY_KEYS])
{
	int mode;

	if (!v[KEY_MODE]) {
		model_error(
			m, e->at,
			"`mode` is missing; write http to inspect requests, passthrough for TLS that nobody opens, or tcp");
		e->broken = true;
		return;
	}
	e->field[FIELD_MODE] = place_of(v[KEY_MODE]);
	if (!field_word(m, v[KEY_MODE], "mode", modes, ITEMS(modes), &mode)) {
		e->broken = true;
		return;
	}
	e->mode = (enum policy_mode)mode;
	if (e->mode == POLICY_HTTP)
		check_http(m, e, v);
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

static void read_entry(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	const struct yaml_tree_node *v[ENTRY_KEYS];
	size_t n_errors = m->problems->n_errors;
	struct model_text reason;

	e->at = place_of(node);
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
		read_hosts(m, e, v[KEY_HOSTS]);
	else
		model_error(m, e->at, "an entry without `hosts`; list the names");
	if (v[KEY_PORTS])
		read_ports(m, e, v[KEY_PORTS]);
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

static int entry_cmp(const void *a, const void *b)
{
	const struct model_entry *const *x = a, *const *y = b;
	int c = bytes_cmp((*x)->name.text, (*y)->name.text);

	if (c)
		return c;
	if ((*x)->at.line != (*y)->at.line)
		return (*x)->at.line < (*y)->at.line ? -1 : 1;
	return (*x)->at.column < (*y)->at.column ? -1 : 1;
}

static void read_network(struct model *m, const struct yaml_tree_node *node)
{
	const struct place start = { 1, 1 };

	if (!node || (node->kind == YAML_TREE_SCALAR && node->plain && node->text.len == 0) ||
	    (node->kind == YAML_TREE_LIST && node->n == 0)) {
		model_warning(
			m, node ? place_of(node) : start,
			"no entry under `network`, so this policy lets nothing out; list hosts if that is not meant");
		return;
	}
	if (!field_is_list(m, node, "network"))
		return;
	m->entries = arena_alloc(m->arena, node->n, sizeof(struct model_entry *));
	if (!m->entries)
		return;
	for (const struct yaml_tree_node *v = node->first; v; v = v->next) {
		struct model_entry *e = arena_alloc(m->arena, 1, sizeof(*e));

		if (!e)
			return;
		read_entry(m, e, v);
		m->entries[m->n_entries++] = e;
	}
	if (m->n_entries > 1)
		qsort(m->entries, m->n_entries, sizeof(struct model_entry *), entry_cmp);
	for (uint32_t i = 0; i < m->n_entries; i++) {
		m->entries[i]->index = i;
		if (i > 0 && m->entries[i]->name.text.len &&
		    bytes_eq(m->entries[i]->name.text, m->entries[i - 1]->name.text))
			model_error(
				m, m->entries[i]->name.at,
				"two entries have the name `%.*s` (the other on line %u); rename one",
				(int)m->entries[i]->name.text.len,
				(const char *)m->entries[i]->name.text.p,
				m->entries[i - 1]->name.at.line);
	}
}

static void check_verdicts_used(struct model *m)
{
	static const char *const words[POLICY_CLASS_END] = { "", "read", "draft", "write" };

	for (int c = POLICY_CLASS_READ; c < POLICY_CLASS_END; c++)
		if (m->verdicts[c].said && !m->verdicts[c].used)
			model_error(m, m->verdicts[c].at,
				    "no rule has class `%s`; remove its verdict", words[c]);
}

bool policy_read(struct model *m, const struct yaml_tree_node *root)
{
	const struct yaml_tree_node *v[TOP_KEYS];
	struct model_text label = { .text = bytes_str("unnamed") };

	if (!read_version(m, root) || !field_map(m, root, "the policy", top_keys, TOP_KEYS, v))
		return false;
	if (v[KEY_LABEL])
		(void)field_name(m, v[KEY_LABEL], "name", &label);
	m->label = label.text;
	if (v[KEY_LAB])
		(void)field_bool(m, v[KEY_LAB], "lab", &m->lab);
	if (m->lab && m->options->production)
		model_error(m, place_of(v[KEY_LAB]),
			    "`lab: true` in a production channel; remove it");
	read_verdicts(m, v[KEY_VERDICTS]);
	read_network(m, v[KEY_NETWORK]);
	if (m->problems->n_errors == 0)
		check_verdicts_used(m);
	return true;
}
