#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/must.h"
#include "base/utf8.h"
#include "wire/yaml_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void quote(struct buf *out, const struct yaml_tree_node *n)
{
	uint32_t c;

	buf_byte(out, '"');
	for (struct bytes rest = n->text; rest.len; rest = bytes_skip(rest, utf8_next(rest, &c))) {
		must(utf8_next(rest, &c) > 0);
		if (c < 0x80)
			buf_fmt(out, "\\x%02x", c);
		else
			buf_fmt(out, c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
	}
	buf_byte(out, '"');
}

/* Flow style, iteratively: `up` remembers the way back. */
static void print(struct buf *out, const struct yaml_tree_node *root)
{
	const struct yaml_tree_node *up[YAML_TREE_DEPTH_MAX + 1];
	const struct yaml_tree_node *n = root;
	unsigned depth = 0;

	while (n) {
		if (n->key) {
			quote(out, n->key);
			buf_str(out, ": ");
		}
		if (n->kind == YAML_TREE_SCALAR)
			quote(out, n);
		else
			buf_byte(out, n->kind == YAML_TREE_LIST ? '[' : '{');
		if (n->first) {
			up[depth++] = n;
			n = n->first;
			continue;
		}
		if (n->kind != YAML_TREE_SCALAR)
			buf_byte(out, n->kind == YAML_TREE_LIST ? ']' : '}');
		while (n && n != root && !n->next) {
			n = up[--depth];
			buf_byte(out, n->kind == YAML_TREE_LIST ? ']' : '}');
		}
		if (!n || n == root)
			return;
		buf_byte(out, ',');
		n = n->next;
	}
}

/* What parses, printed in one plain style, parses to what prints the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	BUF_AUTO struct buf one, two;
	struct yaml_tree_fault fault = { 0 };
	struct yaml_tree *t = yaml_tree_parse(bytes_of(data, size), &fault);
	struct yaml_tree *again;

	buf_init(&one, 16 * 1024 * 1024);
	buf_init(&two, 16 * 1024 * 1024);
	if (!t) {
		must(fault.line > 0 && fault.column > 0 && fault.text[0]);
		return 0;
	}
	print(&one, yaml_tree_root(t));
	if (!one.failed && one.len < YAML_TREE_TEXT_MAX) {
		again = yaml_tree_parse(buf_view(&one), &fault);
		must(again);
		print(&two, yaml_tree_root(again));
		must(bytes_eq(buf_view(&one), buf_view(&two)));
		yaml_tree_free(again);
	}
	yaml_tree_free(t);
	return 0;
}
