#include "cli/try_policy.h"

#include <errno.h>

#include "cli/policy_file.h"

int try_policy(const char *path, struct buf *ret, struct err *e)
{
	struct policy p = { 0 };

	return policy_file_open(path, ret, &p) ? 0 : err_set(e, EBADMSG, "%s: the policy was refused", path);
}
