#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "wire/json_number.h"
#include "wire/json_pointer.h"
#include "wire/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NODES = 4096 };
static struct json_node nodes[NODES];

/* The value of a pointer in the tree of the other reader. */
static const struct json_node *walk(struct bytes p)
{
	const struct json_node *n = nodes;

	while (p.len && n) {
		struct bytes t = bytes_skip(p, 1);
		char name[JSON_POINTER_LEN_MAX + 1];
		size_t len = 0;
		uint64_t i = 0;

		t.len = bytes_find(t, '/');
		p = bytes_skip(p, 1 + t.len);
		for (size_t k = 0; k < t.len; k++)
			name[len++] = t.p[k] != '~' ? (char)t.p[k] : t.p[++k] == '0' ? '~' : '/';
		name[len] = '\0';
		for (size_t k = 0; k < t.len && i <= 100000; k++)
			i = t.p[k] >= '0' && t.p[k] <= '9' ? i * 10 + t.p[k] - '0' : 100001;
		if (n->kind == JSON_OBJECT)
			n = json_get(nodes, n, name);
		else
			n = t.len == 0 || i > 100000 || (t.p[0] == '0' && t.len > 1) ? NULL : json_at(nodes, n, (uint32_t)i);
	}
	return n;
}

static void check(struct bytes pointer, const struct json_value *v)
{
	static const enum json_value_kind kinds[] = { [JSON_NULL] = JSON_VALUE_NULL,	   [JSON_FALSE] = JSON_VALUE_FALSE,
						      [JSON_TRUE] = JSON_VALUE_TRUE,	   [JSON_NUMBER] = JSON_VALUE_NUMBER,
						      [JSON_STRING] = JSON_VALUE_STRING, [JSON_ARRAY] = JSON_VALUE_ARRAY,
						      [JSON_OBJECT] = JSON_VALUE_OBJECT };
	const struct json_node *n = walk(pointer);
	struct buf text BUF_AUTO;

	buf_init(&text, JSON_POINTER_BODY_MAX);
	must(v->kind == (n ? kinds[n->kind] : JSON_VALUE_ABSENT));
	if (v->kind == JSON_VALUE_NUMBER)
		must(bytes_eq(n->raw, v->text) && json_number_valid(v->text));
	if (v->kind == JSON_VALUE_STRING)
		must(json_text(n, &text) && bytes_eq(buf_view(&text), v->text));
}

/* Two pointers in lines, then a body. Whatever this reader takes, the other one takes with the same values, and the other way
 * round but for depth, doubles, twins and U+0000. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes p[2], s = bytes_of(data, size);
	struct arena a ARENA_AUTO = { 0 };
	struct json_value v[2];
	enum json_pointer_answer got;
	enum json_answer other;
	uint32_t n;
	size_t at = 0;

	if (size > 16384)
		return 0;
	for (size_t i = 0; i < 2; i++) {
		p[i] = bytes_of(s.p, bytes_find(s, '\n'));
		if (p[i].len == s.len || !json_pointer_valid(p[i]) || bytes_find(p[i], '\0') < p[i].len)
			return 0;
		s = bytes_skip(s, p[i].len + 1);
	}
	arena_init(&a, 1024 * 1024);
	got = json_pointer_read(s, p, 2, &a, v, &at);
	other = json_scan(s, nodes, NODES, &n, &at);
	must(at <= size);
	if (got == JSON_POINTER_DONE) {
		must(other == JSON_OK || other == JSON_TOO_LARGE || other == JSON_NOT_TEXT);
		if (other == JSON_NOT_TEXT)
			must(memmem(s.p, s.len, "\\u0000", 6));
		if (other == JSON_OK)
			for (size_t i = 0; i < 2; i++)
				check(p[i], &v[i]);
	} else if (other == JSON_OK) {
		must(got == JSON_POINTER_AMBIGUOUS || got == JSON_POINTER_NOT_PARSABLE);
		if (got == JSON_POINTER_NOT_PARSABLE)
			must(memchr(s.p, 'e', s.len) || memchr(s.p, 'E', s.len));
		p[0] = p[1] = bytes_str(""); /* no way, no twins */
		if (got == JSON_POINTER_AMBIGUOUS && nodes[0].kind != JSON_NUMBER)
			must(json_pointer_read(s, p, 2, &a, v, &at) != JSON_POINTER_AMBIGUOUS);
	} else if (other == JSON_DUPLICATE) {
		must(got != JSON_POINTER_DONE);
	}
	return 0;
}
