#include <stddef.h>

#include "base/must.h"
#include "rules/policy_ask.h"
#include "rules/policy_change.h"
#include "rules/policy_test_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct tap_case *tap_cases;
struct tap_case **tap_tail = &tap_cases;
bool tap_failed;

bool tap_check(bool ok, const char *what, const char *file, int line)
{
	(void)what;
	(void)file;
	(void)line;
	must(ok);
	return ok;
}

static const char *const text = "version: 1\nname: t\nverdicts: {read: allow, write: review}\nnetwork:\n"
				"  - {name: a, hosts: [a.example], ports: [80, 443], mode: http, protocol: rest, rules: [\n"
				"      {class: read, methods: [GET], paths: ['/a/**'], query: {x: [\"1\"]}}, {class: write, methods: [POST], paths: ['/**']},\n"
				"      {deny: true, methods: [\"*\"], paths: ['/a/no']}]}\n"
				"  - {name: g, hosts: ['*.g.example'], ports: [443], mode: intercept, protocol: git, access: read-only}\n";

static const char *const types[] = { "", "application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/mixed",
				     "application/json; charset=utf-16", "text/plain; charset=utf-7" };

/* "METHOD URL", and perhaps a line end and a body, whose length says what it is said to be: the parts of a question are those of its text, and whatever is
 * refused has a change or says why there is none. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kit kit;
	struct bytes line = bytes_of(data, bytes_find(bytes_of(data, size), '\n'));
	bool has_body = line.len < size;
	struct bytes body = has_body ? bytes_of(data + line.len + 1, size - line.len - 1) : bytes_of(data, 0);
	size_t blank = bytes_find(line, ' ');
	struct bytes url = blank < line.len ? bytes_skip(line, blank + 1) : bytes_of(data, 0);
	struct policy_ask q = { .body = has_body ? &body : NULL, .type = bytes_str(types[body.len % (sizeof(types) / sizeof(types[0]))]) };
	POLICY_TOLD_AUTO struct policy_told told = { .reason = REASON_OK };

	if (!kit.ok)
		kit = kit_compile(text);
	if (!policy_ask_parse(bytes_of(data, blank), url, &q))
		return 0;
	must(q.authority.p + q.authority.len == q.target.p && q.target.p + q.target.len == url.p + url.len && q.authority.p > url.p);
	policy_ask(&kit.policy, &q, &told);
	must(!told.change.failed && told.change.len <= POLICY_CHANGE_MAX);
	must((told.change.len > 0) == (told.reason != REASON_OK));
	return 0;
}
