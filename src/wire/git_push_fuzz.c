#include <stdlib.h>

#include "base/buf.h"
#include "base/must.h"
#include "wire/git_push.h"
#include "wire/git_ref.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS = 64 };

static enum git_answer read_cut(struct bytes in, size_t step, struct git_command *c, struct git_push *p, enum git_fault *f)
{
	struct git_push_scan s = { 0 };
	enum git_answer a = GIT_MORE;

	for (size_t end = 0; a == GIT_MORE && end < in.len;) {
		end = in.len - end > step ? end + step : in.len;
		a = git_push_read(&s, bytes_of(in.p, end), c, COMMANDS, p, f);
	}
	return a;
}

static void print(struct buf *out, const struct git_command *c, const struct git_push *p)
{
	for (size_t i = 0; i < p->n_commands; i++) {
		const char *caps = i ? "" : p->sha256 ? " object-format=sha256" : " object-format=sha1";
		size_t n = c[i].old_id.len + c[i].new_id.len + c[i].ref.len + 2 + (i ? 0 : 1 + strlen(caps));

		(void)buf_fmt(out, "%04zx%.*s %.*s %.*s", n + GIT_PKT_HEAD_LEN, (int)c[i].old_id.len, (const char *)c[i].old_id.p,
			      (int)c[i].new_id.len, (const char *)c[i].new_id.p, (int)c[i].ref.len, (const char *)c[i].ref.p);
		if (i == 0)
			(void)buf_byte(out, '\0');
		(void)buf_str(out, caps);
	}
	(void)buf_str(out, "0000");
}

/* Cut or whole the same; what was read, written again, reads as the same commands. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct git_command c[COMMANDS], d[COMMANDS];
	struct git_push p = { 0 }, q = { 0 };
	enum git_fault f = GIT_FAULT_NONE, g = GIT_FAULT_NONE;
	struct buf again BUF_AUTO = { 0 };
	enum git_answer a;

	a = read_cut(bytes_of(data, size), size + 1, c, &p, &f);
	if (size <= 4096)
		must(read_cut(bytes_of(data, size), 1, d, &q, &g) == a && f == g && p.len == q.len);
	if (a != GIT_DONE)
		return 0;
	must(p.len <= size && p.n_commands <= COMMANDS);
	buf_init(&again, 4 * size + 4096);
	print(&again, c, &p);
	must(read_cut(buf_view(&again), again.len, d, &q, &g) == GIT_DONE && q.n_commands == p.n_commands && q.len == again.len);
	for (size_t i = 0; i < p.n_commands; i++) {
		must(d[i].kind == c[i].kind && bytes_eq(d[i].ref, c[i].ref) && bytes_eq(d[i].new_id, c[i].new_id));
		must(git_ref_valid(c[i].ref) && bytes_eq(d[i].old_id, c[i].old_id));
	}
	return 0;
}
