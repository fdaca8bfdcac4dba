#include <stdlib.h>

#include "base/must.h"
#include "wire/git_fetch.h"
#include "wire/git_push.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum git_answer read_cut(struct git_fetch *g, struct bytes in, size_t step, enum git_fault *f)
{
	enum git_answer a = GIT_MORE;

	for (size_t off = 0; a == GIT_MORE && off < in.len; off += step)
		a = git_fetch_feed(g, bytes_of(in.p + off, in.len - off > step ? step : in.len - off), f);
	return a == GIT_MORE ? git_fetch_end(g, f) : a;
}

/* Cut or whole the same; what reads is never also a push of anything. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct git_command commands[64];
	struct git_push_scan scan = { 0 };
	struct git_fetch g = { 0 }, h = { 0 };
	enum git_fault f = GIT_FAULT_NONE, e = GIT_FAULT_NONE;
	struct git_push p;
	enum git_answer a;

	a = read_cut(&g, bytes_of(data, size), size + 1, &f);
	must(read_cut(&h, bytes_of(data, size), 3, &e) == a && f == e && g.kind == h.kind);
	if (a == GIT_DONE) {
		must(g.kind != GIT_FETCH_UNKNOWN);
		if (git_push_read(&scan, bytes_of(data, size), commands, 64, &p, &f) == GIT_DONE)
			must(p.n_commands == 0);
	}
	return 0;
}
