#include <stddef.h>
#include <stdint.h>

#include "base/json_out.h"
#include "base/must.h"
#include "wire/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NODES = 4096 };

/* A string written again by our writer reads back as the same text. */
static void check_string(const struct json_node *n)
{
	static struct json_node one[2];
	BUF_AUTO struct buf text, json, again;
	struct json_out j;
	uint32_t count;
	size_t at;

	buf_init(&text, JSON_TEXT_MAX);
	buf_init(&json, JSON_TEXT_MAX * 8);
	buf_init(&again, JSON_TEXT_MAX);
	must(json_text(n, &text));
	must(json_is(n, buf_cstr(&text)));
	json_out_init(&j, &json);
	json_out_bytes(&j, buf_view(&text));
	if (json.len > JSON_TEXT_MAX)
		return;
	must(json_scan(buf_view(&json), one, 2, &count, &at) == JSON_OK && count == 1);
	must(json_text(one, &again) && bytes_eq(buf_view(&text), buf_view(&again)));
}

/* Well-formed text: its strings survive a round trip, no prefix of it is called malformed, nothing may follow it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_node nodes[NODES], other[NODES];
	struct bytes s = bytes_of(data, size);
	uint32_t n, m;
	size_t at = 0;

	if (size > 4096)
		return 0;
	if (json_scan(s, nodes, NODES, &n, &at) != JSON_OK) {
		must(at <= size);
		return 0;
	}
	must(n >= 1 && n <= NODES);
	for (uint32_t i = 0; i < n; i++) {
		must(nodes[i].first < n && nodes[i].next < n);
		if (nodes[i].kind == JSON_STRING)
			check_string(&nodes[i]);
	}
	for (size_t len = size > 64 ? size - 64 : 0; len < size; len++) {
		enum json_answer a = json_scan(bytes_of(data, len), other, NODES, &m, &at);

		must(a == JSON_SHORT || a == JSON_OK || a == JSON_NOT_TEXT);
	}
	return 0;
}
