/* What an intercepted entry may have beside its rules: a credential, roots of its own, a host behind its name, what to do with answers. */
#include "rules/host_pattern.h"
#include "rules/policy_field.h"
#include "rules/policy_pem.h"

#define ITEMS(a) (sizeof(a) / sizeof((a)[0]))
#define INTERNAL ".internal"
#define HTTPS_PORT 443

/* Plain http carries none of these. */
static bool is_intercepted(struct model *m, const struct model_entry *e, const struct yaml_tree_node *node, const char *key, const char *why)
{
	if (!node || e->mode == POLICY_INTERCEPT)
		return node != NULL;
	model_error(m, place_of(node->key), "`%s` in mode %s: %s; remove it, or use mode intercept", key, policy_mode_text(e->mode), why);
	return false;
}

static void read_credential(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	if (!is_intercepted(m, e, node, "credential", "credentials are only added to intercepted https"))
		return;
	e->field[FIELD_CREDENTIAL] = place_of(node);
	(void)field_name(m, node, "credential", &e->credential);
}

static void read_reflective(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	if (!is_intercepted(m, e, node, "reflective", "there is no secret that an answer could show"))
		return;
	e->field[FIELD_REFLECTIVE] = place_of(node);
	if (field_bool(m, node, "reflective", &e->reflective) && e->reflective && e->credential.text.len == 0)
		model_error(m, place_of(node->key),
			    "`reflective` without `credential`: there is no secret that an answer could show; remove it");
}

/* A cookie of a session that the secret opened would be a credential in the guest's hands. */
static void read_set_cookie(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	static const struct field_word words[] = { { "pass", 0, NULL }, { "strip", 1, NULL } };
	int strip = e->credential.text.len != 0;

	if (node) {
		e->field[FIELD_SET_COOKIE] = place_of(node);
		(void)field_word(m, node, "set_cookie", words, ITEMS(words), &strip);
	}
	e->strip_set_cookie = strip;
}

static void read_ca(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	char why[POLICY_PEM_FAULT_MAX];

	if (!is_intercepted(m, e, node, "ca", "no certificate is verified"))
		return;
	e->field[FIELD_CA] = place_of(node->key);
	if (node->kind != YAML_TREE_SCALAR || node->text.len > POLICY_CA_MAX)
		model_error(m, place_of(node), "`ca` is no text of at most %d KiB; write `ca: |` and the PEM certificates below it",
			    POLICY_CA_MAX / 1024);
	else if (!policy_pem_ok(node->text, why))
		model_error(m, place_of(node), "`ca`: %s", why);
	else
		e->ca = node->text;
}

static bool read_upstream_host(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	char why[HOST_PATTERN_FAULT_MAX], shown[FIELD_SHOW_MAX];

	if (!field_text(m, node, "host", YAML_TREE_SCALAR_MAX, &e->upstream))
		return false;
	if (!host_pattern_ok(e->upstream.text, why))
		model_error(m, e->upstream.at, "host: %s", why);
	else if (e->upstream.text.p[0] == '*' || bytes_ends(e->upstream.text, bytes_str(INTERNAL)))
		model_error(m, e->upstream.at, "`%s` is no single host to connect to; write the endpoint's own name",
			    field_show(e->upstream.text, shown));
	else
		return true;
	return false;
}

/* A name of the gateway's own with a host behind it. A host's own name never leads elsewhere. */
static void check_internal(struct model *m, const struct model_entry *e)
{
	char shown[FIELD_SHOW_MAX];

	for (uint32_t i = 0; i < e->n_hosts; i++)
		if (e->hosts[i].text.p[0] == '*' || !bytes_ends(e->hosts[i].text, bytes_str(INTERNAL)))
			model_error(m, e->hosts[i].at,
				    "`upstream` stands behind names that are the gateway's own, and `%s` is none; list a name such as inference.internal",
				    field_show(e->hosts[i].text, shown));
}

static void read_upstream(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	static const struct field_key keys[] = { { "host", NULL }, { "port", NULL } };
	const struct yaml_tree_node *v[ITEMS(keys)];
	uint64_t port = HTTPS_PORT;

	if (!is_intercepted(m, e, node, "upstream", "the name behind it would go unverified") ||
	    !field_map(m, node, "`upstream`", keys, ITEMS(keys), v))
		return;
	e->field[FIELD_UPSTREAM] = place_of(node->key);
	if (!v[0])
		model_error(m, place_of(node), "`upstream` without `host`; write the name of the endpoint");
	else if (read_upstream_host(m, e, v[0]))
		check_internal(m, e);
	if (v[1])
		(void)field_number(m, v[1], "port", 1, UINT16_MAX, &port);
	e->upstream_port = (uint16_t)port;
}

static void read_ai(struct model *m, struct model_entry *e, const struct yaml_tree_node *node)
{
	static const struct field_word words[] = { { "openai", POLICY_AI_OPENAI, NULL }, { "anthropic", POLICY_AI_ANTHROPIC, NULL } };
	int ai = POLICY_AI_NONE;

	if (!node)
		return;
	e->field[FIELD_AI] = place_of(node);
	if (e->protocol != POLICY_REST)
		model_error(m, place_of(node->key), "`ai` counts the tokens in answers of protocol rest; remove it");
	else if (field_word(m, node, "ai", words, ITEMS(words), &ai))
		e->ai = (enum policy_ai)ai;
}

void policy_read_options(struct model *m, struct model_entry *e, const struct policy_option_nodes *v)
{
	read_credential(m, e, v->credential);
	read_reflective(m, e, v->reflective);
	read_set_cookie(m, e, v->set_cookie);
	read_ca(m, e, v->ca);
	read_upstream(m, e, v->upstream);
	read_ai(m, e, v->ai);
}
