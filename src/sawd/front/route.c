#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sawd/front/front.h"

/* The whole API as one table; docs/openapi.yaml describes the same, and a test holds one against the other. */

enum { ROUTE_QUERY_MAX = 4 };

struct route {
	const char *method;
	const char *path; /* "*" stands for one segment: the argument */
	call_fn fn;
	const char *query[ROUTE_QUERY_MAX]; /* the keys it takes */
};

static const struct route routes[] = {
	{ "GET", "/v1/version", call_version, { 0 } },
	{ "GET", "/v1/workspaces", call_list, { "limit", "page_token", "state" } },
	{ "POST", "/v1/workspaces", call_create, { 0 } },
	{ "GET", "/v1/workspaces/*", call_get, { 0 } },
	{ "DELETE", "/v1/workspaces/*", call_delete, { 0 } },
	{ "POST", "/v1/workspaces/*/start", call_start, { 0 } },
	{ "POST", "/v1/workspaces/*/stop", call_stop, { 0 } },
	{ "POST", "/v1/workspaces/*/restart", call_restart, { 0 } },
	{ "POST", "/v1/workspaces/*/rebuild", call_rebuild, { 0 } },
	{ "PUT", "/v1/workspaces/*/policy", call_policy, { 0 } },
	{ "GET", "/v1/workspaces/*/log", call_log, { "stream", "follow" } },
	{ "POST", "/v1/workspaces/*/sessions", call_session, { 0 } },
	{ "GET", "/v1/workspaces/*/tunnel", call_tunnel, { "session" } },
	{ "GET", "/v1/sessions", call_sessions, { 0 } },
	{ "DELETE", "/v1/sessions/*", call_session_end, { 0 } },
	{ "GET", "/v1/audit", call_audit, { "workspace", "follow" } },
	{ "GET", "/v1/events", call_events, { "workspace", "follow" } },
	{ "GET", "/v1/images", call_images, { 0 } },
	{ "GET", "/v1/secrets", call_secrets, { 0 } },
	{ "PUT", "/v1/secrets/*", call_secret_set, { "mode" } },
	{ "DELETE", "/v1/secrets/*", call_secret_rm, { 0 } },
	{ "POST", "/v1/bundles", call_push, { "channel", "force" } },
	{ "GET", "/v1/channels", call_channels, { 0 } },
	{ "POST", "/v1/channels/set", call_channel_set, { 0 } },
	{ "POST", "/v1/channels/rollback", call_channel_rollback, { 0 } },
	{ "POST", "/v1/keys", call_key, { 0 } },
	{ "POST", "/v1/shutdown", call_shutdown, { 0 } },
};
enum { N_ROUTES = sizeof(routes) / sizeof(routes[0]) };

/* The next segment of a path that begins with '/'. */
static bool segment(struct bytes *path, struct bytes *ret)
{
	if (path->len == 0 || path->p[0] != '/')
		return false;
	*path = bytes_skip(*path, 1);
	*ret = bytes_of(path->p, bytes_find(*path, '/'));
	*path = bytes_skip(*path, ret->len);
	return true;
}

static bool path_matches(const char *pattern, struct bytes path, struct bytes *ret_arg)
{
	struct bytes want = bytes_str(pattern);
	struct bytes a;
	struct bytes b;

	while (want.len || path.len) {
		if (!segment(&want, &a) || !segment(&path, &b))
			return false;
		if (bytes_is(a, "*") && b.len)
			*ret_arg = b;
		else if (!bytes_eq(a, b))
			return false;
	}
	return true;
}

/* Takes one key=value off the front. */
static bool pair(struct bytes *query, struct bytes *key, struct bytes *value)
{
	struct bytes one;
	size_t at;

	if (query->len == 0)
		return false;
	one = bytes_of(query->p, bytes_find(*query, '&'));
	*query = bytes_skip(*query, one.len < query->len ? one.len + 1 : one.len);
	at = bytes_find(one, '=');
	*key = bytes_of(one.p, at);
	*value = at < one.len ? bytes_skip(one, at + 1) : bytes_of(NULL, 0);
	return true;
}

bool route_query(const struct http_server_request *r, const char *key, struct bytes *ret)
{
	struct bytes query = r->query;
	struct bytes k;
	struct bytes v;

	while (pair(&query, &k, &v))
		if (bytes_is(k, key)) {
			*ret = v;
			return true;
		}
	return false;
}

/* Every key is one that the route takes, and comes once. */
static bool query_ok(const struct route *t, const struct http_server_request *r, struct bytes *ret_bad)
{
	struct bytes query = r->query;
	unsigned seen = 0;
	struct bytes v;

	while (pair(&query, ret_bad, &v)) {
		unsigned i = 0;

		while (i < ROUTE_QUERY_MAX && !(t->query[i] && bytes_is(*ret_bad, t->query[i])))
			i++;
		if (i == ROUTE_QUERY_MAX || (seen & (1U << i)))
			return false;
		seen |= 1U << i;
	}
	return true;
}

static void bad_query(struct conn *c, struct bytes key)
{
	char *name = bytes_dup(bytes_of(key.p, key.len > 100 ? 100 : key.len));

	conn_problem(c, &(struct sawd_problem){ .status = 422, .exit_code = 2, .code = "invalid", .field = name ? name : "query",
						.detail = "the query has a key that this call does not take, or has it twice",
						.remedy = "see docs/openapi.yaml" });
	free(name);
}

static void no_method(struct conn *c, const char *allow)
{
	const struct http1_field extra = { bytes_str("Allow"), bytes_str(allow) };
	struct json_out j;
	struct buf b;

	buf_init(&b, 4096);
	json_out_init(&j, &b);
	render_problem(&j, &(struct sawd_problem){ .status = 405, .exit_code = 2, .code = "method",
						   .detail = "this path does not take this method", .remedy = allow });
	json_out_object_end(&j);
	http_server_answer_with(c->http, 405, "application/problem+json", buf_view(&b), &extra, 1);
	buf_deinit(&b);
}

void route_request(struct conn *c, const struct http_server_request *r)
{
	char allow[64] = "";
	struct bytes arg = { 0 };
	struct bytes bad;

	for (size_t i = 0; i < N_ROUTES; i++) {
		const struct route *t = &routes[i];

		if (!path_matches(t->path, r->path, &arg))
			continue;
		if (!bytes_is(r->method, t->method)) {
			(void)snprintf(allow + strlen(allow), sizeof(allow) - strlen(allow), "%s%s", *allow ? ", " : "", t->method);
			continue;
		}
		if (query_ok(t, r, &bad))
			t->fn(c, r, arg);
		else
			bad_query(c, bad);
		return;
	}
	if (*allow)
		no_method(c, allow);
	else
		conn_problem(c, &(struct sawd_problem){ .status = 404, .exit_code = 4, .code = "not_found",
							.detail = "there is nothing at this path", .remedy = "see docs/openapi.yaml" });
}
