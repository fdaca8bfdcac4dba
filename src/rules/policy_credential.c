#include "rules/policy_git.h"
#include "rules/policy_path.h"
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

/* With a slash for each encoded one: in `room`, which is as long as the text. */
static struct bytes decoded(struct bytes text, uint8_t *room)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		bool slash = bytes_starts(bytes_skip(text, i), bytes_str("%2F"));

		room[n++] = slash ? '/' : text.p[i];
		i += slash ? 2 : 0;
	}
	return bytes_of(room, n);
}

static bool bound_decoded(struct bytes pattern, struct bytes path)
{
	uint8_t a[POLICY_PATH_MAX], b[HTTP1_LINE_MAX];

	return pattern.len <= sizeof(a) && path.len <= sizeof(b) && policy_path_match(decoded(pattern, a), decoded(path, b));
}

/* A host that decodes slashes finds another path, which must be bound, too. Where the binding itself has an encoded slash, one that is decoded is meant. */
static bool bound(struct bytes pattern, struct bytes path)
{
	return policy_path_match(pattern, path) && (!memmem(path.p, path.len, "%2F", 3) || bound_decoded(pattern, path));
}

bool blob_path_bound(const struct policy *p, uint32_t credential, struct bytes path)
{
	const struct blob_credential *c = (const struct blob_credential *)blob_at(p, BLOB_CREDENTIALS) + credential;
	const struct blob_str *values = (const struct blob_str *)blob_at(p, BLOB_VALUES) + c->paths.first;

	for (uint32_t i = 0; i < c->paths.n; i++)
		if (bound(blob_text(p, values[i]), path))
			return true;
	return false;
}

bool blob_request_bound(const struct policy *p, uint32_t credential, enum policy_protocol protocol, const struct policy_request *r)
{
	const struct blob_credential *c = (const struct blob_credential *)blob_at(p, BLOB_CREDENTIALS) + credential;
	const struct blob_str *values = (const struct blob_str *)blob_at(p, BLOB_VALUES) + c->paths.first;
	struct bytes repository;

	if (blob_path_bound(p, credential, r->path))
		return true;
	if (protocol != POLICY_GIT || policy_git_kind_of(r, &repository) == POLICY_GIT_NONE)
		return false;
	for (uint32_t i = 0; i < c->paths.n; i++)
		if (bound(policy_git_repository(blob_text(p, values[i])), repository))
			return true;
	return false;
}

bool policy_credential_bound(const struct policy *p, uint32_t i, struct bytes name, uint16_t port, enum policy_protocol protocol,
			     const struct policy_request *r)
{
	const struct blob_credential *c = blob_at(p, BLOB_CREDENTIALS);

	return i < blob_n(p, BLOB_CREDENTIALS) && host_bound(p, c[i].hosts, name) && port_bound(p, c[i].ports, port) &&
	       r->path.len > 0 && r->path.p[0] == '/' && blob_request_bound(p, i, protocol, r);
}
