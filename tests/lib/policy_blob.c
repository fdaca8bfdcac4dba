/* For tests of single roles: compiles the policy text on standard input to a blob on standard output. */
#include <stdio.h>
#include <unistd.h>

#include "crypt/sha256.h"
#include "rules/policy_compile.h"

int main(void)
{
	const struct policy_options options = { .sha256 = sha256 };
	struct policy_problems problems POLICY_PROBLEMS_AUTO = { 0 };
	struct buf text BUF_AUTO;
	struct buf blob BUF_AUTO;
	uint8_t *room;
	ssize_t n = 0;

	buf_init(&text, POLICY_TEXT_MAX);
	buf_init(&blob, POLICY_BLOB_MAX);
	while ((room = buf_room(&text, 65536)) != NULL && (n = read(0, room, 65536)) > 0)
		buf_grew(&text, (size_t)n);
	if (n == 0 && policy_compile(buf_view(&text), &options, &blob, &problems))
		return fwrite(blob.p, 1, blob.len, stdout) == blob.len && fflush(stdout) == 0 ? 0 : 1;
	for (size_t i = 0; i < problems.n; i++)
		(void)fprintf(stderr, "%u:%u: %s\n", problems.v[i].line, problems.v[i].column, problems.v[i].text);
	return 1;
}
