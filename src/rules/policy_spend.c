/* Credentials beside the entries that use them. A binding and its entries say the same: what an entry sends it to must be bound, and nothing may be
 * bound that no entry sends it to, so that whoever reads the binding knows all that the secret can be spent on. */
#include "rules/policy_field.h"
#include "rules/policy_git.h"
#include "rules/policy_path.h"
#include "rules/policy_spelling.h"
#include "rules/policy_view.h"

/* Every name of `inner` is one of `outer`. */
static bool host_contains(struct bytes outer, struct bytes inner)
{
	struct bytes wide, suffix;
	enum blob_wild w = blob_wild_of(outer, &wide), v = blob_wild_of(inner, &suffix);
	size_t above = suffix.len > wide.len ? suffix.len - wide.len - 1 : 0; /* bytes before the shared suffix and its dot */

	if (bytes_eq(outer, inner))
		return true;
	if (w == BLOB_EXACT)
		return false;
	if (bytes_eq(wide, suffix))
		return w == BLOB_MANY_LABELS && v == BLOB_ONE_LABEL;
	if (above == 0 || !bytes_ends(suffix, wide) || suffix.p[above] != '.')
		return false;
	return w == BLOB_MANY_LABELS || (v == BLOB_EXACT && bytes_find(suffix, '.') == above);
}

static bool has_host(const struct model_text *hosts, uint32_t n, struct bytes host)
{
	for (uint32_t i = 0; i < n; i++)
		if (host_contains(hosts[i].text, host))
			return true;
	return false;
}

static bool has_port(const struct model_ports *ports, uint16_t port)
{
	for (uint32_t i = 0; i < ports->n; i++)
		if (ports->v[i] == port)
			return true;
	return false;
}

/* Where an entry's requests really go. */
static const struct model_text *hosts_of(const struct model_entry *e, uint32_t *ret_n)
{
	*ret_n = e->upstream.text.len ? 1 : e->n_hosts;
	return e->upstream.text.len ? &e->upstream : e->hosts;
}

static struct model_ports ports_of(const struct model_entry *e)
{
	struct model_ports up = { .n = 1 };

	if (!e->upstream.text.len)
		return e->ports;
	up.v[0] = e->upstream_port;
	up.at[0] = e->field[FIELD_UPSTREAM];
	return up;
}

/* What a binding of this entry's names: the repository for git, with or without its `.git`, the path itself otherwise. */
static struct bytes bound_of(const struct model_entry *e, struct bytes bound)
{
	return e->protocol == POLICY_GIT ? policy_git_repository(bound) : bound;
}

/* A rule's pattern as one of request paths: below a repository for git, itself otherwise. */
static bool path_granted(const struct model_entry *e, struct bytes pattern, struct bytes bound)
{
	static const char *const below[] = { "/**", ".git/**" };
	uint8_t text[POLICY_PATH_MAX + 8];

	if (policy_path_contains(pattern, bound_of(e, bound)))
		return true;
	for (size_t i = 0; i < 2 && e->protocol == POLICY_GIT && pattern.len <= POLICY_PATH_MAX; i++) {
		size_t len = strlen(below[i]);

		memcpy(text, pattern.p, pattern.len);
		memcpy(text + pattern.len, below[i], len);
		if (policy_path_contains(bytes_of(text, pattern.len + len), bound))
			return true;
	}
	return false;
}

static bool grants_path(const struct model_entry *e, struct bytes bound)
{
	for (uint32_t i = 0; i < e->n_rules; i++)
		for (uint32_t k = 0; k < e->rules[i].n_paths && e->rules[i].effect != POLICY_EFFECT_DENY_RULE; k++)
			if (path_granted(e, e->rules[i].paths[k].text, bound))
				return true;
	return false;
}

/* A path of the pattern may, with its slashes decoded, be one of this binding's. */
static bool decoded_bound(const struct model_entry *e, struct bytes bound, struct bytes pattern)
{
	uint8_t a[2 * POLICY_PATH_MAX], b[POLICY_PATH_MAX];
	struct bytes open, decoded;

	if (pattern.len > POLICY_PATH_MAX || bound.len > POLICY_PATH_MAX)
		return true;
	open = policy_spelling_opened(pattern, a);
	decoded = policy_spelling_slashes(bound, b);
	return open.len > POLICY_PATH_MAX || policy_path_overlaps(bound_of(e, decoded), open) || path_granted(e, open, decoded);
}

/* What has an encoded slash must be bound as it is and, by the same path of the binding or another, decoded. */
static bool path_bound(const struct model_entry *e, const struct model_credential *c, struct bytes pattern)
{
	bool as_it_is = false, decoded = !memmem(pattern.p, pattern.len, "%2F", 3);

	for (uint32_t i = 0; i < c->n_paths; i++) {
		if (path_granted(e, pattern, c->paths[i].text))
			return true;
		as_it_is = as_it_is || policy_path_overlaps(bound_of(e, c->paths[i].text), pattern);
		decoded = decoded || decoded_bound(e, c->paths[i].text, pattern);
	}
	return as_it_is && decoded;
}

