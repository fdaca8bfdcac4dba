#include <stdlib.h>

#include "base/must.h"
#include "proxy/gzip_kit.h"
#include "proxy/http_reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_reading *read_cut(struct bytes body, size_t step, bool gzip)
{
	struct http1_head h = { .n_fields = gzip };
	struct http_reading *r;

	h.fields[0].name = bytes_str("Content-Encoding");
	h.fields[0].value = bytes_str("gzip");
	r = http_reading_new(POLICY_NEEDS_GIT, &h);
	must(r);
	while (body.len) {
		size_t n = body.len < step ? body.len : step;
		uint8_t *own = malloc(n); /* what is fed goes away */

		must(own);
		memcpy(own, body.p, n);
		http_reading_feed(r, bytes_of(own, n));
		free(own);
		body = bytes_skip(body, n);
	}
	http_reading_end(r);
	must(http_reading_ready(r));
	return r;
}

static void same(struct http_reading *a, struct http_reading *b)
{
	const struct policy_body *x = http_reading_facts(a, NULL, NULL, POLICY_NEEDS_GIT);
	const struct policy_body *y = http_reading_facts(b, NULL, NULL, POLICY_NEEDS_GIT);

	must(x->state == y->state && x->is_push == y->is_push && x->n_commands == y->n_commands);
	for (size_t i = 0; i < x->n_commands; i++)
		must(x->commands[i].kind == y->commands[i].kind && bytes_eq(x->commands[i].ref, y->commands[i].ref));
}

static void code(struct bytes in, struct buf *out)
{
	struct gzip_kit k;

	gzip_kit_begin(&k, out);
	gzip_kit_add(&k, in);
	gzip_kit_end(&k);
}

/* Cut or whole, coded or not: the same commands. The first byte says how it is cut, and whether the rest is coded already. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes body = bytes_of(data + 1, size ? size - 1 : 0);
	struct buf coded BUF_AUTO = { 0 };
	struct http_reading *whole, *cut;
	bool raw;
	size_t step;

	if (!size)
		return 0;
	step = 1 + (data[0] >> 1);
	raw = data[0] & 1;
	buf_init(&coded, body.len + 2000);
	if (!raw)
		code(body, &coded);
	whole = read_cut(body, size, raw);
	cut = read_cut(raw ? body : buf_view(&coded), step, true);
	same(whole, cut);
	http_reading_free(whole);
	http_reading_free(cut);
	return 0;
}
