/* Each endpoint becomes an entry. What has no equal here is refused; what is only spelled differently, or means less there than its author
 * wrote, is settled and listed. Their traps and meanings are those of the runtime's 2026-08 sources. */
#include "rules/openshell_import.h"

#include <stdio.h>

#include "rules/host_pattern.h"
#include "rules/openshell_rules.h"
#include "rules/policy_field.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))
#define CREDENTIALS "credentials are not available in this version; leave the endpoint out"
#define PROTOCOL "this protocol is not available in this version; leave the endpoint out"
#define MESSAGES "what a WebSocket says is judged there and not here; write a rule with `websocket: opaque` by hand, or leave the endpoint out"

enum { ARENA_MAX = 256 * 1024 * 1024, NAME_LEN_MAX = 63 };

enum {
	KEY_VERSION,
	KEY_FILESYSTEM,
	KEY_LANDLOCK,
	KEY_PROCESS,
	KEY_NETWORK,
	KEY_MIDDLEWARES,
	TOP_KEYS
};
static const struct field_key top_keys[TOP_KEYS] = {
	{ "version", NULL }, { "filesystem_policy", NULL }, { "landlock", NULL },
	{ "process", NULL }, { "network_policies", NULL },  { "network_middlewares", NULL },
};

enum { KEY_NAME, KEY_ENDPOINTS, KEY_BINARIES, RULE_KEYS };
static const struct field_key rule_keys[RULE_KEYS] = { { "name", NULL },
						       { "endpoints", NULL },
						       { "binaries", NULL } };

enum {
	KEY_HOST,
	KEY_PORT,
	KEY_PORTS,
	KEY_PATH,
	KEY_PROTOCOL,
	KEY_TLS,
	KEY_ENFORCEMENT,
	KEY_ACCESS,
	KEY_RULES,
	KEY_DENY_RULES,
	KEY_ALLOWED_IPS,
	KEY_ENCODED_SLASH,
	KEY_UNINSPECTED,
	ENDPOINT_KEYS_KNOWN
};
static const struct field_key endpoint_keys[] = {
	{ "host", NULL },
	{ "port", NULL },
	{ "ports", NULL },
	{ "path", NULL },
	{ "protocol", NULL },
	{ "tls", NULL },
	{ "enforcement", NULL },
	{ "access", NULL },
	{ "rules", NULL },
	{ "deny_rules", NULL },
	{ "allowed_ips", NULL },
	{ "allow_encoded_slash", NULL },
	{ "allow_uninspected_credentials", NULL },
	{ "websocket_credential_rewrite", CREDENTIALS },
	{ "request_body_credential_rewrite", CREDENTIALS },
	{ "credential_signing", CREDENTIALS },
	{ "signing_service", CREDENTIALS },
	{ "signing_region", CREDENTIALS },
	{ "credential_binding", CREDENTIALS },
	{ "persisted_queries", PROTOCOL },
	{ "graphql_persisted_queries", PROTOCOL },
	{ "graphql_max_body_bytes", PROTOCOL },
	{ "json_rpc", PROTOCOL },
	{ "mcp", PROTOCOL },
};

static const struct field_word protocols[] = {
	{ "", 0, NULL },
	{ "tcp", POLICY_TCP, NULL },
	{ "rest", POLICY_HTTP, NULL },
	{ "websocket", 0, MESSAGES },
	{ "graphql", 0, PROTOCOL },
	{ "sql", 0, PROTOCOL },
	{ "json-rpc", 0, PROTOCOL },
	{ "mcp", 0, PROTOCOL },
};

struct import {
	struct model m;
	const struct openshell_options *options;
	struct buf body;
	struct model_text *names; /* of entries, so far */
	uint32_t n_names;
	unsigned number; /* all lower ones are taken with the name of the present rule */
	unsigned classes; /* bit 0 read, bit 1 write */
	struct openshell_cells cells;
};

static bool is_empty(const struct yaml_tree_node *n)
{
	if (!n)
		return true;
	return n->kind == YAML_TREE_SCALAR ? n->text.len == 0 : n->n == 0;
}

static bool taken(const struct import *s, struct bytes name)
{
	for (uint32_t i = 0; i < s->n_names; i++)
		if (bytes_eq(s->names[i].text, name))
			return true;
	return false;
}

/* A name of ours from a key of theirs, distinct from all before. */
static struct bytes entry_name(struct import *s, const struct yaml_tree_node *key)
{
	char name[NAME_LEN_MAX + 1], numbered[NAME_LEN_MAX + 16];
	size_t n = 0;
	struct bytes text;

