#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "base/utf8.h"
#include "rules/policy_compile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void no_hash(struct bytes data, uint8_t ret[32])
{
	memset(ret, (int)data.len & 0xff, 32);
}

/* Any text gives problems with a place or a blob that opens; the same text gives the same of both. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct policy_options options = { .sha256 = no_hash, .production = false };
	struct policy_problems one = { 0 }, two = { 0 };
	struct buf a, b;
	struct policy p = { 0 };
	struct err e = { 0 };
	bool ok;

	buf_init(&a, POLICY_BLOB_MAX);
	buf_init(&b, POLICY_BLOB_MAX);
	ok = policy_compile(bytes_of(data, size), &options, &a, &one);
	must(policy_compile(bytes_of(data, size), &options, &b, &two) == ok && one.n == two.n);
	must(ok == (one.n_errors == 0));
	must(bytes_eq(buf_view(&a), buf_view(&b)) &&
	     (ok ? policy_open(&p, buf_view(&a), &e) : a.len == 0));
	for (size_t i = 0; i < one.n; i++)
		must(one.v[i].line > 0 && one.v[i].column > 0 && one.v[i].text[0] &&
		     utf8_valid(bytes_str(one.v[i].text)));
	policy_problems_deinit(&one);
	policy_problems_deinit(&two);
	buf_deinit(&a);
	buf_deinit(&b);
	return 0;
}
