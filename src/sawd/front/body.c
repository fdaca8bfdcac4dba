#include "sawd/front/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

void body_bad(struct body *b, const char *field, const char *detail, const char *remedy)
{
	if (b->failed)
		return;
	b->failed = true;
	conn_problem(b->conn, &(struct sawd_problem){ .status = 422, .exit_code = 2, .code = "invalid", .field = field, .detail = detail,
						      .remedy = remedy });
}

/* "`KEY` is WHAT": people who called a verb see no JSON, and the sentence must name what they gave. */
static void bad_value(struct body *b, const char *key, const char *what, const char *remedy)
{
	char text[120];

	(void)snprintf(text, sizeof(text), "`%s` is %s", key, what);
	body_bad(b, key, text, remedy);
}

/* Member names are compared as they are written: ours need no escapes. */
static void check_keys(struct body *b, const struct json_node *of, const char *const *keys)
{
	for (uint32_t i = of->first; i && !b->failed; i = b->nodes[i].next) {
		struct bytes key = b->nodes[i].key;
		const char *const *k = keys;
		char *name;

		while (*k && !bytes_is(key, *k))
			k++;
		if (*k)
			continue;
		name = bytes_dup(bytes_of(key.p, key.len > 100 ? 100 : key.len));
		body_bad(b, name ? name : "body", "the body has a key that this call does not take", "see docs/openapi.yaml");
		free(name);
	}
}

void body_open(struct body *b, struct conn *c, const struct http_server_request *r, const char *const *keys, bool optional)
{
	struct bytes type = bytes_of(r->content_type.p, bytes_find(r->content_type, ';'));
	enum json_answer a;
	char text[120];
	uint32_t n;
	size_t at;

	b->conn = c;
	b->failed = false;
	b->empty = r->body.len == 0;
	if (b->empty) {
		if (!optional)
			body_bad(b, "body", "this call needs a JSON body", "see docs/openapi.yaml");
		return;
	}
	if (!bytes_ieq(type, bytes_str("application/json"))) {
		body_bad(b, "Content-Type", "the body is not application/json", "send Content-Type: application/json");
		return;
	}
	a = json_scan(r->body, b->nodes, BODY_NODES_MAX, &n, &at);
	if (a != JSON_OK) {
		(void)snprintf(text, sizeof(text), "the body is not sound JSON: %s at byte %zu", json_answer_text(a), at);
		body_bad(b, "body", text, "send one JSON object");
	} else if (b->nodes[0].kind != JSON_OBJECT) {
		body_bad(b, "body", "the body is not a JSON object", "send one JSON object");
	} else {
		check_keys(b, b->nodes, keys);
	}
}

static const struct json_node *member(const struct body *b, const struct json_node *of, const char *key)
{
	if (b->failed || b->empty)
		return NULL;
	return json_get(b->nodes, of ? of : b->nodes, key);
}

const struct json_node *body_object(struct body *b, const char *key, const char *const *keys)
{
	const struct json_node *n = member(b, NULL, key);

	if (!n || n->kind != JSON_OBJECT)
		body_bad(b, key, "an object is needed here", "see docs/openapi.yaml");
	else
		check_keys(b, n, keys);
	return b->failed ? NULL : n;
}

void body_text(struct body *b, const struct json_node *of, const char *key, const char *fallback, struct buf *out)
{
	const struct json_node *n = member(b, of, key);
	char limit[60];

	buf_reset(out);
	if (!n && fallback) {
		(void)buf_str(out, fallback);
		return;
	}
	if (!n)
		bad_value(b, key, "missing", "send it as text");
	else if (n->kind != JSON_STRING)
		bad_value(b, key, "not text", "send it as text, in quotes");
	else if (!json_text(n, out)) {
		(void)snprintf(limit, sizeof(limit), "use at most %zu bytes", out->max);
		bad_value(b, key, "too long", limit);
	}
}

uint64_t body_u64(struct body *b, const char *key, uint64_t min, uint64_t max, uint64_t fallback)
{
	const struct json_node *n = member(b, NULL, key);
	uint64_t v = fallback;
	char text[80];

	if (!n || (json_u64(n, max, &v) && v >= min))
		return v;
	(void)snprintf(text, sizeof(text), "send a whole number from %llu to %llu", (unsigned long long)min, (unsigned long long)max);
	bad_value(b, key, "no number in its range", text);
	return fallback;
}

bool body_bool(struct body *b, const char *key, bool fallback)
{
	const struct json_node *n = member(b, NULL, key);
	bool v = fallback;

	if (n && !json_bool(n, &v))
		bad_value(b, key, "neither true nor false", "send true or false, without quotes");
	return v;
}

uint64_t body_size(struct body *b, const char *key, const char *fallback)
{
	struct buf text;
	uint64_t v = 0;

	buf_init(&text, 40);
	body_text(b, NULL, key, fallback, &text);
	if (!b->failed && !num_size(buf_view(&text), INT64_MAX, &v))
		bad_value(b, key, "no size", "write it as 512MiB, 2GiB or 1TiB");
	buf_deinit(&text);
	return v;
}

unsigned body_word(struct body *b, const char *key, const char *const *words)
{
	struct buf text;
	unsigned i = 0;

	buf_init(&text, 40);
	body_text(b, NULL, key, words[0], &text);
	while (words[i] && !bytes_is(buf_view(&text), words[i]))
		i++;
	if (!words[i]) {
		char list[120];
		size_t len = 0;

		for (i = 0; words[i] && len < sizeof(list); i++)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "use one of: ", words[i]);
		bad_value(b, key, "not one of the words allowed", list);
		i = 0;
	}
	buf_deinit(&text);
	return i;
}