	for (size_t i = 0; i < key->text.len && n < NAME_LEN_MAX - 8; i++) {
		uint8_t c = key->text.p[i];

		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			name[n++] = (char)c;
		else if (n > 0)
			name[n++] = c == '_' || c == '.' ? (char)c : '-';
	}
	name[n] = '\0';
	(void)snprintf(numbered, sizeof(numbered), "%s", n ? name : "entry");
	while (taken(s, bytes_str(numbered)))
		(void)snprintf(numbered, sizeof(numbered), "%s-%u", n ? name : "entry", s->number++);
	text = arena_copy(s->m.arena, bytes_str(numbered));
	s->names[s->n_names++] = (struct model_text){ .text = text, .at = place_of(key) };
	return text;
}

/* Lower case, without a trailing dot, as ours are written. */
static bool read_host(struct import *s, const struct yaml_tree_node *node, struct place at,
		      struct bytes *ret)
{
	char why[HOST_PATTERN_FAULT_MAX];
	struct model_text t;
	uint8_t *lower;
	bool folded = false;

	if (is_empty(node)) {
		model_error(&s->m, at,
			    "an endpoint without `host` is for every host; list the hosts");
		return false;
	}
	if (!field_text(&s->m, node, "host", 512, &t))
		return false;
	lower = arena_alloc(s->m.arena, t.text.len, 1);
	if (!lower)
		return false;
	for (size_t i = 0; i < t.text.len; i++) {
		lower[i] = (uint8_t)(t.text.p[i] >= 'A' && t.text.p[i] <= 'Z' ? t.text.p[i] | 0x20
									      : t.text.p[i]);
		folded = folded || lower[i] != t.text.p[i];
	}
	*ret = bytes_of(lower, t.text.len);
	if (folded)
		model_warning(
			&s->m, t.at,
			"the host is written in lower case; names compare without case in both");
	if (host_pattern_ok(*ret, why))
		return true;
	model_error(&s->m, t.at, "host: %s", why);
	return false;
}

static bool read_ports(struct import *s, const struct yaml_tree_node *port,
		       const struct yaml_tree_node *ports, struct place at,
		       uint16_t ret[POLICY_PORTS_MAX], unsigned *ret_n)
{
	uint64_t one = 0, v;
	bool found = false;

	*ret_n = 0;
	if (port && !field_number(&s->m, port, "port", 1, UINT16_MAX, &one))
		return false;
	if (is_empty(ports)) {
		if (!one) {
			model_error(&s->m, at, "an endpoint without a port; write `ports`");
			return false;
		}
		ret[(*ret_n)++] = (uint16_t)one;
		return true;
	}
	if (!field_is_list(&s->m, ports, "ports"))
		return false;
	for (const struct yaml_tree_node *p = ports->first; p; p = p->next) {
		bool again = false;

		if (!field_number(&s->m, p, "ports", 1, UINT16_MAX, &v))
			return false;
		for (unsigned i = 0; i < *ret_n; i++)
			again = again || ret[i] == v;
		found = found || v == one;
		if (again)
			continue;
		if (*ret_n == POLICY_PORTS_MAX) {
			model_error(&s->m, place_of(p), "more than %d ports; list fewer",
				    POLICY_PORTS_MAX);
			return false;
		}
		ret[(*ret_n)++] = (uint16_t)v;
	}
	if (one && !found) {
		model_error(
			&s->m, place_of(port),
			"`port` beside `ports` is ignored there; put it into `ports`, or remove it");
		return false;
	}
	return true;
}

/* Absent, "audit" and every misspelling only log there. We enforce, which is narrower, and say so. */
static bool read_enforcement(struct import *s, const struct yaml_tree_node *node, struct place at)
{
	char shown[FIELD_SHOW_MAX];

	if (is_empty(node)) {
		model_warning(
			&s->m, at,
			"without `enforcement: enforce` violations are only logged there; here they are refused");
		return true;
	}
	if (node->kind == YAML_TREE_SCALAR && bytes_is(node->text, "enforce"))
		return true;
	if (node->kind == YAML_TREE_SCALAR &&
	    (bytes_is(node->text, "audit") || bytes_ieq(node->text, bytes_str("enforce")))) {
		model_warning(
			&s->m, place_of(node),
			"`%s` only logs there; here violations are refused, `observe: true` would let them pass",
			field_show(node->text, shown));
		return true;
	}
	model_error(&s->m, place_of(node),
		    "an unknown enforcement only logs there; write `enforce`");
	return false;
}

