#include "cli/json_put.h"

#include "base/must.h"

static void quoted(struct buf *out, struct bytes raw)
{
	buf_byte(out, '"');
	buf_bytes(out, raw);
	buf_byte(out, '"');
}

static void open_value(struct buf *out, const struct json_node *n)
{
	switch (n->kind) {
	case JSON_NULL:
		buf_str(out, "null");
		break;
	case JSON_FALSE:
		buf_str(out, "false");
		break;
	case JSON_TRUE:
		buf_str(out, "true");
		break;
	case JSON_NUMBER:
		buf_bytes(out, n->raw);
		break;
	case JSON_STRING:
		quoted(out, n->raw);
		break;
	case JSON_ARRAY:
		buf_byte(out, '[');
		break;
	case JSON_OBJECT:
		buf_byte(out, '{');
		break;
	}
}

bool json_put(const struct json_node *nodes, const struct json_node *n, struct buf *out)
{
	const struct json_node *up[JSON_DEPTH_MAX + 1];
	size_t depth = 0;

	open_value(out, n);
	if (n->kind < JSON_ARRAY)
		return !out->failed;
	up[depth++] = n;
	n = n->first ? nodes + n->first : NULL;
	while (depth > 0) {
		if (!n) {
			const struct json_node *done = up[--depth];

			buf_byte(out, done->kind == JSON_OBJECT ? '}' : ']');
			if (depth == 0)
				break;
			n = done->next ? nodes + done->next : NULL;
			if (n)
				buf_byte(out, ',');
			continue;
		}
		if (up[depth - 1]->kind == JSON_OBJECT) {
			quoted(out, n->key);
			buf_byte(out, ':');
		}
		open_value(out, n);
		if (n->kind >= JSON_ARRAY) {
			must(depth <= JSON_DEPTH_MAX);
			up[depth++] = n;
			n = n->first ? nodes + n->first : NULL;
			continue;
		}
		n = n->next ? nodes + n->next : NULL;
		if (n)
			buf_byte(out, ',');
	}
	return !out->failed;
}
