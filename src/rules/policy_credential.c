#include "rules/policy_git.h"
#include "rules/policy_path.h"
#include "rules/policy_spelling.h"
#include "rules/policy_view.h"
#include "wire/http1.h"

bool policy_credential_at(const struct policy *p, uint32_t i, struct policy_credential *ret)
{
	const struct blob_credential *c = blob_at(p, BLOB_CREDENTIALS);

	if (i >= blob_n(p, BLOB_CREDENTIALS))
		return false;
	*ret = (struct policy_credential){
		.id = blob_text(p, c[i].id),
		.inject = (enum policy_inject)c[i].inject,
		.header = blob_text(p, c[i].header),
		.prefix = blob_text(p, c[i].prefix),
		.suffix = blob_text(p, c[i].suffix),
		.user = blob_text(p, c[i].user),
	};
	return true;
}

static bool host_match(struct bytes pattern, struct bytes name)
{
	struct bytes suffix;
	enum blob_wild w = blob_wild_of(pattern, &suffix);
	size_t dot = name.len > suffix.len ? name.len - suffix.len - 1 : 0;

	if (w == BLOB_EXACT)
		return bytes_eq(pattern, name);
	return dot > 0 && name.p[dot] == '.' && bytes_ends(name, suffix) && (w == BLOB_MANY_LABELS || bytes_find(name, '.') == dot);
}

static bool host_bound(const struct policy *p, struct blob_run hosts, struct bytes name)
{
	const struct blob_str *values = (const struct blob_str *)blob_at(p, BLOB_VALUES) + hosts.first;

	for (uint32_t i = 0; i < hosts.n; i++)
		if (host_match(blob_text(p, values[i]), name))
			return true;
	return false;
}

static bool port_bound(const struct policy *p, struct blob_run ports, uint16_t port)
{
	const uint16_t *values = (const uint16_t *)blob_at(p, BLOB_PORTS) + ports.first;

	for (uint32_t i = 0; i < ports.n; i++)
		if (values[i] == port)
			return true;
	return false;
}

/* Some path of the binding is this one or, where there is a repository, names that. `decoded`: with slashes for the encoded ones of both; where the binding
 * itself has one, one that is decoded is meant. */
static bool bound(const struct policy *p, const struct blob_credential *c, struct bytes path, const struct bytes *repository, bool decoded)
{
	const struct blob_str *values = (const struct blob_str *)blob_at(p, BLOB_VALUES) + c->paths.first;
	uint8_t a[POLICY_PATH_MAX];

	for (uint32_t i = 0; i < c->paths.n; i++) {
		struct bytes pattern = blob_text(p, values[i]), named = policy_git_repository(pattern);

		if (decoded && pattern.len > sizeof(a))
			continue;
		if (policy_path_match(decoded ? policy_spelling_slashes(pattern, a) : pattern, path) ||
		    (repository && policy_path_match(decoded ? policy_spelling_slashes(named, a) : named, *repository)))
			return true;
	}
	return false;
}

/* A host that decodes slashes finds another path, which must be bound, too. */
static bool bound_either_way(const struct policy *p, uint32_t credential, struct bytes path, const struct bytes *repository)
{
	const struct blob_credential *c = (const struct blob_credential *)blob_at(p, BLOB_CREDENTIALS) + credential;
	uint8_t a[HTTP1_LINE_MAX], b[HTTP1_LINE_MAX];
	struct bytes named;

	if (!bound(p, c, path, repository, false))
		return false;
	if (!memmem(path.p, path.len, "%2F", 3))
		return true;
	if (path.len > sizeof(a))
		return false;
	named = policy_spelling_slashes(repository ? *repository : path, b);
	return bound(p, c, policy_spelling_slashes(path, a), repository ? &named : NULL, true);
}

bool blob_path_bound(const struct policy *p, uint32_t credential, struct bytes path)
{
	return bound_either_way(p, credential, path, NULL);
}

bool blob_request_bound(const struct policy *p, uint32_t credential, enum policy_protocol protocol, const struct policy_request *r)
{
	struct bytes repository;
	bool git = protocol == POLICY_GIT && policy_git_kind_of(r, &repository) != POLICY_GIT_NONE;

	return bound_either_way(p, credential, r->path, git ? &repository : NULL);
}

bool policy_credential_bound(const struct policy *p, uint32_t i, struct bytes name, uint16_t port, enum policy_protocol protocol,
			     const struct policy_request *r)
{
	const struct blob_credential *c = blob_at(p, BLOB_CREDENTIALS);

	return i < blob_n(p, BLOB_CREDENTIALS) && host_bound(p, c[i].hosts, name) && port_bound(p, c[i].ports, port) &&
	       r->path.len > 0 && r->path.p[0] == '/' && blob_request_bound(p, i, protocol, r);
}