static bool read_tls(struct import *s, const struct yaml_tree_node *node, bool inspected)
{
	if (is_empty(node))
		return true;
	if (node->kind == YAML_TREE_SCALAR && bytes_is(node->text, "skip")) {
		if (inspected)
			model_error(
				&s->m, place_of(node),
				"`tls: skip` beside rules leaves them without effect there; remove one of them");
		return !inspected;
	}
	if (node->kind == YAML_TREE_SCALAR &&
	    (bytes_is(node->text, "terminate") || bytes_is(node->text, "passthrough"))) {
		model_warning(&s->m, place_of(node),
			      "a deprecated `tls` value acts as automatic there; it is left out");
		return true;
	}
	model_error(&s->m, place_of(node),
		    "an unknown `tls` value acts as automatic there; write `skip`, or remove it");
	return false;
}

static bool has_other_port(const uint16_t *ports, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (ports[i] != 443 && ports[i] != 80)
			return true;
	return false;
}

/* Which of our modes stands for the endpoint; 0 after saying why none does. */
static enum policy_mode choose_mode(struct import *s, const struct yaml_tree_node *const *v,
				    struct place at, const uint16_t *ports, unsigned n)
{
	bool ruled = v[KEY_RULES] || v[KEY_ACCESS] || v[KEY_DENY_RULES];
	int protocol = 0;

	if (v[KEY_PROTOCOL] &&
	    !field_word(&s->m, v[KEY_PROTOCOL], "protocol", protocols, ITEMS(protocols), &protocol))
		return (enum policy_mode)0;
	if (protocol == 0 && ruled) {
		model_warning(
			&s->m, at,
			"rules without `protocol` are not looked at there; they are settled to protocol rest, as their author meant");
		protocol = POLICY_HTTP;
	}
	if (protocol == POLICY_TCP &&
	    (ruled || !is_empty(v[KEY_ENFORCEMENT]) || !is_empty(v[KEY_PATH]))) {
		model_error(&s->m, at, "protocol tcp with rules, enforcement or path; remove them");
		return (enum policy_mode)0;
	}
	if (protocol == POLICY_HTTP && has_other_port(ports, n))
		model_warning(
			&s->m, at,
			"TLS is found out by looking there; here port 443 is https and every other port plain http: write mode intercept where that is wrong");
	if (protocol)
		return (enum policy_mode)protocol;
	if (!(n == 1 && ports[0] == 443))
		return POLICY_TCP;
	model_warning(
		&s->m, at,
		"the endpoint becomes passthrough: TLS with the host's name, where any bytes passed there");
	return POLICY_PASSTHROUGH;
}

static bool check_path(struct import *s, const struct yaml_tree_node *node)
{
	if (is_empty(node) || (node->kind == YAML_TREE_SCALAR &&
			       (bytes_is(node->text, "**") || bytes_is(node->text, "/**"))))
		return true;
	model_error(
		&s->m, place_of(node),
		"a path selector has no equal here; write the path in front of the paths of the rules, and remove it");
	return false;
}

static bool write_http(struct import *s, const struct yaml_tree_node *const *v, struct place at, struct buf *out)
{
	unsigned classes = 0;

	s->cells = (struct openshell_cells){ .m = &s->m, .v = s->cells.v };
	if (v[KEY_ENCODED_SLASH])
		(void)field_bool(&s->m, v[KEY_ENCODED_SLASH], "allow_encoded_slash",
				 &s->cells.encoded_slash);
	if (v[KEY_RULES] && v[KEY_ACCESS]) {
		model_error(&s->m, place_of(v[KEY_ACCESS]), "`access` beside `rules`; keep one");
		return false;
	}
	if (!v[KEY_RULES] && !v[KEY_ACCESS]) {
		model_error(&s->m, at, "protocol rest without rules or access; write one");
		return false;
	}
	if (v[KEY_RULES])
		openshell_add_rules(&s->cells, v[KEY_RULES]);
	else
		openshell_add_preset(&s->cells, v[KEY_ACCESS]);
	if (v[KEY_DENY_RULES])
		openshell_add_denies(&s->cells, v[KEY_DENY_RULES]);
	buf_str(out, "    protocol: rest\n");
	if (s->cells.encoded_slash)
		buf_str(out, "    encoded_slash: true\n");
	openshell_write_rules(&s->cells, out, &classes);
	s->classes |= classes;
	return true;
}

/* One entry with those of the ports that `tls` says. */
static void write_entry(struct import *s, const struct yaml_tree_node *key, struct bytes host, const uint16_t *ports, unsigned n, enum policy_mode mode,
			struct bytes rest)
{
	struct bytes name = entry_name(s, key);
	bool first = true;

