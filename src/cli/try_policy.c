#include "cli/try_policy.h"

#include "cli/policy_file.h"

int try_policy(const char *path, struct buf *ret)
{
	struct policy p = { 0 };

	return policy_file_open(path, ret, &p);
}