/* The entry's side: it may use the credential, and none of its rules grants only what the credential cannot be sent to. */
static void check_entry(struct model *m, const struct model_entry *e, const struct model_credential *c)
{
	struct model_ports ports = ports_of(e);
	char shown[FIELD_SHOW_MAX];
	uint32_t n;
	const struct model_text *hosts = hosts_of(e, &n);

	for (uint32_t i = 0; i < n; i++)
		if (!has_host(c->hosts, c->n_hosts, hosts[i].text))
			model_error(m, hosts[i].at,
				    "credential `%.*s` (line %u) is not bound to `%s`; add the host to the binding, or split the entry",
				    (int)c->id.text.len, (const char *)c->id.text.p, c->at.line, field_show(hosts[i].text, shown));
	for (uint32_t i = 0; i < ports.n && c->ports_said; i++)
		if (!has_port(&c->ports, ports.v[i]))
			model_error(m, ports.at[i], "credential `%.*s` (line %u) is not bound to port %u; add the port to the binding, or split the entry",
				    (int)c->id.text.len, (const char *)c->id.text.p, c->at.line, ports.v[i]);
	for (uint32_t i = 0; i < e->n_rules; i++) {
		const struct model_rule *r = &e->rules[i];

		for (uint32_t k = 0; k < r->n_paths && r->effect != POLICY_EFFECT_DENY_RULE; k++)
			if (!path_bound(e, c, r->paths[k].text))
				model_error(
					m, r->paths[k].at,
					"this path can never match: credential `%.*s` (line %u) is not bound to it; add the path to the binding, or remove it here",
					(int)c->id.text.len, (const char *)c->id.text.p, c->at.line);
	}
}

static bool entry_uses(const struct model *m, const struct model_entry *e, uint32_t credential)
{
	return e->credential_index == credential && !e->broken && m->credentials[credential].used;
}

static bool some_host(const struct model *m, uint32_t credential, struct bytes host)
{
	for (uint32_t i = 0; i < m->n_entries; i++) {
		uint32_t n;
		const struct model_text *hosts = hosts_of(m->entries[i], &n);

		if (entry_uses(m, m->entries[i], credential) && has_host(hosts, n, host))
			return true;
	}
	return false;
}

static bool some_port(const struct model *m, uint32_t credential, uint16_t port)
{
	for (uint32_t i = 0; i < m->n_entries; i++) {
		struct model_ports ports = ports_of(m->entries[i]);

		if (entry_uses(m, m->entries[i], credential) && has_port(&ports, port))
			return true;
	}
	return false;
}

static bool some_path(const struct model *m, uint32_t credential, struct bytes path)
{
	for (uint32_t i = 0; i < m->n_entries; i++)
		if (entry_uses(m, m->entries[i], credential) && grants_path(m->entries[i], path))
			return true;
	return false;
}

/* The binding's side: nothing of it is wider than the entries. */
static void check_binding(struct model *m, uint32_t i)
{
	const struct model_credential *c = &m->credentials[i];
	char shown[FIELD_SHOW_MAX];

	for (uint32_t k = 0; k < c->n_hosts; k++)
		if (!some_host(m, i, c->hosts[k].text))
			model_error(m, c->hosts[k].at, "the binding is wider than its entries: none that uses it lists `%s`; remove the host",
				    field_show(c->hosts[k].text, shown));
	for (uint32_t k = 0; k < c->ports.n && c->ports_said; k++)
		if (!some_port(m, i, c->ports.v[k]))
			model_error(m, c->ports.at[k], "the binding is wider than its entries: none that uses it lists port %u; remove the port",
				    c->ports.v[k]);
	for (uint32_t k = 0; k < c->n_paths; k++)
		if (!some_path(m, i, c->paths[k].text))
			model_error(m, c->paths[k].at,
				    "the binding is wider than its entries: no rule of one that uses it grants all of `%s`; write the paths of their rules",
				    field_show(c->paths[k].text, shown));
}

/* Who is asked by a target names it again: redirects, links, the addresses of further pages. */
static void find_credential(struct model *m, struct model_entry *e)
{
	char shown[FIELD_SHOW_MAX];

	for (uint32_t i = 0; i < m->n_credentials; i++)
		if (bytes_eq(m->credentials[i].id.text, e->credential.text)) {
			e->credential_index = i;
			m->credentials[i].used = true;
			e->reflective = e->reflective || m->credentials[i].inject == POLICY_INJECT_QUERY;
			return;
		}
	model_error(m, e->credential.at, "no credential `%s` under `credentials`; bind it there, or mend the name",
		    field_show(e->credential.text, shown));
	e->broken = true;
}

/* Not said: the ports of all entries that use it. */
static void inherit_ports(struct model_credential *c, const struct model_entry *e)
{
	struct model_ports ports = ports_of(e);

	for (uint32_t i = 0; i < ports.n; i++) {
		uint32_t at = c->ports.n;

		if (has_port(&c->ports, ports.v[i]) || at == POLICY_PORTS_MAX)
			continue;
		for (; at > 0 && c->ports.v[at - 1] > ports.v[i]; at--)
			c->ports.v[at] = c->ports.v[at - 1];
		c->ports.v[at] = ports.v[i];
		c->ports.n++;
	}
}

void policy_spend(struct model *m)
{
	for (uint32_t i = 0; i < m->n_entries; i++)
		if (m->entries[i]->credential.text.len)
			find_credential(m, m->entries[i]);
	for (uint32_t i = 0; i < m->n_entries; i++) {
		struct model_entry *e = m->entries[i];

		if (e->broken || e->credential_index == BLOB_NONE || m->credentials[e->credential_index].broken)
			continue;
		check_entry(m, e, &m->credentials[e->credential_index]);
		if (!m->credentials[e->credential_index].ports_said)
			inherit_ports(&m->credentials[e->credential_index], e);
	}
	if (m->problems->n_errors)
		return;
	for (uint32_t i = 0; i < m->n_credentials; i++)
		if (!m->credentials[i].used)
			model_error(m, m->credentials[i].at, "no entry uses the credential `%.*s`; remove it, or write `credential: %.*s` in one",
				    (int)m->credentials[i].id.text.len, (const char *)m->credentials[i].id.text.p,
				    (int)m->credentials[i].id.text.len, (const char *)m->credentials[i].id.text.p);
		else
			check_binding(m, i);
}