	buf_fmt(&s->body, "  - name: %.*s\n    hosts: [\"%.*s\"]\n    ports: [", (int)name.len,
		(const char *)name.p, (int)host.len, (const char *)host.p);
	for (unsigned i = 0; i < n; i++) {
		if ((mode == POLICY_INTERCEPT && ports[i] != 443) || (mode == POLICY_HTTP && ports[i] == 443))
			continue;
		buf_fmt(&s->body, "%s%u", first ? "" : ", ", ports[i]);
		first = false;
	}
	buf_fmt(&s->body, "]\n    mode: %s\n", policy_mode_text(mode));
	buf_bytes(&s->body, rest);
}

/* https and plain http are two modes here, so that one endpoint for both becomes two entries. */
static void write_judged(struct import *s, const struct yaml_tree_node *key, const struct yaml_tree_node *const *v, struct place at, struct bytes host,
			 const uint16_t *ports, unsigned n)
{
	BUF_AUTO struct buf rules = { .max = POLICY_TEXT_MAX };
	unsigned n_tls = 0;

	if (!write_http(s, v, at, &rules))
		return;
	for (unsigned i = 0; i < n; i++)
		n_tls += ports[i] == 443;
	if (n_tls)
		write_entry(s, key, host, ports, n, POLICY_INTERCEPT, buf_view(&rules));
	if (n > n_tls)
		write_entry(s, key, host, ports, n, POLICY_HTTP, buf_view(&rules));
	s->body.failed = s->body.failed || rules.failed;
}

static void import_endpoint(struct import *s, const struct yaml_tree_node *key,
			    const struct yaml_tree_node *node)
{
	const struct yaml_tree_node *v[ITEMS(endpoint_keys)];
	struct place at = place_of(node);
	uint16_t ports[POLICY_PORTS_MAX];
	struct bytes host;
	enum policy_mode mode;
	unsigned n_ports;

	if (!field_map(&s->m, node, "an endpoint", endpoint_keys, ITEMS(endpoint_keys), v) ||
	    !read_host(s, v[KEY_HOST], at, &host) ||
	    !read_ports(s, v[KEY_PORT], v[KEY_PORTS], at, ports, &n_ports) ||
	    !check_path(s, v[KEY_PATH]))
		return;
	if (!is_empty(v[KEY_ALLOWED_IPS])) {
		model_error(
			&s->m, place_of(v[KEY_ALLOWED_IPS]),
			"`allowed_ips` restricts to these addresses there; `addresses` here permits private ranges beside all public ones, so write the entry by hand");
		return;
	}
	mode = choose_mode(s, v, at, ports, n_ports);
	if (!mode || !read_tls(s, v[KEY_TLS], mode == POLICY_HTTP) ||
	    (mode == POLICY_HTTP && !read_enforcement(s, v[KEY_ENFORCEMENT], at)))
		return;
	if (s->n_names == 0)
		model_warning(
			&s->m, at,
			"private addresses of hosts are not dialled here; list the range under `addresses` where a host has one");
	if (mode == POLICY_HTTP)
		write_judged(s, key, v, at, host, ports, n_ports);
	else
		write_entry(s, key, host, ports, n_ports, mode, bytes_str("    reason: imported, was not inspected before\n"));
}

static bool is_any_binary(const struct yaml_tree_node *b)
{
	const struct yaml_tree_node *path = yaml_tree_get(b, "path");

	return path && path->kind == YAML_TREE_SCALAR &&
	       (bytes_is(path->text, "/**") || bytes_is(path->text, "**"));
}

/* False: the rule is left out or refused. */
static bool check_binaries(struct import *s, const struct yaml_tree_node *node, struct place at)
{
	if (is_empty(node)) {
		model_warning(&s->m, at,
			      "a rule without `binaries` grants nothing there; it is left out");
		return false;
	}
	if (!field_is_list(&s->m, node, "binaries"))
		return false;
	for (const struct yaml_tree_node *b = node->first; b; b = b->next)
		if (is_any_binary(b))
			return true;
	if (s->options->any_process)
		model_warning(
			&s->m, place_of(node),
			"the list of programs is left out, as asked; every process of the workspace may use this entry");
	else
		model_error(
			&s->m, place_of(node),
			"the gateway cannot tell the programs of a machine apart; give --any-process if every process may use this entry");
	return s->options->any_process;
}

