#include <stdlib.h>

#include "base/must.h"
#include "wire/ai_usage.h"
#include "wire/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(struct ai_usage *u, enum ai_usage_kind kind, struct bytes s, size_t step)
{
	ai_usage_init(u, kind);
	for (size_t off = 0; off < s.len; off += step)
		ai_usage_feed(u, bytes_of(s.p + off, s.len - off > step ? step : s.len - off));
}

static bool same(const struct ai_counts *a, const struct ai_counts *b)
{
	for (size_t i = 0; i < AI_COUNTS; i++)
		if (a->has[i] != b->has[i] || a->n[i] != b->n[i])
			return false;
	return strcmp(a->model, b->model) == 0;
}

/* Cut or whole the same; of well-formed JSON with plain names the count is what a real reader finds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_node nodes[1024];
	struct bytes s = bytes_of(data, size);
	struct ai_usage whole, cut;
	uint64_t n;
	uint32_t count;
	size_t at;

	for (enum ai_usage_kind k = AI_USAGE_JSON; k <= AI_USAGE_SSE; k++) {
		feed(&whole, k, s, size + 1);
		feed(&cut, k, s, 1);
		must(same(&whole.counts, &cut.counts));
	}
	feed(&whole, AI_USAGE_JSON, s, size + 1);
	if (size && bytes_find(s, '\\') == size && json_scan(s, nodes, 1024, &count, &at) == JSON_OK &&
	    json_u64(json_get(nodes, json_get(nodes, nodes, "usage"), "output_tokens"), INT64_MAX, &n))
		must(whole.counts.has[AI_OUTPUT]); /* perhaps another one than n: completion_tokens, or within a wrapper */
	return 0;
}