static void import_rule(struct import *s, const struct yaml_tree_node *node)
{
	const struct yaml_tree_node *v[RULE_KEYS];
	struct place at = place_of(node);

	if (!field_map(&s->m, node, "a rule of `network_policies`", rule_keys, RULE_KEYS, v) ||
	    !check_binaries(s, v[KEY_BINARIES], at))
		return;
	if (is_empty(v[KEY_ENDPOINTS])) {
		model_warning(&s->m, at, "a rule without endpoints grants nothing; it is left out");
		return;
	}
	if (!field_is_list(&s->m, v[KEY_ENDPOINTS], "endpoints"))
		return;
	s->number = 2;
	for (const struct yaml_tree_node *e = v[KEY_ENDPOINTS]->first; e; e = e->next) {
		if (s->n_names == POLICY_LIST_MAX) {
			model_error(&s->m, place_of(e), "more than %d endpoints; split the file",
				    POLICY_LIST_MAX);
			return;
		}
		import_endpoint(s, node->key, e);
	}
}

static void check_other_sections(struct import *s, const struct yaml_tree_node *const v[TOP_KEYS])
{
	static const int dropped[] = { KEY_FILESYSTEM, KEY_LANDLOCK, KEY_PROCESS };

	for (size_t i = 0; i < ITEMS(dropped); i++) {
		const struct yaml_tree_node *n = v[dropped[i]];
		const char *key = top_keys[dropped[i]].key;

		if (!n)
			continue;
		if (s->options->network_only)
			model_warning(
				&s->m, place_of(n->key),
				"`%s` is left out, as asked; nothing enforces it in this version",
				key);
		else
			model_error(
				&s->m, place_of(n->key),
				"`%s` is not enforced by this version; give --network-only to leave it out",
				key);
	}
	if (!is_empty(v[KEY_MIDDLEWARES]))
		model_error(
			&s->m, place_of(v[KEY_MIDDLEWARES]->key),
			"middlewares may refuse or change requests and have no equal here; remove them");
}

static void import_file(struct import *s, const struct yaml_tree_node *root)
{
	const struct yaml_tree_node *v[TOP_KEYS];
	const struct place start = { 1, 1 };

	if (!root) {
		model_error(&s->m, start, "the file is empty; is it the right one?");
		return;
	}
	if (!field_map(&s->m, root, "the policy", top_keys, TOP_KEYS, v))
		return;
	if (!v[KEY_VERSION] || v[KEY_VERSION]->kind != YAML_TREE_SCALAR ||
	    !bytes_is(v[KEY_VERSION]->text, "1"))
		model_error(&s->m, v[KEY_VERSION] ? place_of(v[KEY_VERSION]) : start,
			    "not version 1, whose meaning is known; write `version: 1` if it is");
	check_other_sections(s, v);
	if (is_empty(v[KEY_NETWORK]))
		return;
	if (v[KEY_NETWORK]->kind != YAML_TREE_MAP) {
		model_error(&s->m, place_of(v[KEY_NETWORK]),
			    "`network_policies` is no mapping; write `name: rule` below it");
		return;
	}
	for (const struct yaml_tree_node *r = v[KEY_NETWORK]->first; r; r = r->next)
		import_rule(s, r);
}

static void write_file(const struct import *s, struct buf *out)
{
	buf_str(out, "version: 1\nname: imported\n");
	if (s->classes)
		buf_fmt(out, "verdicts: {%s%s%s}\n", s->classes & 1 ? "read: allow" : "",
			s->classes == 3 ? ", " : "", s->classes & 2 ? "write: allow" : "");
	buf_str(out, s->body.len ? "network:\n" : "network: []\n");
	buf_bytes(out, buf_view(&s->body));
}

bool openshell_import(struct bytes text, const struct openshell_options *options, struct buf *out,
		      struct policy_problems *problems)
{
	ARENA_AUTO struct arena arena = { .max = ARENA_MAX };
	struct import s = { .m = { .arena = &arena, .problems = problems }, .options = options };
	struct yaml_tree_fault fault = { 0 };
	struct yaml_tree *tree = yaml_tree_parse(text, &fault);
	bool ok;

	buf_init(&s.body, POLICY_TEXT_MAX);
	s.names = arena_alloc(&arena, POLICY_LIST_MAX + 1, sizeof(*s.names));
	s.cells.v = arena_alloc(&arena, OPENSHELL_CELLS_MAX, sizeof(*s.cells.v));
	if (!tree)
		policy_problem_add(problems, POLICY_ERROR, fault.line, fault.column, "%s",
				   fault.text);
	else if (s.names && s.cells.v)
		import_file(&s, yaml_tree_root(tree));
	if (arena.failed || s.body.failed)
		policy_problem_add(problems, POLICY_ERROR, 1, 1,
				   "the file needs too much memory; split it");
	policy_problems_sort(problems);
	ok = problems->n_errors == 0;
	if (ok)
		write_file(&s, out);
	buf_deinit(&s.body);
	yaml_tree_free(tree);
	return ok && !out->failed;
}
